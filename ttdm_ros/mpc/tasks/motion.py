"""Motion of the tip as samples, and the path interface that yields them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TipMotion:
    """The tip at n times, with first and second derivatives, all along the axes of one frame."""

    position: Array  # (n, 3) [m]
    linear_velocity: Array  # (n, 3) [m/s]
    linear_acceleration: Array  # (n, 3) [m/s²]
    rotation: Array  # (n, 3, 3)
    angular_velocity: Array  # (n, 3) [rad/s]
    angular_acceleration: Array  # (n, 3) [rad/s²]


class TipPath(Protocol):
    """A motion of the tip from rest to rest, in closed form."""

    @property
    def duration(self) -> float:
        """Time from the start to the end [s]."""

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) in [0, duration] [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A path driven several times, with rests before and after each."""

    path: TipPath
    repeat: int = 1
    dwell_start: float = 0.0  # [s]
    dwell_end: float = 0.0  # [s]

    @property
    def duration(self) -> float:
        """Time of all repetitions with their rests [s]."""
        return self.repeat * self._cycle

    @property
    def _cycle(self) -> float:
        return self.dwell_start + self.path.duration + self.dwell_end

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) [s]; before the start and after the end it rests."""
        if self._cycle == 0.0:
            return self.path.at(np.zeros_like(times))
        cycles = np.clip(np.floor(times / self._cycle), 0, self.repeat - 1)
        return self.path.at(np.clip(times - cycles * self._cycle - self.dwell_start, 0.0, self.path.duration))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A path given in a frame with base-parallel axes at ``origin``, expressed in the base frame."""

    path: TipPath
    origin: Array  # (3,) [m]
    orientation: Array  # (3, 3) rotation of the tip that the path's rotations come on top of

    @property
    def duration(self) -> float:
        """Time from the start to the end [s]."""
        return self.path.duration

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) [s] in the base frame."""
        motion = self.path.at(times)
        return TipMotion(
            position=motion.position + self.origin,
            linear_velocity=motion.linear_velocity,
            linear_acceleration=motion.linear_acceleration,
            rotation=motion.rotation @ self.orientation,
            angular_velocity=motion.angular_velocity,
            angular_acceleration=motion.angular_acceleration,
        )
