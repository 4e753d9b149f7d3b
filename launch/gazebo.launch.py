"""The arm in Gazebo (Harmonic, Ionic): world, robot, clock, controllers, and the holder before them.

Robot and world are made of the same parameters as all other plants, in the user's cache folder.
"""

import shlex
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import IncludeLaunchDescription, LogInfo, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.launching import BOOLEAN, NAMESPACE, PLANT_CONFIG, ROBOT, Argument, declare, include, is_true, read
from ttdm_ros.paths import find_config
from ttdm_ros.ros_packages import need

_ARGUMENTS: dict[str, Argument] = {
    **ROBOT,
    **PLANT_CONFIG,
    "real_time_factor": ("1.0", "simulated over wall time that Gazebo shall keep to"),
    **NAMESPACE,
    "gui": ("true", BOOLEAN, "show Gazebo's window"),
}
_PACKAGES = (
    "ros_gz_sim",
    "ros_gz_bridge",
    "gz_ros2_control",
    "controller_manager",
    "forward_command_controller",
    "joint_state_broadcaster",
    "robot_state_publisher",
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and what follows from them."""
    return LaunchDescription([*declare(_ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = read(context, _ARGUMENTS)
    find_config("robots", given["robot"])
    find_config("plants", given["plant_config"])
    factor = _number(given["real_time_factor"])
    need(_PACKAGES, "plant:=gazebo")
    try:
        from ttdm_ros.plants.gazebo.files import write_files
    except ImportError as error:
        raise TtdmError(
            f"plant:=gazebo needs {error.name} in the Python that runs ros2; start it with the workspace's own: "
            "python $(which ros2) launch ttdm_ros panda_mpc.launch.py plant:=gazebo ..."
        ) from error
    files = write_files(
        given["robot"],
        given["plant_config"],
        base_frame=given["base_frame"],
        tip_frame=given["tip_frame"],
        namespace=given["namespace"],
        real_time_factor=factor,
    )
    namespace, time = given["namespace"], {"use_sim_time": True}
    prefix = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    spawn = Node(
        package="ros_gz_sim",
        executable="create",
        namespace=namespace,
        arguments=["-topic", f"{prefix}/robot_description", "-name", files.robot_name, "-world", files.world_name],
        parameters=[time],
        output="screen",
    )
    controllers = Node(
        package="controller_manager",
        executable="spawner",
        namespace=namespace,
        # States first: the holder then sends torques before the motors listen, and nothing drops.
        arguments=[
            "joint_state_broadcaster",
            "motor_effort_controller",
            *("--controller-manager", f"{prefix}/controller_manager"),
            *("--param-file", str(files.controllers)),
        ],
        parameters=[time],
        output="screen",
    )
    return [
        *([LogInfo(msg=files.warning)] if files.warning else []),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                str(Path(get_package_share_directory("ros_gz_sim")) / "launch" / "gz_sim.launch.py")
            ),
            launch_arguments={
                "gz_args": f"-r {'' if is_true(given['gui']) else '-s '}{shlex.quote(str(files.world))}",
                "on_exit_shutdown": "true",
            }.items(),
        ),
        Node(
            package="ros_gz_bridge",
            executable="parameter_bridge",
            arguments=["/clock@rosgraph_msgs/msg/Clock[gz.msgs.Clock"],
            output="screen",
        ),
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            namespace=namespace,
            parameters=[{"robot_description": files.urdf.read_text(encoding="utf-8")} | time],
            remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
        ),
        spawn,
        RegisterEventHandler(OnProcessExit(target_action=spawn, on_exit=[controllers])),
        include(
            "holder.launch.py",
            gravity="compensated" if files.compensates_gravity else "added",
            gazebo_plant=given["plant_config"],
            use_sim_time="true",
        ),
    ]


def _number(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0.0 < factor < float("inf"):
        raise TtdmError(f"the argument real_time_factor:={text} is not a positive number; give 1.0 or the like")
    return factor
