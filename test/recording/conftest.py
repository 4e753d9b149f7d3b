"""Messages serialized by the rosbags library, which shares no code with what is tested, and bags made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ttdm_ros.recording.qos import Qos
from ttdm_ros.recording.writer import BagWriter

START_NS = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
JOINTS = [f"joint_{i}" for i in range(1, 8)]
LATCHED = Qos(durability="transient_local", depth=1)
TYPES = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/effort_controller/commands": "std_msgs/msg/Float64MultiArray",
    "/mpc_controller/prediction": "trajectory_msgs/msg/MultiDOFJointTrajectory",
    "/mpc_controller/target": "geometry_msgs/msg/PoseStamped",
    "/mpc_controller/events": "std_msgs/msg/String",
    "/robot_description": "std_msgs/msg/String",
}


def _make(msgtype: str, *args: Any, **kwargs: Any) -> Any:
    return STORE.types[msgtype](*args, **kwargs)


def _header(time_ns: int, frame: str = "base") -> Any:
    stamp = _make("builtin_interfaces/msg/Time", time_ns // 10**9, time_ns % 10**9)
    return _make("std_msgs/msg/Header", stamp, frame)


class Messages:
    """Makes serialized messages from plain numbers."""

    @staticmethod
    def joint_state(time_ns: int, names: list[str], q: Any, v: Any, tau: Any, *, little_endian: bool = True) -> bytes:
        arrays = [np.asarray(a, dtype=np.float64) for a in (q, v, tau)]
        message = _make("sensor_msgs/msg/JointState", _header(time_ns), names, *arrays)
        return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/JointState", little_endian=little_endian))

    @staticmethod
    def numbers(values: Any) -> bytes:
        layout = _make("std_msgs/msg/MultiArrayLayout", [], 0)
        message = _make("std_msgs/msg/Float64MultiArray", layout, np.asarray(values, dtype=np.float64))
        return bytes(STORE.serialize_cdr(message, "std_msgs/msg/Float64MultiArray"))

    @staticmethod
    def text(text: str) -> bytes:
        return bytes(STORE.serialize_cdr(_make("std_msgs/msg/String", text), "std_msgs/msg/String"))

    @staticmethod
    def trajectory(time_ns: int, points: np.ndarray, *, with_velocity: bool = True) -> bytes:
        """Points (m, 14): time, position, quaternion, linear and angular velocity."""
        vector, rotation = "geometry_msgs/msg/Vector3", "geometry_msgs/msg/Quaternion"
        made = []
        for row in points:
            transform = _make("geometry_msgs/msg/Transform", _make(vector, *row[1:4]), _make(rotation, *row[4:8]))
            twist = _make("geometry_msgs/msg/Twist", _make(vector, *row[8:11]), _make(vector, *row[11:14]))
            after = _make("builtin_interfaces/msg/Duration", int(row[0]), round(row[0] % 1 * 1e9))
            twists = [twist] if with_velocity else []
            made.append(_make("trajectory_msgs/msg/MultiDOFJointTrajectoryPoint", [transform], twists, [], after))
        name = "trajectory_msgs/msg/MultiDOFJointTrajectory"
        return bytes(STORE.serialize_cdr(_make(name, _header(time_ns), ["tip"], made), name))

    @staticmethod
    def pose(time_ns: int, position: Any, quaternion: Any) -> bytes:
        name = "geometry_msgs/msg/PoseStamped"
        point = _make("geometry_msgs/msg/Point", *position)
        pose = _make("geometry_msgs/msg/Pose", point, _make("geometry_msgs/msg/Quaternion", *quaternion))
        return bytes(STORE.serialize_cdr(_make(name, _header(time_ns), pose), name))


@pytest.fixture
def messages() -> Messages:
    return Messages()


class Example:
    """One second of a controlled arm: the numbers, and ``rows`` of topic, bytes, log time, publish time and number."""

    def __init__(self, count: int = 1000, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.q, self.v, self.tau, self.commands = random.normal(size=(4, count, 7))
        self.points = random.normal(size=(count // 10, 5, 14))
        self.points[:, :, 0] = np.arange(5) * 0.02
        self.stamp_ns = START_NS + np.arange(count) * 10**6
        self.rows: list[tuple[str, bytes, int, int, int]] = []
        self._add("/robot_description", Messages.text("<robot name='example'/>"), START_NS, 1)
        for i, stamp in enumerate(self.stamp_ns.tolist()):
            state = Messages.joint_state(stamp, JOINTS, self.q[i], self.v[i], self.tau[i])
            self._add("/joint_states", state, stamp + 50_000, i + 1)
            self._add("/effort_controller/commands", Messages.numbers(self.commands[i]), stamp + 150_000, i + 1)
            if i % 10 == 0:
                self._add(
                    "/mpc_controller/prediction", Messages.trajectory(stamp, self.points[i // 10]), stamp + 160_000
                )
            if i % 250 == 100:
                self._add("/mpc_controller/events", Messages.text(f"phase {i}"), stamp + 170_000, i // 250 + 1)
                self._add("/mpc_controller/target", Messages.pose(stamp, self.q[i, :3], self.v[i, :4]), stamp + 180_000)

    def _add(self, topic: str, data: bytes, sent_ns: int, number: int = 0) -> None:
        self.rows.append((topic, data, sent_ns + 20_000, sent_ns, number))

    def write_to(self, writer: BagWriter) -> None:
        for topic, msgtype in TYPES.items():
            latched = topic in ("/robot_description", "/mpc_controller/events")
            writer.add_channel(topic, msgtype, qos=[LATCHED if latched else Qos()])
        for row in self.rows:
            writer.write(*row)

    def write_with_rosbags(
        self, path: Path, plugin: StoragePlugin, compression: CompressionMode = CompressionMode.NONE
    ) -> None:
        writer = Writer(path, version=9, storage_plugin=plugin)
        writer.set_compression(compression, CompressionFormat.ZSTD)
        with writer:
            connections = {topic: writer.add_connection(topic, name, typestore=STORE) for topic, name in TYPES.items()}
            for topic, data, log_time_ns, _, _ in self.rows:
                writer.write(connections[topic], log_time_ns, data)


@pytest.fixture(scope="session")
def example() -> Example:
    return Example()


@pytest.fixture
def write_example(tmp_path: Path, example: Example) -> Callable[..., Path]:
    """Write the example as a closed bag and return its folder."""

    def write(name: str = "bag", **options: Any) -> Path:
        with BagWriter(tmp_path / name, **options) as writer:
            example.write_to(writer)
        return tmp_path / name

    return write


@pytest.fixture
def killed_file(tmp_path: Path, example: Example) -> Callable[..., Path]:
    """Write the example, never close it, and return the folder as a killed writer leaves it."""

    def write(name: str = "killed", **options: Any) -> Path:
        writer = BagWriter(tmp_path / name, **options)
        example.write_to(writer)
        writer.flush()
        return tmp_path / name

    return write
