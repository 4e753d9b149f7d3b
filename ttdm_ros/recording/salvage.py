"""Making a bag whole whose writer was killed: no index, no summary, no metadata.yaml, cut in the middle of a record."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ttdm_ros.errors import BagError
from ttdm_ros.recording import metadata
from ttdm_ros.recording.bag import storage_files, without_copies
from ttdm_ros.recording.mcap_file import McapFile, RawMessage
from ttdm_ros.recording.qos import from_yaml
from ttdm_ros.recording.writer import BagWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageReport:
    """What was found and what was saved.

    Attributes:
        source: the bag given; it is never changed.
        output: the whole bag, or None if the source needed nothing.
        counts: messages a topic.
        duration: time between first and last message [s].
        dropped_bytes: bytes of cut or damaged records that held no readable message.
        problems: what was wrong, a phrase a file.
    """

    source: Path
    output: Path | None
    counts: dict[str, int]
    duration: float
    dropped_bytes: int
    problems: tuple[str, ...]

    @property
    def already_whole(self) -> bool:
        """Whether there was nothing to do."""
        return self.output is None

    def __str__(self) -> str:
        """Return the report in lines for a terminal."""
        total = f"{sum(self.counts.values())} messages over {self.duration:.3f} s"
        if self.already_whole:
            return f"{self.source} is whole already: {total}; nothing was written."
        lines = [f"{self.source}: {problem}" for problem in self.problems]
        lines += [f"{count:>10}  {topic}" for topic, count in sorted(self.counts.items())]
        lines.append(f"saved {total} to {self.output}; {self.dropped_bytes} bytes could not be used.")
        return "\n".join(lines)


def salvage(path: Path | str, output: Path | str | None = None) -> SalvageReport:
    """Copy every readable message of an MCAP bag into a whole bag; an already whole one is only checked.

    All records and checksums are read. A chunk that is cut gives the messages before the cut (compressed ones by whole
    blocks of their compression); a chunk in the middle that fails its checksum is left out. Quality of service, type
    definitions, publish times and sequence numbers are kept. Of a bag of several files, those that are empty or hold no
    MCAP records are left out.

    Args:
        path: a bag folder, with or without metadata.yaml, or one ``.mcap`` file.
        output: folder of the whole bag; ``<name>_salvaged`` next to the source if not given.

    Raises:
        BagError: no MCAP bag is there, nothing in it can be saved, or the output exists or cannot be written.
    """
    source = Path(path).expanduser()
    paths = _mcap_files(source)
    files = [McapFile(path, one_of_several=len(paths) > 1) for path in paths]
    counts, duration = _survey(files)
    problems = [f"{file.path.name}: {file.problem}" for file in files if file.problem]
    if source.is_dir() and not (source / metadata.FILE_NAME).exists():
        problems.append(f"{metadata.FILE_NAME} is missing")
    if problems:  # again: a damaged chunk may have announced topics, which the summary repeats
        counts, duration = _survey(files)
    if not counts:
        raise BagError(f"{source} holds no message that could be saved; record it again")
    target = None
    if problems:
        name = source.stem if source.is_file() else source.name
        target = source.with_name(f"{name}_salvaged") if output is None else Path(output).expanduser()
        _copy(files, source, target)
    return SalvageReport(
        source=source,
        output=target,
        counts=dict(counts),
        duration=duration,
        dropped_bytes=sum(file.dropped_bytes for file in files),
        problems=tuple(problems),
    )


def _mcap_files(source: Path) -> tuple[Path, ...]:
    if source.is_file():
        return (source,)
    if not source.is_dir():
        raise BagError(f"there is no bag {source}; give a bag folder or a .mcap file")
    files = storage_files(source)
    if files and files[0].suffix == ".db3":
        raise BagError(f"{source} is an SQLite bag and only MCAP bags can be salvaged; try `ros2 bag reindex {source}`")
    if not files:
        raise BagError(f"the folder {source} holds no .mcap file; give the folder of a bag")
    return files


def _survey(files: list[McapFile]) -> tuple[Counter[str], float]:
    """Read everything; return the messages a topic and the time between first and last [s]."""
    counts: Counter[str] = Counter()
    first_ns, last_ns = 2**63, 0
    last: dict[str, RawMessage] = {}
    for file in files:
        for message in without_copies(file, last):
            counts[message.topic] += 1
            first_ns, last_ns = min(first_ns, message.log_time_ns), max(last_ns, message.log_time_ns)
    return counts, max(0, last_ns - first_ns) * 1e-9


def _copy(files: list[McapFile], source: Path, target: Path) -> None:
    """Write a whole bag with all readable messages."""
    with BagWriter(target, chunk_interval=float("inf"), chunk_size=1024 * 1024) as writer:
        last: dict[str, RawMessage] = {}
        for file in files:
            announced: set[str] = set()
            for message in without_copies(file, last):
                if message.topic not in announced:
                    _announce(writer, file, message.topic)
                    announced.add(message.topic)
                writer.write(
                    message.topic, message.data, message.log_time_ns, message.publish_time_ns, message.sequence
                )
            for name, table in file.metadata.items():
                if name != "rosbag2":  # that one describes the file it stands in, and is written anew
                    writer.add_metadata(name, table)
        dropped = str(sum(file.dropped_bytes for file in files))
        writer.add_metadata("ttdm_salvage", {"source": source.name, "dropped_bytes": dropped})


def _announce(writer: BagWriter, file: McapFile, topic: str) -> None:
    channel = next(channel for channel in file.channels.values() if channel.topic == topic)
    writer.add_channel(
        topic,
        channel.msgtype,
        qos=from_yaml(channel.qos_yaml),
        definition=channel.definition,
        definition_encoding=channel.definition_encoding,
        type_hash=channel.type_hash,
    )
