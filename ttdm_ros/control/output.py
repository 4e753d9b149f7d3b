"""From the torque that is wanted to the one that is commanded."""

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.exploration import Exploration
from ttdm_ros.control.limiter import TorqueLimiter
from ttdm_ros.systems.arm import JointLimits

Array = NDArray[np.float64]

_FIRST_INTERVAL = 1e-3  # what torque may change in before the first command [s]
_SILENT_INTERVAL = 2e-3  # what it may change in, in one go, while no joint states come [s]
_LONGEST_INTERVAL = 1e-2  # what it may change in, in one go, at most: after a gap, or where stamps jump ahead [s]


class TorqueOutput:
    """Adds exploration, ramps torque in after activation, and keeps every command within its limits."""

    def __init__(self, limits: JointLimits, config: ControllerConfig) -> None:
        """Take the limits of the arm and the settings of ramp and exploration."""
        self.exploration = Exploration(
            limits.effort, config.exploration, config.exploration_bandwidth, config.exploration_seed
        )
        self._limiter = TorqueLimiter(limits.effort, limits.effort_rate)
        self._ramp_time = config.ramp_time
        self.reset()

    def reset(self) -> None:
        """Begin with zero torque at time zero."""
        self._limiter.reset()
        self.exploration.reset()
        self._last = -_FIRST_INTERVAL  # time of the last command [s]

    @property
    def limited(self) -> int:
        """Commands so far that the torque-rate limit changed."""
        return self._limiter.limited

    def drive(self, now: float, wanted: Array, interval: float, *, explores: bool) -> Array:
        """Return the command (7,) [N·m] at ``now`` [s], ``interval`` [s] after the joint state before."""
        if explores:
            wanted = wanted + self.exploration.next(interval)
        if now < self._ramp_time:
            wanted = (now / self._ramp_time) * wanted
        return self.limit(now, wanted)

    def limit(self, now: float, wanted: Array) -> Array:
        """Return the command (7,) [N·m] nearest to ``wanted`` that is allowed at ``now`` [s]."""
        torque = self._limiter.apply(wanted, min(now - self._last, _LONGEST_INTERVAL))
        self._last = now
        return torque

    def limit_after_gap(self, now: float, wanted: Array) -> Array:
        """Do the same while no joint states come."""
        self._last = max(self._last, now - _SILENT_INTERVAL)
        return self.limit(now, wanted)
