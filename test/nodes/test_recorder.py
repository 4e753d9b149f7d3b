"""The recorder as a real process, with publishers over DDS."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray, String

from ttdm_ros.nodes.recorder import Recorder
from ttdm_ros.recording.bag import find_bag
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.recording.salvage import salvage

ROOT = Path(__file__).resolve().parents[2]
RELIABLE = QoSProfile(depth=10)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
DOMAIN_IDS = iter(range(61, 81))
# What is compared is published as bytes: a message serialized twice may differ in its padding.
WARM_UP = {
    kind: serialize_message(message)
    for kind, message in {
        JointState: JointState(name=["a"], position=[-1.0]),
        Float64MultiArray: Float64MultiArray(data=[-1.0]),
        String: String(data="warm-up"),
        Imu: Imu(),
        Clock: Clock(clock=Time(sec=100)),
    }.items()
}


class World:
    """A ROS domain of its own, with one node here and recorders as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.domain_id = next(DOMAIN_IDS)
        self.context = rclpy.Context()
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        rclpy.init(context=self.context, domain_id=self.domain_id)
        self.node: Node = rclpy.create_node("world", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.processes: list[subprocess.Popen[str]] = []
        self.heard: list[DiagnosticStatus] = []
        self.node.create_subscription(DiagnosticArray, "/diagnostics", lambda m: self.heard.extend(m.status), 10)

    def record(
        self, *, namespace: str = "/", use_sim_time: bool = False, **parameters: object
    ) -> subprocess.Popen[str]:
        parameters = {"output_folder": self.folder, "name": "bag", "min_free_disk": 0.0} | parameters
        command = [sys.executable, "-m", "ttdm_ros.nodes.recorder", "--ros-args", "-r", f"__ns:={namespace}"]
        command += ["--params-file", str(ROOT / "config" / "recorder.yaml")]
        for key, value in (parameters | {"use_sim_time": use_sim_time}).items():
            command += ["-p", f"{key}:={value}"]
        environment = os.environ | {
            "ROS_DOMAIN_ID": str(self.domain_id),
            "ROS_LOG_DIR": str(self.folder / "log"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )
        self.processes.append(process)
        return process

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        return self.node.create_publisher(kind, topic, qos)

    def wait_until_heard(self, *publishers: Publisher) -> None:
        """Publish warm-up messages until the recorder's diagnostics tell that it receives from every publisher."""
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            if all(f"received {publisher.topic_name}" in self.diagnostics() for publisher in publishers):
                return
            for publisher in publishers:
                publisher.publish(WARM_UP[publisher.msg_type])
            self.executor.spin_once(timeout_sec=0.05)
        raise AssertionError("the recorder did not receive anything")

    def wait_for_diagnostics(self, *keys: str) -> None:
        """Wait until the recorder's diagnostics hold all keys."""
        deadline = time.monotonic() + 20.0
        while not set(keys) <= self.diagnostics().keys():
            assert time.monotonic() < deadline, f"the recorder only tells {self.diagnostics()}"
            self.executor.spin_once(timeout_sec=0.05)

    def diagnostics(self) -> dict[str, str]:
        """The newest values that a recorder published."""
        return {item.key: item.value for status in self.heard[-1:] for item in status.values}

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def stop(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    time.sleep(0.3)  # what was published last is on its way
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    return process.returncode, output, errors


def numbers(i: int) -> bytes:
    return serialize_message(Float64MultiArray(data=[float(i)] * 7))


def text(content: str) -> bytes:
    """A serialized String, of whole words as DDS transports it: it fills the last one up with zeros."""
    data = serialize_message(String(data=content))
    return data + bytes(-len(data) % 4)


def state(i: int) -> bytes:
    message = JointState(name=["a", "b"], position=[float(i), 1.0], velocity=[0.0, 1.0], effort=[2.0, 3.0])
    message.header.stamp.nanosec = i
    return serialize_message(message)


def recorded(bag: Path, topic: str) -> list[bytes]:
    """What a bag holds of a topic, without warm-up messages."""
    found = [message.data for message in find_bag(bag).messages() if message.topic == topic]
    return [data for data in found if data not in WARM_UP.values()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_bag_with_every_byte_that_was_published(world, number):
    states = world.publisher(JointState, "joint_states", BEST_EFFORT)
    commands = world.publisher(Float64MultiArray, "effort_controller/commands", RELIABLE)
    process = world.record()
    world.wait_until_heard(states, commands)
    sent = [(state(i), numbers(i)) for i in range(400)]
    for state_bytes, command_bytes in sent:
        states.publish(state_bytes)
        commands.publish(command_bytes)
        time.sleep(0.002)
    code, output, errors = stop(process, number)
    assert (code, "Traceback" in errors) == (0, False)
    assert recorded(world.folder / "bag", "/joint_states") == [data for data, _ in sent]
    assert recorded(world.folder / "bag", "/effort_controller/commands") == [data for _, data in sent]
    recording = read_bag(world.folder / "bag")
    total = len(recording.joint_states)
    assert recording.recorder["received /joint_states"] == str(total)
    assert f"/joint_states: {total} messages recorded, 0 missed" in output
    assert (recording.joint_states.publish_time_ns <= recording.joint_states.log_time_ns).all()


def test_latched_messages_published_before_are_recorded_with_their_quality_of_service(world):
    description, note = text("<robot/>"), text("of an extra topic")
    world.publisher(String, "robot_description", LATCHED).publish(description)
    world.publisher(String, "notes", LATCHED).publish(note)
    process = world.record(extra_topics="[notes]")
    world.wait_for_diagnostics("received /robot_description", "received /notes")
    assert stop(process)[0] == 0
    bag = find_bag(world.folder / "bag")
    texts = {message.topic: message.data for message in bag.messages()}
    assert texts["/robot_description"] == description
    assert texts["/notes"] == note
    for topic in ("/robot_description", "/notes"):
        assert [profile.durability for profile in bag.topics[topic].qos] == ["transient_local"]


def test_a_publisher_that_offers_less_than_expected_is_recorded_and_warned_of(world):
    events = world.publisher(String, "mpc_controller/events", BEST_EFFORT)  # expected to be latched
    process = world.record()
    world.wait_for_diagnostics("bag")
    late = world.publisher(String, "robot_description", BEST_EFFORT)
    world.wait_until_heard(events, late)
    events.publish(String(data="last"))
    _, _, errors = stop(process)
    assert "/robot_description: a publisher offers less than reliable and transient_local" in errors
    assert len(recorded(world.folder / "bag", "/mpc_controller/events")) == 1


def test_changing_to_reliable_loses_and_repeats_nothing(world):
    """The recorder starts with best effort, and subscribes anew once it sees a reliable publisher."""
    process = world.record()
    commands = world.publisher(Float64MultiArray, "effort_controller/commands", RELIABLE)
    count = 0
    while count < 2500 or "received /effort_controller/commands" not in world.diagnostics():
        commands.publish(numbers(count))
        count += 1
        world.executor.spin_once(timeout_sec=0)
        time.sleep(0.002)
    assert stop(process)[0] == 0
    kept = read_bag(world.folder / "bag").commands.values[:, 0]
    np.testing.assert_array_equal(kept, np.arange(kept[0], count))
    assert len(kept) > 100


def test_messages_lost_while_the_recorder_was_held_up_are_counted(world):
    process = world.record(queue_depth=20)
    states = world.publisher(JointState, "joint_states", BEST_EFFORT)
    world.wait_until_heard(states)
    count = 0

    def publish(duration: float) -> None:
        nonlocal count
        end = time.monotonic() + duration
        while time.monotonic() < end:
            states.publish(state(count))
            count += 1
            time.sleep(0.001)

    publish(0.5)
    process.send_signal(signal.SIGSTOP)
    publish(4.0)  # more than the operating system's buffers of a socket hold
    process.send_signal(signal.SIGCONT)
    publish(0.5)
    code, output, _ = stop(process)
    recording = read_bag(world.folder / "bag")
    kept, missed = len(recorded(world.folder / "bag", "/joint_states")), int(recording.recorder["missed /joint_states"])
    assert code == 0
    assert missed > 100
    assert kept + missed == count
    assert recording.joint_states.missing == missed
    assert f"messages recorded, {missed} missed" in output


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_killed_recorder_loses_at_most_half_a_second(world, compression):
    process = world.record(compression=compression)
    states = world.publisher(JointState, "joint_states", BEST_EFFORT)
    rare = world.publisher(String, "mpc_controller/active_model", QoSProfile(depth=5))
    world.wait_until_heard(states, rare)
    sent: dict[str, list[tuple[float, bytes]]] = {states.topic_name: [], rare.topic_name: []}
    begin = time.monotonic()
    for i in range(2000):
        while time.monotonic() < begin + i * 1e-3:
            time.sleep(2e-4)
        for publisher, data in [(states, state(i)), (rare, text(f"model {i}"))]:
            if publisher is states or i % 400 == 0:
                sent[publisher.topic_name].append((time.monotonic(), data))
                publisher.publish(data)
    killed_at = time.monotonic()
    process.kill()
    process.wait()
    report = salvage(world.folder / "bag")
    for topic, published in sent.items():
        safe = [data for sent_at, data in published if sent_at < killed_at - 0.5]
        assert len(safe) >= 4
        kept = recorded(report.output, topic)
        assert kept[: len(safe)] == safe
        assert kept == [data for _, data in published[: len(kept)]]


def test_a_silent_topic_is_safe_half_a_second_after_its_message(world):
    process = world.record()
    description = world.publisher(String, "robot_description", LATCHED)
    world.wait_until_heard(description)
    description.publish(String(data="<robot/>"))
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert read_bag(salvage(world.folder / "bag").output).robot_description == "<robot/>"


def test_log_times_are_simulated_times_if_asked_for(world):
    process = world.record(use_sim_time=True)
    clock = world.publisher(Clock, "/clock", BEST_EFFORT)
    states = world.publisher(JointState, "joint_states", BEST_EFFORT)
    world.wait_for_diagnostics("bag")
    for _ in range(20):  # before there is any time: these wait for the first clock
        states.publish(WARM_UP[JointState])
        time.sleep(0.05)
    world.wait_until_heard(clock, states)
    for i in range(200):  # ten times faster than the wall clock
        now = Clock()
        now.clock.sec, now.clock.nanosec = 100 + i // 50, (i % 50) * 20_000_000
        clock.publish(now)
        time.sleep(0.001)
        states.publish(state(i))
        time.sleep(0.001)
    assert stop(process)[0] == 0
    read = read_bag(world.folder / "bag").joint_states
    waited = read.q[:, 0] == -1.0
    assert waited.any()
    assert (read.log_time_ns[waited] == 100 * 10**9).all()
    np.testing.assert_array_equal(read.q[~waited, 0], np.arange(200))
    simulated = 100 * 10**9 + np.arange(200) * 20_000_000
    off = np.abs(read.log_time_ns[~waited] - simulated) > 20_000_000  # a state may overtake a clock message
    assert off.sum() <= 10


def test_log_times_are_those_of_sending_where_the_middleware_tells_no_others(world, monkeypatch):
    cases = [  # time of reception and of sending as told, log time and publish time as kept
        ("rmw_fastrtps_cpp", (3_000_000, 2_000_000), (3_000_000, 2_000_000)),
        ("rmw_fastrtps_cpp", (0, 2_000_000), (2_000_000, 2_000_000)),
        ("rmw_fastrtps_cpp", (3_000_000, 0), (3_000_000, 3_000_000)),
        ("rmw_cyclonedds_cpp", (9_000_000, 2_000_000), (2_000_000, 2_000_000)),  # the time at which it was taken
        ("rmw_cyclonedds_cpp", (0, 2_000_000), (2_000_000, 2_000_000)),
    ]
    for number, (middleware, (received, sent), kept) in enumerate(cases):
        monkeypatch.setattr("ttdm_ros.nodes.recorder.get_rmw_implementation_identifier", lambda name=middleware: name)
        given = {"output_folder": str(world.folder), "name": f"bag_{number}"}
        parameters = [Parameter(name, value=value) for name, value in given.items()]
        node = Recorder(context=world.context, parameter_overrides=parameters)
        try:
            info = {"received_timestamp": received, "source_timestamp": sent}
            node._keep(node._recorded["/joint_states"], state(1), info)
        finally:
            node.close()
            node.destroy_node()
        (message,) = find_bag(node.bag).messages()
        assert (message.log_time_ns, message.publish_time_ns) == kept, (middleware, received, sent)


def test_diagnostics_tell_what_is_received_and_missed(world):
    process = world.record()
    commands = world.publisher(Float64MultiArray, "effort_controller/commands", RELIABLE)
    world.wait_until_heard(commands)
    values = world.diagnostics()
    assert int(values["received /effort_controller/commands"]) > 0
    assert (values["missed"], values["missed /effort_controller/commands"]) == ("0", "0")
    assert float(values["written [MB]"]) > 0
    assert "/joint_states" in values["no message yet"]
    assert world.heard[-1].level == DiagnosticStatus.OK
    assert stop(process)[0] == 0


def test_a_disk_without_room_ends_recording_with_a_whole_bag_and_an_error(world):
    process = world.record(min_free_disk=1e12)
    commands = world.publisher(Float64MultiArray, "effort_controller/commands", RELIABLE)
    deadline = time.monotonic() + 20.0
    while process.poll() is None and time.monotonic() < deadline:
        commands.publish(numbers(0))
        world.executor.spin_once(timeout_sec=0.02)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "MB are left on the disk" in output
    assert "Traceback" not in errors
    assert DiagnosticStatus.ERROR in {status.level for status in world.heard}
    assert "ttdm_recorder" in _metadata(world.folder / "bag")


def test_a_bag_that_is_removed_while_it_is_recorded_ends_recording_with_a_sentence(world):
    process = world.record()
    world.wait_for_diagnostics("bag")
    shutil.rmtree(world.folder / "bag")
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "was removed while recording into it" in output
    assert "Traceback" not in errors


def _metadata(bag: Path) -> dict[str, dict[str, str]]:
    found = find_bag(bag)
    list(found.messages())  # raises if the bag is not whole
    return found.metadata


def test_topics_can_be_chosen(world):
    process = world.record(topics="[joint_states, imu]")
    states = world.publisher(JointState, "joint_states", RELIABLE)
    imu = world.publisher(Imu, "imu", BEST_EFFORT)
    commands = world.publisher(Float64MultiArray, "effort_controller/commands", RELIABLE)
    world.wait_until_heard(states, imu)
    commands.publish(numbers(1))
    assert stop(process)[0] == 0
    assert {message.topic for message in find_bag(world.folder / "bag").messages()} == {"/joint_states", "/imu"}


def test_a_namespace_moves_the_topics(world):
    process = world.record(namespace="/left")
    states = world.publisher(JointState, "/left/joint_states", RELIABLE)
    world.wait_until_heard(states)
    assert stop(process)[0] == 0
    assert read_bag(world.folder / "bag").joint_states.topic == "/left/joint_states"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"compression": "rar"}, "'compression'"),
        ({"chunk_interval": 5.0}, "'chunk_interval'"),
        ({"queue_depth": "many"}, "'queue_depth'"),
        ({"name": "taken"}, "exists already; choose another name"),
    ],
    ids=str,
)
def test_what_cannot_be_recorded_ends_with_one_sentence(world, parameters, sentence):
    (world.folder / "taken").mkdir()
    process = world.record(**parameters)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert sentence in errors
    assert "Traceback" not in errors
    assert len(errors.strip().splitlines()) == 1
