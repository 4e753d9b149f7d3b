"""What the exchange of a model did to a recorded run: tracking before and after, and whether the exchange was felt."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.run_data import RunData

AROUND = 0.25  # before and after an exchange, in which a late solve counts as its [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """An exchange while the task was driven, and the same path driven again after it.

    Attributes:
        model: name and fingerprint of the new model.
        at_s: when it predicted first, on the time axis of the report.
        section_s: length of the section of the path that was driven before the exchange.
        before_mm: RMSE of the tip on that section with the old model.
        after_mm: RMSE on the same section with the new one.
        rest_mm: RMSE from the exchange to the end of that drive.
        reduction: 1 - after / before.
        torque_step: largest change of a joint's torque from one command to the next, from the last before the exchange
            to that of the first solve after it: until then the old plan is followed [N·m].
        torque_step_allowed: what the rate limits allow in the same time for that joint [N·m].
        missed_deadlines: late solves within a quarter of a second before it, while it is prepared, and after it.
    """

    model: str
    at_s: float
    section_s: float
    before_mm: float
    after_mm: float
    rest_mm: float
    reduction: float
    torque_step: float
    torque_step_allowed: float
    missed_deadlines: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drive:
    """One time along the path: time since its start [s] (n,) and distance of the tip to its reference [m] (n,)."""

    time: np.ndarray
    distance: np.ndarray


def measure_swap(run: RunData) -> Swap | None:
    """Return the figures of the last exchange within a drive that another drive follows; None if there is none."""
    texts = run.recording.active_model
    if texts is None or run.track is None or run.recording.timing is None or len(texts) < 2:
        return None
    drives = _tracking_spans(run)
    sent = run.sent(texts)
    for index in range(len(texts) - 1, 0, -1):
        at = float(sent[index])
        inside = [i for i, (begin, end) in enumerate(drives) if begin < at < end]
        if inside and inside[0] + 1 < len(drives):
            first, second = drives[inside[0]], drives[inside[0] + 1]
            before, rest = _rms(run, first[0], at), _rms(run, at, first[1])
            section = at - first[0]
            after = _rms(run, second[0], second[0] + section)
            step, allowed = torque_step(run, int(texts.publish_time_ns[index]))
            return Swap(
                model=texts.text[index],
                at_s=at,
                section_s=section,
                before_mm=before,
                after_mm=after,
                rest_mm=rest,
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
    commands, timing = run.recording.commands, run.recording.timing
    if commands is None or len(commands) < 2:
        return np.nan, np.nan
    order = np.argsort(commands.publish_time_ns, kind="stable")
    sent, tau = commands.publish_time_ns[order], commands.values[order]
    first = max(int(np.searchsorted(sent, at_ns, side="right")), 1)
    solved = np.zeros(0) if timing is None else timing.publish_time_ns[timing.publish_time_ns > at_ns]
    # What a solve took is told right after its command.
    end = max(int(np.searchsorted(sent, solved.min(), side="right")) if len(solved) else first, first + 1)
    if first >= len(sent):
        return np.nan, np.nan
    step = np.abs(np.diff(tau[first - 1 : end], axis=0))
    allowed = run.arm.limits.effort_rate * _elapsed(run, sent[first - 1 : end])[:, None]
    worst = np.unravel_index(int(np.argmax(step / allowed)), step.shape)
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


def _elapsed(run: RunData, sent_ns: np.ndarray) -> np.ndarray:
    """Time from each command to the next [s], (n - 1,): by the clock or by the stamps, whichever is longer.

    Which joint state a command answers is not in the bag. The usual period is what it is at least.
    """
    elapsed = np.diff(sent_ns) * 1e-9
    states = run.recording.joint_states
    if states is None or len(states) < 2:
        return elapsed
    order = np.argsort(states.publish_time_ns, kind="stable")
    newest = np.clip(np.searchsorted(states.publish_time_ns[order], sent_ns, side="right") - 1, 0, None)
    stamps = np.diff(states.stamp_ns[order][newest]) * 1e-9
    period = float(np.median(np.diff(np.unique(states.stamp_ns)))) * 1e-9
    result: np.ndarray = np.maximum(np.maximum(elapsed, stamps), period)
    return result
