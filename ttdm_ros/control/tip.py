"""The tip as numbers that go into messages: positions [m], unit quaternions x, y, z, w, twists along the base axes."""

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_LENGTH_TOLERANCE = 1e-2  # of a quaternion, which is made a unit one


def tip_motion(arm: Arm, row: Array) -> Array:
    """Return position, quaternion, linear [m/s] and angular velocity [rad/s] (13,) that a reference row (33,) wants."""
    rotation = row[3:12].reshape(3, 3).T  # rows hold it column by column
    twist = arm.tip_jacobian(row[12:19]) @ row[19:26]
    return np.concatenate((row[:3], pin.Quaternion(np.ascontiguousarray(rotation)).coeffs(), twist))


def tip_poses(arm: Arm, q: Array) -> Array:
    """Return positions and quaternions (n, 7) of the tip at the postures ``q`` (n, 7) [rad]."""
    poses = np.empty((len(q), 7))
    for i, posture in enumerate(q):
        position, rotation = arm.tip_pose(posture)
        poses[i, :3], poses[i, 3:] = position, pin.Quaternion(rotation).coeffs()
    return poses


def tip_distance(arm: Arm, row: Array, q: Array) -> float:
    """Return how far the tip at ``q`` (7,) [rad] is from where a reference row (33,) wants it [m]."""
    return float(np.linalg.norm(arm.tip_pose(q)[0] - row[:3]))


def rotation_of(quaternion: Array) -> Array:
    """Return the rotation (3, 3) of a quaternion x, y, z, w (4,).

    Raises:
        TaskError: it is no unit quaternion.
    """
    length = float(np.linalg.norm(quaternion))
    if not abs(length - 1.0) < _LENGTH_TOLERANCE:  # also true of what is not finite
        raise TaskError(f"a live target's quaternion has length {length:.3g}, not 1; send a unit quaternion")
    rotation: Array = pin.Quaternion(quaternion / length).toRotationMatrix()
    return rotation
