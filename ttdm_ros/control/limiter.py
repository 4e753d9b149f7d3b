"""The last step of every command: finite, within torque limits, within torque-rate limits."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class TorqueLimiter:
    """Keeps commands within |tau| ≤ effort and |change of tau| ≤ rate · time, and starts from zero torque."""

    def __init__(self, effort: Array, rate: Array) -> None:
        """Take the limits, ``effort`` (7,) [N·m] and ``rate`` (7,) [N·m/s]."""
        self._effort, self._rate = effort, rate
        self.torque = np.zeros(len(effort))
        """Last command let through (7,) [N·m]."""
        self.limited = 0
        """Commands so far that the rate limit changed."""

    def reset(self) -> None:
        """Start from zero torque again."""
        self.torque = np.zeros(len(self._effort))

    def apply(self, wanted: Array, elapsed: float) -> Array:
        """Return the command (7,) [N·m] nearest to ``wanted`` that is allowed ``elapsed`` [s] after the one before.

        What is not finite counts as no change.
        """
        finite = np.isfinite(wanted)
        if not finite.all():
            wanted = np.where(finite, wanted, self.torque)
        target = np.minimum(np.maximum(wanted, -self._effort), self._effort)
        step = self._rate * max(elapsed, 0.0)
        allowed = np.minimum(np.maximum(target, self.torque - step), self.torque + step)
        self.limited += bool((allowed != target).any())
        self.torque = allowed
        return allowed.copy()
