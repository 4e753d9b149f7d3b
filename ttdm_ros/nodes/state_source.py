"""The newest joint state, received without the executor."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from ttdm_ros import topics
from ttdm_ros.nodes.gate import Gate

# Best effort hears every publisher. Others, a gripper's driver for one, may publish on the same topic: with a queue of
# one message theirs would push out the arm's.
_STATES = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
_LONGEST_PAUSE_S = 1.0
_SEVERAL = 3  # old states one after the other; two publishers, or a busy network, may mix up two
_SET_BACK_S = 0.1  # stamps that go back by more, in simulated time, are of a simulation that was begun again


class StateSource:
    """The topic of joint states, waited on by one thread.

    Waiting on all of a node's entities costs rclpy a tenth of a millisecond and decoding a message as much again;
    waiting on one subscription and taking its bytes costs 20 µs together.
    """

    def __init__(self, node: Node) -> None:
        """Subscribe."""
        self._subscription = node.create_subscription(
            JointState,
            topics.JOINT_STATES,
            _ignore,
            _STATES,
            callback_group=Gate(),
            # These would be waited on by the executor, and wake it at every message.
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            raw=True,
        )
        context = node.context.handle
        assert context is not None, "a node has a context that is initialised"
        self._wait_set = _rclpy.WaitSet(1, 0, 0, 0, 0, 0, context)

    def wait(self, timeout: float) -> None:
        """Return when a message is there or ``timeout`` [s] has passed."""
        self._wait_set.clear_entities()
        self._wait_set.add_subscription(self._subscription.handle)
        self._wait_set.wait(round(1e9 * timeout))

    def take(self) -> bytes | None:
        """Return the oldest waiting message as it came; None if there is none."""
        with self._subscription.handle:
            taken = self._subscription.handle.take_message(JointState, True)
        return None if taken is None else taken[0]

    def drop(self) -> None:
        """Forget what waits."""
        while self.take() is not None:
            pass


def simulated_time(node: Node) -> Callable[[], int] | None:
    """Return what tells a node's time [ns] where that is simulated; None if it is the wall clock's."""
    if not node.get_parameter("use_sim_time").value:
        return None
    return lambda: int(node.get_clock().now().nanoseconds)


class Watchdog:
    """Measures for how long no new joint state has come: on the wall clock, or on ROS time where that is simulated.

    A simulation that is paused publishes neither states nor time; that is no silence, and may last as long as it likes.
    Only where the arm is to come to rest nobody can wait for it: then a second of wall clock counts, too.
    """

    def __init__(self, ros_time_ns: Callable[[], int] | None) -> None:
        """Begin to measure.

        Args:
            ros_time_ns: returns simulated time [ns]; None to measure on the wall clock.
        """
        self._ros_time_ns = ros_time_ns
        self.begin()

    def begin(self) -> None:
        """Forget everything; there is no silence before the first state."""
        self.is_leaving = False
        """Whether the arm is to come to rest."""
        self._stamp_ns: int | None = None
        self._heard = time.monotonic()
        self._old = 0  # states since the last new one
        self._is_set_back = False

    @property
    def hears_old(self) -> bool:
        """Whether states come, but none that is new."""
        return self._old >= _SEVERAL

    def note_old(self, stamp_ns: int) -> float:
        """Take note of a state that is not new; return by how much simulated time was set back with it [s]."""
        self._old += 1
        if self._ros_time_ns is None or self._stamp_ns is None:
            return 0.0
        back = 1e-9 * (self._stamp_ns - stamp_ns)
        self._is_set_back |= back > _SET_BACK_S
        return back if back > _SET_BACK_S else 0.0

    def is_new(self, stamp_ns: int) -> bool:
        """Whether a state is newer than all before it; one that is not says nothing."""
        return self._stamp_ns is None or stamp_ns > self._stamp_ns

    def note(self, stamp_ns: int) -> None:
        """Take note of a new state that has been answered."""
        self._stamp_ns, self._heard, self._old = stamp_ns, time.monotonic(), 0

    @property
    def silence(self) -> float:
        """Time since the last new state [s]."""
        if self._stamp_ns is None:
            return 0.0
        on_wall = time.monotonic() - self._heard
        if self._ros_time_ns is None or self._is_set_back or (self.is_leaving and on_wall > _LONGEST_PAUSE_S):
            return on_wall
        return 1e-9 * (self._ros_time_ns() - self._stamp_ns)


def _ignore(message: Any) -> None:
    """Stand in as the callback that the executor never calls."""
