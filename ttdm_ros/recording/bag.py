"""Any rosbag2 bag as one stream of messages: ours or ``ros2 bag``'s, MCAP or SQLite, split, compressed or salvaged."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ttdm_ros.errors import BagError
from ttdm_ros.recording import metadata
from ttdm_ros.recording.mcap_file import McapFile, RawMessage
from ttdm_ros.recording.qos import Qos, from_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a bag says of a topic."""

    name: str
    msgtype: str
    qos: tuple[Qos, ...] = ()


@dataclass(slots=True)
class Bag:
    """A bag on disk; ``messages`` reads it once through and fills the other fields on the way.

    Attributes:
        path: the folder or file given.
        files: its storage files in order.
        topics: by name; a topic is there when its first message is, all are after ``messages``.
        metadata: named tables of texts of MCAP files, as ``ttdm_recorder``; complete after ``messages``.
        has_publish_times: whether publish times and sequence numbers are kept (MCAP keeps them, SQLite does not).
    """

    path: Path
    files: tuple[Path, ...]
    topics: dict[str, Topic] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    has_publish_times: bool = True
    _foreign: bool = False

    def messages(self) -> Iterator[RawMessage]:
        """Yield every message once, a topic's in the order they were received.

        The copies of latched messages at the head of split files are left out.

        Raises:
            BagError: a file is damaged or cannot be read; the sentence says what to do.
        """
        if self._foreign:
            yield from self._foreign_messages()
            return
        last: dict[str, RawMessage] = {}
        for path in self.files:
            file = McapFile(path, one_of_several=len(self.files) > 1)
            for message in without_copies(file, last):
                if message.topic not in self.topics:
                    self._learn_topics(file)
                yield message
            if not file.whole:
                raise BagError(
                    f"{path} is not whole ({file.problem}); run `ttdm salvage {self.path}` and read the bag it makes"
                )
            self.metadata.update(file.metadata)
            self._learn_topics(file)

    def _learn_topics(self, file: McapFile) -> None:
        for channel in file.channels.values():
            if channel.topic not in self.topics:
                qos = from_yaml(channel.qos_yaml)
                self.topics[channel.topic] = Topic(name=channel.topic, msgtype=channel.msgtype, qos=qos)

    def _foreign_messages(self) -> Iterator[RawMessage]:
        """Read with the rosbags library what is not plain MCAP."""
        from rosbags.rosbag2 import Reader

        parts = (self.path,) if (self.path / metadata.FILE_NAME).exists() else self.files
        try:
            for part in parts:
                with Reader(part) as reader:
                    for connection in reader.connections:
                        self.topics[connection.topic] = Topic(name=connection.topic, msgtype=connection.msgtype)
                    for connection, time_ns, data in reader.messages():
                        yield RawMessage(connection.topic, bytes(data), time_ns, time_ns, 0)
        except Exception as error:  # whatever a damaged file makes that library or its parsers raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BagError(
                f"{self.path} cannot be read ({reason}); restore the bag from a copy, or repair it with "
                "`ros2 bag reindex`"
            ) from error


def without_copies(file: McapFile, last: dict[str, RawMessage]) -> Iterator[RawMessage]:
    """Yield the messages of a file but for those copied from the file before it.

    A split file starts with the last message of every latched topic once more: same bytes, publish time and number.

    Args:
        file: the next file of a bag.
        last: the last message of each topic in the files before it; brought up to date on the way.
    """
    before = dict(last)
    for message in file.messages():
        earlier = before.pop(message.topic, None)
        last[message.topic] = message
        if earlier is not None and _is_copy(message, earlier):
            continue
        yield message


def _is_copy(message: RawMessage, earlier: RawMessage) -> bool:
    return (message.publish_time_ns, message.sequence, message.data) == (
        earlier.publish_time_ns,
        earlier.sequence,
        earlier.data,
    )


def find_bag(path: Path | str) -> Bag:
    """Find the storage files of a bag; nothing of them is read yet.

    Args:
        path: a bag folder, with or without metadata.yaml, or a single ``.mcap`` or ``.db3`` file.

    Raises:
        BagError: there is no bag there, or metadata.yaml names files that are missing.
    """
    path = Path(path).expanduser()
    if path.is_file():
        if path.suffix == ".db3":
            return Bag(path, (path,), has_publish_times=False, _foreign=True)
        return Bag(path, (path,))
    if not path.is_dir():
        raise BagError(f"there is no bag {path}; give a bag folder, or a .mcap or .db3 file")
    content = metadata.read(path)
    files = (
        storage_files(path) if content is None else tuple(path / Path(n).name for n in content["relative_file_paths"])
    )
    if missing := [file.name for file in files if not file.is_file()]:
        raise BagError(
            f"the bag {path} lacks its file {missing[0]}; put it back, or give the remaining files one by one"
        )
    if not files:
        raise BagError(f"the folder {path} holds no bag (no .mcap and no .db3 file); give the folder of a bag")
    foreign = files[0].suffix != ".mcap" or _is_packed(content)
    return Bag(path, files, has_publish_times=not foreign, _foreign=foreign)


def storage_files(folder: Path) -> tuple[Path, ...]:
    """Return the MCAP files of a folder, or else its SQLite files, in the order of their numbers."""
    for suffix in (".mcap", ".db3"):
        if files := sorted(folder.glob(f"*{suffix}"), key=_order):
            return tuple(files)
    return ()


def _order(file: Path) -> tuple[int, str]:
    number = file.stem.rpartition("_")[2]
    return (int(number) if number.isdigit() else -1, file.name)


def _is_packed(content: dict[str, Any] | None) -> bool:
    """Whether rosbag2 compressed whole files or single messages (chunks compressed within MCAP are no matter)."""
    return content is not None and str(content.get("compression_mode") or "none").lower() != "none"
