"""What training takes out of a bag: unbroken motion on a uniform grid, and a hash of all that it is made of."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.recording.reader import Recording, read_bag
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.trajectory import Trajectory, interpolate, interpolate_states, resample

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BagData:
    """The motion in a bag."""

    path: Path
    fingerprint: str
    """Hash of states, commands and references as decoded: equal for every copy of a recording, in whatever format."""
    trajectories: tuple[Trajectory, ...]
    """Unbroken parts, in the order of time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Motion:
    """Decoded messages in the order of time, each time once: stamps [ns] and their rows of seven numbers."""

    stamp: Stamps
    q: Array
    v: Array
    command_stamp: Stamps
    commands: Array
    wanted_stamp: Stamps
    """Of the reference; empty if the bag has none."""
    wanted: Array
    """Posture, velocity and torque (r, 21)."""

    def fingerprint(self, names: tuple[str, ...]) -> str:
        content = hashlib.sha256("\n".join(names).encode())
        for stamps in (self.stamp, self.command_stamp, self.wanted_stamp):
            content.update(stamps.astype("<i8").tobytes())
        for values in (self.q, self.v, self.commands, self.wanted):
            content.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return content.hexdigest()[:16]


def read_bag_data(
    path: Path | str, arm: Arm, sampling: SamplingConfig | None = None, *, namespace: str | None = None
) -> BagData:
    """Read a bag: ours or any other with joint states and effort commands.

    A command counts from the time at which it was received: the one time that every format of bag keeps, so that
    copies of a bag yield the same data. Where the bag holds no reference, the recorded motion itself counts as what was
    wanted.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        arm: what was recorded.
        sampling: steps and delay; defaults if left out.
        namespace: of the topics; found by itself if the bag holds only one.

    Raises:
        BagError: the bag is damaged, lacks a topic that is needed, is of another robot, or holds no unbroken motion
            under commands.
    """
    sampling = sampling or SamplingConfig()
    needed = (topics.JOINT_STATES, topics.COMMANDS)
    recording = read_bag(path, require=needed, namespace=namespace, joints=arm.joint_names)
    motion = _motion(recording, arm)
    origin = int(motion.stamp[0]) if len(motion.stamp) else 0
    parts = resample(
        arm,
        source=Path(path).name,
        time=_seconds(motion.stamp, origin),
        q=motion.q,
        v=motion.v,
        command_time=_seconds(motion.command_stamp, origin),
        commands=motion.commands,
        rows=_reference(motion, arm, origin),
        dt=sampling.dt,
        step=sampling.step,
        delay=sampling.delay,
    )
    trajectories = tuple(parts)
    if not trajectories:
        raise BagError(
            f"{path} holds no unbroken motion of {2.0 * sampling.dt:.3f} s under effort commands; record the arm while "
            "it is driven"
        )
    return BagData(path=Path(path), fingerprint=motion.fingerprint(arm.joint_names), trajectories=trajectories)


def _motion(recording: Recording, arm: Arm) -> _Motion:
    states, commands, wanted = recording.joint_states, recording.commands, recording.reference_joints
    assert states is not None and commands is not None  # they were required
    _check(recording.path, states, commands, arm)
    rows = _in_order(states.stamp_ns, np.isfinite(states.q).all(axis=1) & np.isfinite(states.v).all(axis=1))
    command_rows = _in_order(commands.log_time_ns, np.isfinite(commands.values).all(axis=1))
    if wanted is None:
        wanted_stamp, reference = np.zeros(0, dtype=np.int64), np.zeros((0, 21))
    else:
        whole = np.isfinite(wanted.q).all(axis=1) & np.isfinite(wanted.v).all(axis=1)
        wanted_rows = _in_order(wanted.stamp_ns, whole)
        wanted_stamp = wanted.stamp_ns[wanted_rows]
        both = np.concatenate([wanted.q, wanted.v, np.nan_to_num(wanted.tau)], axis=1)
        reference = both[wanted_rows]
    return _Motion(
        stamp=states.stamp_ns[rows],
        q=states.q[rows],
        v=states.v[rows],
        command_stamp=commands.log_time_ns[command_rows],
        commands=commands.values[command_rows],
        wanted_stamp=wanted_stamp,
        wanted=reference,
    )


def _seconds(stamps: Stamps, origin: int) -> Array:
    return np.asarray((stamps - origin) * 1e-9, dtype=np.float64)


def _in_order(stamps: Stamps, usable: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the usable rows in the order of time; of several with one time the first."""
    chosen = np.flatnonzero(usable)
    _, first = np.unique(stamps[chosen], return_index=True)
    return np.asarray(chosen[first], dtype=np.intp)


def _check(path: Path, states: JointStates, commands: Table, arm: Arm) -> None:
    columns = zip(arm.joint_names, states.q.T, strict=True)
    if lacking := [name for name, column in columns if np.isnan(column).all()]:
        raise BagError(
            f"the joint states in {path} never hold {lacking[0]} of {arm.name}; give the robot it was recorded with"
        )
    if np.isnan(states.v).all():
        raise BagError(f"the joint states in {path} hold no velocities; publish them, and record again")
    if commands.values.shape[1] != len(arm.joint_names):
        raise BagError(
            f"the commands in {path} have {commands.values.shape[1]} values where {len(arm.joint_names)} torques are "
            "needed; give the robot the bag was recorded with"
        )


def _reference(motion: _Motion, arm: Arm, origin: int) -> Callable[[Array], Array]:
    """Return what was wanted as a function of time: the recorded reference, or else the recorded motion."""
    if len(motion.wanted_stamp) < 2:
        knots = _seconds(motion.stamp, origin)
        posture, velocity, torque = motion.q, motion.v, np.zeros_like(motion.q)
    else:
        knots = _seconds(motion.wanted_stamp, origin)
        posture, velocity, torque = motion.wanted[:, :7], motion.wanted[:, 7:14], motion.wanted[:, 14:]

    def rows(grid: Array) -> Array:
        inside = np.clip(grid, knots[0], knots[-1])
        at, rate = interpolate_states(inside, knots, posture, velocity)
        poses = [arm.tip_pose(each) for each in at]
        position, rotation = np.array([p[0] for p in poses]), np.array([p[1] for p in poses])
        return table_rows(position, rotation, at, rate, interpolate(inside, knots, torque))

    return rows
