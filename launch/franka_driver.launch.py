"""The driver of a Franka arm alone: joint states, the robot description, and torque commands to the robot."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import find_config, share_folder

_ARGUMENTS = {
    "robot": ("fr3", "robot of config/robots, or a path to a .yaml file"),
    "address": ("172.16.0.2", "of the robot's controller box"),
    "kind": ("", "fr3 (pylibfranka) or panda (FER, panda-python); empty: panda if robot is panda, else fr3"),
    "driver_python": ("", "interpreter that has the robot's library; empty: the workspace's own"),
    "namespace": ("", "namespace of all nodes and topics"),
    "params_file": ("", "parameter file for all nodes; what it sets wins over the arguments"),
}
_KINDS = ("fr3", "panda")


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in _ARGUMENTS.items()
            ),
            OpaqueFunction(function=_driver),
        ]
    )


def _driver(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in _ARGUMENTS}
    find_config("robots", given["robot"])
    kind = given["kind"] or ("panda" if given["robot"] == "panda" else "fr3")
    if kind not in _KINDS:
        raise TtdmError(f"there is no kind:={kind} of Franka arm; give {' or '.join(_KINDS)}")
    return [
        Node(
            package="ttdm_ros",
            executable="franka_driver",
            namespace=given["namespace"],
            prefix=[given["driver_python"]] if given["driver_python"] else None,
            parameters=[
                str(share_folder() / "config" / "franka_driver.yaml"),
                {"robot": given["robot"], "address": given["address"], "kind": kind},
                *([given["params_file"]] if given["params_file"] else []),
            ],
            output="screen",
            on_exit=[Shutdown(reason="the driver ended")],
        )
    ]
