"""The arm that knows its plant, against MuJoCo's accelerations of that plant."""

import mujoco
import numpy as np
import pytest

from ttdm_ros.evaluation.study.oracle import SMOOTHING, InformedArm, informed_arm
from ttdm_ros.plants.config import Friction, Payload, PlantConfig
from ttdm_ros.plants.mujoco_model import build_model
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.systems.rigid_body import rigid_body

PAYLOAD = Payload(mass=1.5, com=(0.03, -0.02, 0.05), inertia=(0.01, 0.015, 0.02))


@pytest.fixture(scope="module", params=["panda", "fr3"])
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


def states(arm: Arm, count: int = 50) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    random, limits = np.random.default_rng(1), arm.limits
    return [
        (
            random.uniform(limits.position_lower, limits.position_upper),
            random.uniform(-1.0, 1.0, 7) * limits.velocity,
            random.uniform(-0.5, 0.5, 7) * limits.effort,
        )
        for _ in range(count)
    ]


def test_payload_and_viscous_friction_accelerate_as_in_mujoco(arm: Arm) -> None:
    plant = PlantConfig(payload=PAYLOAD, friction=Friction(viscous_scale=1.0))
    model = build_model(arm, plant, np.ones(7))
    data = mujoco.MjData(model)
    forward = rigid_body(informed_arm(arm, plant)).forward_dynamics
    for q, v, tau in states(arm):
        data.qpos[:], data.qvel[:], data.qfrc_applied[:] = q, v, tau
        mujoco.mj_forward(model, data)
        acceleration = np.array(forward(q, v, tau)).ravel()
        np.testing.assert_allclose(acceleration, data.qacc, rtol=0.0, atol=1e-8 * np.abs(data.qacc).max())


def test_dry_friction_is_its_sliding_torque_where_the_arm_slides(arm: Arm) -> None:
    plant = PlantConfig(friction=Friction(coulomb_scale=1.0))
    body, nominal = rigid_body(informed_arm(arm, plant)), rigid_body(arm)
    q, v = arm.home, np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]) * 10.0 * SMOOTHING
    still = np.zeros(7)
    added = np.array(body.inverse_dynamics(q, v, still) - nominal.inverse_dynamics(q, v, still)).ravel()
    np.testing.assert_allclose(added, arm.coulomb_friction * np.sign(v), rtol=1e-6)


def test_derivatives_hold_what_was_added(arm: Arm) -> None:
    plant = PlantConfig(payload=PAYLOAD, friction=Friction(coulomb_scale=1.0, viscous_scale=1.0))
    body = rigid_body(informed_arm(arm, plant))
    q, v, tau = states(arm, 1)[0]
    _, *jacobians = (np.array(each) for each in body.forward_dynamics_derivatives(q, v, tau))
    for i, (name, jacobian) in enumerate(zip(("q", "v", "tau"), jacobians, strict=True)):
        for j in range(7):
            step = np.zeros((3, 7))
            step[i, j] = 1e-6
            above, below = (
                np.array(body.forward_dynamics(*(np.array([q, v, tau]) + sign * step))).ravel() for sign in (1.0, -1.0)
            )
            scale = max(1.0, float(np.abs(jacobian).max()))
            np.testing.assert_allclose(jacobian[:, j], (above - below) / 2e-6, rtol=0, atol=1e-5 * scale, err_msg=name)


def test_each_plant_has_a_solver_of_its_own(arm: Arm) -> None:
    plants = [PlantConfig(), PlantConfig(payload=PAYLOAD), PlantConfig(friction=Friction(viscous_scale=1.0))]
    fingerprints = {arm.fingerprint, *(informed_arm(arm, plant).fingerprint for plant in plants)}
    assert len(fingerprints) == 4
    assert isinstance(informed_arm(arm, plants[0]), InformedArm)
