"""A law goes through a JointTrajectory unchanged, and what is no law is refused with a sentence."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.serialization import deserialize_message
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ttdm_ros.errors import PlantError
from ttdm_ros.nodes.law_message import LawTemplate, read_law

JOINTS = [f"fr3_joint{i}" for i in range(1, 8)]
STAMP_NS = 1_723_456_789_012_000_000
N, DT = 6, 0.02


def robot_time(stamp_ns: int) -> float:
    return 1e-9 * (stamp_ns - STAMP_NS) + 7.5


@pytest.fixture
def numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    return {name: rng.normal(size=(N, 7)) for name in ("q", "v", "torque")} | {"gain": rng.normal(size=(7, 14))}


@pytest.fixture
def message(numbers: dict[str, np.ndarray]) -> JointTrajectory:
    return deserialize_message(LawTemplate(JOINTS, N, DT).fill(STAMP_NS, **numbers), JointTrajectory)


def test_what_is_written_is_read(message: JointTrajectory, numbers: dict[str, np.ndarray]) -> None:
    command = read_law(message, JOINTS, robot_time)
    assert (command.begin, command.step) == (7.5, DT)
    for name, values in numbers.items():
        np.testing.assert_array_equal(getattr(command, name), values)


def test_tools_see_a_trajectory(message: JointTrajectory, numbers: dict[str, np.ndarray]) -> None:
    assert message.joint_names == JOINTS
    assert message.header.stamp.sec == STAMP_NS // 10**9
    np.testing.assert_array_equal(message.points[2].positions, numbers["q"][2])
    np.testing.assert_array_equal(message.points[2].effort, numbers["torque"][2])
    assert message.points[2].time_from_start.nanosec == 40_000_000
    assert len(message.points) == N + 14
    np.testing.assert_array_equal(message.points[N + 9].effort, numbers["gain"][:, 9])
    times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]
    assert times == sorted(times)


def test_joints_in_another_order_are_sorted(message: JointTrajectory, numbers: dict[str, np.ndarray]) -> None:
    order = [3, 0, 6, 1, 5, 2, 4]
    message.joint_names = [JOINTS[i] for i in order]
    for point in message.points:
        for field in ("positions", "velocities", "effort"):
            values = getattr(point, field)
            if len(values):
                setattr(point, field, [values[i] for i in order])
    columns = message.points[N:]
    message.points = [*message.points[:N], *(columns[i] for i in order), *(columns[7 + i] for i in order)]
    command = read_law(message, JOINTS, robot_time)
    for name, values in numbers.items():
        np.testing.assert_array_equal(getattr(command, name), values)


def wrong_joints(message: JointTrajectory) -> None:
    message.joint_names = [name.replace("fr3", "panda") for name in JOINTS]


def no_gain(message: JointTrajectory) -> None:
    message.points = message.points[:N]


def nan(message: JointTrajectory) -> None:
    message.points[1].effort[3] = float("nan")


def uneven(message: JointTrajectory) -> None:
    message.points[2].time_from_start.nanosec += 1_000_000


def short(message: JointTrajectory) -> None:
    message.points[0].velocities = [0.0] * 6


def long(message: JointTrajectory) -> None:
    message.points = [message.points[0]] * 20 + message.points[N:]


def empty(message: JointTrajectory) -> None:
    message.points = [JointTrajectoryPoint(effort=[0.0] * 7)] * 14


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (wrong_joints, "a law is for fr3_joint1, .* not for panda_joint1"),
        (no_gain, "points with positions and then 14 without, not 6 of 6"),
        (nan, "torque of a command must be finite"),
        (uneven, "equidistant in time"),
        (short, "velocities of a law has 7 numbers in every point"),
        (long, "equidistant in time|1 to 16 points"),
        (empty, "no points with positions"),
    ],
)
def test_what_is_no_law_is_refused(
    message: JointTrajectory, spoil: Callable[[JointTrajectory], None], problem: str
) -> None:
    spoil(message)
    with pytest.raises(PlantError, match=problem):
        read_law(message, JOINTS, robot_time)
