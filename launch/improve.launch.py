"""Rounds of improvement: an arm is driven, recorded, learned from, and driven again with the new model.

    ros2 launch ttdm_ros improve.launch.py task:=circle rounds:=3 output:=improve_output

Runs `ttdm improve`, which starts recorder, simulator and controller itself. With plant:=none it starts no simulator: an
arm is up already on the topics.
"""

import sys
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from ttdm_ros.paths import find_config

_ARGUMENTS = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
    "model": ("nominal", "model of models/, or a path to a bundle, to begin with"),
    "task": ("circle", "task of config/tasks, or a path to a file; several ones with commas between them"),
    "plant_config": ("payload_friction", "plant of config/plants, or a path to a file: what the model does not know"),
    "rounds": ("3", "how many at most; it ends before when one no longer pays"),
    "output": ("improve_output", "folder of bags, models and report; finished rounds in it are gone on from"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the process."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in _ARGUMENTS.items()
            ),
            DeclareLaunchArgument(
                "plant",
                default_value="mujoco",
                choices=["mujoco", "none"],
                description="mujoco simulates the arm; none: one is already up on these topics",
            ),
            OpaqueFunction(function=_improve),
        ]
    )


def _improve(context: LaunchContext) -> list[ExecuteProcess]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    tasks = [task.strip() for task in value("task").split(",") if task.strip()]
    find_config("robots", value("robot"))
    for task in tasks:
        find_config("tasks", task)
    command = [sys.executable, "-m", "ttdm_ros.cli", "improve", "--output", str(Path(value("output")).expanduser())]
    for option in ("robot", "base_frame", "tip_frame", "model", "rounds"):
        command += [f"--{option.replace('_', '-')}", value(option)] if value(option) else []
    for task in tasks:
        command += ["--task", task]
    if value("plant") == "none":
        command.append("--plant-running")
    else:
        find_config("plants", value("plant_config"))
        command += ["--plant", value("plant_config")]
    # Stopping several nodes in order, the recorder last, takes longer than launch waits for a process.
    return [ExecuteProcess(cmd=command, output="screen", sigterm_timeout="60", sigkill_timeout="30")]
