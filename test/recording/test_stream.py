"""Bags in pieces: together they are the whole, in whatever format, and faults are told as for the whole."""

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.recording.stream import stream_bag
from ttdm_ros.recording.writer import BagWriter

TYPES = {
    "/joint_states": "sensor_msgs/msg/JointState",
    "/effort_controller/commands": "std_msgs/msg/Float64MultiArray",
}

FIELDS = ("joint_states", "commands", "prediction", "events", "target")


def joined(pieces, field):
    """Every array of a topic, over all pieces."""
    series = [value for piece in pieces if (value := getattr(piece, field)) is not None]
    names = [n for n in type(series[0]).__dataclass_fields__ if isinstance(getattr(series[0], n), np.ndarray)]
    return {name: np.concatenate([getattr(each, name) for each in series]) for name in names}


@pytest.mark.parametrize("seconds", [0.0, 0.0371, 0.4, 10.0])
def test_the_pieces_are_the_whole(write_example, seconds):
    bag = write_example()
    pieces, whole = list(stream_bag(bag, seconds=seconds)), read_bag(bag)
    assert len(pieces) == {0.0371: 27, 0.4: 3, 10.0: 1}.get(seconds, len(pieces))
    for field in FIELDS:
        for name, values in joined(pieces, field).items():
            np.testing.assert_array_equal(values, getattr(getattr(whole, field), name))
    assert [piece.robot_description for piece in pieces if piece.robot_description] == [whole.robot_description]
    texts = [text for piece in pieces if piece.events for text in piece.events.text]
    assert texts == list(whole.events.text)
    assert pieces[-1].recorder == whole.recorder


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_bags_of_ros2_bag_come_in_pieces_too(tmp_path, example, plugin):
    example.write_with_rosbags(tmp_path / "bag", plugin)
    pieces = list(stream_bag(tmp_path / "bag", seconds=0.1))
    assert len(pieces) > 8
    np.testing.assert_array_equal(joined(pieces, "joint_states")["q"], example.q)


def test_a_piece_is_as_long_as_asked_and_pauses_yield_none(write_example):
    for piece in stream_bag(write_example(), seconds=0.2):
        times = piece.commands.log_time_ns
        assert times[-1] - times[0] < 0.2e9


def test_a_topic_that_is_written_after_another_comes_in_pieces_too(tmp_path, messages):
    with BagWriter(tmp_path / "bag") as writer:
        for topic in ("/joint_states", "/effort_controller/commands"):
            writer.add_channel(topic, TYPES[topic])
        for i in range(100):
            writer.write("/joint_states", messages.joint_state(i, ["a"], [1], [1], [1]), i * 10**7, i * 10**7)
        for i in range(100):
            writer.write("/effort_controller/commands", messages.numbers([1.0]), i * 10**7, i * 10**7)
    pieces = list(stream_bag(tmp_path / "bag", seconds=0.2))
    states = [len(piece.joint_states) for piece in pieces if piece.joint_states is not None]
    commands = [len(piece.commands) for piece in pieces if piece.commands is not None]
    assert sum(states) == sum(commands) == 100
    assert max(states) <= 20
    assert max(commands) <= 40


def test_only_the_topics_that_are_wanted_are_read(write_example):
    (piece,) = stream_bag(write_example(), only=[topics.COMMANDS])
    assert len(piece.commands) == 1000
    assert piece.joint_states is None
    assert piece.prediction is None


def test_what_is_lacking_is_told_at_the_end(write_example):
    pieces = stream_bag(write_example(), seconds=0.4, require=[topics.JOINT_STATES, topics.TIMING])
    assert len(next(pieces).joint_states) > 300
    with pytest.raises(BagError, match="no message of 'mpc_controller/timing'"):
        list(pieces)


def test_a_bag_that_is_cut_is_refused_after_what_can_be_read(killed_file):
    found = 0
    with pytest.raises(BagError, match="run `ttdm salvage"):
        for piece in stream_bag(killed_file(chunk_size=20_000), seconds=0.1):
            found += len(piece.joint_states)
    assert found > 500
