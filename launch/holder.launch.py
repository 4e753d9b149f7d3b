"""The holder alone: carries the arm's weight if it shall, and brakes and holds the arm when commands stop."""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from ttdm_ros.launching import (
    BOOLEAN,
    GRAVITY,
    NAMESPACE,
    PARAMS_FILE,
    ROBOT,
    Argument,
    declare,
    is_true,
    own_node,
    read,
)
from ttdm_ros.paths import find_config

_ARGUMENTS: dict[str, Argument] = {
    **ROBOT,
    "gazebo_plant": ("", "only in Gazebo: plant of config/plants, or a path to a file, that is simulated"),
    **NAMESPACE,
    **PARAMS_FILE,
    **GRAVITY,
    "use_sim_time": ("false", BOOLEAN, "time comes from /clock"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_holder)])


def _holder(context: LaunchContext) -> list[Node]:
    given = read(context, _ARGUMENTS)
    find_config("robots", given["robot"])
    if given["gazebo_plant"]:
        find_config("plants", given["gazebo_plant"])
    arguments = {name: given[name] for name in (*ROBOT, *GRAVITY, "gazebo_plant")}
    parameters = arguments | {"use_sim_time": is_true(given["use_sim_time"])}
    return [own_node("holder", given, parameters, ending="the holder ended")]
