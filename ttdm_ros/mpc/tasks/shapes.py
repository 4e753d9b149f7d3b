"""Closed plane curves by arc length: position, unit tangent and curvature vector in closed form.

ISO 9283 (Manipulating industrial robots: performance criteria) tests path accuracy on a circle and on a rectangle with
rounded corners. A corner here is two clothoids, curvature rising linearly to 1/radius and falling back: with circular
arcs the acceleration, and with it the torque, would jump where an arc begins.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import fresnel

Array = NDArray[np.float64]

# A clothoid of smallest radius 1 that turns by 45 degrees: with Fresnel's argument x, the heading is pi x²/2, the arc
# length SCALE x and the curvature pi x / SCALE; 45 degrees is x = 1/sqrt(2), and curvature 1 there makes SCALE.
_SCALE = math.pi / math.sqrt(2.0)
_SINE_END, _COSINE_END = (float(part) for part in fresnel(1.0 / math.sqrt(2.0)))
CORNER_LENGTH = math.pi  # arc length of a 90 degree corner, of its two clothoids, in smallest radii
CORNER_EXTENT = _SCALE * (_COSINE_END + _SINE_END)  # of each side that a corner uses up, in smallest radii


class CurvePoints(NamedTuple):
    """n points of a plane curve."""

    position: Array  # (n, 2) [m]
    tangent: Array  # (n, 2), unit length
    curvature: Array  # (n, 2), derivative of the tangent by arc length [1/m]


class Curve(Protocol):
    """A closed plane curve, counter-clockwise about the origin."""

    @property
    def length(self) -> float:
        """Length of one lap [m]."""

    def at(self, arc: Array) -> CurvePoints:
        """Points at the arc lengths (n,) [m]; they go round and round."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle about the origin."""

    radius: float
    start_angle: float = 0.0

    @property
    def length(self) -> float:
        """Length of one lap [m]."""
        return 2.0 * math.pi * self.radius

    def at(self, arc: Array) -> CurvePoints:
        """Points at the arc lengths (n,) [m]."""
        angle = arc / self.radius + self.start_angle
        outward = np.stack([np.cos(angle), np.sin(angle)], -1)
        tangent = np.stack([-outward[:, 1], outward[:, 0]], -1)
        return CurvePoints(self.radius * outward, tangent, -outward / self.radius)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle about the origin with rounded corners, from the middle of its lower side to the right."""

    width: float
    height: float
    corner_radius: float

    @property
    def length(self) -> float:
        """Length of one lap [m]."""
        corner = self.corner_radius * (2.0 * CORNER_EXTENT - CORNER_LENGTH)
        return 2.0 * (self.width + self.height) - 4.0 * corner

    def at(self, arc: Array) -> CurvePoints:
        """Points at the arc lengths (n,) [m]: four times half a side, a corner, half the next side, turned by 90°."""
        half_lap = self.length / 2.0
        halves, along = np.divmod(arc, half_lap)
        extent, corner = self.corner_radius * CORNER_EXTENT, self.corner_radius * CORNER_LENGTH
        quarter_lap = (self.width + self.height) / 2.0 - 2.0 * extent + corner
        second = along >= quarter_lap
        first_half_side = np.where(second, self.height, self.width) / 2.0
        depth = np.where(second, self.width, self.height) / 2.0
        along = np.where(second, along - quarter_lap, along)

        position, tangent, curvature = self._corner(along - (first_half_side - extent))
        position = position + np.stack([first_half_side - extent, -depth], -1)
        turns = (2.0 * halves + second) % 4.0
        return CurvePoints(_turn(position, turns), _turn(tangent, turns), _turn(curvature, turns))

    def _corner(self, arc: Array) -> CurvePoints:
        """A left corner that starts at the origin along x; straight before its start and after its end."""
        scale = self.corner_radius * _SCALE
        extent, corner = self.corner_radius * CORNER_EXTENT, self.corner_radius * CORNER_LENGTH
        # The second half is the first, driven backwards and mirrored at the corner's diagonal.
        mirrored = arc > corner / 2.0
        arc = np.where(mirrored, corner - arc, arc)
        x = np.maximum(arc, 0.0) / scale
        sine, cosine = fresnel(x)
        heading = 0.5 * math.pi * x**2
        position = np.stack([scale * cosine + np.minimum(arc, 0.0), scale * sine], -1)
        tangent = np.stack([np.cos(heading), np.sin(heading)], -1)
        curvature = (math.pi * x / scale)[:, None] * np.stack([-np.sin(heading), np.cos(heading)], -1)
        swap = mirrored[:, None]
        return CurvePoints(
            np.where(swap, extent - position[:, ::-1], position),
            np.where(swap, tangent[:, ::-1], tangent),
            np.where(swap, -curvature[:, ::-1], curvature),
        )


def _turn(vectors: Array, quarters: Array) -> Array:
    """Turn plane vectors (n, 2) counter-clockwise by whole quarters (n,)."""
    cosine, sine = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0])
    index = quarters.astype(int)
    c, s = cosine[index], sine[index]
    return np.stack([c * vectors[:, 0] - s * vectors[:, 1], s * vectors[:, 0] + c * vectors[:, 1]], -1)
