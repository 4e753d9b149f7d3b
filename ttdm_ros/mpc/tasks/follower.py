"""A pose that follows a target which may change at any moment, within limits of speed, acceleration and jerk.

Position and orientation are led by the same law. Towards a target at distance d the speed asked for is k d close by and
sqrt(2 A (d - d0/2)) further out (which decelerates at A), at most the highest speed; the acceleration asked for is
proportional to what the velocity lacks, at most the highest one; and the acceleration follows that with a first-order
lag, which bounds the jerk. The gains follow from the lag alone: each loop is four times slower than the one within it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.mpc.tasks.config import LiveTargetTask
from ttdm_ros.mpc.tasks.rotations import exponential, logarithm

Array = NDArray[np.float64]

DECELERATION_SHARE = 0.7  # of the highest acceleration, to stop with; the rest makes up for the lag


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FollowerState:
    """Pose and its derivatives in the base frame; rows of ``velocity`` and ``acceleration``: linear, angular."""

    position: Array  # (3,) [m]
    rotation: Array  # (3, 3)
    velocity: Array  # (2, 3) [m/s], [rad/s]
    acceleration: Array  # (2, 3) [m/s²], [rad/s²]

    @classmethod
    def resting(cls, position: Array, rotation: Array) -> Self:
        """A pose at rest."""
        return cls(position=position, rotation=rotation, velocity=np.zeros((2, 3)), acceleration=np.zeros((2, 3)))


class PoseFollower:
    """The law that leads a state towards a target."""

    def __init__(self, task: LiveTargetTask) -> None:
        """Take limits and smoothing from the task."""
        self._speed = np.array([task.linear_speed, task.angular_speed])
        self._acceleration = np.array([task.linear_acceleration, task.angular_acceleration])
        self._lag = task.smoothing
        self._velocity_gain = 0.25 / task.smoothing  # [1/s]
        self._position_gain = 0.25 * self._velocity_gain  # [1/s]
        self._deceleration = DECELERATION_SHARE * self._acceleration
        self._near = self._deceleration / self._position_gain**2

    @property
    def stopping_time(self) -> float:
        """Time in which any motion can be brought to rest, generously [s]."""
        return float(np.max(self._speed / self._deceleration)) + 6.0 / self._velocity_gain

    def advance(self, state: FollowerState, target: tuple[Array, Array] | None, duration: float) -> FollowerState:
        """Lead a state for ``duration`` [s] towards a target pose, or brake where ``target`` is None."""
        steps = max(1, int(np.ceil(duration / self._lag - 1e-9)))
        for _ in range(steps):
            state = self._step(state, target, duration / steps)
        return state

    def _step(self, state: FollowerState, target: tuple[Array, Array] | None, dt: float) -> FollowerState:
        wanted = np.zeros((2, 3)) if target is None else self._velocity_towards(state, target)
        pull = _shorten(self._velocity_gain * (wanted - state.velocity), self._acceleration)
        acceleration = state.acceleration + (1.0 - np.exp(-dt / self._lag)) * (pull - state.acceleration)
        # Shortening a vector onto a ball never lengthens a difference, so the acceleration stays within its limit.
        velocity = _shorten(state.velocity + dt * acceleration, self._speed)
        mean = 0.5 * (state.velocity + velocity)
        return FollowerState(
            position=state.position + dt * mean[0],
            rotation=exponential(dt * mean[1]) @ state.rotation,
            velocity=velocity,
            acceleration=(velocity - state.velocity) / dt,
        )

    def _velocity_towards(self, state: FollowerState, target: tuple[Array, Array]) -> Array:
        error = np.stack([target[0] - state.position, logarithm(target[1] @ state.rotation.T)])
        distance = np.sqrt(np.einsum("ij,ij->i", error, error))
        far = np.sqrt(2.0 * self._deceleration * np.maximum(distance - 0.5 * self._near, 0.0))
        speed = np.minimum(np.where(distance < self._near, self._position_gain * distance, far), self._speed)
        velocity: Array = error * (speed / np.maximum(distance, 1e-12))[:, None]
        return velocity


def _shorten(vectors: Array, longest: Array) -> Array:
    """Scale rows (2, 3) down to at most the lengths (2,)."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    shortened: Array = vectors * np.minimum(1.0, longest / np.maximum(length, 1e-12))[:, None]
    return shortened
