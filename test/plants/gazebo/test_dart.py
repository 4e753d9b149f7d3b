"""DART, Gazebo's engine, against MuJoCo: the generated arm moves alike in both, and corrected like the nominal one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

dart = pytest.importorskip("dartpy", reason="dartpy is not installed")

from ttdm_ros.config import parse
from ttdm_ros.plants.config import PAYLOAD, PlantConfig
from ttdm_ros.plants.gazebo.robot import gazebo_urdf, links_model
from ttdm_ros.plants.gazebo.rotors import RotorCorrection
from ttdm_ros.plants.mujoco_model import bodies_only, build_model
from ttdm_ros.systems.arm import Arm

STEP, STEPS = 1e-3, 1000
LOAD = {"payload": {"mass": 1.5, "com": [0.02, -0.015, 0.03]}}
FRICTION = {"friction": {"coulomb_scale": 1.0, "viscous_scale": 1.0}}

pytestmark = pytest.mark.parametrize("arm", ["panda", "fr3"], indirect=True)
Motion = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # from q, v and the step to a torque, (7,) each


def plant(**values: Any) -> PlantConfig:
    return parse(values, PlantConfig, "test")


def load_at_home(arm: Arm, config: PlantConfig) -> np.ndarray:
    """Return the torque (7,) that carries what the nominal gravity torque misses, at home."""
    model = build_model(arm, config, np.ones(7))
    data = mujoco.MjData(model)
    data.qpos[:] = arm.home
    mujoco.mj_forward(model, data)
    return data.qfrc_bias - data.qfrc_gravcomp


def swing(arm: Arm, share: float, offset: np.ndarray) -> Motion:
    """Return torques that move all joints about ``offset``, the same whatever the arm does."""
    amplitude = share * arm.limits.effort * np.array([1.0, 1.2, -1.0, 1.0, 1.2, -1.0, 0.6])
    frequency = 0.8 + 0.1 * np.arange(7)
    return lambda q, v, k: offset + amplitude * np.sin(2.0 * np.pi * frequency * k * STEP)


def in_dart(arm: Arm, config: PlantConfig, torque: Motion) -> np.ndarray:
    """Return positions (n, 7) of the generated arm in DART, with the weight that Gazebo gives its links."""
    robot = ElementTree.fromstring(gazebo_urdf(arm, config, Path("controllers.yaml")))
    # Gazebo lumps frames without mass into the link before them; DART's own reader would make them bodies of 1 kg.
    empty = {link.get("name") for link in robot.findall("link") if link.find("inertial") is None} - {"world"}
    for element in list(robot):
        child = element.find("child")
        if (element.tag == "link" and element.get("name") in empty) or (
            element.tag == "joint" and child is not None and child.get("link") in empty
        ):
            robot.remove(element)
    skeleton = dart.utils.DartLoader().parseSkeletonString(ElementTree.tostring(robot, encoding="unicode"), "")
    for i in range(skeleton.getNumBodyNodes()):
        body = skeleton.getBodyNode(i)
        body.setGravityMode(body.getName() == PAYLOAD)
    assert [skeleton.getDof(i).getName() for i in range(skeleton.getNumDofs())] == list(arm.joint_names)
    world = dart.simulation.World()
    world.setTimeStep(STEP)
    world.setGravity([0.0, 0.0, -9.81])
    world.addSkeleton(skeleton)
    skeleton.setPositions(arm.home)
    positions = []
    for k in range(STEPS):
        skeleton.setForces(torque(skeleton.getPositions(), skeleton.getVelocities(), k))
        world.step()
        positions.append(skeleton.getPositions())
    return np.array(positions)


def in_mujoco(model: mujoco.MjModel, arm: Arm, torque: Motion) -> np.ndarray:
    data = mujoco.MjData(model)
    data.qpos[:] = arm.home
    positions = []
    for k in range(STEPS):
        data.qfrc_applied[:] = torque(data.qpos, data.qvel, k)
        mujoco.mj_step(model, data)
        positions.append(data.qpos.copy())
    return np.array(positions)


def generated_in_mujoco(arm: Arm, config: PlantConfig) -> mujoco.MjModel:
    """Return the same generated URDF, read by MuJoCo and integrated as DART does it."""
    urdf = gazebo_urdf(arm, config, Path("controllers.yaml"))
    spec = mujoco.MjSpec.from_string(bodies_only(replace(arm, urdf=urdf)))
    spec.compiler.fusestatic = False
    for body in spec.bodies:
        body.gravcomp = float(body.name != PAYLOAD)
    for name in arm.joint_names:
        spec.joint(name).actfrclimited = False
    spec.option.timestep = STEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER  # semi-implicit, as there is no damping
    spec.option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    return spec.compile()


@pytest.mark.parametrize("effects", [{}, LOAD], ids=["alone", "with a payload"])
def test_the_generated_arm_moves_alike_in_both(arm: Arm, effects: dict[str, Any]) -> None:
    config = plant(**effects)
    torque = swing(arm, 0.015, load_at_home(arm, config))
    one, other = in_dart(arm, config, torque), in_mujoco(generated_in_mujoco(arm, config), arm, torque)
    assert np.abs(one[-1] - arm.home).max() > 0.2  # it did move
    np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("effects", [{}, LOAD, FRICTION, LOAD | FRICTION], ids=["alone", "load", "friction", "both"])
def test_corrected_for_its_rotors_it_moves_as_the_plant_in_mujoco_does(arm: Arm, effects: dict[str, Any]) -> None:
    config = plant(**effects)
    torque = swing(arm, 0.045 if "friction" in effects else 0.015, load_at_home(arm, config))
    truth = in_mujoco(build_model(arm, config, np.ones(7)), arm, torque)
    correction = RotorCorrection(arm, links_model(arm), config)

    def corrected(q: np.ndarray, v: np.ndarray, k: int) -> np.ndarray:
        return correction.apply(q, v, torque(q, v, k))

    moved = np.abs(truth - arm.home).max()
    without = np.abs(in_dart(arm, config, torque) - truth).max()
    with_it = np.abs(in_dart(arm, config, corrected) - truth).max()
    assert moved > 0.2
    assert with_it < 0.01 * moved
    assert with_it < 0.1 * without
