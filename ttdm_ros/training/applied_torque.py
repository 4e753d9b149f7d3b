"""The torque that drove the arm: what the robot itself says it was, or else what was commanded.

A Franka arm says so in ``franka_driver/desired``, stamped by the clock of its joint states. What was sent to it says
less: the driver may follow a law that yields another torque every millisecond, clips it, and hears commands by the
computer's clock. A command holds until the next; what the robot says are samples of a torque that goes on between them,
and so each holds from half-way after the one before to half-way before the next.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording.stream import Recording
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.ordering import OrderedColumns
from ttdm_ros.training.store import Store, pieces
from ttdm_ros.training.trajectory import LONGEST_COMMAND_GAP, LONGEST_STATE_GAP, gaps

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AppliedTorque:
    """Torques in the order of time, each time once; each holds until the next."""

    stamp: Stamps
    """From when each holds, but for the delay [ns], (c,): by the robot's clock if it says the torque itself, else by
    the time at which commands were received."""
    values: Array
    """(c, 7) [N·m]."""
    by_robot: bool
    """Whether the robot says it."""

    def delay(self, sampling: SamplingConfig) -> float:
        """Return how much later than its stamp a torque acts on the arm [s]."""
        return sampling.robot_delay if self.by_robot else sampling.delay


class TorqueReader:
    """Gathers the torque from the pieces of a bag; only its end tells which topic counts."""

    NEEDED = (topics.COMMANDS, topics.FRANKA_DESIRED)
    """Topics of which one must hold messages."""
    TOPICS = (*NEEDED, topics.FRANKA_EVENTS)
    """Topics that the pieces must hold."""

    def __init__(self, width: int, store: Store) -> None:
        """Start empty, for an arm of ``width`` joints."""
        self._commanded, self._desired = OrderedColumns(store, width), OrderedColumns(store, width)
        self._store, self._width, self._command_width = store, width, 0
        self._has_desired = self._has_driver = False

    def add(self, piece: Recording) -> None:
        """Take the messages of a piece."""
        if (commands := piece.commands) is not None:
            found = commands.values.shape[1]
            self._command_width = max(self._command_width, found)
            if found == self._width:
                self._commanded.add(commands.log_time_ns, commands.log_time_ns, commands.values)
        if (desired := piece.franka_desired) is not None:
            self._has_desired = True
            self._desired.add(desired.stamp_ns, desired.log_time_ns, desired.tau)
        self._has_driver |= piece.franka_events is not None

    def finish(self, path: Path | str, states: Stamps) -> AppliedTorque:
        """Return the torque that counts.

        Args:
            path: of the bag, for errors.
            states: stamps of its joint states, in order [ns].

        Raises:
            BagError: the commands are of another robot, stamps jump back, or a Franka arm was driven and what it
                applied is not there, or in too few messages. Commands do not take its place: it may be another torque.
        """
        if self._has_desired:
            self._commanded.discard()
            stamp, values = self._desired.finish(f"torques of '{topics.FRANKA_DESIRED}'", path)
            _check_density(stamp, states, path)
            return AppliedTorque(stamp=hold_about(stamp, self._store), values=values, by_robot=True)
        self._desired.discard()
        if self._has_driver:
            raise BagError(
                f"the arm in {path} was driven by franka_driver, and only '{topics.FRANKA_DESIRED}', which is not "
                "there, tells by what torque; record that topic too"
            )
        if self._command_width != self._width:
            raise BagError(
                f"the commands in {path} have {self._command_width} values where {self._width} torques are needed; "
                "give the robot the bag was recorded with"
            )
        stamp, values = self._commanded.finish("commands", path)
        return AppliedTorque(stamp=stamp, values=values, by_robot=False)


def hold_about(stamp: Stamps, store: Store) -> Stamps:
    """Return from when samples with increasing stamps (c,) hold: half-way after the one before, but not across gaps."""
    begin = store.column(dtype=np.int64)
    begin.append(stamp[:1])
    for rows in pieces(len(stamp) - 1):
        reach = stamp[rows.start : rows.stop + 1]
        apart = np.diff(reach)
        begin.append(reach[1:] - np.where(apart > 1e9 * LONGEST_COMMAND_GAP, 0, apart // 2))
    return begin.finish()


def _check_density(stamp: Stamps, states: Stamps, path: Path | str) -> None:
    """Refuse torques of which most are too far apart to say what happened between them.

    Where most are, only those between joint states count: without a motion there are none, and the robot is looked at
    now and then.
    """
    longest, steps, wide = 1e9 * LONGEST_COMMAND_GAP, 0, 0
    if 2 * len(gaps(stamp, longest)) < len(stamp) and len(stamp) > 1:
        return
    breaks = gaps(states, 1e9 * LONGEST_STATE_GAP)
    begins, ends = np.append(states[:1], breaks[:, 1]), np.append(breaks[:, 0], states[-1:])
    for rows in pieces(len(stamp) - 1 if len(states) else 0):
        reach = stamp[rows.start : rows.stop + 1].astype(np.float64)
        span = np.searchsorted(begins, reach, side="right") - 1
        inside = (span[:-1] >= 0) & (span[:-1] == span[1:]) & (reach[1:] <= ends[span[1:]])
        steps += int(inside.sum())
        wide += int((np.diff(reach)[inside] > longest).sum())
    if 2 * wide >= steps:
        raise BagError(
            f"'{topics.FRANKA_DESIRED}' in {path} holds {len(stamp)} torques of the arm, too few to tell what drove it "
            f"(most must be within {LONGEST_COMMAND_GAP:g} s of the next); record that topic whole, and raise the "
            "parameter detail_rate of franka_driver"
        )
