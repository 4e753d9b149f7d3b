"""The simulated arm alone: publishes joint states, the robot description, and /clock under simulated time.

Where the plant does not carry its own weight, a holder before it does.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.paths import find_config, share_folder

_ARGUMENTS = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
    "plant_config": ("payload_friction", "plant of config/plants, or a path to a file: what the model does not know"),
    "seed": ("0", "of the noise in the plant"),
    "real_time_factor": ("1.0", "simulated over wall time; other than 1 only with use_sim_time:=true"),
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
                "use_sim_time",
                default_value="false",
                choices=_BOOLEAN,
                description="publish /clock and stamp with it, instead of stamping with wall time",
            ),
            OpaqueFunction(function=_simulator),
        ]
    )


def _simulator(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    find_config("robots", value("robot"))
    weightless = _carries_itself(find_config("plants", value("plant_config")))
    holder = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).resolve().with_name("holder.launch.py"))),
        launch_arguments={"gravity": "added"}.items(),
    )
    arguments = {
        "robot": value("robot"),
        "base_frame": value("base_frame"),
        "tip_frame": value("tip_frame"),
        "plant": value("plant_config"),
        "seed": _number(int, "seed", value("seed")),
        "real_time_factor": _number(float, "real_time_factor", value("real_time_factor")),
        "publish_clock": value("use_sim_time").lower() == "true",
    }
    return [
        Node(
            package="ttdm_ros",
            executable="simulator",
            namespace=value("namespace"),
            parameters=[
                str(share_folder() / "config" / "simulator.yaml"),
                arguments,
                *([value("params_file")] if value("params_file") else []),
            ],
            remappings=[] if weightless else [("effort_controller/commands", "motor_effort_controller/commands")],
            output="screen",
            on_exit=[Shutdown(reason="the simulator ended")],
        ),
        *([] if weightless else [holder]),
    ]


def _carries_itself(plant: Path) -> bool:
    try:
        return bool(yaml.safe_load(plant.read_text(encoding="utf-8")).get("gravity_compensation", True))
    except (AttributeError, OSError, ValueError, yaml.YAMLError):
        return True  # the simulator says what is wrong with the file


def _number(kind: type[int] | type[float], name: str, text: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"the argument {name}:={text} is not a number; give {name}:={kind(1)} or the like") from None
