"""What a launch finds in the cache folder: files that belong together, and a word on what Gazebo leaves out."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from ttdm_ros.errors import PlantError, TtdmError
from ttdm_ros.paths import share_folder
from ttdm_ros.plants.config import PAYLOAD, PlantConfig, load_plant
from ttdm_ros.plants.gazebo.expressible import left_out
from ttdm_ros.plants.gazebo.files import write_files
from ttdm_ros.plants.gazebo.robot import gazebo_urdf
from ttdm_ros.plants.gazebo.world import world_sdf
from ttdm_ros.plants.ros2_control import controllers
from ttdm_ros.systems.arm import load_arm


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_robot_names_the_controllers_that_were_written_beside_it(cache: Path) -> None:
    files = write_files("fr3", "payload_friction", namespace="left")
    assert files.urdf.is_relative_to(cache)
    robot = ElementTree.parse(files.urdf).getroot()
    plugin = robot.find("gazebo/plugin")
    assert plugin is not None
    assert plugin.findtext("parameters") == str(files.controllers)
    assert plugin.findtext("ros/namespace") == "/left"
    assert yaml.safe_load(files.controllers.read_text(encoding="utf-8")) == controllers(load_arm("fr3"))
    assert robot.get("name") == files.robot_name == "fr3"
    world = ElementTree.parse(files.world).getroot().find("world")
    assert world is not None
    assert world.get("name") == files.world_name


def test_different_arguments_go_to_different_folders_and_the_same_to_the_same() -> None:
    folders = [
        write_files("panda", plant, namespace=namespace, real_time_factor=factor).urdf.parent
        for plant, namespace, factor in [
            ("ideal", "", 1.0),
            ("payload_1kg", "", 1.0),
            ("ideal", "left", 1.0),
            ("ideal", "", 0.5),
            ("ideal", "", 1.0),
        ]
    ]
    assert len(set(folders[:4])) == 4
    assert folders[4] == folders[0]
    assert {path.name for path in folders[0].iterdir()} == {"robot.urdf", "world.sdf", "controllers.yaml"}


def test_a_cut_file_of_an_earlier_launch_is_replaced() -> None:
    files = write_files("panda", "ideal")
    text = files.urdf.read_text(encoding="utf-8")
    files.urdf.write_text(text[:100], encoding="utf-8")
    assert write_files("panda", "ideal").urdf.read_text(encoding="utf-8") == text


def test_what_gazebo_cannot_do_is_named_in_one_sentence() -> None:
    assert write_files("panda", "payload_friction").warning == (
        "Gazebo leaves out of plant 'payload_friction' what it cannot do: friction.stribeck, actuator.lag, "
        "actuator.delay, sensor.position_std, sensor.velocity_std"
    )
    assert write_files("panda", "payload_1kg").warning == ""
    assert left_out(load_plant("other_masses")) == ["mass_variation"]


def test_every_effect_is_either_expressed_or_named() -> None:
    """A new field of PlantConfig must be thought of here."""
    expressed = {"step", "command_timeout", "gravity_compensation", "payload", "friction"}
    named = {"friction", "mass_variation", "actuator", "sensor"}
    assert set(PlantConfig.model_fields) == expressed | named


@pytest.mark.parametrize(
    ("robot", "plant", "problem"),
    [("ur5", "ideal", "no robot named 'ur5'"), ("panda", "moon", "no plant named 'moon'")],
)
def test_a_wrong_name_is_refused(robot: str, plant: str, problem: str) -> None:
    with pytest.raises(TtdmError, match=problem):
        write_files(robot, plant)


def test_joints_start_at_home_and_take_effort_alone() -> None:
    arm = load_arm("panda")
    robot = ElementTree.fromstring(gazebo_urdf(arm, load_plant("ideal"), Path("c.yaml")))
    assert robot.findtext("ros2_control/hardware/plugin") == "gz_ros2_control/GazeboSimSystem"
    joints = robot.findall("ros2_control/joint")
    assert [joint.get("name") for joint in joints] == list(arm.joint_names)
    for joint in joints:
        assert [command.get("name") for command in joint.findall("command_interface")] == ["effort"]
        assert [state.get("name") for state in joint.findall("state_interface")] == ["position", "velocity", "effort"]
    start = [float(joint.findtext("state_interface/param[@name='initial_value']", "")) for joint in joints]
    np.testing.assert_array_equal(start, arm.home)


def test_a_robot_that_has_a_link_of_the_payloads_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.urdf"
    path.write_text(load_arm("panda").urdf.replace("panda_link8", PAYLOAD), encoding="utf-8")
    arm = load_arm(path, base_frame="panda_link0", tip_frame="panda_hand_tcp")
    with pytest.raises(PlantError, match=f"has a link named {PAYLOAD} already; rename it"):
        gazebo_urdf(arm, load_plant("ideal"), Path("c.yaml"))


def test_a_mesh_and_a_gripper_do_not_move_but_stay_to_be_seen(tmp_path: Path) -> None:
    extras = """
      <link name="finger"><visual><geometry><mesh filename="package://hand/finger.dae"/></geometry></visual>
        <inertial><mass value="0.1"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial>
      </link>
      <joint name="finger_joint" type="prismatic"><parent link="panda_hand_tcp"/><child link="finger"/>
        <axis xyz="0 1 0"/><limit lower="0" upper="0.04" effort="20" velocity="0.2"/></joint>
      <ros2_control name="own" type="system"/><gazebo/></robot>"""
    path = tmp_path / "arm.urdf"
    path.write_text(load_arm("panda").urdf.replace("</robot>", extras), encoding="utf-8")
    arm = load_arm(path, base_frame="panda_link0", tip_frame="panda_hand_tcp")
    robot = ElementTree.fromstring(gazebo_urdf(arm, load_plant("ideal"), Path("c.yaml")))
    finger = robot.find("joint[@name='finger_joint']")
    assert finger is not None
    assert finger.get("type") == "fixed"
    assert robot.find("link[@name='finger']/visual/geometry/mesh") is not None
    assert len(robot.findall("ros2_control")) == 1


def test_the_world_keeps_step_speed_engine_and_gravity() -> None:
    arm, config = load_arm("panda"), PlantConfig(step=0.0005)
    world = ElementTree.fromstring(world_sdf(arm, config, real_time_factor=0.25)).find("world")
    assert world is not None
    physics = world.find("physics")
    assert physics is not None
    assert physics.get("type") == "dart"
    assert float(physics.findtext("max_step_size", "")) == 0.0005
    assert float(physics.findtext("real_time_factor", "")) == 0.25
    assert [float(g) for g in world.findtext("gravity", "").split()] == list(arm.model.gravity.linear)
    assert {plugin.get("filename") for plugin in world.findall("plugin")} >= {
        "gz-sim-physics-system",
        "gz-sim-user-commands-system",
    }


def test_every_plant_that_ships_can_be_written() -> None:
    for path in (share_folder() / "config" / "plants").glob("*.yaml"):
        assert write_files("panda", path.stem).urdf.is_file()
