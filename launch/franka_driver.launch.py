"""The driver of a Franka arm alone: joint states, the robot description, and torque commands to the robot."""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.launching import NAMESPACE, PARAMS_FILE, Argument, declare, own_node, read
from ttdm_ros.paths import find_config
from ttdm_ros.plants.franka.kind import kind_of

_ARGUMENTS: dict[str, Argument] = {
    "robot": ("fr3", "robot of config/robots, or a path to a .yaml file"),
    "address": ("172.16.0.2", "of the robot's controller box"),
    "kind": ("", "fr3 (pylibfranka) or panda (FER, panda-python); empty: panda if robot is panda, else fr3"),
    "driver_python": ("", "interpreter that has the robot's library; empty: the workspace's own"),
    **NAMESPACE,
    **PARAMS_FILE,
}
_KINDS = ("fr3", "panda")


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_driver)])


def _driver(context: LaunchContext) -> list[Node]:
    given = read(context, _ARGUMENTS)
    find_config("robots", given["robot"])
    kind = given["kind"] or kind_of(given["robot"])
    if kind not in _KINDS:
        raise TtdmError(f"there is no kind:={kind} of Franka arm; give {' or '.join(_KINDS)}")
    return [
        own_node(
            "franka_driver",
            given,
            {"robot": given["robot"], "address": given["address"], "kind": kind},
            ending="the driver ended",
            prefix=[given["driver_python"]] if given["driver_python"] else None,
        )
    ]
