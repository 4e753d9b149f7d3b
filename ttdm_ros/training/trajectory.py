"""Recorded motion on a uniform grid: what the arm did, what it was told, what was wanted of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.recording.reader import Recording, read_bag
from ttdm_ros.recording.series import JointStates
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

LONGEST_COMMAND_GAP = 0.05  # without a command for longer, the arm brakes: such data are of another system [s]
LONGEST_STATE_GAP = 0.02  # states further apart are not interpolated [s]
ACTUATOR_DELAY = 0.003  # from the sending of a command to its effect, if not told otherwise [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """An unbroken motion of m samples, ``step`` apart, from which rollouts of any length with step ``dt`` are cut.

    ``dt`` is a multiple of ``step``: the sample after i by one dt is i + stride.
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
) -> Iterator[Trajectory]:
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

    Yields:
        Each unbroken part that is long enough for a rollout of one step.
    """
    stride = round(dt / step)
    if stride < 1 or abs(stride * step - dt) > 1e-9:
        raise ValueError(f"dt ({dt} s) must be a multiple of step ({step} s)")
    if len(command_time) < 2 or len(time) < 2:
        return
    acts = command_time + delay
    integral = np.concatenate([np.zeros((1, 7)), np.cumsum(np.diff(acts)[:, None] * commands[:-1], axis=0)])
    limit = 0.999 * arm.limits.effort
    at_limit = (np.abs(commands) >= limit).any(axis=1)
    for begin, end in _unbroken(time, acts):
        grid = begin + step * np.arange(int((end - begin) / step + 1e-9) + 1)
        usable = len(grid) - stride  # the last samples have no whole dt of torque after them
        if usable <= stride:
            continue
        grid = grid[:usable]
        before, after = _integral(grid, acts, commands, integral), _integral(grid + dt, acts, commands, integral)
        first, last = (np.searchsorted(acts, t, side="right") - 1 for t in (grid, grid + dt))
        hits = np.concatenate([[0], np.cumsum(at_limit)])
        position, velocity = _states(grid, time, q, v)
        yield Trajectory(
            source=source,
            step=step,
            dt=dt,
            time=grid,
            x=np.concatenate([position, velocity], axis=1),
            u=(after - before) / dt,
            rows=rows(grid),
            saturated=hits[last + 1] > hits[first],
        )


def from_bag(
    path: Path | str, arm: Arm, *, dt: float, step: float = 0.004, delay: float = ACTUATOR_DELAY
) -> list[Trajectory]:
    """Read the trajectories of a bag: ours or any other with joint states and effort commands.

    Where the bag holds no reference, the recorded motion itself counts as what was wanted.

    Raises:
        BagError: the bag is damaged, lacks a topic that is needed, or holds no unbroken motion under commands.
    """
    recording = read_bag(path, require=(topics.JOINT_STATES, topics.COMMANDS), joints=arm.joint_names)
    states, commands = recording.joint_states, recording.commands
    assert states is not None and commands is not None
    _check(recording, states, arm)
    if commands.values.shape[1] != len(arm.joint_names):
        raise BagError(
            f"the commands in {path} have {commands.values.shape[1]} values where {len(arm.joint_names)} torques are "
            "needed; give the robot it was recorded with"
        )
    # Stamps and sending times are both ROS time; a bag that keeps no sending times has those of reception.
    origin = int(states.stamp_ns[0])
    time, order = np.unique(1e-9 * (states.stamp_ns - origin), return_index=True)
    command_time, command_order = np.unique(1e-9 * (commands.publish_time_ns - origin), return_index=True)
    good = np.isfinite(states.q[order]).all(axis=1) & np.isfinite(states.v[order]).all(axis=1)
    finite = np.isfinite(commands.values[command_order]).all(axis=1)
    q, v = states.q[order][good], states.v[order][good]
    parts = list(
        resample(
            arm,
            source=str(path),
            time=time[good],
            q=q,
            v=v,
            command_time=command_time[finite],
            commands=commands.values[command_order][finite],
            rows=_reference(recording, arm, origin, time[good], q, v),
            dt=dt,
            step=step,
            delay=delay,
        )
    )
    if not parts:
        raise BagError(
            f"{path} holds no unbroken motion of {2 * dt:.3f} s under effort commands; record the arm while it is driven"
        )
    return parts


def _check(recording: Recording, states: JointStates, arm: Arm) -> None:
    lacking = [name for name, column in zip(arm.joint_names, states.q.T, strict=True) if np.isnan(column).all()]
    if lacking:
        raise BagError(
            f"the joint states in {recording.path} never hold {lacking[0]} of {arm.name}; give the robot the bag was "
            "recorded with"
        )
    if np.isnan(states.v).all():
        raise BagError(f"the joint states in {recording.path} hold no velocities; record them too")


def _reference(
    recording: Recording, arm: Arm, origin: int, time: Array, q: Array, v: Array
) -> Callable[[Array], Array]:
    """Return what was wanted as a function of time: the recorded reference, or else the recorded motion."""
    wanted = recording.reference_joints
    if wanted is None or len(wanted) < 2:
        knots, posture, velocity = time, q, v
        torque = np.zeros_like(q)
    else:
        knots, order = np.unique(1e-9 * (wanted.stamp_ns - origin), return_index=True)
        posture, velocity, torque = wanted.q[order], wanted.v[order], np.nan_to_num(wanted.tau[order])

    def rows(grid: Array) -> Array:
        inside = np.clip(grid, knots[0], knots[-1])
        at, rate = _states(inside, knots, posture, velocity)
        poses = [arm.tip_pose(each) for each in at]
        position, rotation = np.array([p[0] for p in poses]), np.array([p[1] for p in poses])
        return table_rows(position, rotation, at, rate, _linear(inside, knots, torque))

    return rows


def _unbroken(time: Array, acts: Array) -> Iterator[tuple[float, float]]:
    """Yield the spans in which neither states nor commands have a gap."""
    breaks = np.concatenate(
        [_gaps(time, LONGEST_STATE_GAP), _gaps(acts, LONGEST_COMMAND_GAP)]
    )
    begin, end = max(time[0], acts[0]), min(time[-1], acts[-1])
    for gap_begin, gap_end in breaks[np.argsort(breaks[:, 0])]:
        if gap_begin > begin:
            yield begin, min(gap_begin, end)
        begin = max(begin, gap_end)
    if end > begin:
        yield begin, end


def _gaps(time: Array, longest: float) -> Array:
    index = np.flatnonzero(np.diff(time) > longest)
    return np.stack([time[index], time[index + 1]], axis=1)


def _integral(at: Array, acts: Array, commands: Array, integral: Array) -> Array:
    """Integral of the held commands up to the times ``at`` (m,): (m, 7) [N·m·s]."""
    index = np.clip(np.searchsorted(acts, at, side="right") - 1, 0, len(acts) - 1)
    result: Array = integral[index] + (at - acts[index])[:, None] * commands[index]
    return result


def _states(at: Array, time: Array, q: Array, v: Array) -> tuple[Array, Array]:
    """Positions by Hermite's cubic, velocities linearly between the samples."""
    index = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    length = (time[index + 1] - time[index])[:, None]
    s = (at - time[index])[:, None] / length
    way, first, last = q[index + 1] - q[index], length * v[index], length * v[index + 1]
    position = q[index] + s * (first + s * (3.0 * way - 2.0 * first - last + s * (first + last - 2.0 * way)))
    return position, v[index] + s * (v[index + 1] - v[index])


def _linear(at: Array, time: Array, values: Array) -> Array:
    index = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    s = ((at - time[index]) / (time[index + 1] - time[index]))[:, None]
    result: Array = values[index] + s * (values[index + 1] - values[index])
    return result
