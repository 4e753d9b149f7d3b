"""Rotations against scipy, and their rates against differences."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.mpc.tasks.rotations import exponential, from_rpy, logarithm, rpy_rates


def test_exponential_is_the_rotation_by_a_vector(random):
    vectors = random.normal(size=(50, 3))
    vectors[0] = 0.0
    vectors[1] *= 1e-9
    np.testing.assert_allclose(exponential(vectors), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-10, 1e-5, 0.3, 2.0, 3.0, 3.1, np.pi - 1e-7])
def test_logarithm_undoes_the_exponential_at_any_angle(angle, random):
    axes = random.normal(size=(20, 3))
    vectors = angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    np.testing.assert_allclose(logarithm(Rotation.from_rotvec(vectors).as_matrix()), vectors, atol=1e-9)


def test_logarithm_of_a_single_half_turn_has_length_pi():
    assert np.linalg.norm(logarithm(np.diag([1.0, -1.0, -1.0]))) == pytest.approx(np.pi)


def test_rpy_turns_about_fixed_axes_as_in_urdf():
    roll, pitch, yaw = 0.3, -0.4, 1.1
    expected = (
        Rotation.from_rotvec([0, 0, yaw]) * Rotation.from_rotvec([0, pitch, 0]) * Rotation.from_rotvec([roll, 0, 0])
    )
    np.testing.assert_allclose(from_rpy(np.array([roll, pitch, yaw])), expected.as_matrix(), atol=1e-15)


def test_rpy_rates_are_the_angular_velocity_and_its_derivative():
    def angles(t):
        return np.stack([0.5 * np.sin(2 * t), 0.4 * np.cos(3 * t), 0.7 * np.sin(t + 1)], -1)

    def rates(t):
        return np.stack([np.cos(2 * t), -1.2 * np.sin(3 * t), 0.7 * np.cos(t + 1)], -1)

    def accelerations(t):
        return np.stack([-2 * np.sin(2 * t), -3.6 * np.cos(3 * t), -0.7 * np.sin(t + 1)], -1)

    t, h = np.linspace(0.0, 3.0, 40), 1e-5
    velocity, acceleration = rpy_rates(angles(t), rates(t), accelerations(t))
    before, after = Rotation.from_matrix(from_rpy(angles(t - h))), Rotation.from_matrix(from_rpy(angles(t + h)))
    np.testing.assert_allclose(velocity, (after * before.inv()).as_rotvec() / (2 * h), atol=1e-8)
    change = rpy_rates(angles(t + h), rates(t + h), accelerations(t))[0]
    change = change - rpy_rates(angles(t - h), rates(t - h), accelerations(t))[0]
    np.testing.assert_allclose(acceleration, change / (2 * h), atol=1e-8)
