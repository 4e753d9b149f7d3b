"""Everything the node ``mpc_controller`` publishes."""

import math
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Transform, Twist
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import ColorRGBA, Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory, MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from ttdm_ros import topics
from ttdm_ros.control.controller import Answer, Solve
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.tip import tip_motion, tip_poses
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.nodes import qos
from ttdm_ros.nodes.cdr import MessageTemplate
from ttdm_ros.nodes.law_message import LawTemplate
from ttdm_ros.plants.franka.law import MOST_POINTS
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_NEWEST = QoSProfile(depth=1)  # reliable; an old command is worth nothing
_EACH = QoSProfile(depth=100)  # deep: a late recorder can ask again
# Nodes that only look on: ours, and that of `ros2 bag record`. Names of command lines begin with an underscore.
_RECORDERS = ("recorder", "rosbag2_recorder")
_MARKERS = "mpc_controller/markers"
_PATH_POINTS = 200  # of a path that is shown
_LAW_AHEAD_S = 0.1  # of the plan, in a law: longer than a driver waits for the next one


class ControllerTopics:
    """Publishers, and the messages that change in their numbers only, serialised beforehand."""

    def __init__(self, node: Node, arm: Arm, mpc: MpcConfig, *, law: bool = False) -> None:
        """Make the publishers; ``law``: also the one of the law, for a driver that closes the loop itself."""
        self._node, self._arm = node, arm
        zeros = [0.0] * len(arm.joint_names)
        self._command = MessageTemplate(Float64MultiArray(data=zeros))
        self._timing = MessageTemplate(Float64MultiArray(data=[0.0] * len(topics.TIMING_COLUMNS)))
        self._reference = MessageTemplate(_tip_trajectory(arm, 1, 0.0, Twist()))
        self._prediction = MessageTemplate(_tip_trajectory(arm, mpc.horizon + 1, mpc.dt))
        joints = JointState(name=list(arm.joint_names), position=zeros, velocity=zeros, effort=zeros)
        joints.header.frame_id = arm.base_frame
        self._joints = MessageTemplate(joints)
        self._stages = mpc.horizon + 1
        self._markers: MessageTemplate | None = None
        self._path_numbers = np.zeros(0)
        create = node.create_publisher
        self._command_publisher = create(Float64MultiArray, topics.COMMANDS, _NEWEST)
        self._reference_publisher = create(MultiDOFJointTrajectory, topics.REFERENCE, _EACH)
        self._joints_publisher = create(JointState, topics.REFERENCE_JOINTS, _EACH)
        self._prediction_publisher = create(MultiDOFJointTrajectory, topics.PREDICTION, 10)
        self._timing_publisher = create(Float64MultiArray, topics.TIMING, _EACH)
        self._status_publisher = create(DiagnosticArray, topics.STATUS, 10)
        self._diagnostics_publisher = create(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._model_publisher = create(String, topics.ACTIVE_MODEL, qos.NEWEST_KEPT)
        self._event_publisher = create(String, topics.EVENTS, qos.EVENTS)
        self._marker_publisher = create(MarkerArray, _MARKERS, 5)
        self._law_points = min(mpc.horizon + 1, MOST_POINTS, 1 + math.ceil(_LAW_AHEAD_S / mpc.dt))
        self._law = LawTemplate(arm.joint_names, self._law_points, mpc.dt) if law else None
        self._law_publisher = create(JointTrajectory, topics.LAW, _NEWEST) if law else None

    @property
    def is_heard(self) -> bool:
        """Whether anyone but recorders hears the torques or, where a driver closes the loop itself, the law."""
        publishers = (self._command_publisher, self._law_publisher)
        return any(publisher is not None and self._somebody_hears(publisher) for publisher in publishers)

    def _somebody_hears(self, publisher: Any) -> bool:
        """Whether it is connected to more than those that only look on; whoever has no name yet may be one of them."""
        listening = self._node.get_subscriptions_info_by_topic(publisher.topic_name)
        looking_on = sum(each.node_name in _RECORDERS or each.node_name.startswith("_") for each in listening)
        return bool(publisher.get_subscription_count() > looking_on)

    def command(self, tau: Array) -> None:
        """Publish joint torques without gravity (7,) [N·m]."""
        self._command_publisher.publish(self._command.fill(None, tau))

    def law(self, answer: Answer, begins_ns: int) -> None:
        """Publish the law of an answer with a solve whose plan begins at ``begins_ns`` [ns], if it was asked for.

        At that moment it gives the torque that was commanded: what ramp, limits and exploration made of the plan's goes
        along with the plan.
        """
        if self._law is None or self._law_publisher is None:
            return
        if answer.solve is None or answer.tau is None or not answer.solve.plan.ok:
            return
        plan, n = answer.solve.plan, self._law_points
        torque = plan.u[np.minimum(np.arange(n), len(plan.u) - 1)] + (answer.tau - plan.u[0])
        self._law_publisher.publish(self._law.fill(begins_ns, plan.x[:n, :7], plan.x[:n, 7:], torque, -plan.gain))

    def solved(self, solve: Solve, stamp_ns: int, delay: float, phase: Phase) -> None:
        """Publish what was wanted of a solve that began with the joint state of ``stamp_ns``, and what it took."""
        row, plan = solve.rows[0], solve.plan
        begins = stamp_ns + round(1e9 * delay)
        self._reference_publisher.publish(self._reference.fill(begins, tip_motion(self._arm, row)))
        self._joints_publisher.publish(self._joints.fill(begins, row[12:]))
        timing = {
            "stamp": 1e-9 * stamp_ns,
            "solve_us": plan.solve_us,
            "tick_us": solve.tick_us,
            "period_us": solve.period_us,
            "status": plan.status,
            "iterations": plan.iterations,
            "missed": solve.missed,
            "phase": phase,
        }
        self._timing_publisher.publish(self._timing.fill(None, [timing[column] for column in topics.TIMING_COLUMNS]))

    def predicted(self, solve: Solve, begins_ns: int) -> None:
        """Publish the tip poses that a plan foresees, the first of them at ``begins_ns`` [ns]."""
        self._prediction_publisher.publish(self._prediction.fill(begins_ns, tip_poses(self._arm, solve.plan.x[:, :7])))

    def status(self, values: dict[str, str], level: bytes, message: str, *, everywhere: bool) -> None:
        """Publish the status; ``everywhere``: also to the diagnostics of the whole system."""
        status = DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: control",
            message=message,
            hardware_id=self._arm.name,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._status_publisher.publish(array)
        if everywhere:
            self._diagnostics_publisher.publish(array)

    def event(self, text: str) -> None:
        """Publish what happened, after the time at which it did [s]."""
        seconds = 1e-9 * self._node.get_clock().now().nanoseconds
        self._event_publisher.publish(String(data=f"[{seconds:.3f}] {text}"))

    def active_model(self, name: str, fingerprint: str) -> None:
        """Publish what predicts from now on."""
        self._model_publisher.publish(String(data=f"{name} {fingerprint}"))

    def show_path(self, positions: Array) -> None:
        """Show this path (n, 3) [m] of the tip, and plans beside it, from the next ``markers`` on."""
        step = max(1, len(positions) // _PATH_POINTS)
        path = np.concatenate((positions[::step], positions[-1:]))
        reference = _line(self._arm, "reference", path, ColorRGBA(r=0.2, g=0.7, b=0.3, a=0.8), 0.003)
        plan = _line(self._arm, "plan", np.zeros((self._stages, 3)), ColorRGBA(r=0.9, g=0.4, b=0.1, a=1.0), 0.006)
        self._markers = MessageTemplate(MarkerArray(markers=[reference, plan]))
        self._path_numbers = np.concatenate((_line_numbers(reference), path.ravel(), _line_numbers(plan)))

    def markers(self, solve: Solve) -> None:
        """Publish path and plan for RViz, if anybody listens."""
        if self._markers is not None and self._marker_publisher.get_subscription_count():
            points = tip_poses(self._arm, solve.plan.x[:, :7])[:, :3]
            self._marker_publisher.publish(
                self._markers.fill(None, np.concatenate((self._path_numbers, points.ravel())))
            )


def _tip_trajectory(arm: Arm, count: int, dt: float, twist: Twist | None = None) -> MultiDOFJointTrajectory:
    message = MultiDOFJointTrajectory(joint_names=[arm.tip_frame])
    message.header.frame_id = arm.base_frame
    for k in range(count):
        point = MultiDOFJointTrajectoryPoint(transforms=[Transform()], velocities=[] if twist is None else [twist])
        point.time_from_start = Duration(nanoseconds=round(1e9 * k * dt)).to_msg()
        message.points.append(point)
    return message


def _line(arm: Arm, name: str, points: Array, colour: ColorRGBA, width: float) -> Marker:
    marker = Marker(ns=name, type=Marker.LINE_STRIP, action=Marker.ADD, color=colour)
    marker.header.frame_id = arm.base_frame  # no stamp: shown at the latest time known, whatever clock there is
    marker.scale.x = width
    marker.points = [Point() for _ in points]
    return marker


def _line_numbers(marker: Marker) -> Array:
    """Return the numbers of a line that come before its points: its pose, which is none, and its scale."""
    scale = marker.scale
    return np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, scale.x, scale.y, scale.z])
