"""MuJoCo's rigid bodies against pinocchio's, with and without what only the plant knows."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.config import PAYLOAD, Payload, PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.plants.mujoco_model import build_model
from ttdm_ros.systems.arm import Arm, load_arm

NOMINAL = np.ones(7)
PAYLOAD_1 = Payload(mass=1.5, com=(0.03, -0.02, 0.05), inertia=(0.01, 0.015, 0.02))


@pytest.fixture(scope="module", params=["panda", "fr3"])
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


@pytest.fixture(scope="module")
def states(arm: Arm) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(5)
    limits = arm.limits
    return [
        (random.uniform(limits.position_lower, limits.position_upper), random.uniform(-1.0, 1.0, 7) * limits.velocity)
        for _ in range(100)
    ]


def assert_equal_dynamics(model: mujoco.MjModel, truth: pin.Model, states: list[Any], gravity_model: pin.Model) -> None:
    """Mass matrix, bias torque and compensation of ``model`` are pinocchio's, to 1e-10 of their size."""
    data, of_truth, of_gravity = mujoco.MjData(model), truth.createData(), gravity_model.createData()
    for q, v in states:
        data.qpos[:], data.qvel[:] = q, v
        mujoco.mj_forward(model, data)
        mass = np.zeros((7, 7))
        for i in range(7):
            mujoco.mj_mulM(model, data, mass[i], np.eye(7)[i])
        expected = np.triu(pin.crba(truth, of_truth, q))
        expected = expected + np.triu(expected, 1).T
        np.testing.assert_allclose(mass, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
        bias = pin.rnea(truth, of_truth, q, v, np.zeros(7))
        np.testing.assert_allclose(data.qfrc_bias, bias, rtol=0, atol=1e-10 * max(1.0, np.abs(bias).max()))
        gravity = pin.computeGeneralizedGravity(gravity_model, of_gravity, q)
        np.testing.assert_allclose(data.qfrc_gravcomp, gravity, rtol=0, atol=1e-10 * max(1.0, np.abs(gravity).max()))


def with_payload(arm: Arm, payload: Payload) -> pin.Model:
    model = arm.model.copy()
    tip = model.frames[model.getFrameId(arm.tip_frame)]
    body = pin.Inertia(payload.mass, np.array(payload.com), np.diag(payload.moments()))
    model.appendBodyToJoint(tip.parentJoint, body, tip.placement)
    return model


def test_without_effects_the_plant_is_the_nominal_arm(arm: Arm, states: list[Any]) -> None:
    assert_equal_dynamics(build_model(arm, PlantConfig(), NOMINAL), arm.model, states, arm.model)


def test_a_payload_adds_mass_and_weight_that_nothing_compensates(arm: Arm, states: list[Any]) -> None:
    model = build_model(arm, PlantConfig(payload=PAYLOAD_1), NOMINAL)
    assert_equal_dynamics(model, with_payload(arm, PAYLOAD_1), states, arm.model)


def test_other_link_masses_are_compensated_as_if_they_were_nominal(arm: Arm, states: list[Any]) -> None:
    factors = np.array([1.1, 0.9, 1.2, 0.8, 1.05, 0.95, 1.3])
    truth = arm.model.copy()
    for i, factor in enumerate(factors, start=1):
        inertia = truth.inertias[i]
        truth.inertias[i] = pin.Inertia(inertia.mass * factor, inertia.lever, inertia.inertia * factor)
    assert_equal_dynamics(build_model(arm, PlantConfig(), factors), truth, states, arm.model)


def test_other_link_masses_leave_the_payload_alone(arm: Arm) -> None:
    model = build_model(arm, PlantConfig(payload=PAYLOAD_1), np.full(7, 1.2))
    assert model.body(PAYLOAD).mass[0] == PAYLOAD_1.mass


def test_friction_is_a_multiple_of_the_robots_own_or_what_is_given(arm: Arm) -> None:
    config = PlantConfig.model_validate({"friction": {"coulomb_scale": 2.0, "viscous": list(range(7))}})
    coulomb, viscous = friction_torques(arm, config)
    np.testing.assert_array_equal(coulomb, 2.0 * arm.coulomb_friction)
    np.testing.assert_array_equal(viscous, np.arange(7.0))


def test_what_is_drawn_or_gripped_does_not_move(arm: Arm) -> None:
    extras = f"""
      <link name="finger"><visual><geometry><mesh filename="package://nowhere/finger.dae"/></geometry></visual>
        <collision><geometry><sphere radius="0.1"/></geometry></collision>
        <inertial><mass value="0.1"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial>
      </link>
      <joint name="finger_joint" type="prismatic"><parent link="{arm.tip_frame}"/><child link="finger"/>
        <axis xyz="0 1 0"/><limit lower="0" upper="0.04" effort="20" velocity="0.2"/></joint>
      <transmission name="t"/><gazebo/></robot>"""
    model = build_model(replace(arm, urdf=arm.urdf.replace("</robot>", extras)), PlantConfig(), NOMINAL)
    assert (model.nq, model.ngeom) == (7, 0)


def test_an_impossible_inertia_is_reported_in_one_sentence(arm: Arm) -> None:
    root = ElementTree.fromstring(arm.urdf)
    for inertia in root.iter("inertia"):
        inertia.set("ixx", "-1.0")
    broken = ElementTree.tostring(root, encoding="unicode")
    with pytest.raises(PlantError, match=f"^MuJoCo cannot (read|simulate) the URDF of {arm.name}: [^\n]*$"):
        build_model(replace(arm, urdf=broken), PlantConfig(), NOMINAL)


def test_a_urdf_without_the_arms_joints_is_reported(arm: Arm) -> None:
    names = ("elsewhere", *arm.joint_names[1:])
    with pytest.raises(PlantError, match="does not find the joint elsewhere"):
        build_model(replace(arm, joint_names=names), PlantConfig(), NOMINAL)
