"""Commands as executables of the ROS package: ``ros2 run ttdm_ros trainer ...`` is ``ttdm train ...``."""

import sys
from collections.abc import Sequence

from ttdm_ros.cli import main


def trainer() -> int:
    """Run ``ttdm train`` with the arguments of this process."""
    return main(["train", *without_ros_arguments(sys.argv[1:])])


def export_sensitivities() -> int:
    """Run ``ttdm sensitivities`` with the arguments of this process."""
    return main(["sensitivities", *without_ros_arguments(sys.argv[1:])])


def without_ros_arguments(arguments: Sequence[str]) -> list[str]:
    """Leave out what a launch file adds: everything from ``--ros-args`` to ``--`` or to the end."""
    kept: list[str] = []
    inside = False
    for argument in arguments:
        if argument == "--ros-args":
            inside = True
        elif inside:
            inside = argument != "--"
        else:
            kept.append(argument)
    return kept
