"""The file that franka-sim loads is the arm that MuJoCo simulates here."""

from pathlib import Path

import mujoco
import numpy as np

from ttdm_ros.plants.config import PAYLOAD, load_plant
from ttdm_ros.plants.franka.mjcf import write_mjcf
from ttdm_ros.plants.mujoco_model import build_model
from ttdm_ros.systems.arm import load_arm


def test_the_file_has_the_arms_masses_friction_and_motion(tmp_path: Path) -> None:
    arm, plant = load_arm("fr3"), load_plant("payload_friction")
    read = mujoco.MjModel.from_xml_path(str(write_mjcf(arm, plant, tmp_path / "fr3.xml")))
    ours = build_model(arm, plant, np.ones(7))
    assert [read.joint(i).name for i in range(read.njnt)] == list(arm.joint_names)
    np.testing.assert_allclose(read.body(PAYLOAD).mass, ours.body(PAYLOAD).mass)
    np.testing.assert_allclose(read.body_mass.sum(), ours.body_mass.sum(), rtol=1e-5)
    np.testing.assert_allclose(read.dof_armature, arm.rotor_inertia)
    np.testing.assert_allclose(read.dof_frictionloss, ours.dof_frictionloss)
    mass = []
    for model in (read, ours):
        data = mujoco.MjData(model)
        data.qpos[:] = arm.home
        mujoco.mj_forward(model, data)
        full = np.zeros((7, 7))
        for i in range(7):
            mujoco.mj_mulM(model, data, full[i], np.eye(7)[i])
        mass.append(full)
    np.testing.assert_allclose(mass[0], mass[1], atol=1e-4)


def test_franka_sim_finds_the_names_that_it_looks_for(tmp_path: Path) -> None:
    path = write_mjcf(load_arm("fr3"), load_plant("ideal"), tmp_path / "fr3.xml")
    model = mujoco.MjModel.from_xml_path(str(path))
    assert model.joint(0).name.endswith("joint1")
    prefix = model.joint(0).name.removesuffix("joint1")
    assert mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, f"{prefix}link7") >= 0
