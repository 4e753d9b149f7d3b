"""Rounds of improvement: an arm is driven, recorded, learned from, and driven again with the new model.

    ros2 launch ttdm_ros improve.launch.py task:=circle rounds:=3 output:=improve_output

Runs `ttdm improve`, which starts recorder, simulator and controller itself. With plant:=none it starts no simulator: an
arm is up already on the topics, and use_sim_time:=true takes time from /clock, as Gazebo keeps it. params_file:=FILE
gives the nodes parameters of your own.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction
from launch_ros.substitutions import ExecutableInPackage

from ttdm_ros.launching import BOOLEAN, PLANT_CONFIG, ROBOT, Argument, declare, is_true, read
from ttdm_ros.paths import find_config

_ARGUMENTS: dict[str, Argument] = {
    **ROBOT,
    "model": ("nominal", "model of models/, or a path to a bundle, to begin with"),
    "task": ("circle", "task of config/tasks, or a path to a file; several ones with commas between them"),
    **PLANT_CONFIG,
    "rounds": ("3", "how many at most; it ends before when one no longer pays"),
    "output": ("improve_output", "folder of bags, models and report; finished rounds in it are gone on from"),
    "plant": ("mujoco", ["mujoco", "none"], "mujoco simulates the arm; none: one is already up on these topics"),
    "params_file": ("", "parameter file for all nodes; robot, model, task and exploration are those of the rounds"),
    "use_sim_time": ("false", BOOLEAN, "with plant:=none: time comes from /clock, as in Gazebo"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and the process."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_improve)])


def _improve(context: LaunchContext) -> list[ExecuteProcess]:
    given = read(context, _ARGUMENTS)
    tasks = [task.strip() for task in given["task"].split(",") if task.strip()]
    find_config("robots", given["robot"])
    for task in tasks:
        find_config("tasks", task)
    # Not sys.executable, which runs ros2 and need not have this package's dependencies.
    ttdm = ExecutableInPackage(package="ttdm_ros", executable="ttdm")
    command = [ttdm, "improve", "--output", str(Path(given["output"]).expanduser())]
    for option in ("robot", "base_frame", "tip_frame", "model", "rounds", "params_file"):
        command += [f"--{option.replace('_', '-')}", given[option]] if given[option] else []
    for task in tasks:
        command += ["--task", task]
    if is_true(given["use_sim_time"]):
        command.append("--use-sim-time")
    if given["plant"] == "none":
        command.append("--plant-running")
    else:
        find_config("plants", given["plant_config"])
        command += ["--plant", given["plant_config"]]
    # Stopping several nodes in order, the recorder last, takes longer than launch waits for a process.
    return [ExecuteProcess(cmd=command, output="screen", sigterm_timeout="60", sigkill_timeout="30")]
