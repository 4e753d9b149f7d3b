"""Every plant of the launch files: what is started, with what, and after what."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "launch_ros", reason="launch_ros cannot be imported: it comes with a ROS installation, not with pip"
)

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, LogInfo, Shutdown
from launch.utilities import perform_substitutions
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import share_folder

GAZEBO = (
    "ros_gz_sim",
    "ros_gz_bridge",
    "gz_ros2_control",
    "controller_manager",
    "forward_command_controller",
    "joint_state_broadcaster",
    "robot_state_publisher",
)
CONTROL = ("controller_manager", "forward_command_controller", "effort_controllers", "joint_state_broadcaster")


def parameters(node: Node) -> dict[str, Any]:
    evaluated = evaluate_parameters(LaunchContext(), node._Node__parameters)
    return {name: value for item in evaluated if isinstance(item, dict) for name, value in item.items()}


def arguments(node: Node) -> list[str]:
    context = LaunchContext()
    command = [perform_substitutions(context, part) for part in node.cmd[1:]]
    return command[: command.index("--ros-args")] if "--ros-args" in command else command


def remappings(node: Node) -> dict[str, str]:
    context = LaunchContext()
    pairs = node._Node__remappings or []
    return {perform_substitutions(context, one): perform_substitutions(context, other) for one, other in pairs}


class Started:
    """What launch would start."""

    def __init__(self, entities: list[tuple[Any, str]]) -> None:
        self.nodes = {entity.node_executable: entity for entity, _ in entities if isinstance(entity, Node)}
        self.after = {entity.node_executable: after for entity, after in entities if isinstance(entity, Node)}
        self.ends = [entity for entity, _ in entities if isinstance(entity, Shutdown)]
        self.words = [
            perform_substitutions(LaunchContext(), entity.msg) for entity, _ in entities if isinstance(entity, LogInfo)
        ]


@pytest.fixture
def start(visit: Callable[..., Any]) -> Callable[..., Started]:
    def start(file: str = "panda_mpc.launch.py", returncode: int = 0, **given: str) -> Started:
        return Started(list(visit(file, returncode, **given)))

    return start


EXPECTED = {
    "mujoco": {"simulator", "mpc_controller"},
    "none": {"mpc_controller"},
    "gazebo": {
        "gz",
        "create",
        "parameter_bridge",
        "robot_state_publisher",
        "spawner",
        "holder",
        "mpc_controller",
    },
    "ros2_control": {"spawner", "holder", "mpc_controller"},
    "franka": {"franka_driver", "mpc_controller"},
}


@pytest.mark.parametrize(
    ("plant", "robot", "record", "namespace"),
    list(itertools.product(EXPECTED, ("panda", "fr3"), ("true", "false"), ("", "left"))),
)
def test_every_plant_starts_what_belongs_to_it(
    start: Callable[..., Started], install: Callable[..., None], plant: str, robot: str, record: str, namespace: str
) -> None:
    install(*GAZEBO, *CONTROL)
    started = start(plant=plant, robot=robot, record=record, namespace=namespace)
    assert set(started.nodes) == EXPECTED[plant] | ({"recorder"} if record == "true" else set())
    for executable in ("mpc_controller", "holder", "recorder", "simulator", "franka_driver"):
        if executable in started.nodes:
            assert (started.nodes[executable]._Node__node_namespace or "") == namespace
    for executable in ("mpc_controller", "holder", "franka_driver"):
        if executable in started.nodes:
            assert parameters(started.nodes[executable])["robot"] == robot
    assert parameters(started.nodes["mpc_controller"])["publish_law"] is (plant == "franka")


def test_every_choice_of_a_plant_is_tried(describe: Callable[[str], Any]) -> None:
    entities = describe("panda_mpc.launch.py").entities
    (plant,) = [each for each in entities if isinstance(each, DeclareLaunchArgument) and each.name == "plant"]
    assert set(plant.choices) == set(EXPECTED)


# Gazebo


@pytest.fixture
def gazebo(start: Callable[..., Started], install: Callable[..., None]) -> Callable[..., Started]:
    install(*GAZEBO)
    return lambda **given: start(plant="gazebo", **given)


def test_in_gazebo_everything_follows_simulated_time(gazebo: Callable[..., Started]) -> None:
    started = gazebo(record="true", rviz="true")
    for executable in ("mpc_controller", "holder", "recorder", "robot_state_publisher", "create", "spawner", "rviz2"):
        assert parameters(started.nodes[executable])["use_sim_time"] is True
    assert arguments(started.nodes["parameter_bridge"]) == ["/clock@rosgraph_msgs/msg/Clock[gz.msgs.Clock"]


def test_the_speed_and_the_window_reach_gazebo(gazebo: Callable[..., Started]) -> None:
    for given, flags in (({"gui": "false"}, "-r -s "), ({}, "-r ")):
        gz_args, ends_all = arguments(gazebo(real_time_factor="0.25", **given).nodes["gz"])
        assert gz_args.startswith(flags + "/")
        assert ends_all == "true"
        world = Path(gz_args.removeprefix(flags))
        assert "<real_time_factor>0.25</real_time_factor>" in world.read_text(encoding="utf-8")


def test_the_robot_that_is_spawned_is_the_one_that_is_described(gazebo: Callable[..., Started]) -> None:
    started = gazebo(robot="fr3", plant_config="payload_1kg", namespace="left")
    description = parameters(started.nodes["robot_state_publisher"])["robot_description"]
    assert '<robot name="fr3">' in description
    assert "unmodelled_payload" in description
    assert "<namespace>/left</namespace>" in description
    create = arguments(started.nodes["create"])
    assert create == ["-topic", "/left/robot_description", "-name", "fr3", "-world", "ttdm"]
    spawner = arguments(started.nodes["spawner"])
    assert spawner[:4] == [
        "joint_state_broadcaster", "motor_effort_controller", "--controller-manager", "/left/controller_manager",
    ]  # fmt: skip
    (file,) = re.findall("<parameters>(.*)</parameters>", description)
    assert spawner[4:] == ["--param-file", file]


def test_controllers_come_after_the_robot_and_the_mpc_after_the_controllers(gazebo: Callable[..., Started]) -> None:
    after = gazebo().after
    assert (after["spawner"], after["mpc_controller"]) == ("create", "spawner")
    assert after["holder"] == ""  # before all: its torques wait for the motors


def test_the_holder_knows_the_plant_in_gazebo(gazebo: Callable[..., Started], tmp_path: Path) -> None:
    given = parameters(gazebo(plant_config="payload_1kg").nodes["holder"])
    assert (given["gazebo_plant"], given["gravity"]) == ("payload_1kg", "compensated")
    heavy = tmp_path / "heavy.yaml"
    heavy.write_text("gravity_compensation: false\n", encoding="utf-8")
    assert parameters(gazebo(plant_config=str(heavy)).nodes["holder"])["gravity"] == "added"


def test_what_gazebo_leaves_out_is_said(gazebo: Callable[..., Started]) -> None:
    (words,) = gazebo(plant_config="payload_friction").words
    assert "leaves out of plant 'payload_friction' what it cannot do: friction.stribeck" in words
    assert gazebo(plant_config="payload_1kg").words == []


def test_controllers_that_cannot_be_started_end_everything(gazebo: Callable[..., Started]) -> None:
    started = gazebo(returncode=1)
    assert "mpc_controller" not in started.nodes
    assert len(started.ends) == 1


def test_without_gazebo_what_to_install_is_said_in_one_sentence(
    start: Callable[..., Started], install: Callable[..., None]
) -> None:
    install(*(name for name in GAZEBO if name not in ("ros_gz_sim", "gz_ros2_control")))
    with pytest.raises(TtdmError) as caught:
        start(plant="gazebo")
    assert str(caught.value) == (
        "plant:=gazebo needs the ROS packages ros_gz_sim, gz_ros2_control; install: sudo apt install "
        "ros-$ROS_DISTRO-ros-gz-sim ros-$ROS_DISTRO-gz-ros2-control"
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"real_time_factor": "fast"}, "real_time_factor:=fast is not a positive number"),
        ({"real_time_factor": "0"}, "real_time_factor:=0 is not a positive number"),
        ({"real_time_factor": "inf"}, "real_time_factor:=inf is not a positive number"),
        ({"plant_config": "moon"}, "there is no plant named 'moon'"),
    ],
)
def test_a_wrong_argument_for_gazebo_is_refused(
    gazebo: Callable[..., Started], given: dict[str, str], problem: str
) -> None:
    with pytest.raises(TtdmError, match=problem):
        gazebo(**given)


# ros2_control


@pytest.fixture
def control(start: Callable[..., Started], install: Callable[..., None]) -> Callable[..., Started]:
    install(*CONTROL)
    return lambda **given: start(plant="ros2_control", **given)


def test_behind_the_holder_the_motors_controller_is_activated(control: Callable[..., Started]) -> None:
    started = control()
    file = share_folder() / "config" / "ros2_control" / "panda.yaml"
    assert arguments(started.nodes["spawner"]) == [
        "motor_effort_controller",
        *("--controller-manager", "/controller_manager"),
        *("--param-file", str(file)),
        *("--controller-ros-args", "-r ~/commands:=/motor_effort_controller/commands"),
    ]
    assert started.after["mpc_controller"] == "spawner"
    assert parameters(started.nodes["holder"])["gravity"] == "compensated"
    assert parameters(started.nodes["holder"])["gazebo_plant"] == ""
    assert parameters(control(gravity="added").nodes["holder"])["gravity"] == "added"


def test_a_driver_in_another_namespace_hears_our_topic(control: Callable[..., Started]) -> None:
    spawner = control(namespace="franka", robot="fr3", controller_type="group_effort").nodes["spawner"]
    given = arguments(spawner)
    assert given[given.index("--controller-manager") + 1] == "/controller_manager"
    assert given[given.index("--param-file") + 1].endswith("config/ros2_control/fr3_group_effort.yaml")
    assert given[-1] == "-r ~/commands:=/franka/motor_effort_controller/commands"


def test_without_the_holder_the_controller_hears_the_mpc_itself(control: Callable[..., Started]) -> None:
    started = control(hold="false")
    assert "holder" not in started.nodes
    assert arguments(started.nodes["spawner"])[0] == "effort_controller"
    assert arguments(started.nodes["spawner"])[-1] == "-r ~/commands:=/effort_controller/commands"
    with pytest.raises(TtdmError, match="gravity:=added needs hold:=true"):
        control(hold="false", gravity="added")


def test_what_the_driver_starts_itself_is_left_to_it(control: Callable[..., Started]) -> None:
    assert arguments(control(broadcast="true").nodes["spawner"])[:2] == [
        "joint_state_broadcaster",
        "motor_effort_controller",
    ]
    started = control(spawn="false")
    assert set(started.nodes) == {"holder", "mpc_controller"}
    assert started.after["mpc_controller"] == ""


def test_an_effort_controller_that_is_not_activated_ends_everything(control: Callable[..., Started]) -> None:
    started = control(returncode=1)
    assert "mpc_controller" not in started.nodes
    assert len(started.ends) == 1


def test_controllers_of_ones_own_are_taken(control: Callable[..., Started], tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("{}\n", encoding="utf-8")
    assert str(own) in arguments(control(controllers=str(own)).nodes["spawner"])
    with pytest.raises(TtdmError, match=r"there is no file .*missing\.yaml; correct the argument controllers"):
        control(controllers=str(tmp_path / "missing.yaml"))
    robot = tmp_path / "arm.yaml"
    robot.write_text("{}\n", encoding="utf-8")
    with pytest.raises(TtdmError, match=r"no controllers ship for arm; copy .*panda\.yaml, put its joints in"):
        control(robot=str(robot))


def test_without_ros2_control_what_to_install_is_said(
    start: Callable[..., Started], install: Callable[..., None]
) -> None:
    install("controller_manager")
    with pytest.raises(TtdmError, match="needs the ROS packages forward_command_controller; install: sudo apt install"):
        start(plant="ros2_control")
    with pytest.raises(TtdmError, match="needs the ROS packages effort_controllers; install: sudo apt install"):
        start(plant="ros2_control", controller_type="group_effort")


# Franka


def test_what_the_driver_needs_is_passed_on(start: Callable[..., Started], tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("/**/mpc_controller:\n  ros__parameters:\n    publish_law: false\n", encoding="utf-8")
    started = start(
        plant="franka", robot="fr3", address="192.168.1.5", driver_python="/opt/driver/bin/python", params_file=str(own)
    )
    driver = started.nodes["franka_driver"]
    assert parameters(driver).items() >= {"robot": "fr3", "address": "192.168.1.5", "kind": "fr3"}.items()
    assert parameters(driver)["load.com"] == (0.0, 0.0, 0.0)
    assert perform_substitutions(LaunchContext(), driver.process_description.prefix) == "/opt/driver/bin/python"
    for node in started.nodes.values():  # what the user sets wins
        assert evaluate_parameters(LaunchContext(), node._Node__parameters)[-1] == own


@pytest.mark.parametrize(("given", "kind"), [({}, "panda"), ({"robot": "fr3"}, "fr3"), ({"kind": "fr3"}, "fr3")])
def test_the_kind_of_franka_arm_follows_from_the_robot(
    start: Callable[..., Started], given: dict[str, str], kind: str
) -> None:
    assert parameters(start(plant="franka", **given).nodes["franka_driver"])["kind"] == kind


def test_the_end_of_the_driver_ends_everything(start: Callable[..., Started]) -> None:
    on_exit = start(plant="franka").nodes["franka_driver"]._ExecuteLocal__on_exit
    assert [type(action) for action in on_exit] == [Shutdown]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"use_sim_time": "true"}, "keeps the wall clock's time; leave use_sim_time off"),
        ({"kind": "iiwa"}, "no kind:=iiwa of Franka arm; give fr3 or panda"),
        ({"robot": "ur5"}, "no robot named 'ur5'"),
    ],
)
def test_what_a_franka_arm_cannot_do_is_refused_before_anything_starts(
    start: Callable[..., Started], given: dict[str, str], problem: str
) -> None:
    with pytest.raises(TtdmError, match=problem):
        start(plant="franka", **given)


# MuJoCo


def test_a_simulated_arm_that_does_not_carry_itself_gets_a_holder(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    heavy = tmp_path / "heavy.yaml"
    heavy.write_text("gravity_compensation: false\n", encoding="utf-8")
    started = start(plant_config=str(heavy))
    assert set(started.nodes) == {"simulator", "holder", "mpc_controller"}
    assert remappings(started.nodes["simulator"]) == {"effort_controller/commands": "motor_effort_controller/commands"}
    assert parameters(started.nodes["holder"])["gravity"] == "added"
    assert remappings(start().nodes["simulator"]) == {}


@pytest.mark.parametrize("plant", ["ros2_control", "gazebo"])
def test_the_end_of_the_holder_ends_everything(
    start: Callable[..., Started], install: Callable[..., None], plant: str
) -> None:
    install(*GAZEBO, *CONTROL)
    on_exit = start(plant=plant).nodes["holder"]._ExecuteLocal__on_exit
    assert [type(action) for action in on_exit] == [Shutdown]
