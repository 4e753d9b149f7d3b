"""What a joint state must be before anything is computed from it."""

import math

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.systems.arm import JointLimits

Array = NDArray[np.float64]

_MOVING = 0.02  # a joint that says it is this fast must change its position [rad/s]
_POSITION_SLACK = 0.1  # beyond a limit by more than this, an encoder is wrong or the arm is broken [rad]
_VELOCITY_FACTOR = 1.5  # over the velocity limit by more than this factor, likewise


class StateGuard:
    """Finds joint states that must not be acted on: not finite, out of order, frozen, or beyond any sense."""

    def __init__(self, names: tuple[str, ...], limits: JointLimits, stale_after: float) -> None:
        """``names`` of the joints, and the time without change after which states count as frozen [s]."""
        self._names, self._stale_after = names, stale_after
        self._lower = limits.position_lower - _POSITION_SLACK
        self._upper = limits.position_upper + _POSITION_SLACK
        self._fastest = _VELOCITY_FACTOR * limits.velocity
        self.reset()

    def reset(self) -> None:
        """Forget the states before."""
        self._last_stamp: float | None = None
        self._last_q: Array | None = None
        self._changed_at = 0.0

    def fault(self, stamp: float, q: Array, v: Array) -> str | None:
        """Return what is wrong with the state ``q`` (7,) [rad], ``v`` (7,) [rad/s] of ``stamp`` [s], or None."""
        if not math.isfinite(float(q.sum()) + float(v.sum())):
            index = int(np.argmin(np.isfinite(q) & np.isfinite(v)))
            return f"the joint state of {self._names[index]} is not finite; check the arm's sensors and driver"
        outside = (q < self._lower) | (q > self._upper)
        if outside.any():
            index = int(outside.argmax())
            return (
                f"{self._names[index]} is at {q[index]:.3f} rad, far beyond its limits; check the robot's description "
                "and the order of its joints"
            )
        fast = np.abs(v) > self._fastest
        if fast.any():
            index = int(fast.argmax())
            return (
                f"{self._names[index]} moves at {v[index]:.2f} rad/s, far beyond its limit; the arm is out of control"
            )
        frozen = self._frozen(stamp, q, v)
        self._last_stamp = stamp
        if frozen:
            return (
                f"the joint positions have not changed for {1e3 * (stamp - self._changed_at):.0f} ms although the arm "
                "says it moves; its state is frozen, check the driver"
            )
        return None

    def is_old(self, stamp: float) -> bool:
        """Whether a state of ``stamp`` [s] is no newer than the last one, so that it says nothing new."""
        return self._last_stamp is not None and stamp <= self._last_stamp

    def _frozen(self, stamp: float, q: Array, v: Array) -> bool:
        moves = float(np.abs(v).max()) > _MOVING
        if self._last_q is None or not moves or bool((q != self._last_q).any()):
            self._changed_at = stamp
        self._last_q = q.copy()
        return stamp - self._changed_at > self._stale_after
