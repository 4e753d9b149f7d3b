"""Reading the topics this package knows out of any rosbag2 bag, into arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording import decoders
from ttdm_ros.recording.bag import Topic, find_bag
from ttdm_ros.recording.decoders import Kind, TopicDecoder
from ttdm_ros.recording.info import BagInfo, describe, inspect
from ttdm_ros.recording.series import JointStates, Poses, Table, Texts, Trajectories

__all__ = ["BagInfo", "Recording", "describe", "inspect", "read_bag"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """The known topics of a bag; None where the bag holds no message of a topic.

    ``commands`` and ``timing`` are tables: torques [N·m] (n, 7), and rows of ``topics.TIMING_COLUMNS``. ``recorder`` is
    the recorder's summary of what it received and missed, empty in bags of other recorders.
    """

    path: Path
    joint_states: JointStates | None = None
    commands: Table | None = None
    reference: Trajectories | None = None
    reference_joints: JointStates | None = None
    prediction: Trajectories | None = None
    timing: Table | None = None
    active_model: Texts | None = None
    events: Texts | None = None
    target: Poses | None = None
    robot_description: str | None = None
    recorder: dict[str, str]


_FIELDS: dict[str, str] = {
    topics.JOINT_STATES: "joint_states",
    topics.COMMANDS: "commands",
    topics.REFERENCE: "reference",
    topics.REFERENCE_JOINTS: "reference_joints",
    topics.PREDICTION: "prediction",
    topics.TIMING: "timing",
    topics.ACTIVE_MODEL: "active_model",
    topics.EVENTS: "events",
    topics.TARGET: "target",
    topics.ROBOT_DESCRIPTION: "robot_description",
}


def read_bag(
    path: Path | str,
    *,
    require: Sequence[str] = (),
    namespace: str | None = None,
    joints: Sequence[str] | None = None,
) -> Recording:
    """Read a bag once through; nothing but the arrays stays in memory.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        require: topics that must hold messages, by their names in ``ttdm_ros.topics``.
        namespace: namespace of the topics, as ``/left``; found by itself if the bag holds only one.
        joints: joints wanted, in this order; those of the first joint state if not given. Messages that hold none of
            them (a gripper's) are left out.

    Raises:
        BagError: no such bag, a damaged or empty one, a required topic without messages, topics of several namespaces,
            or messages that do not fit their type.
    """
    bag = find_bag(path)
    wanted = _Wanted(namespace, joints)
    empty = True
    for message in bag.messages():
        empty = False
        decoder = wanted.decoder(message.topic, bag.topics)
        if decoder is not None:
            decoder.add(message)
    if empty:
        raise BagError(f"the bag {path} holds no message; check that the topics were published, and record it again")
    lacking = [name for name in require if name not in wanted.found]
    if lacking:
        raise BagError(
            f"the bag {path} holds no message of '{lacking[0]}' (it holds {', '.join(sorted(bag.topics))}); record "
            "that topic too, or name its namespace"
        )
    fields: dict[str, Any] = {_FIELDS[name]: decoder.finish() for name, decoder in wanted.found.items()}
    if "joint_states" in fields:
        _check_joints(fields["joint_states"], path)
    if "robot_description" in fields:
        fields["robot_description"] = fields["robot_description"].text[-1]
    return Recording(path=bag.path, recorder=bag.metadata.get("ttdm_recorder", {}), **fields)


class _Wanted:
    """Finds the decoder of a topic by the end of its name."""

    def __init__(self, namespace: str | None, joints: Sequence[str] | None) -> None:
        self.found: dict[str, TopicDecoder] = {}
        self._namespace = None if namespace is None else "/" + namespace.strip("/") if namespace.strip("/") else ""
        self._by_topic: dict[str, TopicDecoder | None] = {}
        self._kinds: dict[str, Callable[[], Kind]] = {
            topics.JOINT_STATES: lambda: decoders.joint_states(joints),
            topics.REFERENCE_JOINTS: lambda: decoders.joint_states(joints),
            topics.COMMANDS: lambda: decoders.TABLE,
            topics.TIMING: lambda: decoders.TABLE,
            topics.REFERENCE: lambda: decoders.TRAJECTORY,
            topics.PREDICTION: lambda: decoders.TRAJECTORY,
            topics.TARGET: lambda: decoders.POSE,
        }

    def decoder(self, topic: str, known: Mapping[str, Topic]) -> TopicDecoder | None:
        """Return the decoder of a topic of the bag, None if it is not wanted."""
        try:
            return self._by_topic[topic]
        except KeyError:
            self._by_topic[topic] = self._match(known[topic])
            return self._by_topic[topic]

    def _match(self, topic: Topic) -> TopicDecoder | None:
        for name in _FIELDS:
            if self._namespace is None:
                fits = topic.name == name or topic.name.endswith(f"/{name}")
            else:
                fits = topic.name == f"{self._namespace}/{name}"
            if not fits:
                continue
            if name in self.found:
                raise BagError(
                    f"the bag holds both {self.found[name].topic} and {topic.name}; say which with its namespace"
                )
            kind = self._kinds.get(name, lambda: decoders.TEXT)()
            if topic.msgtype != kind.msgtype:
                raise BagError(
                    f"{topic.name} has type {topic.msgtype} in the bag where {kind.msgtype} is needed; give the "
                    "namespace of the right topic, or record it with that type"
                )
            self.found[name] = TopicDecoder(topic.name, kind)
            return self.found[name]
        return None


def _check_joints(states: JointStates, path: Path | str) -> None:
    if not states.names:
        raise BagError(f"the joint states in {path} carry no joint names; publish them with names and record again")
    if not len(states):
        raise BagError(
            f"no joint state in {path} holds any of the joints {', '.join(states.names)}; give the robot it was "
            "recorded with"
        )
