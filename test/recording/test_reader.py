"""Any rosbag2 bag becomes the same arrays; what cannot be read is refused with a sentence."""

import shutil

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording.config import KNOWN_TOPICS
from ttdm_ros.recording.qos import Qos
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.recording.salvage import salvage
from ttdm_ros.recording.writer import BagWriter

JOINTS = tuple(f"joint_{i}" for i in range(1, 8))


def assert_is_example(recording, example):
    states, prediction = recording.joint_states, recording.prediction
    assert states.names == JOINTS
    np.testing.assert_array_equal(states.stamp_ns, example.stamp_ns)
    np.testing.assert_array_equal(states.log_time_ns, example.stamp_ns + 70_000)
    np.testing.assert_array_equal(states.q, example.q)
    np.testing.assert_array_equal(states.v, example.v)
    np.testing.assert_array_equal(states.tau, example.tau)
    np.testing.assert_array_equal(recording.commands.values, example.commands)
    np.testing.assert_array_equal(prediction.stamp_ns, example.stamp_ns[::10])
    np.testing.assert_allclose(prediction.time_from_start, example.points[:, :, 0], atol=1e-9)
    np.testing.assert_array_equal(prediction.position, example.points[:, :, 1:4])
    np.testing.assert_array_equal(prediction.quaternion, example.points[:, :, 4:8])
    np.testing.assert_array_equal(prediction.linear_velocity, example.points[:, :, 8:11])
    np.testing.assert_array_equal(prediction.angular_velocity, example.points[:, :, 11:14])
    np.testing.assert_array_equal(recording.target.position, example.q[100::250, :3])
    np.testing.assert_array_equal(recording.target.quaternion, example.v[100::250, :4])
    assert prediction.frame == recording.target.frame == "base"
    assert recording.events.text == ("phase 100", "phase 350", "phase 600", "phase 850")
    assert recording.robot_description == "<robot name='example'/>"
    assert recording.reference is None
    assert recording.timing is None


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zstd"}, {"compression": "lz4"}, {"split_duration": 0.2}, {"split_size": 100_000}],
    ids=str,
)
def test_our_bags_read_back_with_publish_times_and_numbers(write_example, example, options):
    recording = read_bag(write_example(**options))
    assert_is_example(recording, example)
    np.testing.assert_array_equal(recording.commands.publish_time_ns, example.stamp_ns + 150_000)
    np.testing.assert_array_equal(recording.commands.sequence, np.arange(1, 1001))
    assert recording.joint_states.missing == 0


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize("compression", CompressionMode)
def test_bags_of_another_writer_read_to_the_same_arrays(tmp_path, example, plugin, compression):
    if (plugin, compression) == (StoragePlugin.SQLITE3, CompressionMode.STORAGE):
        pytest.skip("SQLite cannot compress its chunks")
    example.write_with_rosbags(tmp_path / "bag", plugin, compression)
    recording = read_bag(tmp_path / "bag")
    assert_is_example(recording, example)
    assert recording.joint_states.missing is None  # those bags keep no numbers


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_a_single_storage_file_is_enough(tmp_path, example, plugin):
    example.write_with_rosbags(tmp_path / "bag", plugin)
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix in (".mcap", ".db3"))
    assert_is_example(read_bag(file), example)


def test_a_salvaged_bag_reads_like_a_closed_one(killed_file, example):
    assert_is_example(read_bag(salvage(killed_file()).output), example)


def test_a_long_bag_is_decoded_in_blocks_without_a_seam(tmp_path, messages):
    values = np.random.default_rng(0).normal(size=(10_000, 3))
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/mpc_controller/timing", "std_msgs/msg/Float64MultiArray")
        for i, row in enumerate(values):
            writer.write("/mpc_controller/timing", messages.numbers(row), i)
    np.testing.assert_array_equal(read_bag(tmp_path / "bag").timing.values, values)


@pytest.fixture
def write_states(tmp_path):
    def write(*states: bytes, topic: str = "/joint_states"):
        with BagWriter(tmp_path / "bag") as writer:
            writer.add_channel(topic, "sensor_msgs/msg/JointState", qos=[Qos()])
            for i, data in enumerate(states):
                writer.write(topic, data, i)
        return tmp_path / "bag"

    return write


def test_joints_are_matched_by_name_whatever_their_order(write_states, messages):
    bag = write_states(
        messages.joint_state(1, ["a", "b", "c"], [1, 2, 3], [4, 5, 6], [7, 8, 9]),
        messages.joint_state(2, ["c", "a", "b"], [3, 1, 2], [6, 4, 5], [9, 7, 8]),
    )
    states = read_bag(bag).joint_states
    assert states.names == ("a", "b", "c")
    np.testing.assert_array_equal(states.q, [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(states.v, [[4, 5, 6]] * 2)
    np.testing.assert_array_equal(states.tau, [[7, 8, 9]] * 2)
    np.testing.assert_array_equal(read_bag(bag, joints=["c", "b"]).joint_states.q, [[3, 2]] * 2)


def test_what_a_joint_state_lacks_is_nan_and_other_joints_are_left_out(write_states, messages):
    bag = write_states(
        messages.joint_state(1, ["a", "b"], [1, 2], [], []),
        messages.joint_state(2, ["finger"], [0.04], [0], [0]),
        messages.joint_state(3, ["b"], [5], [6], [7]),
    )
    states = read_bag(bag).joint_states
    np.testing.assert_array_equal(states.stamp_ns, [1, 3])
    np.testing.assert_array_equal(states.q, [[1, 2], [np.nan, 5]])
    np.testing.assert_array_equal(states.v, [[np.nan, np.nan], [np.nan, 6]])


def test_big_endian_messages_are_read(write_states, messages):
    bag = write_states(messages.joint_state(7, ["a"], [1.5], [2.5], [3.5], little_endian=False))
    states = read_bag(bag).joint_states
    assert (states.stamp_ns[0], states.q[0, 0], states.v[0, 0], states.tau[0, 0]) == (7, 1.5, 2.5, 3.5)


def test_trajectories_of_different_lengths_are_filled_up(tmp_path, messages):
    points = np.random.default_rng(0).normal(size=(3, 14))
    points[:, 0] = [0.0, 0.5, 1.25]
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/mpc_controller/reference", "trajectory_msgs/msg/MultiDOFJointTrajectory")
        for i, data in enumerate(
            [messages.trajectory(1, points), messages.trajectory(2, points[:1], with_velocity=False)]
        ):
            writer.write("/mpc_controller/reference", data, i)
        writer.write("/mpc_controller/reference", messages.trajectory(3, points[:0]), 3)
    reference = read_bag(tmp_path / "bag").reference
    np.testing.assert_array_equal(reference.position[0], points[:, 1:4])
    np.testing.assert_array_equal(reference.position[1, 0], points[0, 1:4])
    assert np.isnan(reference.position[1, 1:]).all()
    assert np.isnan(reference.linear_velocity[1]).all()
    assert np.isnan(reference.position[2]).all()


def test_a_namespace_is_found_by_itself_and_chosen_between_two(tmp_path, messages):
    with BagWriter(tmp_path / "one") as writer:
        writer.add_channel("/left/joint_states", "sensor_msgs/msg/JointState")
        writer.write("/left/joint_states", messages.joint_state(1, ["a"], [1], [1], [1]), 1)
    with BagWriter(tmp_path / "two") as writer:
        for i, side in enumerate(("left", "right")):
            writer.add_channel(f"/{side}/joint_states", "sensor_msgs/msg/JointState")
            writer.write(f"/{side}/joint_states", messages.joint_state(1, ["a"], [i], [1], [1]), 1)
    assert read_bag(tmp_path / "one").joint_states.topic == "/left/joint_states"
    with pytest.raises(BagError, match="holds both /left/joint_states and /right/joint_states"):
        read_bag(tmp_path / "two")
    assert read_bag(tmp_path / "two", namespace="right").joint_states.q[0, 0] == 1
    with pytest.raises(BagError, match="no message of 'joint_states'"):
        read_bag(tmp_path / "one", namespace="/right", require=[topics.JOINT_STATES])


def test_a_missing_topic_is_named_with_those_that_are_there(write_example):
    with pytest.raises(BagError, match=r"no message of 'mpc_controller/timing' \(it holds .*/joint_states"):
        read_bag(write_example(), require=[topics.JOINT_STATES, topics.TIMING])


def test_wanted_joints_that_are_not_there_are_named(write_states, messages):
    bag = write_states(messages.joint_state(1, ["a"], [1], [1], [1]))
    with pytest.raises(BagError, match=r"no joint state .* holds any of the joints x, y"):
        read_bag(bag, joints=["x", "y"])


def test_joint_states_without_names_are_refused(write_states, messages):
    with pytest.raises(BagError, match="carry no joint names"):
        read_bag(write_states(messages.joint_state(1, [], [1], [1], [1])))


def test_a_topic_of_another_type_is_refused(tmp_path, messages):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/joint_states", "std_msgs/msg/String")
        writer.write("/joint_states", messages.text("hello"), 1)
    with pytest.raises(BagError, match="/joint_states has type std_msgs/msg/String in the bag"):
        read_bag(tmp_path / "bag")


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x00\x00", b"\x00\x07\x00\x00" + bytes(60), b"\x00\x01\x00\x00" + b"\xff" * 60]
)
def test_bytes_that_are_no_message_are_refused(write_states, data):
    with pytest.raises(BagError, match="/joint_states: a message"):
        read_bag(write_states(data))


def test_a_bag_that_was_not_closed_points_to_salvage(killed_file):
    with pytest.raises(BagError, match=r"run `ttdm salvage .*killed`"):
        read_bag(killed_file())


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_truncated_bags_are_refused(tmp_path, example, plugin, keep):
    example.write_with_rosbags(tmp_path / "bag", plugin)
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix in (".mcap", ".db3"))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(BagError, match=r"run `ttdm salvage|restore the bag|is not an MCAP file"):
        read_bag(tmp_path / "bag")


def test_what_is_no_bag_is_refused(tmp_path, write_example):
    with pytest.raises(BagError, match="there is no bag"):
        read_bag(tmp_path / "nowhere")
    with pytest.raises(BagError, match="holds no bag"):
        read_bag(tmp_path)
    (tmp_path / "notes.txt").write_text("not a bag")
    with pytest.raises(BagError, match="is not an MCAP file"):
        read_bag(tmp_path / "notes.txt")
    bag = write_example("lacking", split_duration=0.3)
    (bag / "lacking_1.mcap").unlink()
    with pytest.raises(BagError, match=r"lacks its file lacking_1\.mcap"):
        read_bag(bag)
    shutil.copytree(write_example("whole"), tmp_path / "torn")
    (tmp_path / "torn" / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    with pytest.raises(BagError, match="is not the metadata of a bag"):
        read_bag(tmp_path / "torn")


def test_an_empty_bag_is_refused(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/joint_states", "sensor_msgs/msg/JointState")
    with pytest.raises(BagError, match="holds no message; check that the topics were published"):
        read_bag(tmp_path / "bag")


def test_what_a_franka_arm_says_besides_is_read_in_the_order_of_its_joints(tmp_path, messages):
    random, stamps = np.random.default_rng(0), [10**9 + 2_000_000 * i for i in range(50)]
    q, v, tau, desired, external, loop = random.normal(size=(6, 50, 7))
    rows = []
    for i, stamp in enumerate(stamps):
        rows += [
            ("/franka_driver/measured", messages.joint_state(stamp, JOINTS, q[i], v[i], tau[i])),
            ("/franka_driver/desired", messages.joint_state(stamp, JOINTS[::-1], q[i], v[i], desired[i, ::-1].copy())),
            ("/franka_driver/external_torque", messages.joint_state(stamp, JOINTS, [], [], external[i])),
            ("/franka_driver/loop", messages.numbers(loop[i])),
        ]
    rows.append(("/franka_driver/events", messages.text("[1.000] the arm is held; commands are accepted")))
    with BagWriter(tmp_path / "bag") as writer:
        for topic in dict.fromkeys(topic for topic, _ in rows):
            writer.add_channel(topic, KNOWN_TOPICS[topic.removeprefix("/")].msgtype)
        for topic, data in rows:
            writer.write(topic, data, stamps[-1], stamps[-1])
    recording = read_bag(tmp_path / "bag", joints=JOINTS)
    np.testing.assert_array_equal(recording.franka_measured.tau, tau)
    np.testing.assert_array_equal(recording.franka_measured.stamp_ns, stamps)
    np.testing.assert_array_equal(recording.franka_desired.tau, desired)
    np.testing.assert_array_equal(recording.franka_external.tau, external)
    assert np.isnan(recording.franka_external.q).all()
    np.testing.assert_array_equal(recording.franka_loop.values, loop)
    assert recording.franka_events.text == ("[1.000] the arm is held; commands are accepted",)
    assert recording.joint_states is None


def test_of_topics_that_are_required_together_one_is_enough(write_example):
    either = (topics.FRANKA_DESIRED, topics.COMMANDS)
    bag = write_example()
    assert len(read_bag(bag, require=[topics.JOINT_STATES, either]).commands) == 1000
    with pytest.raises(BagError, match="no message of 'mpc_controller/timing' or 'franka_driver/loop'"):
        read_bag(bag, require=[(topics.TIMING, topics.FRANKA_LOOP)])
