"""From the serialized messages of one topic to one of the objects in series.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ttdm_ros.errors import BagError
from ttdm_ros.recording.cdr import Layout, by_layout, scan
from ttdm_ros.recording.mcap_file import RawMessage
from ttdm_ros.recording.series import JointStates, Poses, Series, Table, Texts, Trajectories

_BLOCK = 4096  # messages decoded at once, so that a long bag does not lie in memory twice

Arrays = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one message type becomes arrays, and which object holds them."""

    msgtype: str
    decode: Callable[[list[bytes]], Arrays]
    series: type[Series]


class TopicDecoder:
    """Gathers the messages of one topic and decodes them in blocks."""

    def __init__(self, topic: str, kind: Kind) -> None:
        """Start empty."""
        self.topic = topic
        self._kind = kind
        self._pending: list[RawMessage] = []
        self._blocks: list[Arrays] = []

    def add(self, message: RawMessage) -> None:
        """Take one more message.

        Raises:
            BagError: the bytes are no message of the type.
        """
        self._pending.append(message)
        if len(self._pending) == _BLOCK:
            self._decode_pending()

    def take(self) -> Any:
        """Return what was added since the last time, as the object that belongs to the type; None if nothing was.

        Raises:
            BagError: the bytes are no message of the type.
        """
        if self._pending:
            self._decode_pending()
        blocks, self._blocks = self._blocks, []
        if not blocks:
            return None
        return self._kind.series(topic=self.topic, **{key: _join([b[key] for b in blocks]) for key in blocks[0]})

    def _decode_pending(self) -> None:
        messages, self._pending = self._pending, []
        try:
            decoded = self._kind.decode([message.data for message in messages])
        except BagError as error:
            raise BagError(f"{self.topic}: {error}") from error
        except KeyError as error:
            raise BagError(
                f"{self.topic}: a message lacks the field {error}; publish it as {self._kind.msgtype} with every field"
            ) from error
        decoded["log_time_ns"] = np.array([message.log_time_ns for message in messages], dtype=np.int64)
        decoded["publish_time_ns"] = np.array([message.publish_time_ns for message in messages], dtype=np.int64)
        decoded["sequence"] = np.array([message.sequence for message in messages], dtype=np.int64)
        keep = decoded.pop("keep", None)
        if keep is not None and not keep.all():
            decoded = {k: value[keep] if isinstance(value, np.ndarray) else value for k, value in decoded.items()}
        self._blocks.append(decoded)


def joint_states(joints: Sequence[str] | None) -> Kind:
    """Joint states in the order of ``joints``, or of the first names seen; messages without them do not count."""
    names = None if joints is None else tuple(joints)

    def decode(messages: list[bytes]) -> Arrays:
        nonlocal names
        names = names or scan(JOINT_STATE.msgtype, messages[0]).text_list("name")
        shape = (len(messages), len(names))
        arrays: Arrays = {"names": names, "stamp_ns": np.zeros(shape[0], dtype=np.int64)}
        arrays["keep"] = np.zeros(shape[0], dtype=bool)
        arrays |= {key: np.full(shape, np.nan) for key in ("q", "v", "tau")}
        for layout, places, rows in by_layout(JOINT_STATE.msgtype, messages):
            arrays["stamp_ns"][places] = _stamp(layout, rows)
            found = layout.text_list("name")
            pairs = [(found.index(name), column) for column, name in enumerate(names) if name in found]
            arrays["keep"][places] = bool(pairs)
            for key, path in (("q", "position"), ("v", "velocity"), ("tau", "effort")):
                if layout.counts[path] == len(found):
                    values = layout.column(rows, path)
                    for source, column in pairs:
                        arrays[key][places, column] = values[:, source]
        return arrays

    return replace(JOINT_STATE, decode=decode)


def _decode_tables(messages: list[bytes]) -> Arrays:
    groups = list(by_layout(TABLE.msgtype, messages))
    width = max(layout.counts["data"] for layout, _, _ in groups)
    values = np.full((len(messages), width), np.nan)
    for layout, places, rows in groups:
        values[places, : layout.counts["data"]] = layout.column(rows, "data")
    return {"values": values}


def _decode_trajectories(messages: list[bytes]) -> Arrays:
    groups = list(by_layout(TRAJECTORY.msgtype, messages))
    size = (len(messages), max(layout.counts["points"] for layout, _, _ in groups))
    arrays: Arrays = {
        "stamp_ns": np.zeros(size[0], dtype=np.int64),
        "frame": groups[0][0].texts["header.frame_id"],
        "time_from_start": np.full(size, np.nan),
        **{key: np.full((*size, len(paths)), np.nan) for key, paths in _POINT.items()},
    }
    for layout, places, rows in groups:
        count = layout.counts["points"]
        arrays["stamp_ns"][places] = _stamp(layout, rows)
        seconds = layout.columns(rows, [f"points[{i}].time_from_start.sec" for i in range(count)]) if count else 0
        nanos = layout.columns(rows, [f"points[{i}].time_from_start.nanosec" for i in range(count)]) if count else 0
        arrays["time_from_start"][places, :count] = seconds + nanos * 1e-9
        for key, paths in _POINT.items():
            kind = paths[0].partition("[")[0]
            held = [i for i in range(count) if layout.counts[f"points[{i}].{kind}"]]
            if held:
                values = layout.columns(rows, [f"points[{i}].{path}" for i in held for path in paths])
                arrays[key][places[:, None], np.array(held)] = values.reshape(len(rows), len(held), len(paths))
    return arrays


def _decode_poses(messages: list[bytes]) -> Arrays:
    groups = list(by_layout(POSE.msgtype, messages))
    arrays: Arrays = {
        "stamp_ns": np.zeros(len(messages), dtype=np.int64),
        "frame": groups[0][0].texts["header.frame_id"],
        "position": np.zeros((len(messages), 3)),
        "quaternion": np.zeros((len(messages), 4)),
    }
    for layout, places, rows in groups:
        arrays["stamp_ns"][places] = _stamp(layout, rows)
        arrays["position"][places] = layout.columns(rows, [f"pose.position.{axis}" for axis in "xyz"])
        arrays["quaternion"][places] = layout.columns(rows, [f"pose.orientation.{axis}" for axis in "xyzw"])
    return arrays


def _decode_texts(messages: list[bytes]) -> Arrays:
    return {"text": tuple(scan(TEXT.msgtype, data).texts["data"] for data in messages)}


def _stamp(layout: Layout, rows: np.ndarray) -> np.ndarray:
    seconds = layout.column(rows, "header.stamp.sec")[:, 0].astype(np.int64)
    return np.asarray(seconds * 10**9 + layout.column(rows, "header.stamp.nanosec")[:, 0])


def _join(parts: list[Any]) -> Any:
    """Put the blocks of one array together; rows of fewer columns are filled up with NaN."""
    first = parts[0]
    if isinstance(first, str) or (isinstance(first, tuple) and all(part is first for part in parts)):
        return first
    if isinstance(first, tuple):
        return tuple(item for part in parts for item in part)
    if first.ndim > 1:
        width = max(part.shape[1] for part in parts)
        fill = [[(0, 0), (0, width - part.shape[1])] + [(0, 0)] * (first.ndim - 2) for part in parts]
        parts = [np.pad(part, pad, constant_values=np.nan) for part, pad in zip(parts, fill, strict=True)]
    joined = np.concatenate(parts)
    joined.flags.writeable = False
    return joined


_POINT = {
    "position": [f"transforms[0].translation.{axis}" for axis in "xyz"],
    "quaternion": [f"transforms[0].rotation.{axis}" for axis in "xyzw"],
    "linear_velocity": [f"velocities[0].linear.{axis}" for axis in "xyz"],
    "angular_velocity": [f"velocities[0].angular.{axis}" for axis in "xyz"],
}

JOINT_STATE = Kind("sensor_msgs/msg/JointState", lambda messages: joint_states(None).decode(messages), JointStates)
TABLE = Kind("std_msgs/msg/Float64MultiArray", _decode_tables, Table)
TRAJECTORY = Kind("trajectory_msgs/msg/MultiDOFJointTrajectory", _decode_trajectories, Trajectories)
POSE = Kind("geometry_msgs/msg/PoseStamped", _decode_poses, Poses)
TEXT = Kind("std_msgs/msg/String", _decode_texts, Texts)
