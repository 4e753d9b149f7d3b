"""What the exchange of a model did to a recorded run: tracking before and after, and whether the exchange was felt."""

import itertools
from dataclasses import dataclass

import numpy as np

from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.limits import shares_of
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.torque_changes import changes_of_commands

AROUND = 0.25  # before and after an exchange, in which a late solve counts as its [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """An exchange while the task was driven, and the same path driven again after it.

    Attributes:
        model: name and fingerprint of the new model.
        at_s: when it predicted first, on the time axis of the report.
        into_drive_s: time from the start of its drive to it.
        section_s: length of the section compared: what was driven before the exchange, as far as the next drive went.
        before_mm: RMSE of the tip on that section with the old model.
        after_mm: RMSE on the same section with the new one.
        rest_mm: RMSE from the exchange to the end of that drive.
        reduction: 1 - after / before.
        torque_step: largest change of a joint's torque from one command to the next, from the last before the exchange
            to that of the first solve after it: until then the old plan is followed [N·m].
        torque_step_allowed: what the rate limit of that joint allows in the longest time this can have taken [N·m].
        missed_deadlines: late solves within a quarter of a second before it, while it is prepared, and after it.
    """

    model: str
    at_s: float
    into_drive_s: float
    section_s: float
    before_mm: float
    after_mm: float
    rest_mm: float
    reduction: float
    torque_step: float
    torque_step_allowed: float
    missed_deadlines: int

    @property
    def steps_too_far(self) -> bool:
        """Whether the step is more than what is allowed."""
        return bool(shares_of(np.array([self.torque_step]), np.array([self.torque_step_allowed]))[0] > 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drive:
    """One time along the path: time since its start [s] (n,) and distance of the tip to its reference [m] (n,)."""

    time: np.ndarray
    distance: np.ndarray


def measure_swap(run: RunData) -> Swap | None:
    """Return the figures of the last exchange that can be compared; None if there is none.

    It has to lie within a drive that another drive follows, with no other exchange from the start of the one to the end
    of what is compared of the other: else neither would tell of one model.
    """
    texts = run.recording.active_model
    if texts is None or run.track is None or run.recording.timing is None or len(texts) < 2:
        return None
    sent = run.sent(texts)
    drives = _tracking_spans(run)
    for index in range(len(texts) - 1, 0, -1):
        at = float(sent[index])
        for first, second in itertools.pairwise(drives):
            section = min(at - first[0], second[1] - second[0])
            others = np.delete(sent, index)
            if not first[0] < at < first[1] or ((others > first[0]) & (others < second[0] + section)).any():
                continue
            before, after = (_rms(run, start, start + section) for start in (first[0], second[0]))
            if not (np.isfinite(before) and np.isfinite(after)):
                continue
            step, allowed = torque_step(run, int(texts.publish_time_ns[index]))
            return Swap(
                model=texts.text[index],
                at_s=at,
                into_drive_s=at - first[0],
                section_s=section,
                before_mm=before,
                after_mm=after,
                rest_mm=_rms(run, at, first[1]),
                reduction=1.0 - after / before,
                torque_step=step,
                torque_step_allowed=allowed,
                missed_deadlines=missed_around(run, at),
            )
    return None


def drives(run: RunData) -> list[Drive]:
    """Return every time the path was driven."""
    if run.track is None:
        return []
    t = run.seconds(run.track.stamp_ns)
    result = []
    for begin, end in _tracking_spans(run):
        chosen = (t >= begin) & (t < end)
        result.append(Drive(time=t[chosen] - begin, distance=run.track.distance[chosen]))
    return result


def torque_step(run: RunData, at_ns: int) -> tuple[float, float]:
    """Return the step of torque that an exchange caused, see ``Swap.torque_step``, and what was allowed [N·m].

    Args:
        run: the recorded run.
        at_ns: when the exchange was told [ns], on the publisher's clock.
    """
    changes, timing = changes_of_commands(run.recording), run.recording.timing
    after = None if changes is None else np.flatnonzero(changes.sent_ns > at_ns)
    if changes is None or after is None or not len(after):
        return np.nan, np.nan
    solved = np.zeros(0) if timing is None else timing.publish_time_ns[timing.publish_time_ns > at_ns]
    # What a solve took is told right after its command.
    end = after[0] + 1 if not len(solved) else max(after[0] + 1, int((changes.sent_ns <= solved.min()).sum()))
    step = np.abs(changes.step[after[0] : end])
    allowed = run.arm.limits.effort_rate * changes.seconds[after[0] : end, None]
    worst = np.unravel_index(int(np.argmax(shares_of(step, allowed))), step.shape)
    return float(step[worst]), float(allowed[worst])


def missed_around(run: RunData, at: float) -> int:
    """Return how many solves came late within a quarter of a second before and after ``at`` [s]."""
    stamps, missed = run.solved(), run.timing("missed")
    return int((missed[np.abs(stamps - at) < AROUND] != 0.0).sum())


def _tracking_spans(run: RunData) -> list[tuple[float, float]]:
    return [(begin, end) for phase, begin, end in run.phases() if phase is Phase.TRACKING]


def _rms(run: RunData, begin: float, end: float) -> float:
    assert run.track is not None
    t = run.seconds(run.track.stamp_ns)
    chosen = (t >= begin) & (t < end)
    return 1e3 * float(np.sqrt(np.mean(np.square(run.track.distance[chosen])))) if chosen.any() else np.nan
