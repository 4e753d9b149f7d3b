"""Scalar motions in closed form: value, first and second derivative as functions of time."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MINIMUM_JERK_PEAK_SPEED = 15.0 / 8.0  # of a unit move in unit time
MINIMUM_JERK_PEAK_ACCELERATION = 10.0 / math.sqrt(3.0)


class Profile(NamedTuple):
    """A scalar and its derivatives at n times."""

    value: Array
    rate: Array
    acceleration: Array


def minimum_jerk(times: Array, duration: float) -> Profile:
    """From 0 at time 0 to 1 at ``duration``, at rest at both, with the least squared jerk (Flash and Hogan, 1985)."""
    x = np.clip(times / duration, 0.0, 1.0)
    return Profile(
        x**3 * (10.0 + x * (6.0 * x - 15.0)),
        30.0 * x**2 * (1.0 - x) ** 2 / duration,
        60.0 * x * (1.0 - x) * (1.0 - 2.0 * x) / duration**2,
    )


def fade(times: Array, duration: float, edge: float) -> Profile:
    """From 0 to 1 within ``edge`` after time 0 and back to 0 within ``edge`` before ``duration``, minimum-jerk."""
    rise, fall = minimum_jerk(times, edge), minimum_jerk(times - (duration - edge), edge)
    return Profile(rise.value - fall.value, rise.rate - fall.rate, rise.acceleration - fall.acceleration)


def smooth_step_integral(x: Array) -> Array:
    """Integral of the minimum-jerk step from 0 to x in [0, 1]; 1/2 at 1."""
    return x**4 * (2.5 + x * (x - 3.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcLengthProfile:
    """Arc length driven over time: up to a speed, along at it, and down to rest.

    The speed rises and falls as a minimum-jerk step, so acceleration and jerk along the path are continuous.
    """

    length: float  # [m]
    speed: float  # cruising speed [m/s]
    ramp: float  # time of the rise, and of the fall [s]

    @classmethod
    def of(cls, length: float, speed: float, acceleration: float) -> Self:
        """Build the profile with the peak acceleration given [m/s²]; a short path is driven below ``speed``."""
        reachable = math.sqrt(length * acceleration / MINIMUM_JERK_PEAK_SPEED)
        speed = min(speed, reachable)
        return cls(length=length, speed=speed, ramp=MINIMUM_JERK_PEAK_SPEED * speed / acceleration)

    @property
    def duration(self) -> float:
        """Time from rest to rest [s]; each ramp covers half of what its time would cover at full speed."""
        return self.length / self.speed + self.ramp

    def at(self, times: Array) -> Profile:
        """Arc length [m], speed [m/s] and acceleration [m/s²] at the times (n,) [s]."""
        up, down = times, times - (self.duration - self.ramp)
        rise, fall = minimum_jerk(up, self.ramp), minimum_jerk(down, self.ramp)
        return Profile(
            np.clip(self.speed * (self._covered(up) - self._covered(down)), 0.0, self.length),
            self.speed * (rise.value - fall.value),
            self.speed * (rise.rate - fall.rate),
        )

    def _covered(self, since: Array) -> Array:
        """Integral over time of the step that starts ``since`` seconds ago [s]."""
        inside = self.ramp * smooth_step_integral(np.clip(since / self.ramp, 0.0, 1.0))
        return inside + np.maximum(since - self.ramp, 0.0)
