"""Node ``monitor``: what the controller says, as JSON lines out; what to ask of it, as JSON lines in.

    python -m ttdm_ros.nodes.monitor

For programs without ROS. Lines out are ``{"status": {...}}`` (the keys of ``mpc_controller/status``, ten times a
second), ``{"event": "..."}`` (of the controller), ``{"driver": "..."}`` (an event of a Franka arm's driver), and
``{"answer": "...", "done": true}`` for each line in. Lines in are
``{"set": {name: value}}`` (parameters of the controller) and ``{"call": "drive_again"}`` (a service of it).
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ttdm_ros import topics
from ttdm_ros.nodes.services import (
    CONTROLLER,
    outcome,
    parameters,
    parameters_client,
    trigger_client,
)

_LATCHED = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_PATIENCE_S = 5.0  # for the controller to be there


class Monitor(Node):
    """Prints what it hears, and asks what it is told to."""

    def __init__(self, **node_arguments: Any) -> None:
        """Subscribe."""
        super().__init__("monitor", **node_arguments)
        self.create_subscription(DiagnosticArray, topics.STATUS, self._on_status, 10)
        self.create_subscription(String, topics.EVENTS, lambda heard: _print({"event": heard.data}), _LATCHED)
        self.create_subscription(String, topics.FRANKA_EVENTS, lambda heard: _print({"driver": heard.data}), _LATCHED)
        self._set_parameters = parameters_client(self)
        self._triggers = {name: trigger_client(self, CONTROLLER, name) for name in ("drive_again",)}

    def ask(self, line: str) -> None:
        """Do what a line in asks for; the answer is printed when it comes."""
        try:
            request = json.loads(line)
            if "set" in request:
                self._send(self._set_parameters, parameters(dict(request["set"])))
            else:
                self._call(str(request["call"]))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            _print({"answer": f"{line.strip()!r} cannot be asked of the controller ({error})", "done": False})

    def _call(self, name: str) -> None:
        client = self._triggers.get(name)
        if client is None:
            raise ValueError(f"no service '{name}'; there is {', '.join(self._triggers)}")
        self._send(client, Trigger.Request())

    def _send(self, client: Client[Any, Any], request: Any) -> None:
        def answer(future: Future[Any]) -> None:
            done, words = outcome(future.result())
            _print({"answer": words, "done": done})

        if client.wait_for_service(timeout_sec=_PATIENCE_S):
            client.call_async(request).add_done_callback(answer)
        else:
            _print({"answer": "the controller does not answer", "done": False})

    def _on_status(self, message: DiagnosticArray) -> None:
        if message.status:
            status = message.status[0]
            level = status.level[0] if isinstance(status.level, bytes) else status.level
            values = {item.key: item.value for item in status.values}
            _print({"status": values | {"level": level, "message": status.message}})


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _read_lines(lines: "queue.SimpleQueue[str]", wake: Callable[[], object]) -> None:
    for line in sys.stdin:
        lines.put(line)
        wake()


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT, SIGTERM, or until nobody reads the output any more."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    with rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO):
        node = Monitor()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        asked = node.create_guard_condition(lambda: None)  # ends a wait, so that a line is not asked a tenth late
        threading.Thread(target=_read_lines, args=(lines, asked.trigger), daemon=True).start()
        try:
            while not stop.is_set():
                while not lines.empty():
                    node.ask(lines.get())
                executor.spin_once(timeout_sec=0.1)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its exit
        finally:
            executor.remove_node(node)
            node.destroy_node()
    return 0


if __name__ == "__main__":
    sys.exit(main())
