"""The holder alone: carries the arm's weight if it shall, and brakes and holds the arm when commands stop."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.paths import find_config, share_folder

_ARGUMENTS = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
    "gazebo_plant": ("", "only in Gazebo: plant of config/plants, or a path to a file, that is simulated"),
    "namespace": ("", "namespace of all nodes and topics"),
    "params_file": ("", "parameter file for all nodes; what it sets wins over the arguments"),
}
_CHOICES = {
    "gravity": ("compensated", ["compensated", "added"], "compensated by the arm, or added to its motors' torques"),
    "use_sim_time": ("false", ["true", "false", "True", "False"], "time comes from /clock"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in _ARGUMENTS.items()
            ),
            *(
                DeclareLaunchArgument(name, default_value=default, choices=choices, description=text)
                for name, (default, choices, text) in _CHOICES.items()
            ),
            OpaqueFunction(function=_holder),
        ]
    )


def _holder(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in (*_ARGUMENTS, *_CHOICES)}
    find_config("robots", given["robot"])
    if given["gazebo_plant"]:
        find_config("plants", given["gazebo_plant"])
    arguments = {name: given[name] for name in ("robot", "base_frame", "tip_frame", "gravity", "gazebo_plant")}
    return [
        Node(
            package="ttdm_ros",
            executable="holder",
            namespace=given["namespace"],
            parameters=[
                str(share_folder() / "config" / "holder.yaml"),
                arguments | {"use_sim_time": given["use_sim_time"].lower() == "true"},
                *([given["params_file"]] if given["params_file"] else []),
            ],
            output="screen",
            on_exit=[Shutdown(reason="the holder ended")],
        )
    ]
