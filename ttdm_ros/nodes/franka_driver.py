"""Node ``franka_driver``: a Franka arm on the topics that a simulated one has.

The control loop, a thousand times a second, is compiled and does not wait for this node: it is in
``ttdm_ros.plants.franka``. Here its cycles are published, and commands passed on.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from ttdm_ros import topics
from ttdm_ros.config import load
from ttdm_ros.errors import ConfigError, PlantError, TtdmError
from ttdm_ros.nodes.franka_topics import FrankaTopics
from ttdm_ros.nodes.gate import take_newest
from ttdm_ros.nodes.law_message import read_law
from ttdm_ros.nodes.parameters import read_parameters
from ttdm_ros.nodes.running import Farewell, run_node
from ttdm_ros.paths import find_config
from ttdm_ros.plants.franka.address_lock import AddressLock
from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.connection import connect
from ttdm_ros.plants.franka.kind import kind_of
from ttdm_ros.plants.franka.law import Command, LawBlock
from ttdm_ros.plants.franka.robot_clock import RobotClock
from ttdm_ros.plants.franka.supervisor import Supervisor
from ttdm_ros.systems.parameters import RobotParameters
from ttdm_ros.systems.urdf import write_urdf

_NEWEST = QoSProfile(depth=1)
_TICK_S = 0.001
_SERVE_EVERY_S, _DIAGNOSTICS_S = 0.01, 1.0
_LAW_WINS = 0.6  # share of the guard's timeout for which single torques are passed over after a law
_CYCLES_A_SECOND = 1000


class FrankaDriverConfig(FrankaSettings):
    """Parameters of the node."""

    robot: str = "fr3"
    """Name of a robot in config/robots, or a path to its .yaml file: names and torque limits of the joints."""
    kind: Literal["", "fr3", "panda"] = ""
    """What is at the address: fr3 (by pylibfranka) or panda (FER, by panda-python); empty: by the robot."""
    rate: Literal[1000, 500, 250, 200, 125, 100] = 1000
    """Joint states a second [Hz]."""
    detail_rate: Literal[1000, 500, 250, 200, 125, 100] = 500
    """Messages a second of what only a robot of metal knows: franka_driver/measured and the like [Hz]."""
    diagnostics_rate: float = Field(default=1.0, ge=0.1, le=10.0)
    """Diagnostics a second [Hz]."""


class FrankaDriver(Node):
    """Publishes the cycles of the control loop, and passes commands on to it.

    A command is taken from its queue without the executor, which serves the rest a hundred times a second.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """Read the parameters, connect, and hold the arm; ``node_arguments`` are passed on to the node.

        Raises:
            TtdmError: a parameter or the robot cannot be used, or another program holds the robot.
        """
        super().__init__("franka_driver", automatically_declare_parameters_from_overrides=True, **node_arguments)
        self.config = read_parameters(self, FrankaDriverConfig)
        if self.get_parameter("use_sim_time").value:
            raise ConfigError("a robot of metal keeps the wall clock's time; leave use_sim_time off")
        robot = _read_robot(self.config.robot)
        self._joints = tuple(joint.name for joint in robot.joints)
        self._lock = AddressLock(self.config.address)
        self._link = connect(self.config.kind or kind_of(self.config.robot), self.config)
        self._topics = FrankaTopics(self, self._joints, robot.name, write_urdf(robot))
        block = LawBlock(self.config.guard, np.array(robot.limits.effort))
        self._supervisor = Supervisor(self._link, block, on_event=self._tell)
        self._robot_clock = RobotClock()
        self._refusal = ""
        self._law_until = 0.0
        self._farewell = Farewell()
        self._torques = self.create_subscription(Float64MultiArray, topics.COMMANDS, self._on_torque, _NEWEST)
        self._laws = self.create_subscription(JointTrajectory, topics.LAW, self._on_law, _NEWEST)
        self.create_service(Trigger, "~/recover", self._on_recover)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self)
        self._supervisor.begin()

    def stop(self) -> None:
        """End ``run`` once nobody commands the arm, at most two seconds later; a second call ends it at once.

        Safe in a signal handler.
        """
        self._farewell.ask()

    def run(self) -> None:
        """Serve until ``stop``, then bring the arm to rest and leave the robot to itself."""
        served = told = time.monotonic()
        due = time.monotonic()
        try:
            while not self._farewell.is_over(at_rest=not self._supervisor.following):
                due = max(due + _TICK_S, time.monotonic() - 10 * _TICK_S)
                time.sleep(max(0.0, due - time.monotonic()))
                self._take_commands()
                self._publish(self._supervisor.update())
                now = time.monotonic()
                if now - served > _SERVE_EVERY_S:
                    served = now
                    self._executor.spin_once(timeout_sec=0.0)
                if now - told > 1.0 / self.config.diagnostics_rate:
                    told = now
                    notice = "; ".join(filter(None, (self._link.notice, self._robot_clock.notice)))
                    self._topics.diagnostics(self._supervisor, refusal=self._refusal, notice=notice)
                    self._refusal = ""
        finally:
            self._supervisor.end(self._publish)

    # Commands

    def _take_commands(self) -> None:
        # Laws first, so that a torque of the same moment does not take their place.
        for subscription, kind, callback in (
            (self._laws, JointTrajectory, self._on_law),
            (self._torques, Float64MultiArray, self._on_torque),
        ):
            if (message := take_newest(subscription, kind)) is not None:
                callback(message)

    def _on_torque(self, message: Float64MultiArray) -> None:
        if time.monotonic() >= self._law_until:
            self._pass_on(lambda: Command.of_torque(np.array(message.data)))

    def _on_law(self, message: JointTrajectory) -> None:
        def timely_law() -> Command:
            law = read_law(message, self._joints, self._robot_clock.robot_time)
            # Also after a law of another time: torques that come with it, out of a bag, are of another time too.
            self._law_until = time.monotonic() + _LAW_WINS * self.config.guard.timeout
            law.check_time(self._robot_clock.newest, self.config.guard.timeout)
            return law

        self._pass_on(timely_law)

    def _pass_on(self, command: Callable[[], Command]) -> None:
        try:
            followed = self._supervisor.follow(command())
        except PlantError as error:
            self._supervisor.refused += 1
            self._refuse(str(error))
            return
        if not followed:
            self._refuse(f"there is no motion: {self._supervisor.problem}")

    def _refuse(self, reason: str) -> None:
        self._refusal = f"commands refused: {reason}"
        self.get_logger().warning(self._refusal, throttle_duration_sec=1.0)

    # Cycles

    def _publish(self, cycles: np.ndarray) -> None:
        every, details = (_CYCLES_A_SECOND // rate for rate in (self.config.rate, self.config.detail_rate))
        moving, ready, idle = self._supervisor.moving, self._supervisor.ready, self._supervisor.idle
        for cycle in cycles:
            self._topics.note(cycle)
            wall = float(cycle["wall"]) or time.time()
            stamp = self._robot_clock.stamp_ns(float(cycle["time"]), wall, may_step=idle)
            if stamp is None:
                continue
            count = round(float(cycle["time"]) * _CYCLES_A_SECOND)
            # While the arm cannot be commanded joint states are silent: a controller stops then, or waits.
            if ready and count % every == 0:
                self._topics.joint_state(stamp, cycle)
            if not moving or count % details == 0:
                self._topics.details(stamp, cycle)
                self._topics.loop(stamp, cycle, self._supervisor.status.phase)

    # What is asked

    def _on_recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message, response.success = self._supervisor.recover(), True
        except TtdmError as error:
            response.message, response.success = str(error), False
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            self._supervisor.hold()
            response.message = "the arm is braked and held; to go on call ~/recover, then activate the controller again"
            response.success = True
        except TtdmError as error:
            response.message, response.success = str(error), False
        return response

    def _tell(self, text: str) -> None:
        self._topics.event(text)
        log = self.get_logger()
        if text.startswith("no motion"):
            log.error(text)
        else:
            log.info(text)


def _read_robot(name: str) -> RobotParameters:
    path = find_config("robots", name)
    if path.suffix == ".urdf":
        raise ConfigError(f"the driver of a Franka arm reads a parameter file, not {path}; give robot: fr3 or panda")
    return load(path, RobotParameters)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; return 0, or 1 after one sentence on standard error."""
    return run_node("franka_driver", FrankaDriver, args)


if __name__ == "__main__":
    sys.exit(main())
