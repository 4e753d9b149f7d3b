"""The arm in Gazebo (Harmonic, Ionic): world, robot, clock, controllers, and the holder before them.

Robot and world are made of the same parameters as all other plants, in the user's cache folder.
"""

import shlex
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ttdm_ros.errors import TtdmError
from ttdm_ros.paths import find_config
from ttdm_ros.ros_packages import need

_ARGUMENTS = {
    "robot": ("panda", "robot of config/robots, or a path to a .yaml or .urdf file"),
    "base_frame": ("", "only for a .urdf file: link at which the arm begins; empty for the robot's own"),
    "tip_frame": ("", "only for a .urdf file: link at which the arm ends; empty for the robot's own"),
    "plant_config": ("payload_friction", "plant of config/plants, or a path to a file: what the model does not know"),
    "real_time_factor": ("1.0", "simulated over wall time that Gazebo shall keep to"),
    "namespace": ("", "namespace of all nodes and topics"),
}
_CHOICES = {"gui": ("true", ["true", "false", "True", "False"], "show Gazebo's window")}
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
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {name: LaunchConfiguration(name).perform(context) for name in (*_ARGUMENTS, *_CHOICES)}
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
    holder = Path(__file__).resolve().with_name("holder.launch.py")
    return [
        *([LogInfo(msg=files.warning)] if files.warning else []),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                str(Path(get_package_share_directory("ros_gz_sim")) / "launch" / "gz_sim.launch.py")
            ),
            launch_arguments={
                "gz_args": f"-r {'' if given['gui'].lower() == 'true' else '-s '}{shlex.quote(str(files.world))}",
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
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(holder)),
            launch_arguments={
                "gravity": "compensated" if files.compensates_gravity else "added",
                "gazebo_plant": given["plant_config"],
                "use_sim_time": "true",
            }.items(),
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
