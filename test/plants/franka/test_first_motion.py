"""What the page for the first day promises of the first motion."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ttdm_ros.config import parse
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.timeline import Task
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.mpc.tasks.reference import approach
from ttdm_ros.paths import share_folder
from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.systems.arm import load_arm

PAGE = (Path(__file__).parents[3] / "docs" / "franka.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    text = (share_folder() / "config" / "first_motion.yaml").read_text(encoding="utf-8")
    return {key: value["ros__parameters"] for key, value in yaml.safe_load(text).items()}


@pytest.mark.parametrize("robot", ["fr3", "panda"])
def test_no_joint_passes_a_twentieth_of_its_velocity_limit(robot: str, given: dict[str, Any]) -> None:
    arm = load_arm(robot)
    task = Task(arm, load_task("first_motion"))
    speed = parse(given["/**/mpc_controller"]["controller"], ControllerConfig, "controller").approach_speed
    way_there = approach(arm, np.array([0.3, 0.0, -0.3, -1.57, 0.3, 1.57, 0.0]), task.reference, speed=speed)
    for reference in (task.reference, way_there):
        assert (np.abs(reference.v) <= 0.05 * arm.limits.velocity).all()
    tip, _ = arm.tip_pose(arm.home)
    np.testing.assert_allclose(task.reference.position[[0, -1]], [tip, tip], atol=1e-6)


def test_the_arm_is_held_back_and_sensitive_to_touch(given: dict[str, Any]) -> None:
    usual = FrankaSettings()
    settings = parse(given["/**/franka_driver"], FrankaSettings, "franka_driver")
    mpc = parse(given["/**/mpc_controller"]["mpc"], MpcConfig, "mpc")
    assert settings.guard.torque_share == 0.5
    assert mpc.effort_share <= settings.guard.torque_share  # or the driver would cut what the plan counts on
    assert mpc.velocity_share <= 0.1
    assert max(settings.collision.upper_torque) < min(usual.collision.upper_torque)
    assert max(settings.collision.upper_force) < min(usual.collision.upper_force)


def test_the_pages_stages_have_the_values_of_the_file_and_then_those_as_shipped(given: dict[str, Any]) -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE.partition("| stage |")[2], re.MULTILINE)
    stages = {name: (controller, driver) for name, controller, driver in rows}
    controller, mpc = given["/**/mpc_controller"]["controller"], given["/**/mpc_controller"]["mpc"]
    guard = given["/**/franka_driver"]["guard"]
    told = {name: f"`{name}` {value}" for name, value in (controller | mpc | guard).items()}
    assert all(
        told[name] in stages["`first_motion`"][0] for name in ("approach_speed", "velocity_share", "effort_share")
    )
    assert told["torque_share"] in stages["`first_motion`"][1]
    shipped = ControllerConfig().model_dump() | MpcConfig().model_dump()
    for name in ("approach_speed", "velocity_share", "effort_share", "ramp_time"):
        assert f"`{name}` {shipped[name]}" in stages["as shipped"][0]
    assert f"`torque_share` {FrankaSettings().guard.torque_share}" in stages["full torque"][1]


@pytest.mark.parametrize("robot", ["fr3", "panda"])
def test_the_circle_needs_more_speed_than_the_first_motions_plan_has_and_no_more_than_its_stage(
    robot: str, given: dict[str, Any]
) -> None:
    arm = load_arm(robot)
    used = (np.abs(Task(arm, load_task("circle")).reference.v) / arm.limits.velocity).max()
    (stage,) = re.findall(r"task:=circle .*mpc.velocity_share:=([\d.]+)`", PAGE)
    assert given["/**/mpc_controller"]["mpc"]["velocity_share"] < used < float(stage)
    if robot == "fr3":
        assert f"reach {used:.2f} of\ntheir velocity limits" in PAGE
