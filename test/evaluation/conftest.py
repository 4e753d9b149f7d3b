"""A run whose figures are known: made of plain numbers, serialized by the rosbags library."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from ttdm_ros.control.phase import Phase
from ttdm_ros.recording.qos import Qos
from ttdm_ros.recording.writer import BagWriter
from ttdm_ros.systems.arm import Arm, load_arm

START_NS = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
LATCHED = Qos(durability="transient_local", depth=1)
TYPES = {
    "joint_states": "sensor_msgs/msg/JointState",
    "effort_controller/commands": "std_msgs/msg/Float64MultiArray",
    "mpc_controller/timing": "std_msgs/msg/Float64MultiArray",
    "mpc_controller/reference": "trajectory_msgs/msg/MultiDOFJointTrajectory",
    "mpc_controller/events": "std_msgs/msg/String",
    "mpc_controller/active_model": "std_msgs/msg/String",
    "robot_description": "std_msgs/msg/String",
}


def make(msgtype: str, *args: Any) -> Any:
    return STORE.types[msgtype](*args)


def serialize(message: Any, msgtype: str) -> bytes:
    return bytes(STORE.serialize_cdr(message, msgtype))


def header(stamp_ns: int, frame: str = "base") -> Any:
    return make("std_msgs/msg/Header", make("builtin_interfaces/msg/Time", *divmod(stamp_ns, 10**9)), frame)


def numbers(values: Any) -> bytes:
    layout = make("std_msgs/msg/MultiArrayLayout", [], 0)
    message = make("std_msgs/msg/Float64MultiArray", layout, np.asarray(values, dtype=np.float64))
    return serialize(message, "std_msgs/msg/Float64MultiArray")


def text(content: str) -> bytes:
    return serialize(make("std_msgs/msg/String", content), "std_msgs/msg/String")


def joint_state(stamp_ns: int, names: list[str], q: np.ndarray, v: np.ndarray) -> bytes:
    message = make("sensor_msgs/msg/JointState", header(stamp_ns), names, q, v, np.zeros(len(q)))
    return serialize(message, "sensor_msgs/msg/JointState")


def reference(stamp_ns: int, position: np.ndarray, quaternion: np.ndarray) -> bytes:
    vector = "geometry_msgs/msg/Vector3"
    turn = make("geometry_msgs/msg/Quaternion", *quaternion)
    transform = make("geometry_msgs/msg/Transform", make(vector, *position), turn)
    twist = make("geometry_msgs/msg/Twist", make(vector, 0.0, 0.0, 0.0), make(vector, 0.0, 0.0, 0.0))
    after = make("builtin_interfaces/msg/Duration", 0, 0)
    point = make("trajectory_msgs/msg/MultiDOFJointTrajectoryPoint", [transform], [twist], [], after)
    name = "trajectory_msgs/msg/MultiDOFJointTrajectory"
    return serialize(make(name, header(stamp_ns), ["tip"], [point]), name)


@dataclass
class KnownRun:
    """Joint states at 500 Hz for 2 s, a solve every fifth of them; APPROACH for 1 s, then TRACKING.

    The joints move at constant velocity, so that interpolating between states is exact. While tracking, the reference
    lies ``offsets`` [m] beside the tip, one after the other, along a direction that changes, and is turned by ``angle``
    [rad]; before, it is far away.
    """

    arm: Arm
    offsets: tuple[float, ...] = (0.003,)
    angle: float = 0.0
    reference_delay_ns: int = 700_000
    v: np.ndarray = field(default_factory=lambda: np.linspace(-0.2, 0.3, 7))
    torque: Callable[[float], np.ndarray] = lambda t: np.zeros(7)
    solve_us: Callable[[int], float] = lambda i: 400.0
    lost_states: tuple[int, ...] = ()
    topics: tuple[str, ...] = tuple(TYPES)
    namespace: str = ""
    count: int = 1001
    phases: tuple[tuple[float, Phase], ...] = ((0.0, Phase.APPROACH), (1.0, Phase.TRACKING))  # from when on [s]
    models: tuple[tuple[float, str], ...] = ((0.001, "nominal"),)  # when told [s]
    offset: Callable[[float], float] | None = None  # over the time of the solve, in place of ``offsets``
    missed: tuple[int, ...] = ()  # solves that come late

    def write(self, path: Path, recorder: dict[str, str] | None = None) -> Path:
        with BagWriter(path) as writer:
            for topic in self.topics:
                latched = TYPES[topic] in ("std_msgs/msg/String",)
                writer.add_channel(f"{self.namespace}/{topic}", TYPES[topic], qos=[LATCHED if latched else Qos()])
            for time_ns, topic, data, number in sorted(self._messages(), key=lambda m: m[0]):
                if topic in self.topics:
                    writer.write(f"{self.namespace}/{topic}", data, time_ns + 20_000, time_ns, number)
            if recorder is not None:
                writer.add_metadata("ttdm_recorder", recorder)
        return path

    def _messages(self) -> Any:
        random = np.random.default_rng(0)
        sent = START_NS + 1_000_000
        yield sent, "robot_description", text(self.arm.urdf), 1
        for number, (t, model) in enumerate(self.models):
            yield START_NS + round(1e9 * t), "mpc_controller/active_model", text(model), number + 1
        yield sent, "mpc_controller/events", text("approach: <moving> to the start"), 1
        yield sent + 10**9, "mpc_controller/events", text("tracking: the task begins"), 2
        solves = 0
        for i in range(self.count):
            stamp_ns, t = START_NS + i * 2_000_000, i * 0.002
            delay = int(random.integers(50_000, 400_000))
            if i not in self.lost_states:
                state = joint_state(stamp_ns, list(self.arm.joint_names), self._q(t), self.v)
                yield stamp_ns + delay, "joint_states", state, i + 1
            yield stamp_ns + delay + 100_000, "effort_controller/commands", numbers(self.torque(t)), i + 1
            if i % 5 == 0:
                yield stamp_ns + delay + 110_000, "mpc_controller/timing", numbers(self._timing(solves, t)), solves + 1
                at_ns = stamp_ns + self.reference_delay_ns
                yield (
                    stamp_ns + delay + 120_000,
                    "mpc_controller/reference",
                    self._reference(solves, t, at_ns),
                    solves + 1,
                )
                solves += 1

    def _q(self, t: float) -> np.ndarray:
        return self.arm.home + self.v * t

    def _timing(self, solve: int, t: float) -> list[float]:
        solve_us = self.solve_us(solve)
        period = 0.0 if solve == 0 else 10_000.0
        phase = [phase for begin, phase in self.phases if t >= begin - 1e-9][-1]
        missed = float(solve in self.missed)
        return [START_NS * 1e-9 + t, solve_us, solve_us + 150.0, period, 0.0, 6.0, missed, float(phase)]

    def _reference(self, solve: int, t: float, at_ns: int) -> bytes:
        position, rotation = self.arm.tip_pose(self._q((at_ns - START_NS) * 1e-9))
        length = self.offsets[solve % len(self.offsets)] if at_ns - START_NS >= 10**9 else 0.5
        if self.offset is not None:
            length = self.offset(t)
        direction = np.array([np.cos(solve), np.sin(solve), 0.0])
        turned = Rotation.from_matrix(rotation) * Rotation.from_rotvec(self.angle * direction)
        return reference(at_ns, position + length * direction, turned.as_quat())


@pytest.fixture(scope="session")
def panda() -> Arm:
    return load_arm("panda")


@pytest.fixture(scope="session")
def known_run(panda: Arm) -> Callable[..., KnownRun]:
    def build(**options: Any) -> KnownRun:
        return KnownRun(panda, **options)

    return build


@pytest.fixture(scope="session")
def driven_twice(panda: Arm) -> Callable[..., KnownRun]:
    """A run in which the path is driven from 0.2 s to 0.8 s and from 1.2 s to 1.8 s."""
    drive = ((0.0, Phase.APPROACH), (0.2, Phase.TRACKING), (0.8, Phase.HOLDING))
    phases = (*drive, *((1.0 + begin, phase) for begin, phase in drive))

    def build(**options: Any) -> KnownRun:
        return KnownRun(panda, **({"phases": phases} | options))

    return build
