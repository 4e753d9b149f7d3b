"""What BagWriter writes, read back with the rosbags library and with the MCAP library's own readers."""

import resource
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from ttdm_ros.errors import BagError
from ttdm_ros.recording.qos import Qos
from ttdm_ros.recording.salvage import salvage
from ttdm_ros.recording.writer import BagWriter


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_rosbags_reads_every_byte_that_was_written(write_example, example, compression):
    bag = write_example(compression=compression)
    with Reader(bag) as reader:
        read = [(connection.topic, bytes(data), time_ns) for connection, time_ns, data in reader.messages()]
        assert reader.message_count == len(example.rows)
    assert sorted(read) == sorted(row[:3] for row in example.rows)


def test_the_official_reader_finds_publish_times_and_sequence_numbers(write_example, example):
    with (write_example() / "bag_0.mcap").open("rb") as file:
        read = [
            (channel.topic, message.log_time, message.publish_time, message.sequence)
            for _, channel, message in make_reader(file, validate_crcs=True).iter_messages()
        ]
    assert sorted(read) == sorted((topic, *rest) for topic, _, *rest in example.rows)


def test_header_and_summary_are_what_rosbag2_and_foxglove_expect(write_example, example):
    with (write_example() / "bag_0.mcap").open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert reader.get_header().profile == "ros2"
        assert reader.get_header().library.startswith("ttdm_ros")
    counts = {summary.channels[i].topic: n for i, n in summary.statistics.channel_message_counts.items()}
    assert counts == Counter(row[0] for row in example.rows)
    assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}
    assert {channel.message_encoding for channel in summary.channels.values()} == {"cdr"}


def test_message_definitions_and_hashes_are_complete(write_example):
    with AnyReader([write_example()]) as reader:  # builds its types from the bag and checks them against the hashes
        connection = next(c for c in reader.connections if c.topic == "/joint_states")
        _, _, data = next(reader.messages([connection]))
        assert reader.deserialize(data, connection.msgtype).name[0] == "joint_1"
        # the hash that ROS 2 Iron and later publish for this type
        assert connection.digest == "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e"


def test_quality_of_service_is_kept_in_the_channel_and_in_the_metadata(tmp_path, messages):
    offered = Qos(reliability="best_effort", durability="transient_local", depth=3, deadline_ns=1_500_000_000)
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/events", "std_msgs/msg/String", qos=[offered, Qos()])
        writer.write("/events", messages.text("started"), 1)
    with Reader(tmp_path / "bag") as from_folder, Reader(tmp_path / "bag" / "bag_0.mcap") as from_file:
        for reader in (from_folder, from_file):
            first, second = reader.connections[0].ext.offered_qos_profiles
            assert (first.reliability, first.durability) == (QosReliability.BEST_EFFORT, QosDurability.TRANSIENT_LOCAL)
            assert (first.depth, first.deadline) == (3, (1, 500_000_000))
            assert (second.reliability, second.durability) == (QosReliability.RELIABLE, QosDurability.VOLATILE)


def test_metadata_yaml_counts_messages_and_time(write_example, example):
    content = yaml.safe_load((write_example() / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    times = [row[2] for row in example.rows]
    assert content["version"] == 9
    assert content["storage_identifier"] == "mcap"
    assert content["message_count"] == len(times)
    assert content["starting_time"]["nanoseconds_since_epoch"] == min(times)
    assert content["duration"]["nanoseconds"] == max(times) - min(times)


def test_what_was_flushed_is_in_the_file_before_it_is_closed(tmp_path, messages):
    writer = BagWriter(tmp_path / "bag", chunk_interval=3600.0)
    writer.add_channel("/events", "std_msgs/msg/String")
    writer.write("/events", messages.text("rare"), 1)
    writer.flush_if_due()
    assert _messages_in(writer.files[0]) == 0
    writer.flush()
    assert _messages_in(writer.files[0]) == 1
    writer.close()


def test_an_old_chunk_is_flushed_although_nothing_more_is_written(tmp_path, messages):
    writer = BagWriter(tmp_path / "bag", chunk_interval=1e-9)
    writer.add_channel("/events", "std_msgs/msg/String")
    writer.write("/events", messages.text("rare"), 1)
    writer.flush_if_due()
    assert _messages_in(writer.files[0]) == 1
    writer.close()


def _messages_in(path: Path) -> int:
    found = 0
    try:
        for record in StreamReader(str(path)).records:
            found += type(record).__name__ == "Message"
    except Exception:  # the file has no end yet
        pass
    return found


def test_split_files_start_with_the_latched_messages_and_lose_nothing(write_example, example):
    bag = write_example(split_duration=0.2)
    files = sorted(bag.glob("*.mcap"))
    assert len(files) == 5
    for file in files:
        with Reader(file) as reader:
            assert "/robot_description" in {connection.topic for connection, _, _ in reader.messages()}
    with Reader(bag) as reader:
        read = Counter((connection.topic, bytes(data)) for connection, _, data in reader.messages())
    written = Counter((topic, data) for topic, data, *_ in example.rows)
    assert not written - read
    assert {topic for topic, _ in read - written} <= {"/robot_description", "/mpc_controller/events"}


def test_splitting_by_size_bounds_the_files(write_example):
    bag = write_example(split_size=100_000, chunk_size=10_000, compression="none")
    sizes = [file.stat().st_size for file in bag.glob("*.mcap")]
    assert len(sizes) > 3
    assert max(sizes) < 150_000  # the limit, one chunk, and the summary


def test_an_existing_bag_is_never_overwritten(write_example):
    bag = write_example()
    before = (bag / "bag_0.mcap").read_bytes()
    with pytest.raises(BagError, match="exists already; choose another name"):
        BagWriter(bag)
    assert (bag / "bag_0.mcap").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match=r"cannot be made .* choose another folder"):
        BagWriter(tmp_path / "file" / "bag")


def test_an_unknown_type_is_refused_unless_its_definition_is_given(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        with pytest.raises(BagError, match="my_msgs/msg/Thing is not a standard one"):
            writer.add_channel("/thing", "my_msgs/msg/Thing")
        writer.add_channel("/thing", "my_msgs/msg/Thing", definition="int32 x\n", type_hash="RIHS01_0")
        writer.write("/thing", b"\x00\x01\x00\x00\x07\x00\x00\x00", 1)
    with Reader(tmp_path / "bag") as reader:
        assert [(c.msgtype, c.msgdef.data, data) for c, _, data in reader.messages()] == [
            ("my_msgs/msg/Thing", "int32 x\n", b"\x00\x01\x00\x00\x07\x00\x00\x00")
        ]


def test_a_topic_keeps_its_type(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/a", "std_msgs/msg/String")
        writer.add_channel("/a", "std_msgs/msg/String")
        with pytest.raises(BagError, match="one type a topic"):
            writer.add_channel("/a", "std_msgs/msg/Float64MultiArray")


def test_a_bag_without_messages_is_still_a_bag(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_channel("/a", "std_msgs/msg/String")
    with Reader(tmp_path / "bag") as reader:
        assert reader.message_count == 0


def test_a_full_disk_leaves_whole_records_that_can_be_salvaged(tmp_path, example):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = BagWriter(tmp_path / "bag", chunk_size=4096, compression="none")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # writing further fails as on a full disk
    try:
        with pytest.raises(BagError, match="make room on the disk, then run `ttdm salvage"):
            example.write_to(writer)
        with pytest.raises(BagError, match="make room on the disk"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    report = salvage(tmp_path / "bag")
    assert report.dropped_bytes == 0
    with Reader(report.output) as reader:
        read = [(c.topic, bytes(data), time_ns) for c, time_ns, data in reader.messages()]
    assert len(read) > 100
    assert sorted(read) == sorted(row[:3] for row in example.rows[: len(read)])
