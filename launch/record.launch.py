"""The recorder alone: keeps the topics of a controlled arm in a bag, until it is stopped."""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from ttdm_ros.launching import BOOLEAN, NAMESPACE, PARAMS_FILE, Argument, declare, is_true, own_node, read

_ARGUMENTS: dict[str, Argument] = {
    "bag": ("bags", "folder in which the bag is made, named after date and time"),
    **NAMESPACE,
    **PARAMS_FILE,
    "use_sim_time": ("false", BOOLEAN, "log times come from /clock"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_recorder)])


def _recorder(context: LaunchContext) -> list[Node]:
    given = read(context, _ARGUMENTS)
    return [
        own_node(
            "recorder",
            given,
            {"output_folder": given["bag"], "use_sim_time": is_true(given["use_sim_time"])},
            # Closing a bag on a slow disk may take a while, and a killed recorder leaves a bag without an index.
            sigterm_timeout="15",
            sigkill_timeout="15",
        )
    ]
