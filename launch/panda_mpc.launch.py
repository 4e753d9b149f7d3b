"""An arm under model predictive control: plant, controller, and on request recorder and RViz.

    ros2 launch ttdm_ros panda_mpc.launch.py task:=circle record:=true

When the plant or the controller ends, everything else is stopped too.
"""

from pathlib import Path

from launch import Action, LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction, RegisterEventHandler, Shutdown
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import EqualsSubstitution, LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.launching import (
    BOOLEAN,
    NAMESPACE,
    PARAMS_FILE,
    ROBOT,
    Argument,
    declare,
    include,
    is_true,
    own_node,
    read,
)
from ttdm_ros.paths import find_config, share_folder

_ARGUMENTS: dict[str, Argument] = {
    **ROBOT,
    "model": ("nominal", "model of models/, or a path to a bundle"),
    "task": ("circle", "task of config/tasks, or a path to a file"),
    **NAMESPACE,
    **PARAMS_FILE,
    "plant": (
        "mujoco",
        ["mujoco", "gazebo", "ros2_control", "franka", "none"],
        "mujoco and gazebo simulate the arm; ros2_control: its driver is up; franka: a Franka arm through its own "
        "interface, FR3 with robot:=fr3; none: all is up on these topics",
    ),
    "record": ("false", BOOLEAN, "keep everything in a bag"),
    "use_sim_time": ("false", BOOLEAN, "time comes from /clock, which the simulator publishes then; true in Gazebo"),
    "rviz": ("false", BOOLEAN, "show the robot, the reference and the plan in RViz"),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and what follows from them; those of the included files count here too."""
    return LaunchDescription(
        [
            *declare(_ARGUMENTS),
            OpaqueFunction(function=_check),
            # The recorder comes first, so that it misses little of the others' beginning.
            include("record.launch.py", IfCondition(LaunchConfiguration("record"))),
            include("simulator.launch.py", _plant_is("mujoco")),
            include("franka_driver.launch.py", _plant_is("franka")),
            include("gazebo.launch.py", _plant_is("gazebo")),
            include("ros2_control.launch.py", _plant_is("ros2_control")),
            OpaqueFunction(function=_controller),
            OpaqueFunction(function=_visualisation, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def _plant_is(name: str) -> IfCondition:
    return IfCondition(EqualsSubstitution(LaunchConfiguration("plant"), name))


def _check(context: LaunchContext) -> None:
    """Refuse before anything starts what would make a node fail."""
    given = read(context, _ARGUMENTS)
    if given["plant"] == "gazebo":
        context.launch_configurations["use_sim_time"] = "true"
    if given["plant"] == "franka" and is_true(given["use_sim_time"]):
        raise TtdmError("a Franka arm keeps the wall clock's time; leave use_sim_time off with plant:=franka")
    find_config("tasks", given["task"])
    find_config("robots", given["robot"])
    if given["params_file"] and not Path(given["params_file"]).is_file():
        raise TtdmError(f"there is no file {given['params_file']}; correct the argument params_file")


def _controller(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the controller, after the motors listen where controllers of ros2_control have to be activated."""
    given = read(context, _ARGUMENTS)
    spawns = is_true(LaunchConfiguration("spawn", default="true").perform(context))
    if given["plant"] != "gazebo" and not (given["plant"] == "ros2_control" and spawns):
        return [_controller_node(given)]

    def start(event: ProcessExited, _: LaunchContext) -> LaunchDescriptionEntity:
        if event.returncode:
            return Shutdown(reason="the effort controller was not activated; see what its spawner says above")
        return _controller_node(given)

    return [RegisterEventHandler(OnProcessExit(target_action=_is_spawner, on_exit=start))]


def _is_spawner(action: Action) -> bool:
    return isinstance(action, Node) and action.node_executable == "spawner"


def _controller_node(given: dict[str, str]) -> Node:
    parameters = {name: given[name] for name in (*ROBOT, "model", "task")} | {
        "autostart": True,
        "publish_law": given["plant"] == "franka",  # its driver follows the law a thousand times a second
        "use_sim_time": is_true(given["use_sim_time"]),
    }
    return own_node("mpc_controller", given, parameters, ending="the controller ended")


def _visualisation(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    try:
        from ttdm_ros.systems.arm import load_arm
    except ImportError as error:
        raise TtdmError(
            f"rviz:=true needs {error.name} in the Python that runs ros2; start it with the workspace's own: "
            "python $(which ros2) launch ttdm_ros panda_mpc.launch.py ..."
        ) from error
    given = read(context, _ARGUMENTS)
    arm = load_arm(given["robot"], base_frame=given["base_frame"] or None, tip_frame=given["tip_frame"] or None)
    time = {"use_sim_time": is_true(given["use_sim_time"])}
    # Relative names, so that two arms in two namespaces have two trees of frames.
    frames = [("/tf", "tf"), ("/tf_static", "tf_static")]
    publisher = Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        namespace=given["namespace"],
        parameters=[{"robot_description": arm.urdf} | time],
        remappings=frames,
    )
    return [
        *([] if given["plant"] in ("gazebo", "ros2_control") else [publisher]),  # those have one
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=given["namespace"],
            arguments=["-d", str(share_folder() / "config" / "rviz" / "mpc.rviz"), "-f", arm.base_frame],
            parameters=[time],
            remappings=frames,
        ),
    ]
