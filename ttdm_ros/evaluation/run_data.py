"""A recorded run on one axis of time, as the report needs it."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros import topics
from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.run_metrics import RunMetrics
from ttdm_ros.evaluation.tracking import TipTrack
from ttdm_ros.recording.info import BagInfo
from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import Series
from ttdm_ros.systems.arm import Arm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunData:
    """Everything known of a run."""

    recording: Recording
    arm: Arm
    info: BagInfo
    track: TipTrack | None
    metrics: RunMetrics

    @property
    def origin_ns(self) -> int:
        """Time that is zero in the report [ns]: the first stamp of a joint state, else the beginning of the bag."""
        states = self.recording.joint_states
        return self.info.start_ns if states is None else int(states.stamp_ns.min())

    def seconds(self, stamp_ns: np.ndarray) -> np.ndarray:
        """Return stamps [ns] as seconds since the origin, of the same shape."""
        seconds: np.ndarray = (stamp_ns - self.origin_ns) * 1e-9
        return seconds

    def sent(self, series: Series) -> np.ndarray:
        """Return when messages without a stamp were sent [s], (n,), on the time axis of the stamps.

        Stamps and times of sending may come from different clocks; joint states have both.
        """
        states = self.recording.joint_states
        if states is None:
            return self.seconds(series.publish_time_ns)
        order = np.argsort(states.publish_time_ns, kind="stable")
        known, stamps = states.publish_time_ns[order], self.seconds(states.stamp_ns[order])
        nearest = np.clip(np.searchsorted(known, series.publish_time_ns, side="right") - 1, 0, None)
        sent: np.ndarray = stamps[nearest] + (series.publish_time_ns - known[nearest]) * 1e-9
        return sent

    def timing(self, column: str) -> np.ndarray:
        """Return a column of ``topics.TIMING_COLUMNS``, (n,)."""
        assert self.recording.timing is not None
        values: np.ndarray = self.recording.timing.values[:, topics.TIMING_COLUMNS.index(column)]
        return values

    def solved(self) -> np.ndarray:
        """Return the stamps of the solves [s], (n,)."""
        return self.seconds(np.round(self.timing("stamp") * 1e9).astype(np.int64))

    def phases(self) -> list[tuple[Phase, float, float]]:
        """Return the controller's phases with their beginning and end [s]."""
        if self.recording.timing is None or not len(self.recording.timing):
            return []
        at, number = self.solved(), self.timing("phase").astype(int)
        starts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist()]
        ends = [*starts[1:], len(number) - 1]
        known = set(Phase)
        return [
            (Phase(number[a]), float(at[a]), float(at[b]))
            for a, b in zip(starts, ends, strict=True)
            if number[a] in known
        ]
