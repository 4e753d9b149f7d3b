"""Bytes made by overwriting numbers must be what the message object itself would have given."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseWithCovarianceStamped, Quaternion, Transform, Twist, Vector3
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, String
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint

from ttdm_ros.nodes.cdr import MessageTemplate

STAMP_NS = 1_723_456_789_012_345_678
STAMP = Time(sec=1_723_456_789, nanosec=12_345_678)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def empty_plan(points: int) -> MultiDOFJointTrajectory:
    message = MultiDOFJointTrajectory(joint_names=["tip"])
    message.header.frame_id = "panda_link0"
    for i in range(points):
        point = MultiDOFJointTrajectoryPoint(transforms=[Transform()], velocities=[Twist()])
        point.time_from_start.nanosec = i * 20_000_000
        message.points.append(point)
    return message


@pytest.mark.parametrize("names", [[], ["a"], [f"panda_joint{i}" for i in range(1, 8)]], ids=len)
def test_a_filled_joint_state_is_the_message_that_was_meant(random: np.random.Generator, names: list[str]) -> None:
    n = len(names)
    message = JointState(name=names, position=[0.0] * n, velocity=[0.0] * n, effort=[0.0] * n)
    message.header.frame_id = "base"
    template = MessageTemplate(message)
    assert template.size == 3 * n
    for _ in range(3):
        position, velocity, effort = random.normal(size=(3, n))
        data = template.fill(STAMP_NS, np.concatenate([position, velocity, effort]))
        message.header.stamp = STAMP
        message.position, message.velocity, message.effort = position.tolist(), velocity.tolist(), effort.tolist()
        assert deserialize_message(data, JointState) == message


def test_a_filled_array_keeps_its_layout_and_needs_no_stamp(random: np.random.Generator) -> None:
    message = Float64MultiArray(data=[0.0] * 8)
    message.layout.dim = [MultiArrayDimension(label="timing", size=8, stride=8)]
    values = random.normal(size=8)
    got = deserialize_message(MessageTemplate(message).fill(None, values), Float64MultiArray)
    message.data = values.tolist()
    assert got == message


def test_a_filled_plan_of_21_points_has_every_pose_and_twist_in_its_place(random: np.random.Generator) -> None:
    message = empty_plan(21)
    values = random.normal(size=(21, 13))
    got = deserialize_message(MessageTemplate(message).fill(STAMP_NS, values), MultiDOFJointTrajectory)
    message.header.stamp = STAMP
    for point, row in zip(message.points, values.tolist(), strict=True):
        point.transforms[0] = Transform(
            translation=Vector3(x=row[0], y=row[1], z=row[2]),
            rotation=Quaternion(x=row[3], y=row[4], z=row[5], w=row[6]),
        )
        point.velocities[0] = Twist(
            linear=Vector3(x=row[7], y=row[8], z=row[9]), angular=Vector3(x=row[10], y=row[11], z=row[12])
        )
    assert got == message


def test_only_the_first_stamp_of_a_message_is_its_stamp() -> None:
    template = MessageTemplate(Clock())
    assert template.size == 0
    assert deserialize_message(template.fill(STAMP_NS, ()), Clock).clock == STAMP


def test_arrays_of_fixed_length_are_filled_too(random: np.random.Generator) -> None:
    values = random.normal(size=7 + 36)
    data = MessageTemplate(PoseWithCovarianceStamped()).fill(STAMP_NS, values)
    pose = deserialize_message(data, PoseWithCovarianceStamped).pose
    np.testing.assert_array_equal(pose.covariance, values[7:])
    assert (pose.pose.position.x, pose.pose.orientation.w) == (values[0], values[6])


def test_numbers_that_nobody_can_tell_apart_are_still_found() -> None:
    message = Float64MultiArray(data=[1.0] * 500)
    got = deserialize_message(MessageTemplate(message).fill(None, np.arange(500.0)), Float64MultiArray)
    np.testing.assert_array_equal(got.data, np.arange(500.0))


def test_the_message_given_is_not_changed_and_its_values_are_the_first() -> None:
    message = Float64MultiArray(data=[1.0, 2.0])
    template = MessageTemplate(message)
    assert list(message.data) == [1.0, 2.0]
    assert deserialize_message(template.fill(None, message.data), Float64MultiArray) == message


def test_bytes_handed_out_do_not_change_when_the_next_are_made() -> None:
    template = MessageTemplate(Float64MultiArray(data=[0.0]))
    first = template.fill(None, [1.0])
    template.fill(None, [2.0])
    assert list(deserialize_message(first, Float64MultiArray).data) == [1.0]


def test_a_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 2 numbers here, not 3"):
        MessageTemplate(Float64MultiArray(data=[0.0, 0.0])).fill(None, [1.0, 2.0, 3.0])


def test_a_stamp_for_a_message_without_one_is_refused() -> None:
    with pytest.raises(ValueError, match="String has no stamp"):
        MessageTemplate(String(data="x")).fill(1, ())
