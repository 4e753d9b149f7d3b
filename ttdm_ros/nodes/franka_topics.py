"""Everything the node ``franka_driver`` publishes."""

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String

from ttdm_ros import topics
from ttdm_ros.nodes import qos
from ttdm_ros.nodes.cdr import MessageTemplate
from ttdm_ros.plants.franka.supervisor import Supervisor

_STATES = QoSProfile(depth=100)  # reliable and deep: a late recorder can ask again
_SLOW_S = 0.005  # a cycle that takes longer is counted


class FrankaTopics:
    """Publishers, and the messages that change in their numbers only, serialised beforehand."""

    def __init__(self, node: Node, joints: tuple[str, ...], robot: str, urdf: str) -> None:
        """Make the publishers, and publish the robot's description."""
        self._node, self._robot = node, robot
        names, zeros = list(joints), [0.0] * len(joints)
        self._state = MessageTemplate(JointState(name=names, position=zeros, velocity=zeros, effort=zeros))
        self._external = MessageTemplate(JointState(name=names, effort=zeros))
        self._loop = MessageTemplate(Float64MultiArray(data=[0.0] * len(topics.FRANKA_LOOP_COLUMNS)))
        create = node.create_publisher
        self._state_publisher = create(JointState, topics.JOINT_STATES, _STATES)
        self._measured_publisher = create(JointState, topics.FRANKA_MEASURED, _STATES)
        self._desired_publisher = create(JointState, topics.FRANKA_DESIRED, _STATES)
        self._external_publisher = create(JointState, topics.FRANKA_EXTERNAL, _STATES)
        self._loop_publisher = create(Float64MultiArray, topics.FRANKA_LOOP, _STATES)
        self._event_publisher = create(String, topics.FRANKA_EVENTS, qos.EVENTS)
        self._diagnostics_publisher = create(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._description_publisher = create(String, topics.ROBOT_DESCRIPTION, qos.NEWEST_KEPT)
        self._description_publisher.publish(String(data=urdf))
        self._periods: list[float] = []
        self._rates: list[float] = []
        self._wall = np.nan

    def joint_state(self, stamp_ns: int, cycle: np.void) -> None:
        """Publish what a controller acts on; effort is the torque that the robot applies, without gravity."""
        self._state_publisher.publish(self._state.fill(stamp_ns, _numbers(cycle, "q", "dq", "tau_J_d")))

    def details(self, stamp_ns: int, cycle: np.void) -> None:
        """Publish what a bag of a robot of metal keeps besides."""
        self._measured_publisher.publish(self._state.fill(stamp_ns, _numbers(cycle, "q", "dq", "tau_J")))
        self._desired_publisher.publish(self._state.fill(stamp_ns, _numbers(cycle, "q_d", "dq_d", "tau_J_d")))
        self._external_publisher.publish(self._external.fill(stamp_ns, cycle["tau_ext"]))

    def loop(self, stamp_ns: int, cycle: np.void, law_phase: int) -> None:
        """Publish how the control loop does."""
        row = {
            "stamp": 1e-9 * stamp_ns,
            "robot_time": cycle["time"],
            "success_rate": cycle["success_rate"],
            "robot_mode": cycle["mode"],
            "law_phase": law_phase,
            "busy_us": 1e6 * cycle["busy"],
            "period_us": 1e6 * self._periods[-1] if self._periods else 0.0,
        }
        self._loop_publisher.publish(self._loop.fill(None, [row[column] for column in topics.FRANKA_LOOP_COLUMNS]))

    def note(self, cycle: np.void) -> None:
        """Take note of a cycle for the diagnostics."""
        wall = float(cycle["wall"])
        if wall > 0.0:
            if wall - self._wall < 1.0:  # not over the beginning of a motion
                self._periods.append(wall - self._wall)
            self._wall = wall
            self._rates.append(float(cycle["success_rate"]))

    def event(self, text: str) -> None:
        """Publish what happened, after the time at which it did [s]."""
        seconds = 1e-9 * self._node.get_clock().now().nanoseconds
        self._event_publisher.publish(String(data=f"[{seconds:.3f}] {text}"))

    def diagnostics(self, supervisor: Supervisor, *, refusal: str, notice: str) -> None:
        """Publish the state of the robot and of the loop since the last diagnostics.

        Args:
            supervisor: of the arm.
            refusal: why commands were refused since then; empty if none was.
            notice: what the user should know of the motion.
        """
        periods, rates = np.array(self._periods or [0.0]), np.array(self._rates or [0.0])
        self._periods, self._rates = self._periods[-1:], []
        status = supervisor.status
        values = {
            "node": self._node.get_fully_qualified_name(),  # two arms share the diagnostics
            "robot_mode": supervisor.mode,
            "law": status.phase.name.lower(),
            "accepts_commands": str(supervisor.moving and not status.locked).lower(),
            "control_command_success_rate": f"{rates[-1]:.3f}",
            "lowest_success_rate": f"{rates.min():.3f}",
            "period_ms_p50": f"{1e3 * np.percentile(periods, 50):.3f}",
            "period_ms_p99": f"{1e3 * np.percentile(periods, 99):.3f}",
            "period_ms_max": f"{1e3 * periods.max():.3f}",
            "slow_cycles": str(int((periods > _SLOW_S).sum())),
            "refused_commands": str(supervisor.refused),
            "problem": supervisor.problem,
        }
        level, message = DiagnosticStatus.OK, "following commands" if supervisor.following else "the arm is held"
        if warning := supervisor.refusal or refusal or notice:
            level, message = DiagnosticStatus.WARN, warning
        if supervisor.problem:
            level, message = DiagnosticStatus.ERROR, supervisor.problem
        array = DiagnosticArray(
            status=[
                DiagnosticStatus(
                    level=level,
                    name=f"{self._node.get_name()}: robot",
                    message=message,
                    hardware_id=self._robot,
                    values=[KeyValue(key=key, value=value) for key, value in values.items()],
                )
            ]
        )
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics_publisher.publish(array)


def _numbers(cycle: np.void, *fields: str) -> np.ndarray:
    return np.concatenate([cycle[field] for field in fields])
