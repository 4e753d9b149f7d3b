"""Node `holder`: between commands and an arm that neither carries its own weight nor stops by itself."""

import sys
import time
from typing import Literal

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from pydantic import Field
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float64MultiArray

from ttdm_ros import topics
from ttdm_ros.config import Config
from ttdm_ros.errors import PlantError
from ttdm_ros.nodes.cdr import MessageTemplate
from ttdm_ros.nodes.gate import Gate, take_newest
from ttdm_ros.nodes.joint_order import JointOrder, JointState, JointStateError
from ttdm_ros.nodes.parameters import read_parameters
from ttdm_ros.nodes.running import Farewell, run_node
from ttdm_ros.nodes.state_source import StateSource, Watchdog, simulated_time
from ttdm_ros.plants.config import load_plant
from ttdm_ros.plants.gazebo.robot import links_model
from ttdm_ros.plants.gazebo.rotors import RotorCorrection
from ttdm_ros.plants.holder import Holder
from ttdm_ros.systems.arm import load_arm

_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_WAIT_S = 0.01  # for a joint state
_SERVE_EVERY_S = 0.02
_REPORT_EVERY_S = 1.0


class HolderConfig(Config):
    """Parameters of the node."""

    robot: str = "panda"
    """Name of a robot in config/robots, or a path to its .yaml or .urdf file."""
    base_frame: str = ""
    """Link of a .urdf at which the arm begins; empty: the robot's own."""
    tip_frame: str = ""
    """Link of a .urdf at which the arm ends; empty: the robot's own."""
    gravity: Literal["compensated", "added"] = "compensated"
    """Whether the arm carries its own weight, or the nominal gravity torque is added to what its motors get."""
    command_timeout: float = Field(default=0.05, ge=1e-3, le=10.0)
    """Without a new command for this long the arm is braked and held [s of the joint states' stamps]."""
    gazebo_plant: str = ""
    """Only in Gazebo: plant of config/plants that is simulated; torques are corrected for its rotors in the links."""


class HolderNode(Node):
    """Answers every joint state with the torques for the motors; what they are is in ``ttdm_ros.plants.holder``.

    A malformed command is refused and counted, and does not feed the watchdog. Where joint states stop coming, or none
    of them can be used, torque leaves: a forward controller would go on with the last one for ever.
    """

    def __init__(self) -> None:
        """Read the parameters.

        Raises:
            TtdmError: a parameter, the robot or the plant cannot be used.
        """
        super().__init__("holder", automatically_declare_parameters_from_overrides=True)
        config = read_parameters(self, HolderConfig)
        arm = load_arm(config.robot, base_frame=config.base_frame or None, tip_frame=config.tip_frame or None)
        correction = None
        if config.gazebo_plant:
            correction = RotorCorrection(arm, links_model(arm), load_plant(config.gazebo_plant)).apply
        self.holder = Holder(
            arm,
            adds_gravity=config.gravity == "added",
            command_timeout=config.command_timeout,
            correction=correction,
        )
        self._timeout = config.command_timeout
        self._watchdog = Watchdog(simulated_time(self))
        self._published = self._turned = time.monotonic()
        self._waited = 0.0  # for the next joint state, without the time for which this process was not run [s]
        self._order = JointOrder(arm.joint_names)
        self._states = StateSource(self)
        self._torque = MessageTemplate(Float64MultiArray(data=[0.0] * len(arm.joint_names)))
        self._publisher = self.create_publisher(Float64MultiArray, topics.MOTOR_COMMANDS, _NEWEST)
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._commands = self.create_subscription(
            Float64MultiArray, topics.COMMANDS, lambda _: None, _NEWEST, callback_group=Gate()
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._received = self._refused = self._answered = 0
        self._refusal = self._problem = ""
        self._farewell = Farewell()

    def stop(self) -> None:
        """End ``run`` once nobody commands the arm, at most two seconds later; a second call ends it at once."""
        self._farewell.ask()

    def run(self) -> None:
        """Answer joint states until ``stop``."""
        served = reported = time.monotonic()
        while True:
            now = time.monotonic()
            if self._farewell.is_over(at_rest=self.holder.holding):
                return
            self._states.wait(_WAIT_S)
            self._answer()
            if now - served > _SERVE_EVERY_S:
                served = now
                self._executor.spin_once(timeout_sec=0.0)
            if now - reported > _REPORT_EVERY_S:
                reported = now
                self._report()

    def _answer(self) -> None:
        before, self._turned = self._turned, time.monotonic()
        self._waited += min(self._turned - before, 2.0 * _WAIT_S)
        newest: JointState | None = None
        torque: np.ndarray | None = None
        try:
            while (data := self._states.take()) is not None:
                newest = self._order.read(data) or newest
            if newest is not None:
                self._take_command()
                torque = self.holder.answer(*newest)
        except (JointStateError, PlantError) as error:
            self._tell(str(error))
        if newest is not None and torque is not None:
            self._watchdog.note(newest.stamp_ns)
            self._waited = 0.0
            self._answered += 1
        elif (silence := min(self._waited, self._watchdog.silence)) > self._timeout:
            self._take_command()  # it is not kept for the time after
            torque = self.holder.answer_silence(time.monotonic() - self._published)
            if not self._problem:
                self._tell(f"no joint state came for {1e3 * silence:.0f} ms; check the arm's driver")
        if torque is not None:
            self._published = time.monotonic()
            self._publisher.publish(self._torque.fill(None, torque))

    def _tell(self, problem: str) -> None:
        self._problem = problem
        self.get_logger().error(problem, throttle_duration_sec=1.0)

    def _take_command(self) -> None:
        if (message := take_newest(self._commands, Float64MultiArray)) is None:
            return
        self._received += 1
        try:
            self.holder.command(np.array(message.data))
        except PlantError as error:
            self._refused += 1
            self._refusal = str(error)
            self.get_logger().warning(f"command refused: {error}", throttle_duration_sec=1.0)

    def _report(self) -> None:
        warnings = [self._problem] if self._problem else []
        if self._refusal:
            warnings.append(f"commands refused: {self._refusal}")
        if not self._answered:
            warnings.append("no joint state of the arm came; check its driver and the topic joint_states")
        elif self.holder.holding and self._received:
            warnings.append("commands stopped, the arm is held")
        values = {
            "holding": str(self.holder.holding).lower(),
            "received": str(self._received),
            "refused": str(self._refused),
            "answered": str(self._answered),
            "limited": str(self.holder.limited),
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if warnings else DiagnosticStatus.OK,
            name=f"{self.get_name()}: arm",
            hardware_id=self.holder.arm.name,
            message="; ".join(warnings)
            or ("waiting for commands, the arm is held" if self.holder.holding else "running"),
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        self._refusal = self._problem = ""
        self._answered = 0
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return 0, or 1 after one sentence on standard error."""
    return run_node("holder", HolderNode, args)


if __name__ == "__main__":
    sys.exit(main())
