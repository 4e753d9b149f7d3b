"""What was commanded but does not act yet."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.mpc.solver import MpcSolver

Array = NDArray[np.float64]


class CommandsUnderway:
    """Foresees the state at the moment at which a command sent now will act.

    Until then the commands sent before act one after the other, each from its own delay on.
    """

    def __init__(self, delay: float) -> None:
        """``delay`` [s] from the joint state that a command answers to the moment at which it acts."""
        self._delay = delay
        self._sent: deque[tuple[float, Array]] = deque()  # when it acts, and the torque
        self.reset()

    def reset(self) -> None:
        """Begin where no torque acts."""
        self._sent.clear()
        self._sent.append((-np.inf, np.zeros(7)))

    def send(self, now: float, tau: Array) -> None:
        """Note the command ``tau`` (7,) [N·m] that answers the joint state of ``now`` [s]."""
        self._sent.append((now + self._delay, tau))

    def foresee(self, solver: MpcSolver, now: float, x: Array) -> Array:
        """Return the state (14,) one delay after ``x`` (14,) of ``now`` [s], by the solver's model."""
        while len(self._sent) > 1 and self._sent[1][0] <= now:
            self._sent.popleft()
        if self._delay <= 0.0:
            return x
        begins = np.array([time for time, _ in self._sent])
        begins[0] = now
        durations = np.diff(begins, append=now + self._delay)
        return solver.predict_along(x, np.array([tau for _, tau in self._sent]), durations)
