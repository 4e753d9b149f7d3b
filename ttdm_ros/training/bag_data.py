"""What training takes out of a bag: unbroken motion on a uniform grid, and a hash of all that it is made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import BagError
from ttdm_ros.mpc.tasks.reference import table_rows
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.carried_weight import check_weight
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.motion import Motion, read_motion
from ttdm_ros.training.store import Store, pieces
from ttdm_ros.training.trajectory import Trajectory, interpolate, interpolate_states, resample

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BagData:
    """The motion in a bag."""

    path: Path
    fingerprint: str
    """Hash of states, torques and references as decoded: equal for every copy of a recording, in whatever format."""
    trajectories: tuple[Trajectory, ...]
    """Unbroken parts, in the order of time."""


def read_bags(
    paths: Iterable[Path],
    arm: Arm,
    sampling: SamplingConfig,
    *,
    namespace: str | None = None,
    store: Store | None = None,
    announce: Callable[[str], None] | None = None,
) -> tuple[BagData, ...]:
    """Read bags, each recording once: of a bag and its copies, only the first that was given is taken.

    Trained on and validated with, the same samples would make a validation loss of training data.

    Args:
        paths: bag folders, or single ``.mcap`` or ``.db3`` files.
        arm: what was recorded.
        sampling: steps and delay.
        namespace: of the topics; found by itself if a bag holds only one.
        store: where the motion is kept; the system's folder for temporary files if left out.
        announce: told, in a sentence, of every bag that is left out.

    Raises:
        BagError: see ``read_bag_data``.
        StorageError: there is no room for the motion.
    """
    bags: dict[str, BagData] = {}
    for path in paths:
        bag = read_bag_data(path, arm, sampling, namespace=namespace, store=store)
        first = bags.setdefault(bag.fingerprint, bag)
        if first is not bag and announce is not None:
            announce(f"{path} holds the same motion as {first.path} and is left out")
    return tuple(bags.values())


def read_bag_data(
    path: Path | str,
    arm: Arm,
    sampling: SamplingConfig | None = None,
    *,
    namespace: str | None = None,
    store: Store | None = None,
) -> BagData:
    """Read a bag: ours or any other with joint states and effort commands.

    A command counts from the time at which it was received: the one time that every format of bag keeps, so that
    copies of a bag yield the same data. Where a Franka arm said what torque it applied, that counts instead, from its
    stamp on, and commands are not needed. Where the bag holds no reference, the recorded motion itself counts as what
    was wanted. The bag is read in pieces and its motion kept on disk: memory does not grow with its length.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        arm: what was recorded.
        sampling: steps and delay; defaults if left out.
        namespace: of the topics; found by itself if the bag holds only one.
        store: where the motion is kept; the system's folder for temporary files if left out.

    Raises:
        BagError: the bag is damaged, lacks a topic that is needed, is of another robot, its stamps jump back, it does
            not tell what torque drove the arm, that torque carries the arm's weight and should not, or the other way
            round, or it holds no unbroken motion under commands.
        StorageError: there is no room for the motion.
    """
    sampling, store = sampling or SamplingConfig(), store or Store()
    motion = read_motion(path, arm, store, namespace=namespace)
    origin = int(motion.stamp[0]) if len(motion.stamp) else 0

    def seconds(stamps: Stamps) -> Array:
        return store.derived(lambda each: (each - origin) * 1e-9, stamps)

    time, command_time, commands = seconds(motion.stamp), seconds(motion.torque.stamp), motion.torque.values
    if sampling.gravity == "included" and len(time) > 1:
        commands = _without_weight(arm, time, motion.q, command_time, commands, store)
    trajectories = tuple(
        resample(
            arm,
            source=Path(path).name,
            time=time,
            q=motion.q,
            v=motion.v,
            command_time=command_time,
            commands=commands,
            rows=_reference(motion, arm, time, seconds(motion.wanted_stamp)),
            dt=sampling.dt,
            step=sampling.step,
            delay=motion.torque.delay(sampling),
            store=store,
        )
    )
    if not trajectories:
        raise BagError(
            f"{path} holds no unbroken motion of {2.0 * sampling.dt:.3f} s under effort commands; record the arm while "
            "it is driven"
        )
    check_weight(arm, trajectories, path, taken_away=sampling.gravity == "included")
    return BagData(path=Path(path), fingerprint=motion.fingerprint(arm.joint_names), trajectories=trajectories)


def _without_weight(arm: Arm, time: Array, q: Array, command_time: Array, commands: Array, store: Store) -> Array:
    """Return the commands (c, 7) without the nominal gravity torque at the positions of their times [N·m]."""
    column = store.column(commands.shape[1])
    for rows in pieces(len(commands)):
        at = interpolate(np.clip(command_time[rows], time[0], time[-1]), time, q)
        column.append(commands[rows] - np.array([arm.gravity_torque(each) for each in at]))
    return column.finish()


def _reference(motion: Motion, arm: Arm, time: Array, wanted_time: Array) -> Callable[[Array], Array]:
    """Return what was wanted as a function of time: the recorded reference, or else the recorded motion."""
    if len(wanted_time) < 2:
        return reference_rows(arm, time, motion.q, motion.v, np.broadcast_to(0.0, motion.q.shape))
    wanted = motion.wanted
    return reference_rows(arm, wanted_time, wanted[:, :7], wanted[:, 7:14], wanted[:, 14:])


def reference_rows(arm: Arm, knots: Array, posture: Array, velocity: Array, torque: Array) -> Callable[[Array], Array]:
    """Return the rows of a reference (m, 33) as a function of times (m,) [s].

    Args:
        arm: that was to follow it.
        knots: times (n,) [s] at which it is known; before and after them it stands.
        posture: positions (n, 7) [rad].
        velocity: (n, 7) [rad/s].
        torque: (n, 7) [N·m].
    """

    def rows(grid: Array) -> Array:
        inside = np.clip(grid, knots[0], knots[-1])
        at, rate = interpolate_states(inside, knots, posture, velocity)
        poses = [arm.tip_pose(each) for each in at]
        position, rotation = np.array([p[0] for p in poses]), np.array([p[1] for p in poses])
        return table_rows(position, rotation, at, rate, interpolate(inside, knots, torque))

    return rows
