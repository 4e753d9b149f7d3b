"""How a node with a loop of its own runs as a process, and when it ends."""

import math
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.signals import SignalHandlerOptions

from ttdm_ros.errors import TtdmError

_LONGEST_FAREWELL_S = 2.0


class Runnable(Protocol):
    """A node with a loop of its own."""

    def run(self) -> None:
        """Run until ``stop`` is called."""

    def stop(self) -> None:
        """Let ``run`` return; called by a signal handler."""


class Farewell:
    """When a node that was asked to end does: once nobody commands the arm, two seconds later, or asked a second time.

    Whoever stops everything at once, as launch does, would otherwise take the arm away from a controller that is
    bringing it to rest.
    """

    def __init__(self) -> None:
        self._end_at = math.inf

    def ask(self) -> None:
        """Ask to end; safe in a signal handler."""
        self._end_at = 0.0 if self._end_at < math.inf else time.monotonic() + _LONGEST_FAREWELL_S

    def is_over(self, *, at_rest: bool) -> bool:
        """Whether to end now; ``at_rest``: nobody commands the arm."""
        return self._end_at < math.inf and (at_rest or time.monotonic() >= self._end_at)


def reason(error: Exception) -> str:
    """Return what rclpy says of arguments or a parameter file that it cannot read, without the place in its sources."""
    return re.sub(", at /[^,]*", "", str(error))


def run_node(name: str, make: Callable[[], Runnable], args: Sequence[str] | None) -> int:
    """Make a node and run it until SIGINT or SIGTERM; return 0, or 1 after one sentence on standard error.

    Args:
        name: of the node, which the sentence begins with.
        make: returns the node; called once rclpy is initialised.
        args: of rclpy; those of the process if None.
    """
    node: Runnable | None = None

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if node is None:
            raise SystemExit(0)
        node.stop()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    try:
        rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # arguments or a parameter file that rclpy cannot read
        print(f"{name}: {reason(error)}", file=sys.stderr)
        return 1
    try:
        node = make()
        node.run()
    except (TtdmError, ParameterException) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0
