"""Tip paths along plane curves and sums of sines, with their orientations."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.mpc.tasks.config import HoldOrientation, Orientation, Sines, TiltOrientation, Vector
from ttdm_ros.mpc.tasks.motion import TipMotion
from ttdm_ros.mpc.tasks.profiles import ArcLengthProfile, fade
from ttdm_ros.mpc.tasks.rotations import from_rpy, rpy_rates
from ttdm_ros.mpc.tasks.shapes import Curve

Array = NDArray[np.float64]

_NAMED_PLANES: dict[str, Array] = {
    "xy": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "xz": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "yz": np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "iso": np.array([[0.0, 1.0, 0.0], [math.sqrt(0.5), 0.0, math.sqrt(0.5)]]),
}


def plane_axes(plane: str | Vector) -> Array:
    """Return the two unit axes (2, 3) that span a plane."""
    return _NAMED_PLANES[plane] if isinstance(plane, str) else from_rpy(np.array(plane)).T[:2]


def sum_of_sines(sines: Sines, times: Array, duration: float, edge: float) -> tuple[Array, Array, Array]:
    """Return value, first and second derivative (n, 3) of faded sums of sines."""
    sums = np.zeros((3, len(times), 3))
    for axis, components in enumerate((sines.x, sines.y, sines.z)):
        for sine in components:
            rate = 2.0 * math.pi * sine.frequency
            angle = rate * times + sine.phase
            sums[0, :, axis] += sine.amplitude * np.sin(angle)
            sums[1, :, axis] += sine.amplitude * rate * np.cos(angle)
            sums[2, :, axis] -= sine.amplitude * rate**2 * np.sin(angle)
    envelope = fade(times, duration, edge)
    e, de, dde = envelope.value[:, None], envelope.rate[:, None], envelope.acceleration[:, None]
    return e * sums[0], e * sums[1] + de * sums[0], e * sums[2] + 2.0 * de * sums[1] + dde * sums[0]


def oriented(orientation: Orientation, times: Array, duration: float) -> tuple[Array, Array, Array]:
    """Return rotation (n, 3, 3), angular velocity and acceleration (n, 3) of an orientation over a path."""
    match orientation:
        case TiltOrientation():
            edge = min(orientation.fade, duration / 2.0)
            angles, rates, accelerations = sum_of_sines(orientation.tilt, times, duration, edge)
            return from_rpy(angles), *rpy_rates(angles, rates, accelerations)
        case HoldOrientation():
            rotation = np.eye(3)
        case _:
            rotation = from_rpy(np.array(orientation.rpy))
    still = np.zeros((len(times), 3))
    return np.broadcast_to(rotation, (len(times), 3, 3)), still, still


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurvePath:
    """Laps around a plane curve at a speed, from rest to rest."""

    curve: Curve
    axes: Array  # (2, 3) spanning the curve's plane
    centre: Array  # (3,) [m]
    profile: ArcLengthProfile
    orientation: Orientation

    @property
    def duration(self) -> float:
        """Time from the start to the end [s]."""
        return self.profile.duration

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) [s]."""
        arc, speed, acceleration = self.profile.at(times)
        position, tangent, curvature = self.curve.at(arc)
        rotation, angular_velocity, angular_acceleration = oriented(self.orientation, times, self.duration)
        return TipMotion(
            position=self.centre + position @ self.axes,
            linear_velocity=(tangent * speed[:, None]) @ self.axes,
            linear_acceleration=(tangent * acceleration[:, None] + curvature * speed[:, None] ** 2) @ self.axes,
            rotation=rotation,
            angular_velocity=angular_velocity,
            angular_acceleration=angular_acceleration,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SinesPath:
    """Sums of sines about a centre, from rest to rest."""

    sines: Sines
    centre: Array  # (3,) [m]
    duration: float  # [s]
    fade: float  # [s]
    orientation: Orientation

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) [s]."""
        offset, velocity, acceleration = sum_of_sines(self.sines, times, self.duration, self.fade)
        rotation, angular_velocity, angular_acceleration = oriented(self.orientation, times, self.duration)
        return TipMotion(
            position=self.centre + offset,
            linear_velocity=velocity,
            linear_acceleration=acceleration,
            rotation=rotation,
            angular_velocity=angular_velocity,
            angular_acceleration=angular_acceleration,
        )
