"""What is published of the tip, against pinocchio's and finite differences' word."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.control.tip import rotation_of, tip_distance, tip_motion, tip_poses
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.systems.arm import Arm, load_arm


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


def test_poses_are_those_of_the_arm(arm: Arm) -> None:
    random = np.random.default_rng(0)
    q = arm.home + random.uniform(-0.5, 0.5, (5, 7))
    for pose, posture in zip(tip_poses(arm, q), q, strict=True):
        position, rotation = arm.tip_pose(posture)
        np.testing.assert_allclose(pose[:3], position)
        np.testing.assert_allclose(Rotation.from_quat(pose[3:]).as_matrix(), rotation, atol=1e-12)


def test_the_motion_of_a_row_is_its_pose_and_the_rate_of_that_pose(arm: Arm) -> None:
    random = np.random.default_rng(1)
    q, v, step = arm.home + random.uniform(-0.3, 0.3, 7), random.uniform(-1.0, 1.0, 7), 1e-6
    position, rotation = arm.tip_pose(q)
    row = table_rows(position[None], rotation[None], q[None], v[None], np.zeros((1, 7)))[0]
    motion = tip_motion(arm, row)
    np.testing.assert_allclose(motion[:3], position)
    np.testing.assert_allclose(Rotation.from_quat(motion[3:7]).as_matrix(), rotation, atol=1e-12)
    before, after = arm.tip_pose(q - step * v), arm.tip_pose(q + step * v)
    np.testing.assert_allclose(motion[7:10], (after[0] - before[0]) / (2 * step), atol=1e-6)
    turn = Rotation.from_matrix(after[1] @ before[1].T).as_rotvec() / (2 * step)
    np.testing.assert_allclose(motion[10:], turn, atol=1e-6)


def test_the_distance_is_that_of_the_positions(arm: Arm) -> None:
    row = np.zeros(33)
    row[:3] = arm.tip_pose(arm.home)[0] + [0.03, 0.0, 0.04]
    assert tip_distance(arm, row, arm.home) == pytest.approx(0.05)


def test_a_quaternion_becomes_its_rotation() -> None:
    quaternion = Rotation.from_rotvec([0.3, -0.2, 1.0]).as_quat()
    expected = Rotation.from_quat(quaternion).as_matrix()
    np.testing.assert_allclose(rotation_of(quaternion), expected, atol=1e-12)
    np.testing.assert_allclose(rotation_of(1.005 * quaternion), expected, atol=1e-12)


@pytest.mark.parametrize("quaternion", [[0.0] * 4, [1.0, 1.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 1.0]])
def test_what_is_no_unit_quaternion_is_refused(quaternion: list[float]) -> None:
    with pytest.raises(TaskError, match="send a unit quaternion"):
        rotation_of(np.array(quaternion))
