"""Log times in simulated time, exact although messages are looked at later than they arrived."""

from bisect import bisect_right
from struct import Struct

_CLOCK = Struct("<4xiI")  # head, seconds and nanoseconds of a serialized rosgraph_msgs/Clock
_KEPT = 20_000


class ClockHistory:
    """What the simulated clock showed at which time of the wall clock."""

    def __init__(self) -> None:
        """Start with no clock seen."""
        self._wall_ns: list[int] = []
        self._ros_ns: list[int] = []

    @property
    def has_started(self) -> bool:
        """Whether the clock was seen at all."""
        return bool(self._ros_ns)

    def note(self, wall_ns: int, data: bytes) -> None:
        """Take a serialized message of ``/clock`` and the wall time of its reception [ns]."""
        seconds, nanoseconds = _CLOCK.unpack_from(data)
        self._wall_ns.append(wall_ns)
        self._ros_ns.append(seconds * 10**9 + nanoseconds)
        if len(self._ros_ns) > _KEPT:
            del self._ros_ns[: _KEPT // 2], self._wall_ns[: _KEPT // 2]

    def at(self, wall_ns: int) -> int:
        """Return the simulated time that held at a wall time [ns]; the first one known for earlier times."""
        return self._ros_ns[max(0, bisect_right(self._wall_ns, wall_ns) - 1)]
