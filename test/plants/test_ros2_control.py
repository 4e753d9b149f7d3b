"""The controllers that ship are those of the arms that ship."""

from pathlib import Path

import pytest
import yaml

from ttdm_ros import topics
from ttdm_ros.paths import share_folder
from ttdm_ros.plants.ros2_control import BROADCASTER, DIRECT, HELD, Kind, controllers
from ttdm_ros.systems.arm import load_arm

FOLDER = share_folder() / "config" / "ros2_control"
IIWA = Path(__file__).parents[1] / "systems" / "data" / "iiwa14.urdf"


@pytest.mark.parametrize("robot", ["panda", "fr3"])
@pytest.mark.parametrize(("kind", "suffix"), [("forward", ""), ("group_effort", "_group_effort")])
def test_the_file_that_ships_is_the_one_that_belongs_to_the_arm(robot: str, kind: Kind, suffix: str) -> None:
    shipped = yaml.safe_load((FOLDER / f"{robot}{suffix}.yaml").read_text(encoding="utf-8"))
    assert shipped == controllers(load_arm(robot), kind)


def test_every_file_that_ships_is_looked_at() -> None:
    names = {f"{robot}{suffix}.yaml" for robot in ("panda", "fr3") for suffix in ("", "_group_effort")}
    assert {path.name for path in FOLDER.iterdir()} == names


def test_the_controllers_listen_where_torques_are_published() -> None:
    assert (f"{DIRECT}/commands", f"{HELD}/commands") == (topics.COMMANDS, topics.MOTOR_COMMANDS)


def test_joints_go_from_base_to_tip_whatever_the_arm() -> None:
    arm = load_arm(IIWA, base_frame="iiwa_base", tip_frame="tcp")
    parameters = controllers(arm)
    for name in (DIRECT, HELD):
        own = parameters[f"/**/{name}"]["ros__parameters"]
        assert own["joints"] == list(arm.joint_names)
        assert own["interface_name"] == "effort"
        assert own["type"] == "forward_command_controller/ForwardCommandController"
    manager = parameters["/**/controller_manager"]["ros__parameters"]
    assert manager["update_rate"] == 1000
    assert {name for name in manager if name != "update_rate"} == {BROADCASTER, DIRECT, HELD}
