"""ROS 2 node ``recorder``: keeps topics in a bag, byte for byte, and counts what it received and missed."""

import math
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import get_rmw_implementation_identifier

from ttdm_ros import topics
from ttdm_ros.config import parse
from ttdm_ros.errors import BagError, TtdmError
from ttdm_ros.nodes.drained_topic import DrainedTopic, offers_of
from ttdm_ros.recording.config import KNOWN_TOPICS, KnownTopic, RecorderConfig
from ttdm_ros.recording.ros_clock import ClockHistory
from ttdm_ros.recording.sequence import SequenceCounter
from ttdm_ros.recording.writer import BagWriter

_DRAIN_PERIOD = 0.01  # [s]
_DISCOVERY_PERIOD = 0.25  # [s]
_REPORT_PERIOD = 1.0  # [s]
_TELLS_NO_RECEPTION = "rmw_cyclonedds_cpp"  # what it gives as the time of reception is that of the taking, or nothing
_LAST_WORDS = 15  # times that a failure is published before the node ends


@dataclass(slots=True)
class _Recorded:
    """A topic and what came of it."""

    source: DrainedTopic
    received: int = 0
    counter: SequenceCounter = field(default_factory=SequenceCounter)

    @property
    def missed(self) -> int:
        """Messages published and not received; both counters see the same losses, so the larger one counts."""
        return max(self.counter.missed, self.source.lost)


class Recorder(Node):
    """Records from its construction until ``close``.

    Attributes:
        failure: why recording ended by itself, in a sentence; None while all is well.
    """

    def __init__(self, **node_arguments: Any) -> None:
        """Read the parameters, make the bag, subscribe.

        Raises:
            ConfigError: a parameter has a value that is not allowed.
            BagError: the bag cannot be made.
        """
        super().__init__("recorder", **node_arguments)
        self.failure: str | None = None
        self._config = self._read_parameters()
        self._tells_reception = get_rmw_implementation_identifier() != _TELLS_NO_RECEPTION
        self._clock_history = ClockHistory() if self.get_parameter("use_sim_time").value else None
        self._recorded: dict[str, _Recorded] = {}
        self._awaited: set[str] = set()
        self._warned: set[str] = set()
        self._closed = False
        self._writer = _make_bag(self._config)
        self._last_report = (time.monotonic(), 0)
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        for name in self._wanted_topics():
            known = KNOWN_TOPICS.get(name)
            if known is None:
                self._awaited.add(self.resolve_topic_name(name))
            else:
                self._record(self.resolve_topic_name(name), known)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulated clock may stand still
        self.create_timer(_DRAIN_PERIOD, self._unless_failed(self._drain), clock=steady)
        self.create_timer(_DISCOVERY_PERIOD, self._discover, clock=steady)
        self.create_timer(_REPORT_PERIOD, self._unless_failed(self._report), clock=steady)
        self.get_logger().info(f"recording into {self._writer.path}")

    @property
    def bag(self) -> Path:
        """The bag's folder."""
        return self._writer.path

    def close(self) -> None:
        """Take what still waits and close the bag; a second call does nothing.

        Raises:
            BagError: the disk is full or fails.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self.failure is None:
                self._drain()
            table = {} if self.failure is None else {"failure": self.failure}
            for name, topic in self._recorded.items():
                table |= {f"received {name}": str(topic.received), f"missed {name}": str(topic.missed)}
            self._writer.add_metadata("ttdm_recorder", table)
        finally:
            self._writer.close()

    def summary(self) -> Iterator[str]:
        """Yield one line a topic that has a message."""
        for name, topic in sorted(self._recorded.items()):
            if topic.received or topic.missed:
                yield f"{name}: {topic.received} messages recorded, {topic.missed} missed"

    def _read_parameters(self) -> RecorderConfig:
        given: dict[str, Any] = {}
        for name, definition in RecorderConfig.model_fields.items():
            # ROS cannot tell the type of an empty list: [""] stands for one.
            default = [""] if definition.default == () else definition.default
            value = self.declare_parameter(name, default, ParameterDescriptor(dynamic_typing=True)).value
            given[name] = [item for item in value if item != ""] if isinstance(value, list) else value
        return parse(given, RecorderConfig, "parameters of recorder")

    def _wanted_topics(self) -> list[str]:
        """Return the names of all topics to record; the clock comes first, others' log times may depend on it."""
        names = dict.fromkeys([*(self._config.topics or KNOWN_TOPICS), *self._config.extra_topics])
        if self._clock_history is None:
            return [name for name in names if name != topics.CLOCK]
        return [topics.CLOCK, *(name for name in names if name != topics.CLOCK)]

    def _record(self, name: str, known: KnownTopic) -> None:
        try:
            self._recorded[name] = _Recorded(DrainedTopic(self, name, known, self._config.queue_depth))
        except ImportError:
            self._warn_once(f"{name} is not recorded: no Python package of its type {known.msgtype} is installed")

    def _discover(self) -> None:
        """Find types of awaited topics, and match quality of service to the publishers that are there."""
        types = dict(self.get_topic_names_and_types()) if self._awaited else {}
        for name in sorted(self._awaited & types.keys()):
            if len(types[name]) > 1:
                self._warn_once(f"{name} is not recorded: it is published with the types {', '.join(types[name])}")
                continue
            self._awaited.discard(name)
            self._record(name, KnownTopic(types[name][0]))
        for topic in self._recorded.values():
            if warning := topic.source.match_publishers():
                self.get_logger().warning(warning)

    def _drain(self) -> None:
        for topic in self._recorded.values():
            for data, info in topic.source.take():
                self._keep(topic, data, info)
            if self._clock_history is not None and not self._clock_history.has_started:
                return  # there is no time yet: messages wait in their queues
        self._writer.flush_if_due()

    def _keep(self, topic: _Recorded, data: bytes, info: dict[str, Any]) -> None:
        number = info.get("publication_sequence_number") or 0
        publisher = (info.get("publisher_gid") or {}).get("data", b"")
        # Without the publisher's identity (older rclpy) numbers of several publishers cannot be told apart.
        if number and (publisher or len(topic.source.offers) == 1) and not topic.counter.is_new(publisher, number):
            return
        sent_ns = info.get("source_timestamp") or 0
        received_ns = (info.get("received_timestamp") if self._tells_reception else 0) or sent_ns or time.time_ns()
        sent_ns = sent_ns or received_ns
        if self._clock_history is not None:
            if topic.source.name == topics.CLOCK:
                self._clock_history.note(received_ns, data)
            received_ns, sent_ns = self._clock_history.at(received_ns), self._clock_history.at(sent_ns)
        if topic.received == 0:
            self._announce(topic.source)
        self._writer.write(topic.source.name, data, received_ns, sent_ns, number)
        topic.received += 1

    def _announce(self, source: DrainedTopic) -> None:
        offers = source.offers or offers_of(self, source.name)
        try:
            self._writer.add_channel(source.name, source.msgtype, qos=offers)
        except BagError as error:
            self._warn_once(f"{source.name} is kept without its definition, Foxglove cannot show it: {error}")
            self._writer.add_channel(source.name, source.msgtype, qos=offers, definition="")

    def _report(self) -> None:
        """Publish diagnostics, and end recording while there is still room to close the bag."""
        self.publish_diagnostics()
        if not self.bag.is_dir():
            raise BagError(f"the folder {self.bag} was removed while recording into it; record again")
        free = _free_disk(self.bag)
        if free < self._config.min_free_disk:
            raise BagError(
                f"only {free:.0f} MB are left on the disk of {self.bag}, so recording ended and the bag was closed; "
                "make room, or lower the parameter min_free_disk"
            )

    def publish_diagnostics(self) -> None:
        """Tell what was received and missed, and what failed."""
        now, received = time.monotonic(), sum(topic.received for topic in self._recorded.values())
        missed = sum(topic.missed for topic in self._recorded.values())
        rate = (received - self._last_report[1]) / max(now - self._last_report[0], 1e-3)
        self._last_report = (now, received)
        silent = [name for name, topic in self._recorded.items() if not topic.received] + sorted(self._awaited)
        status = DiagnosticStatus(name=f"{self.get_name()}: bag", hardware_id=self.bag.name)
        status.level, status.message = DiagnosticStatus.OK, "recording"
        if missed:
            status.level, status.message = DiagnosticStatus.WARN, f"{missed} messages were missed"
        if self.failure is not None:
            status.level, status.message = DiagnosticStatus.ERROR, self.failure
        values: dict[str, Any] = {
            "bag": self.bag,
            "received": received,
            "missed": missed,
            "rate [1/s]": f"{rate:.1f}",
            "written [MB]": f"{self._writer.bytes_written / 1e6:.3f}",
            "free on disk [MB]": f"{_free_disk(self.bag):.0f}",
            "no message yet": ", ".join(silent),
        }
        for name, topic in self._recorded.items():
            if topic.received:
                values |= {f"received {name}": topic.received, f"missed {name}": topic.missed}
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _unless_failed(self, work: Callable[[], None]) -> Callable[[], None]:
        """Turn a failure of the disk into an error diagnostic and the end of recording."""

        @wraps(work)
        def guarded() -> None:
            if self.failure is not None:
                return
            try:
                work()
            except BagError as error:
                self.failure = str(error)
                self.get_logger().error(self.failure)

        return guarded

    def _warn_once(self, warning: str) -> None:
        if warning not in self._warned:
            self._warned.add(warning)
            self.get_logger().warning(warning)


def _free_disk(folder: Path) -> float:
    """Return the room on the disk of a folder [MB], NaN if the folder is gone."""
    try:
        return shutil.disk_usage(folder).free / 1e6
    except OSError:
        return math.nan


def _make_bag(config: RecorderConfig) -> BagWriter:
    name = config.name or f"ttdm_{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    return BagWriter(
        Path(config.output_folder).expanduser() / name,
        compression=config.compression,
        chunk_interval=config.chunk_interval,
        split_size=round(config.split_size * 1e6) or None,
        split_duration=config.split_duration or None,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; return 0, or 1 if nothing could be recorded or recording ended by itself."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    # With rclpy's own handlers the context would be gone before the last messages are taken.
    with rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO):
        try:
            node = Recorder()
        except TtdmError as error:
            print(f"recorder: {error}", file=sys.stderr)
            return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            while not stop.is_set() and node.failure is None:
                executor.spin_once()
        finally:
            try:
                node.close()
            except BagError as error:
                node.failure = node.failure or str(error)
            failure = node.failure
            for line in node.summary():
                print(line)
            print(f"recorder: {failure}" if failure else f"the bag is {node.bag}", flush=True)
            for _ in range(_LAST_WORDS if failure else 0):  # so that a monitor surely hears of it
                node.publish_diagnostics()
                time.sleep(0.2)
            executor.remove_node(node)
            node.destroy_node()
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
