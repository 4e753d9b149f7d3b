"""Recordings that never happened: a smooth motion, the torques that would make it, and bags of both."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.recording.writer import BagWriter
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.training.trajectory import Trajectory

START_NS = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
STATES, COMMANDS, WANTED = "/joint_states", "/effort_controller/commands", "/mpc_controller/reference_joints"
DESIRED, DRIVER_EVENTS = "/franka_driver/desired", "/franka_driver/events"
TYPES = {
    STATES: "sensor_msgs/msg/JointState",
    COMMANDS: "std_msgs/msg/Float64MultiArray",
    WANTED: "sensor_msgs/msg/JointState",
    DESIRED: "sensor_msgs/msg/JointState",
    DRIVER_EVENTS: "std_msgs/msg/String",
}


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch work in one thread, as the trainer does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def panda() -> Arm:
    return load_arm("panda")


class Motion:
    """Sines about home, at 500 Hz."""

    def __init__(self, arm: Arm, seconds: float = 1.5, rate: float = 500.0, seed: int = 0) -> None:
        self.arm, random = arm, np.random.default_rng(seed)
        self.time = np.arange(int(seconds * rate)) / rate
        self.size, self.speed = random.uniform(0.02, 0.05, 7), random.uniform(2.0, 5.0, 7)
        phase = self.time[:, None] * self.speed
        self.q = arm.home + self.size * np.sin(phase)
        self.v = self.size * self.speed * np.cos(phase)
        a = -self.size * self.speed**2 * np.sin(phase)
        self.tau = np.array([arm.inverse_dynamics(*each) for each in zip(self.q, self.v, a, strict=True)])

    def rows(self, at: np.ndarray) -> np.ndarray:
        """Reference rows of the motion itself."""
        phase = at[:, None] * self.speed
        q, v = self.arm.home + self.size * np.sin(phase), self.size * self.speed * np.cos(phase)
        poses = [self.arm.tip_pose(each) for each in q]
        position, rotation = np.array([p[0] for p in poses]), np.array([p[1] for p in poses])
        return table_rows(position, rotation, q, v, np.zeros_like(q))

    def messages(self, *, names: list[str] | None = None, wanted: bool = True) -> list[tuple[str, bytes, int]]:
        """Topic, bytes, and time of reception of every message; joints in the order of ``names``."""
        names = names or list(self.arm.joint_names)
        order = [names.index(name) for name in self.arm.joint_names]
        rows = []
        for i, at in enumerate(self.time):
            stamp = START_NS + round(at * 1e9)
            q, v = np.zeros((2, len(names)))
            q[order], v[order] = self.q[i], self.v[i]
            rows.append((STATES, joint_state(stamp, names, q, v, 0.0 * q), stamp + 100_000))
            rows.append((COMMANDS, numbers(self.tau[i]), stamp + 500_000))
            if wanted and i % 5 == 0:
                row = self.rows(np.array([at]))[0]
                data = joint_state(stamp, list(self.arm.joint_names), row[12:19] + 0.01, row[19:26], row[26:])
                rows.append((WANTED, data, stamp + 600_000))
        return rows

    def desired(self, *, shift: float = 0.0, every: int = 1, received: int = 300_000) -> list[tuple[str, bytes, int]]:
        """The same of what a Franka arm says it applied: ``shift`` [N·m] is on the motion's own torques."""
        names = list(reversed(self.arm.joint_names))
        rows = []
        for i in range(0, len(self.time), every):
            stamp = START_NS + round(self.time[i] * 1e9)
            q, v, tau = (each[i, ::-1].copy() for each in (self.q, self.v, self.tau + shift))
            rows.append((DESIRED, joint_state(stamp, names, q, v, tau), stamp + received))
        return rows


def joint_state(stamp: int, names: list[str], q: Any, v: Any, tau: Any) -> bytes:
    time = STORE.types["builtin_interfaces/msg/Time"](stamp // 10**9, stamp % 10**9)
    header = STORE.types["std_msgs/msg/Header"](time, "base")
    arrays = [np.asarray(a, dtype=np.float64) for a in (q, v, tau)]
    message = STORE.types["sensor_msgs/msg/JointState"](header, names, *arrays)
    return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/JointState"))


def numbers(values: Any) -> bytes:
    layout = STORE.types["std_msgs/msg/MultiArrayLayout"]([], 0)
    message = STORE.types["std_msgs/msg/Float64MultiArray"](layout, np.asarray(values, dtype=np.float64))
    return bytes(STORE.serialize_cdr(message, "std_msgs/msg/Float64MultiArray"))


def write_mcap(path: Path, rows: list[tuple[str, bytes, int]], **options: Any) -> Path:
    with BagWriter(path, **options) as writer:
        for topic in {row[0]: None for row in rows}:
            writer.add_channel(topic, TYPES[topic])
        for topic, data, received in rows:
            writer.write(topic, data, received, received - 80_000)
    return path


def write_sqlite(path: Path, rows: list[tuple[str, bytes, int]]) -> Path:
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        topics = {row[0]: None for row in rows}
        connections = {topic: writer.add_connection(topic, TYPES[topic], typestore=STORE) for topic in topics}
        for topic, data, received in rows:
            writer.write(connections[topic], received, data)
    return path


@pytest.fixture(scope="session")
def text() -> Callable[[str], bytes]:
    """Serializes a text."""
    kind = STORE.types["std_msgs/msg/String"]
    return lambda words: bytes(STORE.serialize_cdr(kind(words), "std_msgs/msg/String"))


@pytest.fixture(scope="session")
def command() -> Callable[[Any], bytes]:
    """Serializes torques."""
    return numbers


@pytest.fixture(scope="session")
def motion(panda: Arm) -> Motion:
    return Motion(panda)


@pytest.fixture
def mcap(tmp_path: Path) -> Callable[..., Path]:
    """Writes messages as our recorder does."""
    return lambda rows, name="bag", **options: write_mcap(tmp_path / name, rows, **options)


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[..., Path]:
    """Writes messages with rosbags, into a database."""
    return lambda rows, name="copy": write_sqlite(tmp_path / name, rows)


def drive(
    arm: Arm, residual: Callable[[np.ndarray], np.ndarray], *, seed: int = 0, count: int = 600, dt: float = 0.02
) -> Trajectory:
    """A motion that a known model makes exactly: nominal arm and ``residual``, held near home by random torques."""
    batch, random = nominal_batch(arm), np.random.default_rng(seed)
    x, u = np.zeros((count, 14)), np.zeros((count, 7))
    x[0, :7] = arm.home + random.normal(0.0, 0.01, 7)
    pull = np.zeros(7)
    for k in range(count):
        pull = 0.9 * pull + random.normal(0.0, 0.05, 7) * arm.limits.effort * 0.2
        stiffness = np.array([60.0, 60.0, 60.0, 40.0, 6.0, 6.0, 2.0])
        u[k] = pull - stiffness * (x[k, :7] - arm.home) - 0.15 * stiffness * x[k, 7:]
        if k + 1 < count:
            z = np.concatenate([x[k], u[k]])[None]
            a = (batch(z, jacobian=False)[0] + residual(z))[0]
            x[k + 1, 7:] = x[k, 7:] + dt * a
            x[k + 1, :7] = x[k, :7] + 0.5 * dt * (x[k, 7:] + x[k + 1, 7:])
    rows = np.zeros((count, 33))
    rows[:, 12:26] = x
    return Trajectory(
        source="synthetic",
        step=dt,
        dt=dt,
        time=dt * np.arange(count),
        x=x,
        u=u,
        rows=rows,
        saturated=np.zeros(count, dtype=bool),
    )


@pytest.fixture(scope="session")
def new_drive(panda: Arm) -> Callable[..., Trajectory]:
    return lambda residual, **options: drive(panda, residual, **options)


@pytest.fixture
def rows_of(panda: Arm) -> Callable[..., list[tuple[str, bytes, int]]]:
    """Messages of states and commands (n, 7) at times (n,) [s]."""

    def make(time: np.ndarray, q: np.ndarray, v: np.ndarray, tau: np.ndarray) -> list[tuple[str, bytes, int]]:
        rows = []
        for i, at in enumerate(time):
            stamp = START_NS + round(at * 1e9)
            data = joint_state(stamp, list(panda.joint_names), q[i], v[i], 0.0 * q[i])
            rows += [(STATES, data, stamp + 100_000), (COMMANDS, numbers(tau[i]), stamp + 500_000)]
        return rows

    return make
