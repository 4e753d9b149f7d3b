"""Figures of a recorded run: how well it tracked, how well the controller kept time, what the limits allowed."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros import topics
from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.limits import Limits, torque_asked, use_of_limits
from ttdm_ros.evaluation.tracking import TipTrack, track_tip
from ttdm_ros.recording.info import BagInfo
from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.systems.arm import Arm

_GAP = 1.5  # usual periods; a longer one is a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Distance of the tip to its reference while the task was driven [mm], and angle between both [deg].

    All drives count together; ``duration_s`` is what they took, without what lies between them.
    """

    rmse_mm: float
    median_mm: float
    p95_mm: float
    max_mm: float
    orientation_rmse_deg: float
    orientation_max_deg: float
    samples: int
    duration_s: float
    drives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Quantiles of a time [µs]."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How the controller kept time, over all its solves.

    Attributes:
        rate_hz: solves a second of stamps, while tracking if the run has such parts.
        solve_us: acados alone.
        tick_us: references, solve, plan and gains.
        jitter_us: distance of a period to the median period.
        missed_deadlines: solves that came too late.
        failures: solves that acados did not report as a success.
        solves: all of them.
    """

    rate_hz: float
    solve_us: Spread
    tick_us: Spread
    jitter_us: Spread
    missed_deadlines: int
    failures: int
    solves: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStream:
    """How regularly joint states came, by their stamps: rate, longest gap, gaps, and periods skipped in those."""

    rate_hz: float
    longest_gap_ms: float
    gaps: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BagFigures:
    """Messages in the bag, messages known to be lost, by all that is known of them, and the bag's length and size."""

    recorded: int
    lost: int
    duration_s: float
    size_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """All figures of a run; None where the bag lacks what is needed, and ``missing`` says so in words."""

    tracking: Tracking | None
    control: Control | None
    joint_states: StateStream | None
    limits: Limits
    bag: BagFigures
    missing: tuple[str, ...]


def measure_run(recording: Recording, arm: Arm, info: BagInfo, *, track: TipTrack | None = None) -> RunMetrics:
    """Compute the figures of a run.

    Args:
        recording: the bag, read with the joints of the arm.
        arm: the arm it was recorded with.
        info: the bag's contents.
        track: the tip against its reference, if it is known already.
    """
    if track is None:
        track = track_tip(recording, arm)
    missing = [
        f"{topic}: {consequence}"
        for topic, value, consequence in (
            (topics.JOINT_STATES, recording.joint_states, "no tracking error, nothing about positions and velocities"),
            (topics.REFERENCE, recording.reference, "no tracking error"),
            (topics.COMMANDS, torque_asked(recording), "nothing about torques"),
            (topics.TIMING, recording.timing, "no solve times; every reference counts as tracking"),
        )
        if value is None
    ]
    tracking = None if track is None else _tracking(track)
    if tracking is None and recording.joint_states is not None and recording.reference is not None:
        missing.append("no reference of the tracking phase has joint states around it: no tracking error")
    return RunMetrics(
        tracking=tracking,
        control=None if recording.timing is None else _control(recording.timing),
        joint_states=None if recording.joint_states is None else _stream(recording.joint_states),
        limits=use_of_limits(recording, arm),
        bag=_bag(recording, info),
        missing=tuple(missing),
    )


def _tracking(track: TipTrack) -> Tracking | None:
    chosen = track.is_tracking
    if not chosen.any():
        return None
    distance, angle = track.distance[chosen] * 1e3, np.degrees(track.angle[chosen])
    drives = _spans(chosen)
    return Tracking(
        rmse_mm=_rms(distance),
        median_mm=float(np.median(distance)),
        p95_mm=float(np.percentile(distance, 95)),
        max_mm=float(distance.max()),
        orientation_rmse_deg=_rms(angle),
        orientation_max_deg=float(angle.max()),
        samples=len(distance),
        duration_s=float(sum(track.stamp_ns[rows[-1]] - track.stamp_ns[rows[0]] for rows in drives)) * 1e-9,
        drives=len(drives),
    )


def _control(timing: Table) -> Control:
    column = dict(zip(topics.TIMING_COLUMNS, timing.values.T, strict=True))
    period = column["period_us"][np.isfinite(column["period_us"]) & (column["period_us"] > 0.0)]
    jitter = np.abs(period - np.median(period)) if len(period) else period
    stamps, first = np.unique(column["stamp"], return_index=True)
    tracking = column["phase"][first] == Phase.TRACKING
    parts = [stamps[rows] for rows in _spans(tracking)] if tracking.sum() > 1 else [stamps]
    seconds = float(sum(part[-1] - part[0] for part in parts))
    return Control(
        rate_hz=sum(len(part) - 1 for part in parts) / seconds if seconds > 0.0 else np.nan,
        solve_us=spread(column["solve_us"]),
        tick_us=spread(column["tick_us"]),
        jitter_us=spread(jitter),
        missed_deadlines=int((column["missed"] != 0.0).sum()),
        failures=int((column["status"] != 0.0).sum()),
        solves=len(timing),
    )


def _spans(chosen: np.ndarray) -> list[np.ndarray]:
    """Return the indices of what is chosen, (n,), in unbroken spans."""
    rows = np.flatnonzero(chosen)
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)


def _stream(states: JointStates) -> StateStream:
    steps = np.diff(np.unique(states.stamp_ns)) * 1e-9
    if not len(steps):
        return StateStream(rate_hz=np.nan, longest_gap_ms=np.nan, gaps=0, skipped=0)
    usual = float(np.median(steps))
    gaps = steps[steps > _GAP * usual]
    return StateStream(
        rate_hz=len(steps) / float(steps.sum()),
        longest_gap_ms=float(steps.max()) * 1e3,
        gaps=len(gaps),
        skipped=int(np.round(gaps / usual - 1.0).sum()),
    )


def _bag(recording: Recording, info: BagInfo) -> BagFigures:
    lost = info.missed
    for name, topic in info.topics.items():  # received and yet not there: the bag was damaged and salvaged
        lost += max(0, int(recording.recorder.get(f"received {name}", topic.count)) - topic.count)
    return BagFigures(recorded=info.count, lost=lost, duration_s=info.duration, size_mb=info.size / 1e6)


def spread(values: np.ndarray) -> Spread:
    """Return how finite values are spread; not a number where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(p50=np.nan, p99=np.nan, max=np.nan)
    p50, p99 = np.percentile(finite, (50, 99))
    return Spread(p50=float(p50), p99=float(p99), max=float(finite.max()))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
