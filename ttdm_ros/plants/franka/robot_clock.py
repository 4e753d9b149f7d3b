"""From the robot's own time to stamps."""

_STEP_NS = 20_000_000  # stamps follow the wall clock when they are behind it by more
_AHEAD_S = 0.1  # stamps that are ahead of it by more are told


class RobotClock:
    """Stamps that advance with the robot's time, so that they have no jitter of this machine in them.

    The robot counts from its own beginning, and begins again when it is connected anew: then, and when it says so, its
    time is placed on the wall clock. Stamps never go back, so where the wall clock was set back, or runs more slowly,
    they stay ahead of it; whoever uses their differences only, as the controller and training do, is not concerned.

    Attributes:
        ahead: of the wall clock, by the last time that was given [s].
    """

    def __init__(self) -> None:
        """Begin with the first time that is stamped."""
        self.ahead = 0.0
        self._offset_ns: int | None = None
        self._robot_ns = self._last_ns = 0

    def stamp_ns(self, robot_time: float, wall_time: float, *, may_step: bool) -> int | None:
        """Return the stamp [ns] of a robot time, or None if it is no newer than one before.

        Args:
            robot_time: [s].
            wall_time: when it was heard [s].
            may_step: whether stamps may jump forward to the wall clock, as nothing depends on their differences.
        """
        robot_ns, wall_ns = round(1e9 * robot_time), round(1e9 * wall_time)
        if self._offset_ns is None or robot_ns < self._robot_ns:
            self._offset_ns = max(wall_ns, self._last_ns + 1_000_000) - robot_ns
        elif may_step and wall_ns - (robot_ns + self._offset_ns) > _STEP_NS:
            self._offset_ns = wall_ns - robot_ns
        stamp = robot_ns + self._offset_ns
        self.ahead = 1e-9 * (stamp - wall_ns)
        if stamp <= self._last_ns:
            return None
        self._robot_ns, self._last_ns = robot_ns, stamp
        return stamp

    @property
    def notice(self) -> str:
        """What the user should know of the stamps; empty if nothing."""
        if self.ahead <= _AHEAD_S:
            return ""
        return (
            f"stamps are {self.ahead:.1f} s ahead of this computer's clock, which was set back or is the slower one; "
            "start the driver anew, while the arm rests, if a tool compares them"
        )

    @property
    def newest(self) -> float:
        """The newest robot time that was stamped [s]."""
        return 1e-9 * self._robot_ns

    def robot_time(self, stamp_ns: int) -> float:
        """Return the robot time [s] of a stamp [ns]."""
        return 1e-9 * (stamp_ns - (self._offset_ns or 0))
