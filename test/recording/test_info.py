"""The summary of a bag."""

import io

import pytest
from rich.console import Console

from ttdm_ros.errors import BagError
from ttdm_ros.recording.info import describe, inspect
from ttdm_ros.recording.writer import BagWriter


def test_counts_rates_and_gaps_are_those_of_the_messages(write_example):
    info = inspect(write_example())
    states = info.topics["/joint_states"]
    assert (states.count, states.missed, states.latched) == (1000, 0, False)
    assert states.rate_hz == pytest.approx(1000.0)
    assert states.longest_gap == pytest.approx(0.001)
    assert info.topics["/robot_description"].latched
    assert info.count == sum(topic.count for topic in info.topics.values())
    assert info.duration == pytest.approx(0.99915)


def test_absent_messages_are_counted_by_number_and_the_gap_is_found(tmp_path, messages):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/a", "std_msgs/msg/String")
        for number in (1, 2, 3, 13, 14):
            writer.write("/a", messages.text("x"), number * 10**8, sequence=number)
    topic = inspect(tmp_path / "bag").topics["/a"]
    assert topic.missed == 9
    assert topic.longest_gap == pytest.approx(1.0)


def test_what_the_recorder_counted_comes_first(tmp_path, messages):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/a", "std_msgs/msg/String")
        writer.write("/a", messages.text("x"), 1)
        writer.add_metadata("ttdm_recorder", {"received /a": "1", "missed /a": "41"})
    info = inspect(tmp_path / "bag")
    assert info.topics["/a"].missed == info.missed == 41


def test_the_table_names_every_topic(write_example):
    console = Console(file=io.StringIO(), width=160)
    console.print(describe(write_example()))
    text = console.file.getvalue()
    for topic in ("/joint_states", "/effort_controller/commands", "/mpc_controller/prediction"):
        assert topic in text
    assert "1000.0" in text
    assert "(latched)" in text


def test_a_bag_that_was_not_closed_points_to_salvage(killed_file):
    with pytest.raises(BagError, match="ttdm salvage"):
        describe(killed_file())
