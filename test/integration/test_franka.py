"""The Franka driver against franka-sim with communication and motion limits enforced: real processes, every fault."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from ttdm_ros import topics
from ttdm_ros.errors import PlantError
from ttdm_ros.evaluation.node_command import ros_arguments
from ttdm_ros.nodes.law_message import read_law
from ttdm_ros.plants.config import load_plant
from ttdm_ros.plants.franka.environment import SERVER, driver_python, own_environment, simulator_python
from ttdm_ros.plants.franka.link import MODES
from ttdm_ros.plants.franka.mjcf import write_mjcf
from ttdm_ros.plants.franka.reflexes import error_names
from ttdm_ros.systems.arm import load_arm

try:
    DRIVER, SIMULATOR = driver_python(), simulator_python()
except PlantError as error:
    pytest.skip(str(error), allow_module_level=True)

pytestmark = pytest.mark.timeout(300)

# libfranka knows one port; other tests on this machine have another process id, and so another address.
ADDRESS = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250 + 1}.1"
SOURCE = Path(__file__).parents[2]
# A busy machine is no fault here.
ANSWER = 8.0  # [s]
GUARD = {"guard.timeout": 0.3, "guard.pause": 0.4, "guard.first_torque": 10.0}
CONTROLLER = {"robot": "fr3", "task": "circle", "controller__missed": 1000, "controller__stale_periods": 60.0}
RAISE = """
import sys, pylibfranka
joint, step, highest, tool = int(sys.argv[2]), *map(float, sys.argv[3:])
robot = pylibfranka.Robot(sys.argv[1], pylibfranka.RealtimeConfig.kIgnore)
robot.set_EE([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, tool, 1])
control = robot.start_torque_control()
torque = [0.0] * 7
for _ in range(5000):
    control.readOnce()
    if abs(torque[joint]) < highest:
        torque[joint] += step
    control.writeOnce(pylibfranka.Torques(torque))
"""


def add_bodies_that_meet(path: Path) -> None:
    """Put balls around the shoulder and the wrist of a simulated robot: 64 mm apart where it starts."""
    spec = mujoco.MjSpec.from_file(str(path))
    spec.option.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    for link in ("link2", "link6"):
        body = spec.body(f"fr3_{link}")
        body.add_geom(name=f"fr3_{link}_collision", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.275, 0, 0], mass=0.0)
    spec.compile()
    path.write_text(spec.to_xml(), encoding="utf-8")


class Arm:
    """A simulated robot, its driver and a controller, with what they say."""

    def __init__(self, world: Any) -> None:
        self.world = world
        world.arm = load_arm("fr3")
        self.model = write_mjcf(world.arm, load_plant("payload_friction"), world.folder / "fr3.xml")
        self.states: list[JointState] = []
        self.desired: list[JointState] = []
        self.loops: list[Float64MultiArray] = []
        self.laws: list[JointTrajectory] = []
        self.driver: dict[str, str] = {}
        self.message = ""
        self.events: list[str] = []
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        create = world.node.create_subscription
        create(JointState, topics.JOINT_STATES, self.states.append, 100)
        create(JointState, topics.FRANKA_DESIRED, self.desired.append, 100)
        create(Float64MultiArray, topics.FRANKA_LOOP, self.loops.append, 100)
        create(JointTrajectory, topics.LAW, self.laws.append, 10)
        create(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)
        create(String, topics.FRANKA_EVENTS, lambda m: self.events.append(m.data), latched)
        self.commands = world.node.create_publisher(Float64MultiArray, topics.COMMANDS, 1)
        world.call = self.call

    def call(self, kind: type, service: str, request: Any) -> Any:
        """Ask again if no answer comes: the first may have gone to a process that was killed and is not forgotten."""
        client: Any = self.world.node.create_client(kind, service)
        futures: list[Any] = []
        try:
            while True:
                self.world.until(client.service_is_ready)
                futures.append(client.call_async(request))
                self._until_answer(futures, time.monotonic() + ANSWER)
                if done := [f for f in futures if f.done()]:
                    return done[0].result()
                assert len(futures) < 10, f"{service} does not answer"
        finally:
            self.world.node.destroy_client(client)

    def _until_answer(self, futures: list[Any], end: float) -> None:
        self.world.until(lambda: any(future.done() for future in futures) or time.monotonic() > end)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "franka_driver: robot":
                self.driver = {item.key: item.value for item in status.values}
                self.message = status.message

    def run(self, name: str, command: list[str], **variables: str) -> subprocess.Popen[str]:
        environment = (
            os.environ
            | own_environment()
            | {
                "ROS_DOMAIN_ID": str(self.world.domain),
                "ROS_LOG_DIR": str(self.world.folder / "log"),
                "PYTHONUNBUFFERED": "1",
            }
        )
        with (self.world.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                command, env=environment | variables, stdout=log, stderr=subprocess.STDOUT, text=True
            )
        self.world.processes[name] = process
        return process

    def start_robot(self) -> None:
        self.world.folder.joinpath("robot.log").write_text("")
        self.run("robot", [str(SIMULATOR), str(SERVER), ADDRESS], FR3_MJCF=str(self.model))
        self.world.until(lambda: "ready for new client" in self.world.log("robot"))

    def start_driver(self, name: str = "franka_driver", **parameters: Any) -> subprocess.Popen[str]:
        given = {"address": ADDRESS, "rate": 500, "diagnostics_rate": 5.0} | GUARD | parameters
        command = [str(DRIVER), "-m", "ttdm_ros.nodes.franka_driver", *ros_arguments("franka_driver", given)]
        return self.run(name, command, PYTHONPATH=str(SOURCE))

    def until_event(self, text: str, after: int = 0) -> None:
        self.world.until(lambda: any(text in event for event in self.events[after:]))

    def until_driver(self, **values: str) -> None:
        """Wait for diagnostics that are yet to come."""
        self.driver = {}
        self.world.until(lambda: values.items() <= self.driver.items())

    def ask(self, service: str) -> tuple[bool, str]:
        response = self.world.call(Trigger, f"franka_driver/{service}", Trigger.Request())
        return response.success, response.message

    def recover(self) -> str:
        done, told = self.ask("recover")
        assert done, told
        self.until_driver(law="holding", problem="")
        return told

    def activate(self) -> None:
        """Activate the controller until the arm follows it."""
        if self.world.lifecycle == "active":
            assert self.world.transit(Transition.TRANSITION_DEACTIVATE)
        self.until_driver(law="holding", accepts_commands="true")
        self.world.activate()
        self.until_driver(law="following")

    def rest(self) -> None:
        if self.world.lifecycle == "active":
            assert self.world.transit(Transition.TRANSITION_DEACTIVATE)
        self.until_driver(law="holding", accepts_commands="true")

    def is_silent(self) -> bool:
        """Hear for a moment; whether no joint state came."""
        self.states.clear()
        for _ in range(10):
            self.world.executor.spin_once(timeout_sec=0.1)
        return not self.states

    def no_reflex(self) -> bool:
        return self.driver.get("problem") == ""


class Sender:
    """Commands torques from a thread of its own, so that they do not stop while a test waits."""

    def __init__(self, arm: Arm) -> None:
        self.torque = np.zeros(7)
        self._arm, self._over = arm, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.wait(0.005):
            self._arm.commands.publish(Float64MultiArray(data=self.torque.tolist()))

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def arm(world: Any) -> Iterator[Arm]:
    arm = Arm(world)
    arm.start_robot()
    arm.start_driver()
    world.start("mpc_controller", publish_law=True, **CONTROLLER)
    assert world.transit(Transition.TRANSITION_CONFIGURE)
    arm.until_driver(law="holding")
    yield arm


def test_states_come_with_the_robots_own_time(arm: Arm) -> None:
    arm.states.clear()
    arm.world.until(lambda: len(arm.states) > 300)
    stamps = np.array([s.header.stamp.sec * 10**9 + s.header.stamp.nanosec for s in arm.states])
    steps = np.diff(stamps)
    assert (steps > 0).all()
    assert (steps % 1_000_000 == 0).mean() > 0.9  # but for steps to the wall clock, which are made while nobody drives
    assert arm.states[0].name == list(arm.world.arm.joint_names)
    assert abs(stamps[-1] - time.time_ns()) < 5e9
    np.testing.assert_allclose(arm.states[-1].velocity, 0.0, atol=0.05)


def test_the_controller_drives_the_arm_and_the_loop_is_answered(arm: Arm) -> None:
    arm.activate()
    arm.world.until_phase("tracking")
    arm.world.hear(15)
    assert arm.world.status["fault"] == ""
    assert float(arm.world.status["tracking_error_mm"]) < 60.0
    arm.until_driver(law="following", robot_mode="move")
    assert float(arm.driver["control_command_success_rate"]) > 0.8
    arm.rest()
    assert arm.no_reflex()
    assert len(arm.laws) > 50
    law = read_law(arm.laws[-1], arm.world.arm.joint_names, float)
    # It goes on from where the arm is, and pulls it towards its reference.
    np.testing.assert_allclose(law.q[0], arm.states[-1].position, atol=0.05)
    assert (np.diag(law.gain[:, :7]) > 0.0).all()
    assert (np.diag(law.gain[:, 7:]) > 0.0).all()


def test_a_controller_that_is_killed_leaves_the_arm_braked_and_held(arm: Arm) -> None:
    arm.activate()
    seen = len(arm.events)
    arm.world.kill("mpc_controller")
    arm.until_event("commands stopped coming", seen)
    arm.until_driver(law="holding", problem="")
    arm.states.clear()
    arm.world.until(lambda: len(arm.states) > 100)
    assert np.abs(arm.states[-1].velocity).max() < 0.05
    # It activates itself: a service could be one of the dead controller's, which takes a while to be forgotten.
    arm.world.start("mpc_controller", publish_law=True, autostart=True, **CONTROLLER)
    arm.until_driver(law="following")


def test_a_controller_that_stalls_is_refused_until_it_is_activated_again(arm: Arm) -> None:
    arm.activate()
    seen = len(arm.events)
    arm.world.processes["mpc_controller"].send_signal(signal.SIGSTOP)
    arm.until_event("commands stopped coming", seen)
    arm.world.processes["mpc_controller"].send_signal(signal.SIGCONT)
    arm.world.hear(5)
    arm.until_driver(law="holding")
    assert arm.no_reflex()
    arm.activate()


def check_reflex(arm: Arm, name: str, seen: int) -> None:
    """Check that a reflex is told in words, that nothing recovers by itself, and that an operator's call does."""
    arm.until_event(name, seen)
    (told,) = [event for event in arm.events[seen:] if name in event]
    assert "then call ~/recover" in told
    arm.driver = {}
    arm.world.until(lambda: name in arm.driver.get("problem", ""))
    assert name in arm.message
    arm.world.until(arm.is_silent)  # the controller shall notice; states of before may come first
    assert name in arm.driver["problem"]
    assert name in arm.recover()


def test_a_driver_that_stalls_for_longer_than_the_robot_waits_ends_in_a_reflex(arm: Arm) -> None:
    arm.activate()
    seen = len(arm.events)
    arm.world.processes["franka_driver"].send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    arm.world.processes["franka_driver"].send_signal(signal.SIGCONT)
    check_reflex(arm, "communication_constraints_violation", seen)
    arm.world.until(lambda: arm.world.phase == "stopped")
    arm.activate()
    arm.rest()


def test_numbers_that_are_none_never_reach_the_robot(arm: Arm) -> None:
    arm.rest()
    refused = int(arm.driver["refused_commands"])
    with Sender(arm) as sender:
        arm.until_driver(law="following")
        sender.torque = np.full(7, np.nan)
        arm.driver = {}
        arm.world.until(lambda: "a command must be finite" in arm.message)
        arm.until_driver(law="holding", problem="")
    assert int(arm.driver["refused_commands"]) > refused


def test_a_torque_step_is_clipped_and_overspeed_ends_in_a_reflex(arm: Arm) -> None:
    arm.rest()
    seen = len(arm.events)
    with Sender(arm) as sender:
        arm.until_driver(law="following")
        arm.desired.clear()
        arm.loops.clear()
        sender.torque = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 11.0])
        check_reflex(arm, "joint_velocity_violation", seen)
    assert not any("discontinuity" in event for event in arm.events)
    stamps = np.array([s.header.stamp.sec + 1e-9 * s.header.stamp.nanosec for s in arm.desired])
    torque = np.array([s.effort for s in arm.desired])
    # The reflex itself takes the torque away at once: only what the driver commanded counts.
    when, mode = (topics.FRANKA_LOOP_COLUMNS.index(column) for column in ("stamp", "robot_mode"))
    moved = np.array([m.data[when] for m in arm.loops if MODES[int(m.data[mode])] == "move"])
    within = np.abs(stamps[:, None] - moved).min(axis=1) < 1e-4
    rate = np.abs(np.diff(torque[within], axis=0)).max(axis=1) / np.diff(stamps[within])
    assert torque[within, 6].max() > 10.9
    assert rate.max() < 1001.0


def test_a_second_driver_is_refused_with_a_sentence(arm: Arm) -> None:
    arm.until_driver(law="holding")
    second = arm.start_driver("second")
    arm.world.processes.pop("second")
    assert second.wait(60.0) == 1
    assert f"another franka_driver on this machine holds the robot at {ADDRESS}" in arm.world.log("second")


def test_a_second_client_that_does_not_share_the_lock_is_refused_too(arm: Arm, tmp_path: Path) -> None:
    given = {"address": ADDRESS, "connect_timeout": 2.0}
    command = [str(DRIVER), "-m", "ttdm_ros.nodes.franka_driver", *ros_arguments("franka_driver", given)]
    second = arm.run("elsewhere", command, PYTHONPATH=str(SOURCE), XDG_CACHE_HOME=str(tmp_path))
    arm.world.processes.pop("elsewhere")
    assert second.wait(60.0) == 1
    assert "another program may hold its control interface" in arm.world.log("elsewhere")
    assert "Traceback" not in arm.world.log("elsewhere")
    arm.until_driver(law="holding", problem="")


def test_a_robot_that_is_gone_is_told_and_taken_up_again_by_the_operators_call(arm: Arm) -> None:
    arm.activate()
    seen = len(arm.events)
    arm.world.kill("robot")
    arm.until_event("the connection to the robot is lost", seen)
    arm.world.until(lambda: arm.world.phase == "stopped")
    done, told = arm.ask("recover")
    assert not done
    assert f"there is no robot to control at {ADDRESS}" in told
    arm.start_robot()
    arm.recover()
    arm.activate()


def test_a_driver_that_is_killed_stops_the_controller_and_a_new_one_takes_over(arm: Arm) -> None:
    arm.activate()
    arm.world.kill("franka_driver")
    arm.world.until(lambda: arm.world.phase == "stopped")
    assert "no joint state came" in arm.world.status["fault"]
    arm.start_driver()
    arm.activate()
    arm.rest()


def test_stop_holds_the_arm_until_the_operators_call_and_the_controller_stops(arm: Arm) -> None:
    arm.activate()
    done, told = arm.ask("stop")
    assert done, told
    assert "call ~/recover, then activate the controller again" in told
    arm.until_driver(law="holding", problem="", accepts_commands="false")
    arm.world.until(lambda: "driver was asked to" in arm.message)
    arm.world.until(lambda: arm.world.phase == "stopped")
    arm.until_driver(law="holding", problem="", accepts_commands="false")  # however long nobody commands
    assert "recovered from the stop" in arm.recover()
    arm.activate()
    arm.rest()


def test_a_driver_ends_cleanly_on_sigint(arm: Arm) -> None:
    arm.rest()
    assert arm.world.end("franka_driver") == 0
    assert "Traceback" not in arm.world.log("franka_driver")


@pytest.mark.parametrize(
    ("joint", "step", "highest", "tool", "error"),
    [
        (0, 5.0, 50.0, 0.0, "controller_torque_discontinuity"),
        (6, 0.9, 18.0, 0.0, "tau_J_range_violation"),
        (0, 0.5, 20.0, 9.0, "cartesian_velocity_violation"),
        (3, -0.5, 6.0, 0.0, "self_collision_avoidance_violation"),
    ],
)
def test_what_the_robot_stops_another_client_for_is_known(
    arm: Arm, joint: int, step: float, highest: float, tool: float, error: str
) -> None:
    """By what the robot prints then, the error is known."""
    if error == "self_collision_avoidance_violation":
        arm.world.kill("robot")
        add_bodies_that_meet(arm.model)
        arm.start_robot()
    client = subprocess.run(
        [str(DRIVER), "-c", RAISE, ADDRESS, *map(str, (joint, step, highest, tool))],
        env=os.environ | own_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert error_names(client.stderr) == (error,)
