"""The holder as its users meet it: a process between commands and an arm that does not carry itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

import ttdm_ros
from ttdm_ros import topics
from ttdm_ros.config import parse
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.nodes.holder import HolderConfig
from ttdm_ros.paths import share_folder
from ttdm_ros.systems.arm import Arm, load_arm

PATIENCE = 30.0  # for anything that must happen; machines can be busy [s]
REMAP = f"{topics.COMMANDS}:={topics.MOTOR_COMMANDS}"


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


class World:
    """Processes in a domain of their own, and a node that hears and commands them."""

    def __init__(self, folder: Path) -> None:
        self.domain = free_domain()
        source = str(Path(ttdm_ros.__file__).resolve().parents[1])
        self._environment = os.environ | {
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(folder / "log"),
            "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH")))),
        }
        self.processes: list[subprocess.Popen[str]] = []
        self.context = Context()
        self.context.init(args=[], domain_id=self.domain)
        self.node = Node("listener", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states: list[JointState] = []
        self.torques: list[np.ndarray] = []
        self.holder: dict[str, str] = {}
        create = self.node.create_subscription
        create(JointState, topics.JOINT_STATES, self.states.append, 1000)
        create(Float64MultiArray, topics.MOTOR_COMMANDS, lambda m: self.torques.append(np.array(m.data)), 1000)
        create(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)
        self.commands = self.node.create_publisher(Float64MultiArray, topics.COMMANDS, 1)
        self.joints = self.node.create_publisher(JointState, topics.JOINT_STATES, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "holder: arm":
                self.holder = {item.key: item.value for item in status.values} | {"message": status.message}

    def start(self, node: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"ttdm_ros.nodes.{node}", "--ros-args", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def until(self, condition: Callable[[], Any], each: Callable[[], Any] = lambda: None) -> None:
        """Hear until ``condition`` holds, doing ``each`` after everything that is heard."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"what was waited for did not happen: {self.holder}"
            self.executor.spin_once(timeout_sec=0.1)
            each()

    def tell(self, values: list[float]) -> None:
        self.commands.publish(Float64MultiArray(data=values))

    def show(self, arm: Arm, stamp: int, velocity: float = 0.0, *, names: tuple[str, ...] | None = None) -> None:
        """Publish a joint state of an arm at home, of ``stamp`` [ns]."""
        state = JointState(name=list(names or arm.joint_names), position=list(arm.home), velocity=[velocity] * 7)
        state.header.stamp.sec, state.header.stamp.nanosec = divmod(stamp, 10**9)
        self.joints.publish(state)

    def next_report(self, accept: Callable[[dict[str, str]], bool], each: Callable[[], Any] = lambda: None) -> None:
        self.holder = {}
        self.until(lambda: self.holder and accept(self.holder), each)

    @property
    def q(self) -> np.ndarray:
        return np.array(self.states[-1].position)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def heavy(tmp_path: Path) -> str:
    """A plant that neither carries itself nor holds itself for a while, which only a holder keeps up."""
    path = tmp_path / "heavy.yaml"
    path.write_text("gravity_compensation: false\ncommand_timeout: 5.0\n", encoding="utf-8")
    return str(path)


def test_the_file_that_ships_has_the_defaults() -> None:
    shipped = yaml.safe_load((share_folder() / "config" / "holder.yaml").read_text(encoding="utf-8"))
    assert parse(shipped["/**/holder"]["ros__parameters"], HolderConfig, "holder.yaml") == HolderConfig()
    assert set(shipped["/**/holder"]["ros__parameters"]) == set(HolderConfig.model_fields)


def test_an_arm_that_does_not_carry_itself_is_carried_driven_and_held(world: World, arm: Arm, heavy: str) -> None:
    world.start("simulator", "-p", f"plant:={heavy}", "-r", REMAP)
    holder = world.start("holder", "-p", "gravity:=added")
    world.until(lambda: len(world.torques) > 500 and world.states)
    np.testing.assert_allclose(world.q, arm.home, atol=5e-3)
    np.testing.assert_allclose(world.torques[-1], arm.gravity_torque(world.q), atol=1.0)
    world.next_report(lambda report: report["holding"] == "true" and int(report["answered"]) > 0)
    assert world.holder["message"] == "waiting for commands, the arm is held"

    # A command without gravity turns the first joint, and the others stay.
    world.until(lambda: world.states[-1].velocity[0] > 0.15, lambda: world.tell([1.5] + [0.0] * 6))
    assert np.abs(np.array(world.q - arm.home)[[1, 3]]).max() < 0.05
    world.next_report(lambda report: report["holding"] == "false", lambda: world.tell([0.0] * 7))
    assert world.holder["message"] == "running"

    # Commands stop: it comes to rest, and is held.
    world.next_report(lambda report: report["holding"] == "true")
    assert "commands stopped" in world.holder["message"]
    world.until(lambda: np.abs(world.states[-1].velocity).max() < 1e-2)
    place, count = world.q, len(world.states)
    world.until(lambda: len(world.states) > count + 500)
    np.testing.assert_allclose(world.q, place, atol=5e-3)
    holder.send_signal(signal.SIGINT)
    assert holder.wait(PATIENCE) == 0


def test_malformed_commands_and_states_are_refused_and_reported(world: World, arm: Arm) -> None:
    world.start("holder")
    world.next_report(lambda report: "no joint state of the arm came" in report["message"])
    stamp = 0

    def publish(velocity: float = 0.0, *, names: tuple[str, ...] = arm.joint_names) -> None:
        nonlocal stamp
        stamp += 2_000_000
        world.show(arm, stamp, velocity, names=names)

    def spoilt() -> None:
        world.tell([1.0, 2.0])
        publish()

    world.next_report(lambda report: "7 torques" in report["message"], spoilt)
    assert world.holder["holding"] == "true"
    assert int(world.holder["refused"]) > 0
    world.next_report(lambda report: "not finite" in report["message"], lambda: publish(float("nan")))
    world.next_report(
        lambda report: "lack" in report["message"], lambda: publish(names=("other", *arm.joint_names[1:]))
    )
    world.torques.clear()
    world.until(lambda: len(world.torques) > 10, publish)
    assert all(np.isfinite(torque).all() for torque in world.torques)


def test_torque_leaves_when_states_stop_and_a_clock_that_is_set_back_does_not_end_it(world: World, arm: Arm) -> None:
    world.start("holder")
    stamp = 5_000_000_000

    def drive() -> None:
        nonlocal stamp
        stamp += 2_000_000
        world.tell([5.0] + [0.0] * 6)
        world.show(arm, stamp)

    world.until(lambda: world.torques and world.torques[-1][0] == 5.0, drive)
    # Commands go on, states do not: without an end of them the motors would keep the last torque.
    world.next_report(lambda report: "no joint state came for" in report["message"], lambda: world.tell([5.0] * 7))
    world.until(lambda: not world.torques[-1].any(), lambda: world.tell([5.0] * 7))
    assert world.holder["holding"] == "true"
    stamp = 1_000_000_000
    world.until(lambda: world.torques[-1][0] == 5.0, drive)


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("gravity:=lunar", "'gravity'"),
        ("robot:=ur5", "there is no robot named 'ur5'"),
        ("gazebo_plant:=moon", "there is no plant named 'moon'"),
        ("gravty:=added", "did you mean 'gravity'"),
    ],
)
def test_a_wrong_parameter_is_answered_with_one_sentence(world: World, parameter: str, sentence: str) -> None:
    process = world.start("holder", "-p", parameter)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert sentence in output
    assert "Traceback" not in output


def test_in_gazebo_torques_are_corrected_for_the_rotors_in_the_links(world: World, arm: Arm) -> None:
    world.start("holder", "-p", "gazebo_plant:=ideal")
    stamp = 0

    def publish() -> None:
        nonlocal stamp
        stamp += 2_000_000
        world.tell([1.0] + [0.0] * 6)
        world.show(arm, stamp)

    world.until(lambda: world.torques and world.torques[-1][0] > 1.0, publish)
    # The first joint's links carry the rotors of others: they need more torque for the same acceleration.
    assert 1.2 < world.torques[-1][0] < 2.5
