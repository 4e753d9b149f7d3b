"""Damaged bags are made whole, and nothing before the damage is lost."""

import random
import struct
from pathlib import Path

import pytest
from mcap.opcode import Opcode
from rosbags.rosbag2 import Reader, StoragePlugin

from ttdm_ros.errors import BagError
from ttdm_ros.recording.bag import find_bag
from ttdm_ros.recording.mcap_file import McapFile
from ttdm_ros.recording.qos import Qos
from ttdm_ros.recording.reader import read_bag
from ttdm_ros.recording.salvage import salvage
from ttdm_ros.recording.writer import BagWriter

HEAD = 9  # opcode and length of a record


def record_ends(content: bytes) -> list[tuple[int, int, int]]:
    """Opcode, start and end of each record of a file."""
    position, found = 8, []
    while position + HEAD <= len(content):
        opcode, length = struct.unpack_from("<BQ", content, position)
        found.append((opcode, position, position + HEAD + length))
        position += HEAD + length
    return found


def read_rows(bag: Path) -> list[tuple[str, bytes, int, int, int]]:
    return [tuple(message) for message in find_bag(bag).messages()]


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_a_killed_bag_becomes_whole_and_the_original_stays(killed_file, example, compression):
    killed = killed_file(compression=compression)
    before = {file.name: file.read_bytes() for file in killed.iterdir()}
    report = salvage(killed)
    assert report.output == killed.with_name("killed_salvaged")
    assert report.counts["/joint_states"] == 1000
    assert report.duration == pytest.approx(0.99915, abs=1e-9)  # from the description to the last command
    assert {file.name: file.read_bytes() for file in killed.iterdir()} == before
    with Reader(report.output) as reader:  # needs index, summary and metadata.yaml
        read = [(c.topic, bytes(data), time_ns) for c, time_ns, data in reader.messages()]
        latched = next(c for c in reader.connections if c.topic == "/robot_description")
        assert latched.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
    assert sorted(read) == sorted(row[:3] for row in example.rows)
    assert read_rows(report.output) == example.rows


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_no_message_before_the_cut_chunk_is_lost_wherever_a_file_is_cut(killed_file, example, tmp_path, compression):
    content = (killed_file(compression=compression, chunk_size=20_000) / "killed_0.mcap").read_bytes()
    whole, _ = zip(*((end, None) for opcode, _, end in record_ends(content) if opcode == Opcode.CHUNK), strict=True)
    assert len(whole) > 10
    counts = []
    for i, end in enumerate(whole):
        path = tmp_path / f"whole_{i}.mcap"
        path.write_bytes(content[:end])
        counts.append(len(read_rows(salvage(path).output)))
    cuts = [0, 1, 7, 8, 9, 17, len(content) - 1, *random.Random(0).sample(range(len(content)), 60)]
    for number, cut in enumerate(cuts):
        path = tmp_path / f"cut_{number}.mcap"
        path.write_bytes(content[:cut])
        at_least = max((n for end, n in zip(whole, counts, strict=True) if end <= cut), default=0)
        try:
            report = salvage(path)
        except BagError as error:
            assert at_least == 0, f"cut at {cut}: {error}"
            continue
        saved = read_rows(report.output)
        assert len(saved) >= at_least, f"cut at {cut}"
        assert saved == example.rows[: len(saved)]


def test_an_uncompressed_chunk_gives_the_messages_before_the_cut(killed_file, example, tmp_path):
    content = (killed_file(compression="none") / "killed_0.mcap").read_bytes()
    first_chunk = next(r for r in record_ends(content) if r[0] == Opcode.CHUNK)
    path = tmp_path / "cut.mcap"
    path.write_bytes(content[: (first_chunk[1] + first_chunk[2]) // 2])
    report = salvage(path)
    saved = read_rows(report.output)
    assert len(saved) > 100
    assert saved == example.rows[: len(saved)]
    assert 0 <= report.dropped_bytes < 1000  # no more than the message that was cut


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_chunk_gives_its_whole_blocks(tmp_path, messages, compression):
    noise = random.Random(0)
    rows = [("/a", messages.numbers([noise.random() for _ in range(1000)]), i, i, i + 1) for i in range(100)]
    writer = BagWriter(tmp_path / "bag", compression=compression, chunk_size=2**20)
    writer.add_channel("/a", "std_msgs/msg/Float64MultiArray")
    for row in rows:
        writer.write(*row)
    writer.flush()
    content = writer.files[0].read_bytes()
    (tmp_path / "cut.mcap").write_bytes(content[: len(content) * 3 // 4])
    saved = read_rows(salvage(tmp_path / "cut.mcap").output)
    assert len(saved) >= 40
    assert saved == rows[: len(saved)]


def test_flipped_bytes_never_raise_anything_but_a_sentence(killed_file, example, tmp_path):
    content = (killed_file(compression="zstd", chunk_size=20_000) / "killed_0.mcap").read_bytes()
    noise, written = random.Random(1), set(example.rows)
    for number in range(60):
        damaged = bytearray(content)
        for _ in range(noise.choice([1, 3, 30])):
            damaged[noise.randrange(len(damaged))] ^= noise.randrange(1, 256)
        path = tmp_path / f"damaged_{number}.mcap"
        path.write_bytes(damaged)
        try:
            report = salvage(path)
        except BagError:
            continue
        if report.already_whole:
            continue
        # checksums keep every damaged message out
        assert set(read_rows(report.output)) <= written


def test_a_damaged_chunk_in_the_middle_costs_only_itself(write_example, example):
    bag = write_example(compression="zstd", chunk_size=20_000)
    file = bag / "bag_0.mcap"
    content = bytearray(file.read_bytes())
    chunks = [r for r in record_ends(bytes(content)) if r[0] == Opcode.CHUNK]
    content[(chunks[5][1] + chunks[5][2]) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(BagError, match="run `ttdm salvage"):
        read_bag(bag)
    report = salvage(bag)
    saved = read_rows(report.output)
    kept = set(saved)
    lost = [row for row in example.rows if row not in kept]
    assert lost
    start = example.rows.index(lost[0])
    assert example.rows[start : start + len(lost)] == lost
    assert report.dropped_bytes > 0


def test_topics_that_a_damaged_chunk_announced_are_found_in_the_summary(write_example, example):
    bag = write_example(compression="zstd", chunk_size=20_000)
    content = bytearray((bag / "bag_0.mcap").read_bytes())
    first = next(r for r in record_ends(bytes(content)) if r[0] == Opcode.CHUNK)
    content[(first[1] + first[2]) // 2] ^= 0xFF
    (bag / "bag_0.mcap").write_bytes(content)
    saved = read_rows(salvage(bag).output)
    assert saved == example.rows[-len(saved) :]
    assert len(saved) > 1500


def test_a_whole_bag_is_said_to_be_whole(write_example):
    bag = write_example()
    report = salvage(bag)
    assert report.already_whole
    assert report.output is None
    assert "is whole already" in str(report)
    assert sorted(p.name for p in bag.parent.iterdir()) == ["bag"]


def test_a_lost_metadata_yaml_is_made_again(write_example, example):
    bag = write_example()
    (bag / "metadata.yaml").unlink()
    report = salvage(bag)
    assert report.problems == ("metadata.yaml is missing",)
    assert report.dropped_bytes == 0
    assert read_rows(report.output) == example.rows


def test_a_split_bag_that_was_killed_becomes_one_file_without_copies(killed_file, example):
    killed = killed_file(split_duration=0.3)
    assert len(list(killed.glob("*.mcap"))) == 4
    report = salvage(killed)
    assert [file.name for file in report.output.glob("*.mcap")] == ["killed_salvaged_0.mcap"]
    assert read_rows(report.output) == example.rows


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("size", [0, 4096])
def test_a_file_of_a_split_bag_without_content_costs_only_itself(killed_file, number, size):
    killed = killed_file(split_duration=0.3)
    lost = killed / f"killed_{number}.mcap"
    others = [list(McapFile(file).messages()) for file in sorted(killed.glob("*.mcap")) if file != lost]
    lost.write_bytes(bytes(size))
    with pytest.raises(BagError, match=rf"killed_{number}.mcap is not whole .*; run `ttdm salvage"):
        read_bag(killed)
    report = salvage(killed)
    assert f"killed_{number}.mcap: it does not begin as an MCAP file, and nothing is read" in report.problems
    assert report.dropped_bytes >= size
    saved = read_rows(report.output)
    kept = [tuple(row) for rows in others for row in rows]
    # But for the time at which files copied them: messages that were latched stand in the first file that has them.
    assert {row[:2] + row[3:] for row in saved} == {row[:2] + row[3:] for row in kept}
    assert [row for row in saved if row[0] == "/joint_states"] == [row for row in kept if row[0] == "/joint_states"]


def test_a_split_bag_of_files_without_content_is_refused(killed_file):
    killed = killed_file(split_duration=0.3)
    for file in killed.glob("*.mcap"):
        file.write_bytes(bytes(100))
    with pytest.raises(BagError, match="holds no message that could be saved"):
        salvage(killed)


def test_the_recorders_summary_is_kept(tmp_path, messages):
    writer = BagWriter(tmp_path / "bag")
    writer.add_channel("/a", "std_msgs/msg/String", qos=[Qos()])
    writer.write("/a", messages.text("x"), 1)
    writer.add_metadata("ttdm_recorder", {"received /a": "1", "missed /a": "0"})
    writer.flush()
    bag = find_bag(salvage(tmp_path / "bag").output)
    list(bag.messages())
    assert bag.metadata["ttdm_recorder"] == {"received /a": "1", "missed /a": "0"}
    assert bag.metadata["ttdm_salvage"]["source"] == "bag"


def test_the_output_is_never_overwritten(killed_file):
    killed = killed_file()
    salvage(killed)
    with pytest.raises(BagError, match="exists already"):
        salvage(killed)
    assert salvage(killed, killed.with_name("second")).counts == salvage(killed, killed.with_name("third")).counts


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "is not an MCAP file"), (b"no bag at all", "is not an MCAP file"), (b"\x89MCAP0\r\n", "holds no message")],
)
def test_a_file_without_messages_is_refused(tmp_path, content, sentence):
    (tmp_path / "bad.mcap").write_bytes(content)
    with pytest.raises(BagError, match=sentence):
        salvage(tmp_path / "bad.mcap")


def test_what_is_no_mcap_bag_is_refused(tmp_path, example):
    with pytest.raises(BagError, match="there is no bag"):
        salvage(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"holds no \.mcap file"):
        salvage(tmp_path / "empty")
    example.write_with_rosbags(tmp_path / "sqlite", StoragePlugin.SQLITE3)
    with pytest.raises(BagError, match="only MCAP bags can be salvaged"):
        salvage(tmp_path / "sqlite")
