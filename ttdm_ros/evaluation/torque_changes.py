"""How much torque changed from one value to the next, and in what time at most: what any rate of it is told by."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros import topics
from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import JointStates, Table

_STAMP_NS = 1000  # by which a stamp may differ that was published in seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorqueChanges:
    """Changes from each torque to the next.

    Attributes:
        sent_ns: when the later one was published [ns], (n,).
        step: by how much it differs [N·m], (n, joints).
        seconds: the time between both [s], (n,); where it is not known, the longest that it can be.
    """

    sent_ns: np.ndarray
    step: np.ndarray
    seconds: np.ndarray

    @property
    def rates(self) -> np.ndarray:
        """Change over time (n, joints) [N·m/s]; where the time is not known, it was at least so fast."""
        rates: np.ndarray = self.step / self.seconds[:, None]
        return rates


def changes_of_commands(recording: Recording) -> TorqueChanges | None:
    """Return the changes of the commanded torque, over the time between the joint states answered; None without those.

    Commands have no stamps, and on a busy machine they answer joint states before the newest one. Every time is the
    longest that agrees with what is known: each command answers a newer state than the one before; a solve tells, right
    after its command, which one; and where there are as many commands between two solves as states, all are known. As
    long as no solve has told anything, one state at most is taken to have been on its way when a command was sent.
    """
    if recording.commands is None or recording.joint_states is None:
        return None
    states, commands = _in_order(recording.joint_states), _in_order(recording.commands)
    there, stamps = recording.joint_states.publish_time_ns[states], recording.joint_states.stamp_ns[states]
    sent, tau = recording.commands.publish_time_ns[commands], recording.commands.values[commands]
    newest = np.searchsorted(there, sent, side="right") - 1
    sent, tau, newest = sent[newest >= 0], tau[newest >= 0], newest[newest >= 0]
    oldest = np.maximum(np.append(0, newest[:-1] - 1), 0)[: len(newest)]
    latest = stamps[newest] + (sent - there[newest])  # it may be silence that is answered
    if recording.timing is not None and (np.diff(stamps) > 0).all():
        solved, answered = _solves(recording.timing, sent, stamps, newest)
        oldest, limit = _between_solves(oldest, newest, solved, answered)
        latest[limit >= 0] = stamps[limit[limit >= 0]]
    return _changes(sent, tau, stamps[oldest], latest)


def changes_of_torque_asked(recording: Recording) -> TorqueChanges | None:
    """Return the changes of what a Franka arm was asked for, which has stamps, or else those of the commands."""
    desired = recording.franka_desired
    if desired is None:
        return changes_of_commands(recording)
    order = np.argsort(desired.stamp_ns, kind="stable")
    stamps = desired.stamp_ns[order]
    return _changes(desired.publish_time_ns[order], desired.tau[order], stamps, stamps)


def _in_order(series: JointStates | Table) -> np.ndarray:
    order: np.ndarray = np.argsort(series.publish_time_ns, kind="stable")
    return order


def _changes(sent: np.ndarray, tau: np.ndarray, earliest: np.ndarray, latest: np.ndarray) -> TorqueChanges:
    between = latest[1:] - earliest[:-1]
    valid = between > 0
    return TorqueChanges(
        sent_ns=sent[1:][valid], step=np.diff(tau, axis=0)[valid], seconds=between[valid].astype(float) * 1e-9
    )


def _solves(timing: Table, sent: np.ndarray, stamps: np.ndarray, newest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the commands that came of solves, increasing, and of the joint states they answer."""
    order = _in_order(timing)
    solved = np.round(timing.values[order, topics.TIMING_COLUMNS.index("stamp")] * 1e9).astype(np.int64)
    command = np.searchsorted(sent, timing.publish_time_ns[order], side="right") - 1
    state = np.minimum(np.searchsorted(stamps, solved - _STAMP_NS), len(stamps) - 1)
    found = (command >= 0) & (np.abs(stamps[state] - solved) <= _STAMP_NS)
    found[found] = state[found] <= newest[command[found]]
    command, first = np.unique(command[found], return_index=True)
    return command, state[found][first]


def _between_solves(
    oldest: np.ndarray, newest: np.ndarray, solved: np.ndarray, answered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the oldest joint state that each command can answer, and the newest one, or -1 where no solve bounds that.

    Args:
        oldest: what is taken for the oldest one before the first solve, by index, (n,).
        newest: the newest one when the command was sent, (n,).
        solved: commands that came of solves, by index, (m,).
        answered: the joint states that they answer, (m,).
    """
    number = np.arange(len(newest))
    before = np.searchsorted(solved, number, side="right") - 1
    after = np.searchsorted(solved, number, side="left")
    told, bounded = before >= 0, (before >= 0) & (after < len(solved))
    lowest, highest = oldest.copy(), newest.copy()
    lowest[told] = (answered - solved)[before[told]] + number[told]
    highest[bounded] = (answered - solved)[after[bounded]] + number[bounded]
    agree = lowest <= highest  # else messages are missing, or silence was answered
    lowest[told & ~agree] = answered[before[told & ~agree]]
    return lowest, np.where(bounded & agree, highest, -1)
