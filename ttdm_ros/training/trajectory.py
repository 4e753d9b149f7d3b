"""Recorded motion on a uniform grid: what the arm did, what it was told, what was wanted of it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.store import Store, pieces

Array = NDArray[np.float64]

LONGEST_COMMAND_GAP = 0.05  # without a command for longer, the arm brakes: such data are of another system [s]
LONGEST_STATE_GAP = 0.02  # states further apart are not interpolated [s]
ACTUATOR_DELAY = 0.003  # from the sending of a command to its effect, if not told otherwise [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """An unbroken motion of m samples, ``step`` apart, from which rollouts of any length with step ``dt`` are cut.

    ``dt`` is a multiple of ``step``: the sample after i by one dt is i + stride. Arrays may lie on disk, see ``Store``.
    """

    source: str
    """Where it comes from."""
    step: float
    """Between samples [s]."""
    dt: float
    """Of the model's step [s]."""
    time: Array
    """(m,), since the beginning of the recording [s]."""
    x: Array
    """States (m, 14): q [rad], v [rad/s]."""
    u: Array
    """Mean torque (m, 7) applied during the dt that follows a sample [N·m]."""
    rows: Array
    """Reference rows (m, 33) of the samples' times."""
    saturated: NDArray[np.bool_]
    """Whether a torque limit was reached during the dt that follows (m,)."""

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.time)

    @property
    def stride(self) -> int:
        """Samples a dt."""
        return round(self.dt / self.step)

    def starts(self, p: int, spacing: int = 1) -> NDArray[np.intp]:
        """Return the samples at which rollouts of ``p`` steps can start, every ``spacing``-th of them."""
        return np.arange(0, len(self) - p * self.stride, spacing)

    def windows(self, starts: NDArray[np.intp], p: int) -> tuple[Array, Array]:
        """Return states (n, p + 1, 14) and torques (n, p, 7) of rollouts."""
        index = starts[:, None] + self.stride * np.arange(p + 1)
        return self.x[index], self.u[index[:, :-1]]

    def horizon(self, start: int, stages: int) -> Array:
        """Return the reference rows (stages + 1, 33) from a sample on; the last one holds after the end."""
        index = np.minimum(start + self.stride * np.arange(stages + 1), len(self) - 1)
        return self.rows[index]

    def part(self, first: int, last: int) -> "Trajectory":
        """Return the samples from ``first`` to ``last``, without the latter, as a trajectory of their own."""
        chosen = slice(first, last)
        arrays = {name: getattr(self, name)[chosen] for name in ("time", "x", "u", "rows", "saturated")}
        return Trajectory(source=self.source, step=self.step, dt=self.dt, **arrays)


def resample(
    arm: Arm,
    *,
    source: str,
    time: Array,
    q: Array,
    v: Array,
    command_time: Array,
    commands: Array,
    rows: Callable[[Array], Array],
    dt: float,
    step: float,
    delay: float = ACTUATOR_DELAY,
    store: Store | None = None,
) -> list[Trajectory]:
    """Bring states and commands of one recording onto a uniform grid, cut at gaps.

    Args:
        arm: whose torque limits mark saturation.
        source: name of the recording.
        time: of the states (n,), increasing [s].
        q: positions (n, 7) [rad].
        v: velocities (n, 7) [rad/s].
        command_time: when each command was sent (c,), increasing [s].
        commands: torques (c, 7) [N·m]; each is valid until the next.
        rows: yields the reference rows (m, 33) of times (m,).
        dt: the model's step [s].
        step: between samples [s]; dt is a multiple of it.
        delay: from the sending of a command to its effect [s].
        store: where the samples are kept; the system's folder for temporary files if left out.

    Returns:
        Each unbroken part that is long enough for a rollout of one step.

    Raises:
        StorageError: there is no room for the samples.
    """
    stride = round(dt / step)
    if stride < 1 or abs(stride * step - dt) > 1e-9:
        raise ValueError(f"dt ({dt} s) must be a multiple of step ({step} s)")
    if len(command_time) < 2 or len(time) < 2:
        return []
    store = store or Store()
    torque = _Torque(command_time, commands, 0.999 * arm.limits.effort, delay, store)
    columns = {name: store.column(*shape, dtype=dtype) for name, (shape, dtype) in _COLUMNS.items()}
    ends = [0]
    for begin, end in _unbroken(time, torque.acts):
        count = int((end - begin) / step + 1e-9) + 1 - stride  # the last samples have no whole dt of torque after them
        if count <= stride:
            continue
        for piece in pieces(count):
            grid = begin + step * np.arange(piece.start, piece.stop, dtype=np.float64)
            columns["time"].append(grid)
            columns["x"].append(np.concatenate(interpolate_states(grid, time, q, v), axis=1))
            columns["u"].append(torque.mean(grid, dt))
            columns["rows"].append(rows(grid))
            columns["saturated"].append(torque.reaches_limit(grid, dt))
        ends.append(ends[-1] + count)
    whole: dict[str, Any] = {name: column.finish() for name, column in columns.items()}
    return [
        Trajectory(source=source, step=step, dt=dt, **{name: array[begin:end] for name, array in whole.items()})
        for begin, end in itertools.pairwise(ends)
    ]


_COLUMNS: dict[str, tuple[tuple[int, ...], type]] = {
    "time": ((), np.float64),
    "x": ((14,), np.float64),
    "u": ((7,), np.float64),
    "rows": ((33,), np.float64),
    "saturated": ((), np.bool_),
}


class _Torque:
    """Held commands as a function of time.

    Attributes:
        acts: when each command takes effect (c,) [s].
    """

    def __init__(self, sent: Array, commands: Array, limit: Array, delay: float, store: Store) -> None:
        self.acts: Array = store.derived(lambda each: each + delay, sent)
        self._commands = commands
        integral, hits = store.column(7), store.column(dtype=np.int64)
        total, count = np.zeros((1, 7)), np.zeros(1, dtype=np.int64)
        integral.append(total)
        hits.append(count)
        for piece in pieces(len(commands)):
            held = commands[piece]
            lasts = np.diff(self.acts[piece.start : piece.stop + 1])[:, None]  # the last command has no end
            grown = np.cumsum(np.concatenate([total, lasts * held[: len(lasts)]]), axis=0)
            counted = np.cumsum(np.concatenate([count, (np.abs(held) >= limit).any(axis=1)]))
            integral.append(grown[1:])
            hits.append(counted[1:])
            total, count = grown[-1:], counted[-1:]
        self._integral, self._hits = integral.finish(), hits.finish()

    def mean(self, at: Array, dt: float) -> Array:
        """Return the mean torque (m, 7) during the dt that follows times (m,) [N·m]."""
        mean: Array = (self._integral_to(at + dt) - self._integral_to(at)) / dt
        return mean

    def reaches_limit(self, at: Array, dt: float) -> NDArray[np.bool_]:
        """Return whether a command of the dt that follows times (m,) is at its limit."""
        first, last = (np.searchsorted(self.acts, t, side="right") - 1 for t in (at, at + dt))
        reached: NDArray[np.bool_] = self._hits[last + 1] > self._hits[first]
        return reached

    def _integral_to(self, at: Array) -> Array:
        """Integral of the held commands up to the times ``at`` (m,): (m, 7) [N·m·s]."""
        index = np.clip(np.searchsorted(self.acts, at, side="right") - 1, 0, len(self.acts) - 1)
        result: Array = self._integral[index] + (at - self.acts[index])[:, None] * self._commands[index]
        return result


def _unbroken(time: Array, acts: Array) -> Iterator[tuple[float, float]]:
    """Yield the spans in which neither states nor commands have a gap."""
    breaks = np.concatenate([gaps(time, LONGEST_STATE_GAP), gaps(acts, LONGEST_COMMAND_GAP)])
    begin, end = max(time[0], acts[0]), min(time[-1], acts[-1])
    for gap_begin, gap_end in breaks[np.argsort(breaks[:, 0])]:
        if gap_begin > begin:
            yield begin, min(gap_begin, end)
        begin = max(begin, gap_end)
    if end > begin:
        yield begin, end


def gaps(time: NDArray[Any], longest: float) -> Array:
    """Return begin and end of each gap between increasing times that is longer (g, 2)."""
    found = [np.zeros((0, 2))]
    for piece in pieces(len(time)):
        reach = time[piece.start : piece.stop + 1]
        index = np.flatnonzero(np.diff(reach) > longest)
        found.append(np.stack([reach[index], reach[index + 1]], axis=1))
    return np.concatenate(found)


def interpolate_states(at: Array, time: Array, q: Array, v: Array) -> tuple[Array, Array]:
    """Return positions by Hermite's cubic and velocities by straight lines between samples, each (m, 7).

    Args:
        at: times that are wanted (m,), within those of the samples [s].
        time: of the samples (n,), increasing [s].
        q: positions (n, 7) [rad].
        v: velocities (n, 7) [rad/s].
    """
    index = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    length = (time[index + 1] - time[index])[:, None]
    s = (at - time[index])[:, None] / length
    way, first, last = q[index + 1] - q[index], length * v[index], length * v[index + 1]
    position = q[index] + s * (first + s * (3.0 * way - 2.0 * first - last + s * (first + last - 2.0 * way)))
    return position, v[index] + s * (v[index + 1] - v[index])


def interpolate(at: Array, time: Array, values: Array) -> Array:
    """Return ``values`` (n, c) by straight lines between samples, (m, c); arguments as for ``interpolate_states``."""
    index = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    s = ((at - time[index]) / (time[index + 1] - time[index]))[:, None]
    result: Array = values[index] + s * (values[index + 1] - values[index])
    return result
