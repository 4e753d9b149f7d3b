"""Ticks at absolute times of the monotonic clock, without bursts when the machine cannot keep up."""

import time
from collections.abc import Callable


class Pacer:
    """Says when the next tick is due, counts late ones, and gives time up rather than hurry after it.

    A tick that comes a few periods late is followed at once by the ones that are due, so that short interruptions
    cost nothing. Beyond that the schedule is moved: what was missed is never made up for.
    """

    LATE = 2
    """A tick is late if it comes more than this many periods after it was due."""
    MAX_BEHIND = 8
    """By how many periods the schedule may lag behind the clock before it is moved."""

    def __init__(self, period_ns: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Start now; the first tick is due one period [ns] later. ``clock`` returns nanoseconds."""
        self.period_ns = period_ns
        self.late = 0
        """Late ticks so far."""
        self.given_up_ns = 0
        """By how much the schedule was moved so far."""
        self._clock = clock
        self._due = clock() + period_ns

    @property
    def behind_ns(self) -> int:
        """By how much the next tick is overdue [ns]; 0 if it is not due yet."""
        return max(0, self._clock() - self._due)

    def remaining(self) -> float:
        """Return the time until the next tick is due [s], zero if it is."""
        return max(0, self._due - self._clock()) * 1e-9

    def tick(self) -> int:
        """Take the tick that is due and return by how much the schedule was moved for it [ns], mostly zero."""
        behind = self._clock() - self._due
        self._due += self.period_ns
        self.late += behind > self.LATE * self.period_ns
        if behind <= self.MAX_BEHIND * self.period_ns:
            return 0
        self._due += behind
        self.given_up_ns += behind
        return behind
