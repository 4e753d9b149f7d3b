"""Writing a rosbag2 folder with MCAP files, so that a killed process loses only its last fraction of a second."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from mcap.writer import CompressionType, Writer

from ttdm_ros import __version__
from ttdm_ros.errors import BagError
from ttdm_ros.recording import metadata
from ttdm_ros.recording.definitions import definition_of
from ttdm_ros.recording.qos import Qos, to_yaml
from ttdm_ros.recording.sink import FileSink

Compression = Literal["none", "zstd", "lz4"]

_COMPRESSION = {"none": CompressionType.NONE, "zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4}
_LIBRARY = f"ttdm_ros {__version__}, mcap {version('mcap')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    topic: str
    msgtype: str
    definition: str
    definition_encoding: str
    type_hash: str
    qos: tuple[Qos, ...]


class BagWriter:
    """Writes serialized messages, unchanged, into ``<path>/<name>_0.mcap`` and closes with ``metadata.yaml``.

    Messages gather in a chunk, which goes to the operating system when it is full and when it is ``chunk_interval``
    seconds old (looked at on every write, and by ``flush_if_due``, which the owner calls while topics are silent). What
    was handed over survives the death of this process. An existing bag is never overwritten.

    Files are split when ``split_size`` bytes or ``split_duration`` seconds are exceeded; each further file starts with
    the last message of every latched topic, logged at the time of the split, with its publish time and number kept.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        compression: Compression = "none",
        chunk_size: int = 256 * 1024,
        chunk_interval: float = 0.2,
        split_size: int | None = None,
        split_duration: float | None = None,
    ) -> None:
        """Make the folder and open the first file.

        Raises:
            BagError: the folder exists already or cannot be made.
        """
        self.path = Path(path)
        self._compression = _COMPRESSION[compression]
        self._chunk_size = chunk_size
        self._chunk_interval = chunk_interval
        self._split_size = split_size
        self._split_duration_ns = None if split_duration is None else round(split_duration * 1e9)
        self._channels: dict[str, _Channel] = {}
        self._ids: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._latched: set[str] = set()
        self._last_of_latched: dict[str, tuple[bytes, int, int]] = {}
        self._files: list[metadata.FileEntry] = []
        self._counts: dict[str, int] = {}
        self._bytes_of_closed_files = 0
        self._closed = False
        self._last_flush = time.monotonic()
        try:
            self.path.mkdir(parents=True)
        except FileExistsError as error:
            raise BagError(f"{self.path} exists already; choose another name for the bag, or move it away") from error
        except OSError as error:
            raise BagError(f"the bag {self.path} cannot be made ({error.strerror}); choose another folder") from error
        self._open_file()

    @property
    def bytes_written(self) -> int:
        """Bytes handed to the operating system, over all files."""
        return self._bytes_of_closed_files + self._sink.tell()

    @property
    def files(self) -> tuple[Path, ...]:
        """The storage files, in the order they were written."""
        return tuple(self.path / entry.name for entry in self._files)

    @property
    def counts(self) -> dict[str, int]:
        """Messages written a topic; the copies of latched messages in split files are not counted."""
        return dict(self._counts)

    def add_channel(
        self,
        topic: str,
        msgtype: str,
        *,
        qos: Sequence[Qos] = (),
        definition: str | None = None,
        definition_encoding: str = "ros2msg",
        type_hash: str = "",
    ) -> None:
        """Announce a topic; needed once before its first message.

        Args:
            topic: full name, as ``/joint_states``.
            msgtype: as ``sensor_msgs/msg/JointState``.
            qos: what its publishers offer.
            definition: text of the message type with all nested types; standard types need none. An empty text keeps
                the messages without a definition: they can be played again but not shown.
            definition_encoding: ``ros2msg`` or ``ros2idl``.
            type_hash: RIHS01 hash; computed for standard types.

        Raises:
            BagError: the topic is in the bag with another type, or the type's definition is not known.
        """
        if topic in self._channels:
            known = self._channels[topic].msgtype
            if known == msgtype:
                return
            raise BagError(f"{topic} is in the bag with type {known}, not {msgtype}; record one type a topic")
        if definition is None:
            definition, standard_hash = definition_of(msgtype)
            type_hash = type_hash or standard_hash
        self._channels[topic] = _Channel(
            topic=topic,
            msgtype=msgtype,
            definition=definition,
            definition_encoding=definition_encoding if definition else "",
            type_hash=type_hash,
            qos=tuple(qos),
        )
        if any(profile.latched for profile in qos):
            self._latched.add(topic)
        self._counts[topic] = 0
        self._register(self._channels[topic])

    def write(
        self, topic: str, data: bytes, log_time_ns: int, publish_time_ns: int | None = None, sequence: int = 0
    ) -> None:
        """Append one serialized message.

        Args:
            topic: a topic announced with ``add_channel``.
            data: CDR bytes with their four-byte head, kept as they are.
            log_time_ns: when it was received [ns].
            publish_time_ns: when it was sent [ns]; the log time if not known.
            sequence: the publisher's number of the message, 0 if not known.

        Raises:
            BagError: the disk is full or fails; what was written before stays readable.
        """
        if publish_time_ns is None:
            publish_time_ns = log_time_ns
        if self._is_time_to_split(log_time_ns):
            self._split(log_time_ns)
        self._append(topic, data, log_time_ns, publish_time_ns, sequence)
        self._counts[topic] += 1
        if topic in self._latched:
            self._last_of_latched[topic] = (data, publish_time_ns, sequence)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """End the chunk and hand it to the operating system if ``chunk_interval`` has passed since the last time."""
        if time.monotonic() - self._last_flush >= self._chunk_interval:
            self.flush()

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._writer.flush()
        self._last_flush = time.monotonic()

    def add_metadata(self, name: str, content: Mapping[str, str]) -> None:
        """Write a named table of texts into the file, after the messages so far.

        Raises:
            BagError: the disk is full or fails.
        """
        self.flush()
        self._writer.add_metadata(name, dict(content))

    def close(self) -> None:
        """Write index and summary of the last file, and ``metadata.yaml``; a second call does nothing.

        Raises:
            BagError: the disk is full or fails; ``ttdm salvage`` closes the bag later.
        """
        if self._closed:
            return
        self._closed = True
        self._close_file()
        try:
            metadata.write(self.path, metadata.build(self._topic_entries(self._files), self._files))
        except OSError as error:
            raise BagError(
                f"{self.path}/{metadata.FILE_NAME} cannot be written ({error.strerror}); make room on the disk, then "
                f"run `ttdm salvage {self.path}`"
            ) from error

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the bag, whatever happened."""
        self.close()

    def _open_file(self) -> None:
        self._files.append(metadata.FileEntry(f"{self.path.name}_{len(self._files)}.mcap"))
        self._sink = FileSink(self.files[-1])
        self._writer = Writer(self._sink, chunk_size=self._chunk_size, compression=self._compression)  # type: ignore[arg-type]
        self._writer.start("ros2", _LIBRARY)

    def _close_file(self) -> None:
        """End the file; rosbag2 reads its metadata from inside when metadata.yaml is lost."""
        file = self._files[-1]
        try:
            self.flush()
            content = metadata.build(self._topic_entries([file]), [file])
            self._writer.add_metadata("rosbag2", {"serialized_metadata": metadata.as_text(content)})
            self._writer.finish()
        finally:
            self._sink.close()

    def _topic_entries(self, files: Sequence[metadata.FileEntry]) -> list[metadata.TopicEntry]:
        return [
            metadata.TopicEntry(
                name=channel.topic,
                msgtype=channel.msgtype,
                type_hash=channel.type_hash,
                qos=channel.qos,
                count=sum(file.counts.get(channel.topic, 0) for file in files),
            )
            for channel in self._channels.values()
        ]

    def _register(self, channel: _Channel) -> None:
        """Write schema and channel into the current file."""
        if channel.msgtype not in self._schemas:
            self._schemas[channel.msgtype] = self._writer.register_schema(
                channel.msgtype, channel.definition_encoding, channel.definition.encode()
            )
        self._ids[channel.topic] = self._writer.register_channel(
            channel.topic,
            "cdr",
            self._schemas[channel.msgtype],
            {"offered_qos_profiles": to_yaml(channel.qos), "topic_type_hash": channel.type_hash},
        )

    def _append(self, topic: str, data: bytes, log_time_ns: int, publish_time_ns: int, sequence: int) -> None:
        self._writer.add_message(self._ids[topic], log_time_ns, data, publish_time_ns, sequence & 0xFFFFFFFF)
        file = self._files[-1]
        file.counts[topic] = file.counts.get(topic, 0) + 1
        file.start_ns = min(file.start_ns, log_time_ns)
        file.end_ns = max(file.end_ns, log_time_ns)

    def _is_time_to_split(self, log_time_ns: int) -> bool:
        file = self._files[-1]
        if not file.counts:
            return False
        if self._split_size is not None and self._sink.tell() >= self._split_size:
            return True
        return self._split_duration_ns is not None and log_time_ns - file.start_ns >= self._split_duration_ns

    def _split(self, log_time_ns: int) -> None:
        self._close_file()
        self._bytes_of_closed_files += self._sink.tell()
        self._open_file()
        self._schemas.clear()
        for channel in self._channels.values():
            self._register(channel)
        for topic, (data, publish_time_ns, sequence) in self._last_of_latched.items():
            self._append(topic, data, log_time_ns, publish_time_ns, sequence)
