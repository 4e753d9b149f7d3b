"""Rotor inertia in the links: right for every joint, possible for Gazebo, and taken out again by the correction."""

import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.gazebo.robot import links_model
from ttdm_ros.plants.gazebo.rotors import RotorCorrection, with_rotor
from ttdm_ros.systems.arm import Arm


def a_rotation(random: np.random.Generator) -> np.ndarray:
    return pin.Quaternion(*random.normal(size=4)).normalized().matrix()


@pytest.mark.parametrize("seed", range(10))
def test_the_moment_about_the_axis_grows_by_the_rotors(seed: int) -> None:
    random = np.random.default_rng(seed)
    rotation = a_rotation(random)
    inertia = rotation @ np.diag(random.uniform(0.5, 1.0, 3) * 10.0 ** random.uniform(-4, 0)) @ rotation.T
    axis = a_rotation(random)[:, 0]
    total = with_rotor(inertia, axis, 0.195)
    assert axis @ total @ axis == pytest.approx(axis @ inertia @ axis + 0.195, rel=1e-12)
    small, middle, large = np.linalg.eigvalsh(total)
    assert small > 0.0
    assert small + middle >= large
    assert small + middle <= max(1.01 * large, np.trace(inertia))  # no more is added across than it takes


def test_nothing_is_added_where_there_is_no_rotor() -> None:
    inertia = np.diag([1e-4, 2e-4, 2.5e-4])
    np.testing.assert_array_equal(with_rotor(inertia, np.array([0.0, 0.0, 1.0]), 0.0), inertia)


def test_a_joint_that_moves_alone_feels_its_rotor_and_no_less(arm: Arm) -> None:
    links, random = links_model(arm), np.random.default_rng(3)
    for _ in range(50):
        q = random.uniform(arm.limits.position_lower, arm.limits.position_upper)
        nominal = np.diag(pin.crba(arm.model, arm.model.createData(), q))
        assert (np.diag(pin.crba(links, links.createData(), q)) >= nominal - 1e-9).all()


def test_the_corrected_torque_accelerates_the_links_as_the_nominal_arm(arm: Arm) -> None:
    links, random = links_model(arm), np.random.default_rng(4)
    correction, data = RotorCorrection(arm, links, PlantConfig()), links.createData()
    for _ in range(50):
        q = random.uniform(arm.limits.position_lower, arm.limits.position_upper)
        v = random.uniform(-0.5, 0.5, 7) * arm.limits.velocity
        tau = random.uniform(-0.2, 0.2, 7) * arm.limits.effort
        corrected = correction.apply(q, v, tau)
        a = pin.aba(links, data, q, v, corrected + arm.gravity_torque(q))
        np.testing.assert_allclose(a, arm.forward_dynamics(q, v, tau), rtol=0.0, atol=1e-6 * np.abs(a).max())


def test_what_friction_holds_at_rest_is_left_as_it_is(arm: Arm) -> None:
    config = PlantConfig.model_validate({"friction": {"coulomb": [2.0] * 7}})
    tau = np.array([1.0, -1.5, 0.5, 1.9, -1.0, 0.3, 0.1])
    corrected = RotorCorrection(arm, links_model(arm), config).apply(arm.home, np.zeros(7), tau)
    np.testing.assert_allclose(corrected, tau, atol=1e-9)
