"""The simulator as its users meet it: a process on the other side of DDS."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger

import ttdm_ros
from ttdm_ros.config import parse
from ttdm_ros.nodes.simulator import SimulatorConfig
from ttdm_ros.paths import share_folder
from ttdm_ros.systems.arm import Arm, load_arm

# Tests that run at the same time must not hear one another, nor the simulator that several share the ones of others.
SHARED_DOMAIN = 20 + 2 * (os.getpid() % 35)
OWN_DOMAIN = SHARED_DOMAIN + 1
PATIENCE = 30.0  # for anything that must happen; machines can be busy [s]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    source = str(Path(ttdm_ros.__file__).resolve().parents[1])
    return os.environ | {
        "ROS_DOMAIN_ID": str(OWN_DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path_factory.mktemp("log")),
        "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH")))),
    }


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


def start(environment: dict[str, str], *parameters: str, remap: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = [word for parameter in parameters for word in ("-p", parameter)]
    remaps = [word for rule in remap for word in ("-r", rule)]
    return subprocess.Popen(
        [sys.executable, "-m", "ttdm_ros.nodes.simulator", "--ros-args", *words, *remaps],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(
    environment: dict[str, str], *parameters: str, remap: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    process = start(environment, *parameters, remap=remap)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Listener:
    """A node in this process that hears the simulator."""

    def __init__(self, domain: int, namespace: str = "") -> None:
        self.context = Context()
        self.context.init(args=[], domain_id=domain)
        self.node = Node("listener", context=self.context, namespace=namespace)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states: list[JointState] = []
        self.diagnostics: list[DiagnosticStatus] = []
        self.node.create_subscription(JointState, "joint_states", self.states.append, 1000)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.commands = self.node.create_publisher(Float64MultiArray, "effort_controller/commands", 1)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.extend(message.status)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Receive until ``condition`` holds."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, "what was waited for did not happen"
            self.executor.spin_once(timeout_sec=0.1)

    def command_until(self, tau: list[float], condition: Callable[[], Any]) -> None:
        """Answer every joint state with ``tau`` until ``condition`` holds."""
        message, end = Float64MultiArray(data=tau), time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "what was waited for did not happen"
            seen = len(self.states)
            self.until(lambda seen=seen: len(self.states) > seen)  # type: ignore[misc]
            self.commands.publish(message)

    def next_diagnostic(self, accept: Callable[[DiagnosticStatus], bool]) -> DiagnosticStatus:
        """Return the next diagnostic that ``accept`` accepts."""
        self.diagnostics.clear()
        self.until(lambda: any(accept(status) for status in self.diagnostics))
        return next(status for status in self.diagnostics if accept(status))

    @property
    def q(self) -> np.ndarray:
        return np.array(self.states[-1].position)


@pytest.fixture
def make_listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Listener]]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    listeners: list[Listener] = []

    def make(domain: int = OWN_DOMAIN, namespace: str = "") -> Listener:
        listeners.append(Listener(domain, namespace))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


@pytest.fixture
def listener(make_listener: Callable[..., Listener]) -> Listener:
    return make_listener()


@pytest.fixture(scope="module")
def ideal(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """One simulator of the ideal plant for several tests; each starts with a reset."""
    with running(environment | {"ROS_DOMAIN_ID": str(SHARED_DOMAIN)}, "plant:=ideal") as process:
        yield process


@pytest.fixture
def reset(ideal: subprocess.Popen[str], make_listener: Callable[..., Listener]) -> Listener:
    listener = make_listener(SHARED_DOMAIN)
    client: Any = listener.node.create_client(Trigger, "simulator/reset")
    assert client.wait_for_service(PATIENCE)
    future = client.call_async(Trigger.Request())
    listener.until(future.done)
    assert future.result().success
    listener.states.clear()
    return listener


def stamps(messages: list[JointState]) -> np.ndarray:
    return np.array([message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in messages])


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def moved(listener: Listener, arm: Arm) -> bool:
    return bool(listener.states) and abs(listener.q[0] - arm.home[0]) > 0.02


# States


def test_joint_states_come_a_period_apart_each_with_a_stamp_of_its_own(reset: Listener, arm: Arm) -> None:
    reset.until(lambda: len(reset.states) >= 500)
    now = reset.node.get_clock().now().nanoseconds
    apart = np.diff(stamps(reset.states))
    assert np.median(apart) == 2_000_000
    # Where the machine could not keep up, time was given up, and is missing from the stamps too; none comes twice.
    assert (apart >= 2_000_000).all()
    assert abs(now - stamps(reset.states)[-1]) < 5e9
    first = reset.states[0]
    assert tuple(first.name) == arm.joint_names
    np.testing.assert_allclose(first.position, arm.home, rtol=0.0, atol=1e-6)
    assert len(first.velocity) == len(first.effort) == 7


def test_commands_move_the_arm_and_are_what_the_joint_states_report(reset: Listener, arm: Arm) -> None:
    reset.command_until([0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], lambda: moved(reset, arm))
    assert reset.states[-1].effort[0] == 0.8
    assert reset.states[-1].velocity[0] > 0.0


def test_the_description_reaches_those_who_come_late(reset: Listener, arm: Arm) -> None:
    got: list[String] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    reset.node.create_subscription(String, "robot_description", got.append, latched)
    reset.until(lambda: got)
    assert got[0].data == arm.urdf


# Faults


def test_a_commander_that_is_killed_leaves_an_arm_that_holds(
    reset: Listener, arm: Arm, environment: dict[str, str]
) -> None:
    script = (
        "import time, rclpy; from std_msgs.msg import Float64MultiArray as F; rclpy.init()\n"
        "n = rclpy.create_node('c')\n"
        "p = n.create_publisher(F, 'effort_controller/commands', 1); m = F(data=[0.8] + [0.0] * 6)\n"
        "while True: p.publish(m); time.sleep(0.002)"
    )
    commander = subprocess.Popen(
        [sys.executable, "-c", script], env=environment | {"ROS_DOMAIN_ID": str(SHARED_DOMAIN)}
    )
    try:
        reset.until(lambda: moved(reset, arm))
    finally:
        commander.kill()
        commander.wait()
    status = reset.next_diagnostic(lambda status: values(status)["holding"] == "true")
    assert status.level == DiagnosticStatus.WARN
    assert "commands stopped, the brakes hold the arm" in status.message
    # States of before may still be on their way, and the brakes need a moment.
    reset.until(lambda: max(map(abs, reset.states[-1].velocity)) < 1e-6)
    seen = len(reset.states)
    reset.until(lambda: len(reset.states) > seen + 250)
    held = np.array([state.position for state in reset.states[seen:]])
    np.testing.assert_allclose(held, held[[0] * len(held)], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [([0.5] * 6, "a command has 7 torques"), ([0.5] * 6 + [float("nan")], "a command must be finite")],
    ids=["too short", "not finite"],
)
def test_malformed_commands_are_refused_and_do_not_keep_the_arm_moving(
    reset: Listener, arm: Arm, bad: list[float], reason: str
) -> None:
    reset.command_until([0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], lambda: moved(reset, arm))
    reset.diagnostics.clear()

    def refused() -> bool:
        return any(reason in status.message for status in reset.diagnostics) and any(
            values(status)["holding"] == "true" for status in reset.diagnostics
        )

    reset.command_until(bad, refused)
    status = next(status for status in reset.diagnostics if reason in status.message)
    assert status.level == DiagnosticStatus.WARN
    assert 0 < int(values(status)["refused"]) <= int(values(status)["received"])
    assert np.isfinite(reset.states[-1].position).all()


# Time


def test_with_a_clock_of_its_own_it_can_run_faster_than_real_time(
    environment: dict[str, str], listener: Listener
) -> None:
    clock: list[Clock] = []
    with running(environment, "plant:=ideal", "publish_clock:=true", "real_time_factor:=4.0", "rate:=100"):
        listener.node.create_subscription(Clock, "/clock", clock.append, 1000)
        listener.until(lambda: listener.states and clock)
        ends = [(0, time.monotonic())]

        def was_faster() -> bool:
            """Whether it was, in the last second of its time; other tests may leave it too little of the machine."""
            if len(listener.states) < ends[-1][0] + 100:
                return False
            ends.append((len(listener.states), time.monotonic()))
            (first, began), (last, ended) = ends[-2:]
            return (last - first) * 0.01 > 1.2 * (ended - began)

        listener.until(was_faster)
    times = stamps(listener.states)
    assert (np.diff(times) > 0).all()
    assert not (times % 10_000_000).any()
    assert times[0] < 600e9  # plant time, not the date
    on_clock = {message.clock.sec * 10**9 + message.clock.nanosec for message in clock}
    assert on_clock & set(times.tolist())


def test_a_machine_that_cannot_keep_up_says_so(environment: dict[str, str], listener: Listener) -> None:
    plant = ("publish_clock:=true", "real_time_factor:=20.0", "rate:=1000", "plant:=payload_friction")
    with running(environment, *plant):
        status = listener.next_diagnostic(lambda status: status.level == DiagnosticStatus.WARN)
    assert "the machine cannot keep up" in status.message
    assert int(values(status)["given_up_ns"]) > 0


# Start and end


def test_a_namespace_moves_every_topic_and_the_start_posture_is_what_was_asked_for(
    environment: dict[str, str], make_listener: Callable[..., Listener]
) -> None:
    posture = [0.3, -0.5, 0.1, -2.0, 0.2, 1.5, 0.4]
    listener = make_listener(namespace="left")
    with running(environment, "plant:=ideal", f"initial_position:={posture}", remap=("__ns:=/left",)):
        listener.until(lambda: listener.states)
    np.testing.assert_allclose(listener.q, posture, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_it_cleanly(environment: dict[str, str], listener: Listener, number: signal.Signals) -> None:
    with running(environment, "plant:=ideal") as process:
        listener.until(lambda: listener.states)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (["rate:=5000"], "parameters of simulator: 'rate': input should be less than or equal to 1000 (got 5000)"),
        (["rat:=500"], "parameters of simulator: key 'rat' is not known (did you mean 'rate'?)"),
        (["rate:=300", "plant:=ideal"], "a rate of 300 Hz does not fit the step of plant 'ideal'"),
        (["plant:=nothing"], "there is no plant named 'nothing'"),
        (["robot:=nobody"], "nobody"),
        (["real_time_factor:=2"], "a real_time_factor of 2.0 needs the parameter publish_clock: true"),
        (["use_sim_time:=true"], "use_sim_time needs the parameter publish_clock: true"),
        (["initial_position:=[0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]"], "the start posture has"),
        (["seed:=-1"], "'seed': input should be greater than or equal to 0"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_bad_parameter_ends_it_with_one_sentence(
    environment: dict[str, str], parameters: list[str], sentence: str
) -> None:
    with running(environment, *parameters) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    lines = errors.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("simulator: ")
    assert sentence in lines[0]


def test_a_parameter_file_that_is_not_there_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "ttdm_ros.nodes.simulator",
        "--ros-args",
        "--params-file",
        str(tmp_path / "no.yaml"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert "no.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_parameter_file_that_ships_holds_the_defaults() -> None:
    shipped = yaml.safe_load((share_folder() / "config" / "simulator.yaml").read_text(encoding="utf-8"))
    assert parse(shipped["/**"]["ros__parameters"], SimulatorConfig, "simulator.yaml") == SimulatorConfig()


def test_an_arm_that_is_commanded_is_not_taken_away_at_the_first_signal(
    environment: dict[str, str], listener: Listener
) -> None:
    with running(environment) as process:
        listener.until(lambda: listener.states)
        listener.command_until([0.0] * 7, lambda: len(listener.states) > 100)
        process.send_signal(signal.SIGINT)
        seen = len(listener.states)
        listener.command_until([0.0] * 7, lambda: len(listener.states) > seen + 100)
        assert process.poll() is None
        assert process.wait(PATIENCE) == 0
