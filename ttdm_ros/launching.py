"""What the launch files share: arguments declared and read in one way, this package's nodes and files named in one way.

Imports ``launch``, which comes with a ROS installation, not with pip; nothing but launch files imports this.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.node_parameters import node_parameters
from ttdm_ros.paths import share_folder

Argument = tuple[str, str] | tuple[str, Sequence[str], str]
"""Default and description; between them what is allowed, where not everything is."""

BOOLEAN = ("true", "false", "True", "False")
ROBOT: dict[str, Argument] = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
}
PLANT_CONFIG: dict[str, Argument] = {
    "plant_config": ("payload_friction", "plant of config/plants, or a path to a file: what the model does not know"),
}
GRAVITY: dict[str, Argument] = {
    "gravity": ("compensated", ["compensated", "added"], "compensated by the arm, or added to its motors' torques"),
}
NAMESPACE: dict[str, Argument] = {"namespace": ("", "namespace of all nodes and topics")}
PARAMS_FILE: dict[str, Argument] = {
    "params_file": ("", "parameter file for all nodes; what it sets wins over the arguments"),
}


def declare(arguments: Mapping[str, Argument]) -> list[DeclareLaunchArgument]:
    """Return the declarations of arguments, by their names."""
    return [
        DeclareLaunchArgument(
            name, default_value=default, choices=None if not allowed else list(allowed[0]), description=text
        )
        for name, (default, *allowed, text) in arguments.items()
    ]


def read(context: LaunchContext, names: Iterable[str]) -> dict[str, str]:
    """Return what was given for some arguments."""
    return {name: LaunchConfiguration(name).perform(context) for name in names}


def is_true(text: str) -> bool:
    """Whether an argument that is one of ``BOOLEAN`` says yes."""
    return text.lower() == "true"


def include(name: str, condition: Any = None, **arguments: str) -> IncludeLaunchDescription:
    """Return the inclusion of another launch file of this package."""
    source = PythonLaunchDescriptionSource(str(share_folder() / "launch" / name))
    return IncludeLaunchDescription(source, condition=condition, launch_arguments=arguments.items())


def own_node(
    executable: str, given: Mapping[str, str], parameters: Mapping[str, Any], *, ending: str = "", **more: Any
) -> Node:
    """Return a node of this package, with the parameter file of its name, then ``parameters``, then the user's file.

    Args:
        executable: of the node.
        given: what was given for the arguments ``namespace`` and ``params_file``.
        parameters: what the other arguments make of its parameters.
        ending: why everything is stopped when the node ends; empty if that does not matter.
        more: other arguments of ``launch_ros.actions.Node``.
    """
    return Node(
        package="ttdm_ros",
        executable=executable,
        namespace=given["namespace"],
        parameters=node_parameters(executable, parameters, given["params_file"]),
        output="screen",
        on_exit=[Shutdown(reason=ending)] if ending else None,
        **more,
    )
