"""Bringing the arm to rest without the solver."""

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_RATE = 15.0  # velocity falls by this share of itself a second [1/s], within the acceleration limits
_AT_REST = 0.02  # [rad/s]
_LONGEST = 2.0  # [s] after which the arm counts as stopped whatever it does: its own brakes take over


class Braking:
    """Nominal inverse dynamics of a deceleration proportional to velocity."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._since = 0.0

    def begin(self, now: float) -> None:
        """Brake from ``now`` [s] on."""
        self._since = now

    def torque(self, q: Array, v: Array) -> Array:
        """Return the torque (7,) [N·m] that decelerates the arm at q [rad], v [rad/s]."""
        limit = self._arm.limits.acceleration
        deceleration = np.clip(-_RATE * v, -limit, limit)
        return self._arm.inverse_dynamics(q, v, deceleration)

    def done(self, now: float, v: Array, tau: Array, *, known: bool) -> bool:
        """Whether commanding can end: the arm rests, or nothing is known of it and torque has gone to zero."""
        if not known:
            return bool(np.abs(tau).max() < 1e-9)
        return bool(np.abs(v).max() < _AT_REST) or now - self._since > _LONGEST
