"""Node ``monitor``: what the controller says about itself, as one JSON object a line, for a program or a person.

    python -m ttdm_ros.nodes.monitor

Lines are ``{"status": {...}}`` (the keys of ``mpc_controller/status``, ten times a second) and ``{"event": "..."}``.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from ttdm_ros import topics

_LATCHED = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Monitor(Node):
    """Prints what it hears."""

    def __init__(self, **node_arguments: Any) -> None:
        """Subscribe."""
        super().__init__("monitor", **node_arguments)
        self.create_subscription(DiagnosticArray, topics.STATUS, self._on_status, 10)
        self.create_subscription(String, topics.EVENTS, self._on_event, _LATCHED)

    def _on_status(self, message: DiagnosticArray) -> None:
        if message.status:
            status = message.status[0]
            level = status.level[0] if isinstance(status.level, bytes) else status.level
            values = {item.key: item.value for item in status.values}
            _print({"status": values | {"level": level, "message": status.message}})

    def _on_event(self, message: String) -> None:
        _print({"event": message.data})


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT, SIGTERM, or until nobody reads the output any more."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    with rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO):
        node = Monitor()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            while not stop.is_set():
                executor.spin_once(timeout_sec=0.2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its exit
        finally:
            executor.remove_node(node)
            node.destroy_node()
    return 0


if __name__ == "__main__":
    sys.exit(main())
