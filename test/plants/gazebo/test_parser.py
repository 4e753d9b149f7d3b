"""Gazebo's own parser accepts everything that is generated, and what is wrong with a file does not escape it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.paths import share_folder
from ttdm_ros.plants.config import PAYLOAD, load_plant
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.plants.gazebo.robot import gazebo_urdf
from ttdm_ros.plants.gazebo.world import world_sdf
from ttdm_ros.systems.arm import Arm

PLANTS = sorted(path.stem for path in (share_folder() / "config" / "plants").glob("*.yaml"))
CONTROLLERS = Path("/somewhere/controllers.yaml")
Write = Callable[[str, str], Path]


@pytest.mark.parametrize("plant", PLANTS)
def test_everything_that_is_generated_is_accepted(arm: Arm, plant: str, parser: Any, write: Write) -> None:
    config = load_plant(plant)
    parser.check(write("robot.urdf", gazebo_urdf(arm, config, CONTROLLERS, namespace="left")))
    parser.check(write("world.sdf", world_sdf(arm, config, real_time_factor=0.5)))


def broken_world(world: str, _: str) -> tuple[str, str]:
    return "world.sdf", world.replace("</physics>", "", 1)


def misspelt_world(world: str, _: str) -> tuple[str, str]:
    return "world.sdf", world.replace("max_step_size", "max_stepsize")


def nameless_world(world: str, _: str) -> tuple[str, str]:
    return "world.sdf", world.replace('<world name="ttdm">', "<world>")


def negative_mass(_: str, robot: str) -> tuple[str, str]:
    return "robot.urdf", re.sub(r'<mass value="', '<mass value="-', robot, count=3)


def impossible_inertia(_: str, robot: str) -> tuple[str, str]:
    return "robot.urdf", re.sub(r'izz="[^"]*"', 'izz="99.0"', robot)


def misspelt_extension(_: str, robot: str) -> tuple[str, str]:
    return "robot.urdf", robot.replace("turnGravityOff", "turnGravityOf")


def two_joints_of_one_name(_: str, robot: str) -> tuple[str, str]:
    return "robot.urdf", robot.replace('name="panda_joint2" type', 'name="panda_joint1" type')


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (broken_world, "Unable to read file"),
        (misspelt_world, "not defined in SDF: max_stepsize"),
        (nameless_world, "Required attribute"),
        (negative_mass, "invalid inertia"),
        (impossible_inertia, "invalid inertia"),
        (misspelt_extension, "not defined in SDF: turnGravityOf"),
        (two_joints_of_one_name, "robot.urdf"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("arm", ["panda"], indirect=True)
def test_what_is_wrong_is_refused(
    arm: Arm, damage: Callable[[str, str], tuple[str, str]], complaint: str, parser: Any, write: Write
) -> None:
    config = load_plant("payload_friction")
    good = world_sdf(arm, config), gazebo_urdf(arm, config, CONTROLLERS)
    name, text = damage(*good)
    assert text not in good
    with pytest.raises(ValueError, match=complaint):
        parser.check(write(name, text))


def test_gazebo_finds_every_number_that_was_written(arm: Arm, parser: Any, write: Write) -> None:
    config = load_plant("payload_friction")
    model = parser.converted(write("robot.urdf", gazebo_urdf(arm, config, CONTROLLERS)))
    coulomb, viscous = friction_torques(arm, config)

    def number(joint: Any, path: str) -> float:
        return float(joint.findtext(f"axis/{path}"))

    for i, name in enumerate(arm.joint_names):
        joint = model.find(f"joint[@name='{name}']")
        assert joint is not None
        assert joint.get("type") == "revolute"
        assert number(joint, "dynamics/damping") == pytest.approx(viscous[i], rel=1e-12)
        assert number(joint, "dynamics/friction") == pytest.approx(coulomb[i], rel=1e-12)
        assert number(joint, "limit/lower") == pytest.approx(arm.limits.position_lower[i], rel=1e-12)
        assert number(joint, "limit/upper") == pytest.approx(arm.limits.position_upper[i], rel=1e-12)
    plugin = model.find("plugin")
    assert plugin is not None
    assert plugin.get("filename") == "gz_ros2_control-system"
    assert plugin.findtext("parameters") == str(CONTROLLERS)


def test_only_the_payload_has_weight_and_it_stays_a_body_of_its_own(arm: Arm, parser: Any, write: Write) -> None:
    config = load_plant("payload_friction")
    model = parser.converted(write("robot.urdf", gazebo_urdf(arm, config, CONTROLLERS)))
    weight = {link.get("name"): link.findtext("gravity", "true") for link in model.findall("link")}
    assert weight.pop(PAYLOAD) == "true"
    assert len(weight) >= 8
    assert set(weight.values()) == {"false"}
    payload = model.find(f"link[@name='{PAYLOAD}']")
    assert payload is not None
    assert float(payload.findtext("inertial/mass", "")) == 1.5


def test_an_arm_that_is_not_compensated_has_all_its_weight(arm: Arm, parser: Any, write: Write) -> None:
    config = load_plant("payload_friction").model_copy(update={"gravity_compensation": False})
    model = parser.converted(write("robot.urdf", gazebo_urdf(arm, config, CONTROLLERS)))
    assert {link.findtext("gravity", "true") for link in model.findall("link")} == {"true"}


def test_the_base_is_fixed_to_the_world_and_all_but_seven_joints_are_fixed(arm: Arm, parser: Any, write: Write) -> None:
    model = parser.converted(write("robot.urdf", gazebo_urdf(arm, load_plant("ideal"), CONTROLLERS)))
    moving = [joint.get("name") for joint in model.findall("joint") if joint.get("type") != "fixed"]
    assert moving == list(arm.joint_names)
    assert "world" in {joint.findtext("parent") for joint in model.findall("joint")}
    mass = sum(float(link.findtext("inertial/mass", "0")) for link in model.findall("link"))
    moved = sum(body.mass for body in list(arm.model.inertias)[1:])
    assert mass >= moved - 1e-9
    np.testing.assert_allclose(moved, mass - float(model.findtext("link/inertial/mass", "0")), atol=1e-6)
