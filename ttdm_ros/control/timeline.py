"""What the arm shall do when: the way to the start, the task, its end, and a stop at any moment."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import LiveTargetTask, TaskConfig
from ttdm_ros.mpc.tasks.live import LiveReference
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS, Reference, approach, plan
from ttdm_ros.mpc.tasks.target import Target, TargetCheck
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_V, _TAU = slice(19, 26), slice(26, 33)  # columns of a reference row


class _Rows(Protocol):
    """Reference rows at any times."""

    end: float

    def rows(self, times: Array) -> Array:
        """Rows (n, 33) at the increasing times (n,) [s]."""


class _Table:
    """Rows of a path known beforehand, linear between its samples; it rests after its end."""

    def __init__(self, reference: Reference) -> None:
        # One more row, so that the sample after the last one is there, too.
        self._table = np.concatenate([reference.table, reference.table[-1:]])
        self._table[-1, _V] = self._table[-1, _TAU] = 0.0
        self._dt, self._last = reference.dt, float(len(reference) - 1)
        self.end = reference.duration

    def rows(self, times: Array) -> Array:
        at = np.minimum(np.maximum(times / self._dt, 0.0), self._last)
        index = at.astype(np.intp)
        before = self._table[index]
        rows: Array = before + (at - index)[:, None] * (self._table[index + 1] - before)
        return rows


class _Live:
    """Rows of a live target."""

    end = np.inf

    def __init__(self, reference: LiveReference) -> None:
        self.reference = reference

    def rows(self, times: Array) -> Array:
        return self.reference.window(times)


class Task:
    """A task resolved for an arm and checked against its limits; may be driven any number of times."""

    def __init__(self, arm: Arm, config: TaskConfig) -> None:
        """Resolve it.

        Raises:
            TaskError: it leaves the workspace or exceeds a limit of the arm.
        """
        self.arm, self.config = arm, config
        self.reference = plan(config, arm)
        self._check = TargetCheck(config, arm) if isinstance(config, LiveTargetTask) else None

    @property
    def is_live(self) -> bool:
        """Whether it follows a target that is streamed."""
        return isinstance(self.config, LiveTargetTask)

    def timeline(self, q: Array, v: Array, speed: float) -> "Timeline":
        """Return what to do from the state q [rad], v [rad/s], each (7,), on, at ``speed`` times the limits at first.

        Raises:
            TaskError: there is no way to the start from there.
        """
        rows: _Rows
        if isinstance(self.config, LiveTargetTask):
            rows = _Live(LiveReference(self.config, self.arm))
        else:
            rows = _Table(self.reference)
        return Timeline(_Table(approach(self.arm, q, self.reference, speed=speed, v_from=v)), rows)

    def target(self, position: Array, rotation: Array, q: Array | None = None) -> Target:
        """Return a pose (3,) [m], (3, 3) of the tip in the base frame as a target, for an arm at q (7,) [rad].

        It takes up to a tenth of a second: not in the thread that commands the arm.

        Raises:
            TaskError: the task follows no live target, or the pose is malformed, out of bounds or out of reach.
        """
        if self._check is None:
            raise TaskError(f"'{self.config.name}' follows a path, not a target; choose a task of type live_target")
        return self._check.target(position, rotation, self.arm.home if q is None else q)

    def once_more(self, speed: float) -> "Timeline":
        """Return what to do from the task's last pose on to drive it again.

        Raises:
            TaskError: it follows a live target, or there is no way back.
        """
        if self.is_live:
            raise TaskError(f"'{self.config.name}' follows a live target and has no end; send it targets")
        return self.timeline(self.reference.q[-1], np.zeros(7), speed)


class Timeline:
    """Reference rows over the time since activation.

    A stop slows time down: the path goes on ever slower until it stands, so that the arm stays on it.
    """

    def __init__(self, way_there: _Rows, task: _Rows) -> None:
        self._way_there, self._task = way_there, task
        self._start = 0.0  # when it begins [s]
        self._stop: tuple[float, float] | None = None  # when it begins, how long it takes [s]

    def begin(self, time: float) -> None:
        """Begin at ``time`` since activation [s] instead of at zero."""
        self._start = time

    @property
    def task_begins(self) -> float:
        """When the way to the start is done [s]."""
        return self._start + self._way_there.end

    @property
    def task_ends(self) -> float:
        """When the task is done [s]; infinite for a live target."""
        return self.task_begins + self._task.end

    def progress(self, time: float) -> float:
        """Share of the task that is done at ``time`` [s]; 0 for a live target."""
        return float(np.clip((time - self.task_begins) / self._task.end, 0.0, 1.0)) if self._task.end > 0.0 else 1.0

    def stop(self, time: float, duration: float) -> None:
        """Come to rest within ``duration`` [s] from ``time`` [s] on; a second stop changes nothing."""
        if self._stop is None:
            self._stop = (time, duration)

    def set_target(self, target: Target) -> None:
        """Lead the tip to another pose, of this task's live target."""
        assert isinstance(self._task, _Live), "who has a target has it from a task with a live one"
        self._task.reference.follow(target)

    @property
    def blocked(self) -> str | None:
        """Why a live target is not reached, in words."""
        return self._task.reference.blocked if isinstance(self._task, _Live) else None

    def rows(self, times: Array) -> Array:
        """Reference rows (n, 33) at the increasing times (n,) since activation [s]."""
        if self._stop is None:
            return self._rows(times)
        begin, duration = self._stop
        share = np.clip((times - begin) / duration, 0.0, 1.0)
        slowed = np.minimum(times, begin) + duration * (share - 0.5 * share**2)
        rows = self._rows(slowed)
        pace = (1.0 - share)[:, None]
        rows[:, _V] *= pace
        rows[:, _TAU] *= pace**2
        return rows

    def _rows(self, times: Array) -> Array:
        times = times - self._start
        border = self._way_there.end
        if times[0] >= border:
            return self._task.rows(times - border)
        if times[-1] < border:
            return self._way_there.rows(times)
        # A live reference counts its time from the first window, so it is not asked before it is due.
        split = int(np.searchsorted(times, border))
        rows = np.empty((len(times), TABLE_COLUMNS))
        rows[:split] = self._way_there.rows(times[:split])
        if isinstance(self._task, _Live):
            rows[split:] = self._way_there.rows(times[split:])
        else:
            rows[split:] = self._task.rows(times[split:] - border)
        return rows
