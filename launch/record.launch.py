"""The recorder alone: keeps the topics of a controlled arm in a bag, until it is stopped."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.paths import share_folder

_ARGUMENTS = {
    "bag": ("bags", "folder in which the bag is made, named after date and time"),
    "namespace": ("", "namespace of all nodes and topics"),
    "params_file": ("", "parameter file for all nodes; what it sets wins over the arguments"),
}
_BOOLEAN = ["true", "false", "True", "False"]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in _ARGUMENTS.items()
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", choices=_BOOLEAN, description="log times come from /clock"
            ),
            OpaqueFunction(function=_recorder),
        ]
    )


def _recorder(context: LaunchContext) -> list[Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    return [
        Node(
            package="ttdm_ros",
            executable="recorder",
            namespace=value("namespace"),
            parameters=[
                str(share_folder() / "config" / "recorder.yaml"),
                {"output_folder": value("bag"), "use_sim_time": value("use_sim_time").lower() == "true"},
                *([value("params_file")] if value("params_file") else []),
            ],
            output="screen",
            # Closing a bag on a slow disk may take a while, and a killed recorder leaves a bag without an index.
            sigterm_timeout="15",
            sigkill_timeout="15",
        )
    ]
