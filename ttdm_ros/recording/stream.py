"""A bag in pieces of bounded length, so that reading one takes as much memory whether it lasts minutes or hours."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording import decoders
from ttdm_ros.recording.bag import Topic, find_bag
from ttdm_ros.recording.decoders import Kind, TopicDecoder
from ttdm_ros.recording.series import JointStates, Poses, Table, Texts, Trajectories

PIECE = 20.0  # [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """The known topics of a bag, or of a piece of one; None where it holds no message of a topic.

    ``commands``, ``timing`` and ``franka_loop`` are tables: torques [N·m] (n, 7), and rows of ``topics.TIMING_COLUMNS``
    and ``topics.FRANKA_LOOP_COLUMNS``. Of ``franka_external`` only ``tau`` is filled. ``recorder`` is the recorder's
    summary of what it received and missed, empty in bags of other recorders.
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
    franka_measured: JointStates | None = None
    franka_desired: JointStates | None = None
    franka_external: JointStates | None = None
    franka_loop: Table | None = None
    franka_events: Texts | None = None
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
    topics.FRANKA_MEASURED: "franka_measured",
    topics.FRANKA_DESIRED: "franka_desired",
    topics.FRANKA_EXTERNAL: "franka_external",
    topics.FRANKA_LOOP: "franka_loop",
    topics.FRANKA_EVENTS: "franka_events",
}
_JOINT_STATES = (
    topics.JOINT_STATES,
    topics.REFERENCE_JOINTS,
    topics.FRANKA_MEASURED,
    topics.FRANKA_DESIRED,
    topics.FRANKA_EXTERNAL,
)


def stream_bag(
    path: Path | str,
    *,
    seconds: float = PIECE,
    only: Sequence[str] | None = None,
    require: Sequence[str | Sequence[str]] = (),
    namespace: str | None = None,
    joints: Sequence[str] | None = None,
) -> Iterator[Recording]:
    """Read a bag once through and yield its messages in pieces; a topic's are in the order they were received.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        seconds: length of a piece by the time of reception [s]; a pause of the recording yields no empty pieces.
        only: topics that are wanted, by their names in ``ttdm_ros.topics``; all that are known if left out.
        require: topics that must hold messages, of several named together one; what is lacking is known at the end.
        namespace: namespace of the topics, as ``/left``; found by itself if the bag holds only one.
        joints: joints wanted, in this order; those of the first joint state if not given. Messages that hold none of
            them (a gripper's) are left out.

    Yields:
        The pieces, at least one; ``recorder`` is in the last one.

    Raises:
        BagError: no such bag, a damaged or empty one, a required topic without messages, topics of several namespaces,
            or messages that do not fit their type.
    """
    bag = find_bag(path)
    wanted = _Wanted(tuple(_FIELDS) if only is None else only, namespace, joints)
    begin: int | None = None
    for message in bag.messages():
        if begin is None:
            begin = message.log_time_ns
        elif abs(message.log_time_ns - begin) >= 1e9 * seconds:
            yield Recording(path=bag.path, recorder={}, **wanted.take())
            begin = message.log_time_ns
        decoder = wanted.decoder(message.topic, bag.topics)
        if decoder is not None:
            decoder.add(message)
    if begin is None:
        raise BagError(f"the bag {path} holds no message; check that the topics were published, and record it again")
    choices = [(names,) if isinstance(names, str) else names for names in require]
    lacking = [names for names in choices if not any(name in wanted.found for name in names)]
    if lacking:
        named = " or ".join(f"'{name}'" for name in lacking[0])
        raise BagError(
            f"the bag {path} holds no message of {named} (it holds {', '.join(sorted(bag.topics))}); record "
            "that topic too, or name its namespace"
        )
    yield Recording(path=bag.path, recorder=bag.metadata.get("ttdm_recorder", {}), **wanted.take())


class _Wanted:
    """Finds the decoder of a topic by the end of its name."""

    def __init__(self, names: Sequence[str], namespace: str | None, joints: Sequence[str] | None) -> None:
        self.found: dict[str, TopicDecoder] = {}
        self._names = names
        self._namespace = None if namespace is None else "/" + namespace.strip("/") if namespace.strip("/") else ""
        self._by_topic: dict[str, TopicDecoder | None] = {}
        self._kinds: dict[str, Callable[[], Kind]] = {
            **dict.fromkeys(_JOINT_STATES, lambda: decoders.joint_states(joints)),
            **dict.fromkeys((topics.COMMANDS, topics.TIMING, topics.FRANKA_LOOP), lambda: decoders.TABLE),
            topics.REFERENCE: lambda: decoders.TRAJECTORY,
            topics.PREDICTION: lambda: decoders.TRAJECTORY,
            topics.TARGET: lambda: decoders.POSE,
        }

    def take(self) -> dict[str, Any]:
        """Return what was read since the last time, by the fields of a recording."""
        taken = {_FIELDS[name]: decoder.take() for name, decoder in self.found.items()}
        fields = {name: series for name, series in taken.items() if series is not None}
        if "robot_description" in fields:
            fields["robot_description"] = fields["robot_description"].text[-1]
        return fields

    def decoder(self, topic: str, known: Mapping[str, Topic]) -> TopicDecoder | None:
        """Return the decoder of a topic of the bag, None if it is not wanted."""
        try:
            return self._by_topic[topic]
        except KeyError:
            self._by_topic[topic] = self._match(known[topic])
            return self._by_topic[topic]

    def _match(self, topic: Topic) -> TopicDecoder | None:
        for name in self._names:
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
