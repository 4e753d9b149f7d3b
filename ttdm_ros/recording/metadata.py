"""metadata.yaml of a bag folder, in the form of rosbag2's version 9."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ttdm_ros.errors import BagError
from ttdm_ros.recording.qos import Qos
from ttdm_ros.yaml_text import read_yaml

FILE_NAME = "metadata.yaml"
_NEVER_NS = 2**63 - 1  # rosbag2's starting time of a bag without messages


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEntry:
    """A topic of the bag and how many messages it holds."""

    name: str
    msgtype: str
    type_hash: str
    qos: tuple[Qos, ...]
    count: int


@dataclass(slots=True)
class FileEntry:
    """One storage file, filled while it is written; times are log times [ns]."""

    name: str
    start_ns: int = _NEVER_NS
    end_ns: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Messages in the file."""
        return sum(self.counts.values())

    @property
    def duration_ns(self) -> int:
        """Time between the first and the last message."""
        return max(0, self.end_ns - self.start_ns)


def build(topics: Sequence[TopicEntry], files: Sequence[FileEntry]) -> dict[str, Any]:
    """Return the content of metadata.yaml below its only key."""
    start = min((f.start_ns for f in files), default=_NEVER_NS)
    end = max((f.end_ns for f in files), default=0)
    return {
        "version": 9,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": max(0, end - start)},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": sum(f.count for f in files),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.msgtype,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": [qos.as_metadata() for qos in topic.qos],
                    "type_description_hash": topic.type_hash,
                },
                "message_count": topic.count,
            }
            for topic in topics
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [f.name for f in files],
        "files": [
            {
                "path": f.name,
                "starting_time": {"nanoseconds_since_epoch": f.start_ns},
                "duration": {"nanoseconds": f.duration_ns},
                "message_count": f.count,
            }
            for f in files
        ],
        "custom_data": None,
        "ros_distro": os.environ.get("ROS_DISTRO", ""),
    }


def as_text(content: dict[str, Any]) -> str:
    """Return the YAML text of ``content``."""
    return str(yaml.dump(content, Dumper=_PlainDumper, sort_keys=False))


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write metadata.yaml whole or not at all."""
    partial = folder / f".{FILE_NAME}.partial"
    partial.write_text(as_text({"rosbag2_bagfile_information": content}), encoding="utf-8")
    partial.replace(folder / FILE_NAME)


def read(folder: Path) -> dict[str, Any] | None:
    """Return the content of metadata.yaml, or None if the folder has none.

    Raises:
        BagError: the file is there and is not the metadata of a bag.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        if not all(isinstance(name, str) for name in content["relative_file_paths"]):
            raise TypeError("file names must be text")
        content["storage_identifier"] = str(content["storage_identifier"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BagError(
            f"{path} is not the metadata of a bag ({type(error).__name__}); move that file away and run "
            f"`ttdm salvage {folder}`"
        ) from error
    return dict(content)


class _PlainDumper(yaml.SafeDumper):
    """Writes repeated objects out in full: rosbag2's reader is not asked to follow YAML anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
