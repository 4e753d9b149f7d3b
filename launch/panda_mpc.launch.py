"""An arm under model predictive control: plant, controller, and on request recorder and RViz.

    ros2 launch ttdm_ros panda_mpc.launch.py task:=circle record:=true

When the simulator or the controller ends, everything else is stopped too.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EqualsSubstitution, LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import find_config, share_folder

_ARGUMENTS = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
    "model": ("nominal", "model of models/, or a path to a bundle"),
    "task": ("circle", "task of config/tasks, or a path to a file"),
    "namespace": ("", "namespace of all nodes and topics"),
    "params_file": ("", "parameter file for all nodes; what it sets wins over the arguments"),
}
_BOOLEAN = ["true", "false", "True", "False"]
_CHOICES = {
    "plant": ("mujoco", ["mujoco", "none"], "mujoco simulates the arm; none: one is already up on these topics"),
    "record": ("false", _BOOLEAN, "keep everything in a bag"),
    "use_sim_time": ("false", _BOOLEAN, "time comes from /clock, which the simulator publishes then"),
    "rviz": ("false", _BOOLEAN, "show the robot, the reference and the plan in RViz"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and what follows from them; those of the included files count here too."""
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
            OpaqueFunction(function=_check),
            # The recorder comes first, so that it misses little of the others' beginning.
            _include("record.launch.py", IfCondition(LaunchConfiguration("record"))),
            _include("simulator.launch.py", IfCondition(EqualsSubstitution(LaunchConfiguration("plant"), "mujoco"))),
            OpaqueFunction(function=_controller),
            OpaqueFunction(function=_visualisation, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def _include(name: str, condition: IfCondition) -> IncludeLaunchDescription:
    path = Path(__file__).resolve().with_name(name)
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(path)), condition=condition)


def _values(context: LaunchContext) -> dict[str, str]:
    return {name: LaunchConfiguration(name).perform(context) for name in (*_ARGUMENTS, *_CHOICES)}


def _check(context: LaunchContext) -> None:
    """Refuse before anything starts what would make a node fail."""
    given = _values(context)
    find_config("tasks", given["task"])
    find_config("robots", given["robot"])
    if given["params_file"] and not Path(given["params_file"]).is_file():
        raise TtdmError(f"there is no file {given['params_file']}; correct the argument params_file")


def _controller(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = _values(context)
    arguments = {name: given[name] for name in ("robot", "base_frame", "tip_frame", "model", "task")}
    return [
        Node(
            package="ttdm_ros",
            executable="mpc_controller",
            namespace=given["namespace"],
            parameters=[
                str(share_folder() / "config" / "mpc_controller.yaml"),
                arguments | {"autostart": True, "use_sim_time": given["use_sim_time"].lower() == "true"},
                *([given["params_file"]] if given["params_file"] else []),
            ],
            output="screen",
            on_exit=[Shutdown(reason="the controller ended")],
        )
    ]


def _visualisation(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    try:
        from ttdm_ros.systems.arm import load_arm
    except ImportError as error:
        raise TtdmError(
            f"rviz:=true needs {error.name} in the Python that runs ros2; start it with the workspace's own: "
            "python $(which ros2) launch ttdm_ros panda_mpc.launch.py ..."
        ) from error
    given = _values(context)
    arm = load_arm(given["robot"], base_frame=given["base_frame"] or None, tip_frame=given["tip_frame"] or None)
    time = {"use_sim_time": given["use_sim_time"].lower() == "true"}
    # Relative names, so that two arms in two namespaces have two trees of frames.
    frames = [("/tf", "tf"), ("/tf_static", "tf_static")]
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            namespace=given["namespace"],
            parameters=[{"robot_description": arm.urdf} | time],
            remappings=frames,
        ),
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=given["namespace"],
            arguments=["-d", str(share_folder() / "config" / "rviz" / "mpc.rviz"), "-f", arm.base_frame],
            parameters=[time],
            remappings=frames,
        ),
    ]
