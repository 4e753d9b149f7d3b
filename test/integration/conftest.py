"""A ROS domain with this package's nodes as processes, and a node in this process that hears and asks them."""

import json
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

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

import ttdm_ros
from ttdm_ros import topics
from ttdm_ros.evaluation.node_command import ros_arguments
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.recording.reader import Recording, read_bag
from ttdm_ros.systems.arm import Arm, load_arm

PATIENCE = 60.0  # for anything that must happen; machines can be busy [s]
TRANSPORT_NS = 10_000_000  # a joint state may have been on its way for so long when a command went out
PAUSE_NS = 45_000_000  # commands further apart belong to two activations
HERE = Path(__file__).parent


class World:
    """Nodes as processes in a domain of their own, all recorded in one bag."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arm = load_arm("panda")
        self.domain = free_domain()
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.context = Context()
        self.context.init(args=[], domain_id=self.domain)
        self.node = Node("test", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status: dict[str, str] = {}
        self.message = ""
        self.simulator: dict[str, str] = {}
        self.bags: dict[str, dict[str, str]] = {}
        """What each recorder says, by the name of its bag."""
        self.events: list[str] = []
        self.models: list[str] = []
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        create = self.node.create_subscription
        create(DiagnosticArray, topics.STATUS, self._on_status, 10)
        create(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)
        create(String, topics.EVENTS, lambda m: self.events.append(m.data), latched)
        create(String, topics.ACTIVE_MODEL, lambda m: self.models.append(m.data), latched)
        self._faults = self.node.create_publisher(String, "fault", 1)

    # Processes

    def start(self, node: str, script: str | None = None, **parameters: Any) -> subprocess.Popen[str]:
        """Start a node, or a script beside this file that stands for it; names with a dot are written with ``__``."""
        given = {key.replace("__", "."): value for key, value in parameters.items()}
        program = ["-m", f"ttdm_ros.nodes.{node}"] if script is None else [str(HERE / script)]
        source = str(Path(ttdm_ros.__file__).resolve().parents[1])
        environment = os.environ | {
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(self.folder / "log"),
            "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH")))),
        }
        with (self.folder / f"{node}.log").open("a") as log:
            self.processes[node] = subprocess.Popen(
                [sys.executable, *program, *ros_arguments(node, given)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return self.processes[node]

    def record(self, bag: str = "bag", **parameters: Any) -> subprocess.Popen[str]:
        """Start a recorder and wait for its bag."""
        given = {"output_folder": str(self.folder), "name": bag, "min_free_disk": 0.0}
        process = self.start("recorder", **(given | parameters))
        self.until((self.folder / bag).exists)
        return process

    def end(self, name: str) -> int:
        """Send SIGINT and return the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def close(self) -> None:
        for name in list(self.processes):
            self.processes[name].send_signal(signal.SIGCONT)
            self.kill(name)
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    # What is heard

    def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Hear until ``condition`` holds; a process that ends meanwhile is an error."""
        end = time.monotonic() + patience
        while not condition():
            told = json.dumps([self.status, self.simulator, self.events[-5:]])
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended with exit code {process.returncode}; see {self.folder}"
            assert time.monotonic() < end, f"what was waited for did not happen: {told}"
            self.executor.spin_once(timeout_sec=0.1)

    @property
    def phase(self) -> str:
        return self.status.get("phase", "")

    def until_phase(self, *phases: str) -> None:
        """Hear until a status with one of these phases comes."""
        self.status = {}
        self.until(lambda: self.phase in phases)

    def hear(self, count: int = 5) -> None:
        """Hear so many statuses, that is, tenths of a second."""
        for _ in range(count):
            self.status = {}
            self.until(lambda: self.status)

    def _on_status(self, message: DiagnosticArray) -> None:
        self.status = {item.key: item.value for item in message.status[0].values}
        self.message = message.status[0].message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "simulator: plant":
                self.simulator = {item.key: item.value for item in status.values}
            if status.name.endswith(": bag"):
                self.bags[status.hardware_id] = {item.key: item.value for item in status.values}

    # What is asked

    def call(self, kind: type, service: str, request: Any) -> Any:
        client: Any = self.node.create_client(kind, service)
        try:
            self.until(client.service_is_ready)
            future = client.call_async(request)
            self.until(future.done)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def transit(self, transition: int) -> bool:
        """Ask the controller for a transition of its lifecycle."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, "mpc_controller/change_state", request).success)

    @property
    def lifecycle(self) -> str:
        state: State = self.call(GetState, "mpc_controller/get_state", GetState.Request()).current_state
        return str(state.label)

    def configure(self, bag: str) -> None:
        """Configure the controller and wait until the recorder of a bag hears it.

        Participants can miss each other's first words and meet seconds later: what is published before is in no bag.
        """
        assert self.transit(Transition.TRANSITION_CONFIGURE)
        self.until(lambda: "received /mpc_controller/events" in self.bags.get(bag, {}))

    def activate(self) -> None:
        """Activate the controller and wait until it moves the arm."""
        assert self.transit(Transition.TRANSITION_ACTIVATE)
        self.until_phase("approach", "tracking", "holding")
        self.hear(8)

    def set_model(self, value: str) -> tuple[bool, str]:
        """Do what ``ros2 param set /mpc_controller model VALUE`` does."""
        return self.set_parameter("model", value)

    def set_parameter(self, name: str, value: Any) -> tuple[bool, str]:
        """Do what ``ros2 param set /mpc_controller NAME VALUE`` does."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        (result,) = self.call(SetParameters, "mpc_controller/set_parameters", request).results
        return result.successful, result.reason

    def drive_again(self) -> tuple[bool, str]:
        """Do what ``ros2 service call /mpc_controller/drive_again std_srvs/srv/Trigger`` does."""
        response = self.call(Trigger, "mpc_controller/drive_again", Trigger.Request())
        return response.success, response.message

    def spoil(self, kind: str) -> None:
        """Let the faulty simulator spoil its joint states."""
        self._faults.publish(String(data=kind))

    # What was recorded

    def read(self, bag: str = "bag") -> Recording:
        return read_bag(self.folder / bag, joints=self.arm.joint_names)


def check_commands(recording: Recording, arm: Arm) -> int:
    """Check that every command is finite, within torque limits, and within rate limits; return how many there are.

    The controller keeps the rate by the stamps of the joint states it answers. Which one a command answers is not in
    the bag, but it cannot be older than the newest that was there when the command before went out (but for its time on
    the way), nor newer than the newest at its own time. Without states, time passes by the clock.
    """
    states, commands = recording.joint_states, recording.commands
    assert states is not None
    assert commands is not None
    tau, sent = commands.values, commands.publish_time_ns
    limits = arm.limits
    assert np.isfinite(tau).all()
    assert (np.abs(tau) <= limits.effort + 1e-9).all()

    def newest(at_ns: np.ndarray) -> np.ndarray:
        index = np.searchsorted(states.publish_time_ns, at_ns, side="right") - 1
        return np.maximum.accumulate(states.stamp_ns)[np.clip(index, 0, None)]

    begins = np.concatenate(([True], np.diff(sent) > PAUSE_NS))
    before = np.concatenate((sent[:1], sent[:-1]))  # when the command before went out
    earliest = np.concatenate((before[:1], before[:-1])) - TRANSPORT_NS  # and the one before that
    elapsed = np.maximum(newest(sent) - newest(earliest), sent - earliest) * 1e-9
    allowed = limits.effort_rate * elapsed[:, None]
    change = np.abs(np.diff(tau, axis=0, prepend=tau[:1]))
    assert (change[~begins] <= allowed[~begins] + 1e-9).all()
    assert (np.abs(tau[begins]) <= limits.effort_rate * 0.05).all()  # an activation starts from zero torque
    return len(tau)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.close()
    if before is None:
        del os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"]
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = before


@pytest.fixture(scope="session")
def commands_allowed() -> Callable[[Recording, Arm], int]:
    """Return the check of all recorded commands."""
    return check_commands
