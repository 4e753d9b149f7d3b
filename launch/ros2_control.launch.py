"""An arm whose driver runs a controller manager of ros2_control with effort interfaces.

Its driver is up already. Started are the holder, and the controller that passes torques on to the motors.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.launching import BOOLEAN, GRAVITY, NAMESPACE, ROBOT, Argument, declare, include, is_true, read
from ttdm_ros.paths import find_config, share_folder
from ttdm_ros.ros_packages import need

_ARGUMENTS: dict[str, Argument] = {
    "robot": ROBOT["robot"],
    "controllers": ("", "parameter file of the controllers; empty for the robot's own of config/ros2_control"),
    "controller_manager": ("/controller_manager", "name of the driver's controller manager"),
    **NAMESPACE,
    "controller_type": ("forward", ["forward", "group_effort"], "forward_command_controller or effort_controllers"),
    **GRAVITY,
    "hold": ("true", BOOLEAN, "brake and hold the arm when commands stop; controllers go on with the last one"),
    "spawn": ("true", BOOLEAN, "load and activate the effort controller; false if that is done elsewhere"),
    "broadcast": ("false", BOOLEAN, "load and activate a joint_state_broadcaster too"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and what follows from them."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = read(context, _ARGUMENTS)
    holds, spawns, broadcasts = (is_true(given[name]) for name in ("hold", "spawn", "broadcast"))
    if given["gravity"] == "added" and not holds:
        raise TtdmError("gravity:=added needs hold:=true, as it is the holder that adds it; leave hold out")
    entities: list[LaunchDescriptionEntity] = []
    if holds:
        entities.append(include("holder.launch.py"))
    if spawns:
        controller = "motor_effort_controller" if holds else "effort_controller"
        entities.append(_spawner(given, controller, broadcasts=broadcasts))
    return entities


def _spawner(given: dict[str, str], controller: str, *, broadcasts: bool) -> Node:
    forward = given["controller_type"] == "forward"
    needed = ["controller_manager", "forward_command_controller" if forward else "effort_controllers"]
    need([*needed, "joint_state_broadcaster"] if broadcasts else needed, "plant:=ros2_control")
    # A controller manager in another namespace: its controller hears our topic all the same.
    topic = "/" + "/".join(filter(None, (given["namespace"].strip("/"), controller, "commands")))
    return Node(
        package="controller_manager",
        executable="spawner",
        namespace=given["namespace"],
        arguments=[
            *(["joint_state_broadcaster"] if broadcasts else []),
            controller,
            *("--controller-manager", given["controller_manager"]),
            *("--param-file", str(_controllers(given))),
            *("--controller-ros-args", f"-r ~/commands:={topic}"),
        ],
        output="screen",
    )


def _controllers(given: dict[str, str]) -> Path:
    if given["controllers"]:
        path = Path(given["controllers"]).expanduser()
        if not path.is_file():
            raise TtdmError(f"there is no file {path}; correct the argument controllers")
        return path.resolve()
    robot = find_config("robots", given["robot"])
    suffix = "" if given["controller_type"] == "forward" else "_group_effort"
    path = share_folder() / "config" / "ros2_control" / f"{robot.stem}{suffix}.yaml"
    if not path.is_file():
        raise TtdmError(
            f"no controllers ship for {robot.stem}; copy {path.with_stem('panda' + suffix)}, put its joints in, and "
            "give controllers:=FILE"
        )
    return path
