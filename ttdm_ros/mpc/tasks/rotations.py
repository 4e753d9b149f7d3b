"""Rotation matrices with angular velocity and acceleration, for whole arrays at once.

Everything is expressed in the fixed frame: R maps body to fixed coordinates, and dR/dt = cross(ω) R.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

_IDENTITY = np.eye(3)


def exponential(vectors: Array) -> Array:
    """Return the rotations (..., 3, 3) by the rotation vectors (..., 3) [rad] (Rodrigues' formula)."""
    angle = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None, None]
    cross = np.zeros((*vectors.shape, 3))
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    cross[..., 0, 1], cross[..., 0, 2], cross[..., 1, 2] = -z, y, -x
    cross[..., 1, 0], cross[..., 2, 0], cross[..., 2, 1] = z, -y, x
    # np.sinc(x) = sin(pi x)/(pi x) is exact at zero, and (1 - cos a)/a² = (sin(a/2)/(a/2))²/2.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    rotations: Array = _IDENTITY + first * cross + second * (cross @ cross)
    return rotations


def logarithm(matrices: Array) -> Array:
    """Return the rotation vectors (..., 3) [rad], of length at most pi, of the rotations (..., 3, 3)."""
    skew = 0.5 * (matrices[..., (2, 0, 1), (1, 2, 0)] - matrices[..., (1, 2, 0), (2, 0, 1)])
    sine = np.sqrt(np.einsum("...i,...i->...", skew, skew))
    cosine = 0.5 * (np.einsum("...ii->...", matrices) - 1.0)
    angle = np.arctan2(sine, cosine)
    stretch = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
    vectors: Array = skew * stretch[..., None]
    half_turns = cosine < -0.99  # here the skew part says little of the axis
    if np.any(half_turns):
        vectors[half_turns] = Rotation.from_matrix(matrices[half_turns]).as_rotvec()
    return vectors


def from_rpy(angles: Array) -> Array:
    """Return the rotations (..., 3, 3) by roll, pitch, yaw (..., 3) [rad] about the fixed x, y, z axes (as in URDF)."""
    rotations: Array = Rotation.from_euler("xyz", angles.reshape(-1, 3)).as_matrix()
    return rotations.reshape(*angles.shape, 3)


def rpy_rates(angles: Array, rates: Array, accelerations: Array) -> tuple[Array, Array]:
    """Turn the first and second derivatives of roll, pitch, yaw (n, 3) into ω [rad/s] and its derivative [rad/s²].

    ω = E(pitch, yaw) (roll', pitch', yaw')ᵀ, where the columns of E are the axes of the three turns.
    """
    pitch, yaw = angles[:, 1], angles[:, 2]
    pitch_rate, yaw_rate = rates[:, 1], rates[:, 2]
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    zero, one = np.zeros_like(cp), np.ones_like(cp)
    axes = np.stack(
        [np.stack([cy * cp, sy * cp, -sp], -1), np.stack([-sy, cy, zero], -1), np.stack([zero, zero, one], -1)], -1
    )
    roll_axis_rate = np.stack(
        [
            -sy * yaw_rate * cp - cy * sp * pitch_rate,
            cy * yaw_rate * cp - sy * sp * pitch_rate,
            -cp * pitch_rate,
        ],
        -1,
    )
    pitch_axis_rate = np.stack([-cy * yaw_rate, -sy * yaw_rate, zero], -1)
    axes_rate = np.stack([roll_axis_rate, pitch_axis_rate, np.zeros_like(roll_axis_rate)], -1)
    velocity = np.einsum("nij,nj->ni", axes, rates)
    acceleration = np.einsum("nij,nj->ni", axes, accelerations) + np.einsum("nij,nj->ni", axes_rate, rates)
    return velocity, acceleration
