"""Postures against pinocchio's forward kinematics."""

import numpy as np
import pinocchio
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.mpc.tasks.inverse_kinematics import LIMIT_ZONE, InverseKinematics, damped_inverse


def tip_by_pinocchio(arm, q):
    data = arm.model.createData()
    pinocchio.framesForwardKinematics(arm.model, data, q)
    return data.oMf[arm.model.getFrameId(arm.tip_frame)]


def poses_around_home(arm, random, count, size=1.0):
    home = tip_by_pinocchio(arm, arm.home)
    for _ in range(count):
        turn = Rotation.from_rotvec(size * random.uniform(-0.4, 0.4, 3)).as_matrix()
        yield home.translation + size * random.uniform(-0.15, 0.15, 3), turn @ home.rotation


def test_postures_put_the_tip_where_it_shall_be(arm, random):
    solver = InverseKinematics(arm)
    for position, rotation in poses_around_home(arm, random, 20):
        tip = tip_by_pinocchio(arm, solver.solve(position, rotation, arm.home))
        assert np.linalg.norm(tip.translation - position) < 1e-7
        assert Rotation.from_matrix(tip.rotation @ rotation.T).magnitude() < 1e-7


def test_the_posture_depends_on_the_pose_alone_not_on_the_start(arm, random):
    solver = InverseKinematics(arm)
    for position, rotation in poses_around_home(arm, random, 10):
        one = solver.solve(position, rotation, arm.home, posture_tolerance=1e-9)
        other = solver.solve(position, rotation, arm.home + random.uniform(-0.2, 0.2, 7), posture_tolerance=1e-9)
        np.testing.assert_allclose(other, one, atol=1e-7)


def test_no_posture_of_the_same_pose_is_nearer_to_home(arm, random):
    solver = InverseKinematics(arm)
    for position, rotation in poses_around_home(arm, random, 5, size=0.5):
        q = solver.solve(position, rotation, arm.home, posture_tolerance=1e-9)
        assert np.minimum(q - arm.limits.position_lower, arm.limits.position_upper - q).min() > LIMIT_ZONE
        # Moves within the null space keep the pose; none of them may shorten the way home.
        null = np.linalg.svd(arm.tip_jacobian(q))[2][6]
        assert np.linalg.norm(q - arm.home) > 0.1
        assert null @ (q - arm.home) == pytest.approx(0.0, abs=1e-7)


def test_a_pose_out_of_reach_has_no_posture(arm):
    position, rotation = arm.tip_pose(arm.home)
    assert InverseKinematics(arm).locate(position + np.array([1.5, 0.0, 0.0]), rotation, arm.home) is None


def test_a_far_pose_is_located_within_the_joint_limits(arm):
    target = arm.home + np.array([1.2, 0.5, 0.0, 0.3, 0.0, 0.3, -0.8])
    q = InverseKinematics(arm).locate(*arm.tip_pose(target), arm.home)
    assert np.all(q > arm.limits.position_lower)
    assert np.all(q < arm.limits.position_upper)
    np.testing.assert_allclose(
        tip_by_pinocchio(arm, q).translation, tip_by_pinocchio(arm, target).translation, atol=1e-7
    )


def test_joints_are_kept_from_their_limits_where_the_pose_leaves_a_choice(arm):
    # Far out and turned, joint 7 of the nearest posture to home would leave its range without the penalty.
    position, rotation = arm.tip_pose(arm.home)
    turned = Rotation.from_rotvec([0.0, 0.0, -1.9]).as_matrix() @ rotation
    q = InverseKinematics(arm).locate(position, turned, arm.home)
    assert np.all(q > arm.limits.position_lower)
    assert np.all(q < arm.limits.position_upper)


def test_the_inverse_of_a_jacobian_is_the_pseudoinverse(arm, random):
    jacobians = np.array([arm.tip_jacobian(arm.home + random.uniform(-0.2, 0.2, 7)) for _ in range(5)])
    np.testing.assert_allclose(damped_inverse(jacobians, 0.0), np.linalg.pinv(jacobians), atol=1e-8)
