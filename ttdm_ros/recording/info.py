"""What a bag holds, at a glance: counts, rates, gaps, missed messages."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ttdm_ros.errors import BagError
from ttdm_ros.recording.bag import find_bag
from ttdm_ros.recording.sequence import count_missing

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicInfo:
    """One topic.

    Attributes:
        name: full name.
        msgtype: message type.
        count: messages.
        rate_hz: mean rate between the first and the last message; NaN for fewer than two.
        longest_gap: longest time between two messages [s]; NaN for fewer than two.
        missed: messages published and not received, as the recorder counted, or else by the publisher's numbers; None
            if not known.
        latched: whether a publisher latched it.
    """

    name: str
    msgtype: str
    count: int
    rate_hz: float
    longest_gap: float
    missed: int | None
    latched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BagInfo:
    """A whole bag: ``start_ns`` and ``duration`` [s] by log time, ``size`` in bytes, topics by name."""

    path: Path
    start_ns: int
    duration: float
    size: int
    files: int
    topics: dict[str, TopicInfo]

    @property
    def count(self) -> int:
        """Messages in the bag."""
        return sum(topic.count for topic in self.topics.values())

    @property
    def missed(self) -> int:
        """Messages known to be missed."""
        return sum(topic.missed or 0 for topic in self.topics.values())


def inspect(path: Path | str) -> BagInfo:
    """Read a bag once through and sum it up.

    Raises:
        BagError: no such bag, a damaged or an empty one.
    """
    bag = find_bag(path)
    times: dict[str, list[int]] = {}
    numbers: dict[str, list[int]] = {}
    for name, _, log_time_ns, _, sequence in bag.messages():
        if name not in times:
            times[name], numbers[name] = [], []
        times[name].append(log_time_ns)
        numbers[name].append(sequence)
    if not times:
        raise BagError(f"the bag {path} holds no message; check that the topics were published, and record it again")
    counted = bag.metadata.get("ttdm_recorder", {})
    infos = {}
    for name, topic in sorted(bag.topics.items()):
        stamps = np.sort(np.array(times.get(name, []), dtype=np.int64))
        span = (stamps[-1] - stamps[0]) * 1e-9 if len(stamps) > 1 else 0.0
        note = counted.get(f"missed {name}")
        infos[name] = TopicInfo(
            name=name,
            msgtype=topic.msgtype,
            count=len(stamps),
            rate_hz=(len(stamps) - 1) / span if span > 0 else math.nan,
            longest_gap=float(np.diff(stamps).max()) * 1e-9 if len(stamps) > 1 else math.nan,
            missed=int(note) if note else count_missing(np.array(numbers.get(name, []), dtype=np.int64)),
            latched=any(profile.latched for profile in topic.qos),
        )
    start = min(min(stamps) for stamps in times.values())
    return BagInfo(
        path=bag.path,
        start_ns=start,
        duration=(max(max(stamps) for stamps in times.values()) - start) * 1e-9,
        size=sum(file.stat().st_size for file in bag.files),
        files=len(bag.files),
        topics=infos,
    )


def describe(path: Path | str) -> "RenderableType":
    """Return a table of the bag for the terminal (a rich renderable).

    Raises:
        BagError: no such bag, a damaged or an empty one.
    """
    from rich.table import Table

    info = inspect(path)
    started = datetime.fromtimestamp(info.start_ns * 1e-9).astimezone().isoformat(sep=" ", timespec="seconds")
    title = f"{info.path}\n{info.count} messages over {info.duration:.2f} s from {started}, {info.size / 1e6:.2f} MB"
    if info.files > 1:
        title += f" in {info.files} files"
    table = Table(title=title, title_justify="left")
    table.add_column("topic")
    table.add_column("type")
    for heading in ("messages", "rate [Hz]", "longest gap [s]", "missed"):
        table.add_column(heading, justify="right")
    for topic in info.topics.values():
        table.add_row(
            topic.name,
            topic.msgtype + (" (latched)" if topic.latched else ""),
            str(topic.count),
            "-" if math.isnan(topic.rate_hz) else f"{topic.rate_hz:.1f}",
            "-" if math.isnan(topic.longest_gap) else f"{topic.longest_gap:.3f}",
            "?" if topic.missed is None else str(topic.missed),
        )
    return table
