"""Lifecycle node ``mpc_controller``: joint states in, torques of a model predictive controller out."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from types import FrameType

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import MultiThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from ttdm_ros.errors import TtdmError
from ttdm_ros.nodes.controller_node import CALLBACK_GROUPS, MpcController
from ttdm_ros.nodes.running import reason

_SWITCH_INTERVAL_S = 2e-4  # after which a Python thread that computes makes room for the control thread
_SIM_TIME_POLL_S = 0.01


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM, which let the arm come to rest; a second one ends at once. Return 0, or 1."""
    stopping = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # arguments or a parameter file that rclpy cannot read
        return _fail(reason(error))
    try:
        node = MpcController(stopping)
        problem = _run(node, stopping)
    except (TtdmError, ParameterException) as error:
        problem = str(error)
    finally:
        rclpy.try_shutdown()
    return 0 if problem is None else _fail(problem)


def _run(node: MpcController, stopping: threading.Event) -> str | None:
    """Serve until the process shall stop; return why it ended by itself, None if it did not."""
    if node.config.autostart and not node.start():
        return None if stopping.is_set() else node.problem
    executor = MultiThreadedExecutor(num_threads=CALLBACK_GROUPS)
    executor.add_node(node)
    # Simulated time comes hundreds of times a second; it is looked at now and then, so that it does not wake rclpy.
    timeout = 0.0 if node.get_parameter("use_sim_time").value else 0.1
    problem = None
    try:
        while not stopping.wait(_SIM_TIME_POLL_S) and node.failure is None:
            executor.spin_once(timeout_sec=timeout)
    except Exception:  # of a callback; the arm shall come to rest all the same
        problem = traceback.format_exc()
    if node.failure is not None:
        return "".join(traceback.format_exception(node.failure))
    executor.shutdown()
    node.end()
    return problem or node.problem


def _fail(problem: str) -> int:
    print(f"mpc_controller: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
