"""Node `simulator`: the simulated arm on the topics of a real one, paced by the wall clock."""

import itertools
import math
import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from pydantic import Field
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger

from ttdm_ros import topics
from ttdm_ros.config import Config
from ttdm_ros.errors import ConfigError, PlantError
from ttdm_ros.nodes import qos
from ttdm_ros.nodes.cdr import MessageTemplate
from ttdm_ros.nodes.gate import take_newest
from ttdm_ros.nodes.pacer import Pacer
from ttdm_ros.nodes.parameters import read_parameters
from ttdm_ros.nodes.running import Farewell, run_node
from ttdm_ros.nodes.simulator_report import Counts, SimulatorReport
from ttdm_ros.plants.config import load_plant
from ttdm_ros.plants.mujoco_plant import MujocoPlant
from ttdm_ros.systems.arm import load_arm

_STATES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)  # deep: a late recorder can ask again
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_CLOCK_STEP_NS = 20_000_000  # stamps follow ROS time when they are behind it by more
_SERVE_EVERY_S = 0.01
_SHORTEST_TICK_S = 0.0005  # wall time between two looks for commands


class SimulatorConfig(Config):
    """Parameters of the node."""

    robot: str = "panda"
    """Name of a robot in config/robots, or a path to its .yaml or .urdf file."""
    base_frame: str = ""
    """Link of a .urdf at which the arm begins; empty: the robot's own."""
    tip_frame: str = ""
    """Link of a .urdf at which the arm ends; empty: the robot's own."""
    plant: str = "payload_friction"
    """Name of a plant in config/plants, or a path to a file: what the arm does that the nominal one does not."""
    seed: int = Field(default=0, ge=0, le=2**31)
    """Of everything random in the plant."""
    rate: int = Field(default=500, ge=10, le=1000)
    """Joint states a second of plant time [Hz]; its period must be a multiple of the plant's step."""
    publish_clock: bool = False
    """Publish plant time on /clock and stamp with it, instead of stamping with ROS time."""
    real_time_factor: float = Field(default=1.0, ge=0.01, le=20.0)
    """Plant time over wall time; other than 1 only with publish_clock."""
    initial_position: tuple[float, ...] | None = Field(default=None, min_length=7, max_length=7)
    """Start posture, base to tip [rad]; not set: the robot's home."""


class Simulator(Node):
    """Steps the plant in real time (or a multiple of it), publishes its states and feeds it commands.

    Every plant step comes at its own time on the wall clock, and a command acts from the first step after its arrival,
    as on a robot. It is taken from its queue at the steps, without the executor: waiting on all of a node's entities
    costs rclpy a tenth of a millisecond, which is a third of a core at these rates. The executor serves the rest, a
    hundred times a second. A malformed command is refused and counted, and does not feed the plant's watchdog.
    """

    def __init__(self) -> None:
        """Read the parameters and start the arm at rest.

        Raises:
            TtdmError: a parameter, the robot or the plant cannot be used.
        """
        super().__init__("simulator", automatically_declare_parameters_from_overrides=True)
        self.config = read_parameters(self, SimulatorConfig)
        self._check_time()
        self.arm = load_arm(
            self.config.robot, base_frame=self.config.base_frame or None, tip_frame=self.config.tip_frame or None
        )
        plant = load_plant(self.config.plant)
        try:
            steps = plant.steps(1.0 / self.config.rate)
        except ValueError:
            raise ConfigError(
                f"a rate of {self.config.rate} Hz does not fit the step of plant '{self.config.plant}'; choose one "
                f"whose period is a multiple of {plant.step} s"
            ) from None
        grain = _grain(steps, plant.step / self.config.real_time_factor)
        self._tick_s = grain * plant.step
        self._ticks_per_state = steps // grain
        posture = self.config.initial_position
        self._start = None if posture is None else np.array(posture)
        self.plant = MujocoPlant(self.arm, plant, seed=self.config.seed, q0=self._start)
        self._received = self._refused = 0
        self._refusal = ""
        self._make_topics()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._farewell = Farewell()

    def stop(self) -> None:
        """End ``run`` once nobody commands the arm, at most two seconds later; a second call ends it at once.

        Safe in a signal handler.
        """
        self._farewell.ask()

    def run(self) -> None:
        """Simulate until ``stop``.

        Raises:
            PlantError: the simulation diverged.
        """
        ros_time = self.get_clock()
        self._offset_ns = 0 if self.config.publish_clock else ros_time.now().nanoseconds - self.plant.time_ns
        self._pacer = Pacer(round(self._tick_s * 1e9 / self.config.real_time_factor))
        report = SimulatorReport(self._counts(), self.config.real_time_factor)
        self.get_logger().info(
            f"simulating {self.arm.name} with plant '{self.config.plant}', {self.config.rate} joint states a second"
        )
        served = time.monotonic()
        for count in itertools.count(1):
            time.sleep(self._pacer.remaining())
            if self._farewell.is_over(at_rest=self.plant.holding):
                return
            self.plant.advance(self._tick_s)
            moved_ns = self._pacer.tick()
            if not self.config.publish_clock:
                self._offset_ns += moved_ns
            if count % self._ticks_per_state == 0:
                self._publish_state()
            self._take_command()
            if time.monotonic() - served > _SERVE_EVERY_S:
                served = time.monotonic()
                self._executor.spin_once(timeout_sec=0.0)
                if report.due():
                    self._publish_diagnostics(report)
                    self._follow_ros_time(ros_time.now().nanoseconds)

    def _check_time(self) -> None:
        if self.config.publish_clock:
            return
        if self.get_parameter("use_sim_time").value:
            raise ConfigError("use_sim_time needs the parameter publish_clock: true, as time comes from the simulator")
        if self.config.real_time_factor != 1.0:
            raise ConfigError(
                f"a real_time_factor of {self.config.real_time_factor} needs the parameter publish_clock: true, as "
                "plant time and ROS time differ then"
            )

    def _make_topics(self) -> None:
        zeros = [0.0] * len(self.arm.joint_names)
        self._state = MessageTemplate(
            JointState(name=list(self.arm.joint_names), position=zeros, velocity=zeros, effort=zeros)
        )
        self._clock_message = MessageTemplate(Clock())
        self._state_publisher = self.create_publisher(JointState, topics.JOINT_STATES, _STATES)
        self._clock_publisher = (
            self.create_publisher(Clock, topics.CLOCK, _NEWEST) if self.config.publish_clock else None
        )
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._description_publisher = self.create_publisher(String, topics.ROBOT_DESCRIPTION, qos.NEWEST_KEPT)
        self._description_publisher.publish(String(data=self.arm.urdf))
        self._commands = self.create_subscription(Float64MultiArray, topics.COMMANDS, self._on_command, _NEWEST)
        self.create_service(Trigger, "~/reset", self._on_reset)

    def _take_command(self) -> None:
        if (message := take_newest(self._commands, Float64MultiArray)) is not None:
            self._on_command(message)

    def _on_command(self, message: Float64MultiArray) -> None:
        self._received += 1
        try:
            self.plant.command(np.array(message.data))
        except PlantError as error:
            self._refused += 1
            self._refusal = str(error)
            self.get_logger().warning(f"command refused: {error}", throttle_duration_sec=1.0)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.plant.reset(self._start)
        response.success, response.message = True, "the arm is at rest in its start posture and holds"
        return response

    def _stamp_ns(self) -> int:
        return self.plant.time_ns + self._offset_ns

    def _publish_state(self) -> None:
        stamp = self._stamp_ns()
        if self._clock_publisher is not None:
            self._clock_publisher.publish(self._clock_message.fill(stamp, ()))
        measured = self.plant.measure()
        self._state_publisher.publish(self._state.fill(stamp, np.concatenate((measured.q, measured.v, measured.tau))))

    def _follow_ros_time(self, now_ns: int) -> None:
        """Stamp with ROS time again after somebody set the clock forward; stamps never go back."""
        # What the next ticks make up for, or move the stamps by, must not be counted twice.
        late_ns = now_ns - self._stamp_ns() - self._pacer.behind_ns
        if not self.config.publish_clock and late_ns > _CLOCK_STEP_NS + Pacer.MAX_BEHIND * self._pacer.period_ns:
            self._offset_ns += late_ns

    def _counts(self) -> Counts:
        return Counts(
            plant_ns=self.plant.time_ns,
            late_ticks=self._pacer.late,
            given_up_ns=self._pacer.given_up_ns,
            received=self._received,
            refused=self._refused,
            saturated_steps=self.plant.saturated_steps,
        )

    def _publish_diagnostics(self, report: SimulatorReport) -> None:
        status = report.status(self._counts(), holding=self.plant.holding, refusal=self._refusal)
        status.name, status.hardware_id = f"{self.get_name()}: plant", self.arm.name
        message = DiagnosticArray(status=[status])
        message.header.stamp = Time(nanoseconds=self._stamp_ns()).to_msg()
        self._diagnostics_publisher.publish(message)


def _grain(steps: int, step_s: float) -> int:
    """Return how many of the ``steps`` between two states one tick makes: few, but not too many ticks a second."""
    fewest = min(steps, math.ceil(_SHORTEST_TICK_S / step_s))
    return next(n for n in range(fewest, steps + 1) if steps % n == 0)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return 0, or 1 after one sentence on standard error."""
    return run_node("simulator", Simulator, args)


if __name__ == "__main__":
    sys.exit(main())
