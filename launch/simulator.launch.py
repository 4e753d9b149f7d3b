"""The simulated arm alone: publishes joint states, the robot description, and /clock under simulated time.

Where the plant does not carry its own weight, a holder before it does.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from yaml import YAMLError

from ttdm_ros.launching import (
    BOOLEAN,
    NAMESPACE,
    PARAMS_FILE,
    PLANT_CONFIG,
    ROBOT,
    Argument,
    declare,
    include,
    is_true,
    own_node,
    read,
)
from ttdm_ros.paths import find_config
from ttdm_ros.yaml_text import read_yaml

_ARGUMENTS: dict[str, Argument] = {
    **ROBOT,
    **PLANT_CONFIG,
    "seed": ("0", "of the noise in the plant"),
    "real_time_factor": ("1.0", "simulated over wall time; other than 1 only with use_sim_time:=true"),
    **NAMESPACE,
    **PARAMS_FILE,
    "use_sim_time": ("false", BOOLEAN, "publish /clock and stamp with it, instead of stamping with wall time"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the node."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_simulator)])


def _simulator(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = read(context, _ARGUMENTS)
    find_config("robots", given["robot"])
    weightless = _carries_itself(find_config("plants", given["plant_config"]))
    parameters = {name: given[name] for name in ROBOT} | {
        "plant": given["plant_config"],
        "seed": _number(int, "seed", given["seed"]),
        "real_time_factor": _number(float, "real_time_factor", given["real_time_factor"]),
        "publish_clock": is_true(given["use_sim_time"]),
    }
    return [
        own_node(
            "simulator",
            given,
            parameters,
            ending="the simulator ended",
            remappings=[] if weightless else [("effort_controller/commands", "motor_effort_controller/commands")],
        ),
        *([] if weightless else [include("holder.launch.py", gravity="added")]),
    ]


def _carries_itself(plant: Path) -> bool:
    try:
        return bool(read_yaml(plant.read_text(encoding="utf-8")).get("gravity_compensation", True))
    except (AttributeError, OSError, ValueError, YAMLError):
        return True  # the simulator says what is wrong with the file


def _number(kind: type[int] | type[float], name: str, text: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"the argument {name}:={text} is not a number; give {name}:={kind(1)} or the like") from None
