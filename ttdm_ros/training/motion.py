"""The messages of a bag that training needs, decoded and in the order of time, as columns on disk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros import topics
from ttdm_ros.errors import BagError
from ttdm_ros.recording.reader import check_joints
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.recording.stream import PIECE, stream_bag
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.ordering import LATEST, Ordering
from ttdm_ros.training.store import Store, pieces

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Messages in the order of time, each time once: stamps [ns] and their rows of seven numbers."""

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
        """Return a hash of all this and of the joints' names."""
        content = hashlib.sha256("\n".join(names).encode())
        for stamps in (self.stamp, self.command_stamp, self.wanted_stamp):
            _update(content, stamps, "<i8")
        for values in (self.q, self.v, self.commands, self.wanted):
            _update(content, values, "<f8")
        return content.hexdigest()[:16]


def read_motion(
    path: Path | str, arm: Arm, store: Store, *, namespace: str | None = None, seconds: float = PIECE
) -> Motion:
    """Read a bag in pieces.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        arm: what was recorded.
        store: where the columns are kept.
        namespace: of the topics; found by itself if the bag holds only one.
        seconds: length of a piece [s]; the result does not depend on it, nor on the order in which messages of
            different topics lie in the bag.

    Raises:
        BagError: the bag is damaged, lacks a topic that is needed, is of another robot, or its stamps jump back.
        StorageError: there is no room.
    """
    states, commands, wanted = (_Rows(store, *widths) for widths in ((7, 7), (7,), (21,)))
    check = _Check(arm)
    needed = (topics.JOINT_STATES, topics.COMMANDS)
    only = (*needed, topics.REFERENCE_JOINTS)
    recordings = stream_bag(
        path, seconds=seconds, only=only, require=needed, namespace=namespace, joints=arm.joint_names
    )
    for piece in recordings:
        if (state := piece.joint_states) is not None:
            check.add_states(state)
            states.add(state.stamp_ns, state.log_time_ns, np.concatenate([state.q, state.v], axis=1))
        if (command := piece.commands) is not None and check.add_commands(command):
            commands.add(command.log_time_ns, command.log_time_ns, command.values)
        if (target := piece.reference_joints) is not None:
            row = np.concatenate([target.q, target.v, np.nan_to_num(target.tau)], axis=1)
            wanted.add(target.stamp_ns, target.log_time_ns, row)
    check.finish(path)
    (stamp, q, v), (command_stamp, torques), (wanted_stamp, reference) = (
        rows.finish(name, path)
        for rows, name in ((states, "joint states"), (commands, "commands"), (wanted, "references"))
    )
    return Motion(
        stamp=stamp,
        q=q,
        v=v,
        command_stamp=command_stamp,
        commands=torques,
        wanted_stamp=wanted_stamp,
        wanted=reference,
    )


class _Rows:
    """The messages of one topic that are numbers throughout, on their way to columns of some widths."""

    def __init__(self, store: Store, *widths: int) -> None:
        self._ordering = Ordering(sum(widths))
        self._stamps = store.column(dtype=np.int64)
        self._columns = [store.column(width) for width in widths]
        self._edges = np.cumsum(widths)[:-1]

    def add(self, stamp: Stamps, received: Stamps, values: Array) -> None:
        usable = np.isfinite(values).all(axis=1)
        self._append(*self._ordering.add(stamp[usable], received[usable], values[usable]))

    def finish(self, name: str, path: Path | str) -> list[Any]:
        """Return the stamps and the columns."""
        self._append(*self._ordering.finish())
        if self._ordering.has_jumped:
            raise BagError(
                f"the stamps of the {name} in {path} jump back: {self._ordering.late} of {self._ordering.count} come "
                f"more than {LATEST:g} s too late; record again without setting a clock or restarting a simulation"
            )
        return [column.finish() for column in (self._stamps, *self._columns)]

    def _append(self, stamp: Stamps, values: Array) -> None:
        self._stamps.append(stamp)
        for column, part in zip(self._columns, np.split(values, self._edges, axis=1), strict=True):
            column.append(part)


class _Check:
    """Whether a bag is of the arm; what is lacking can only be told at its end."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._states = self._command_width = 0
        self._known = np.zeros(len(arm.joint_names), dtype=bool)
        self._has_velocities = False

    def add_states(self, states: JointStates) -> None:
        self._states += len(states)
        self._known |= ~np.isnan(states.q).all(axis=0)
        self._has_velocities |= not np.isnan(states.v).all()

    def add_commands(self, commands: Table) -> bool:
        """Return whether they have as many values as the arm has joints."""
        width = commands.values.shape[1]
        self._command_width = max(self._command_width, width)
        return width == len(self._arm.joint_names)

    def finish(self, path: Path | str) -> None:
        """Raise a BagError if it is not."""
        check_joints(self._arm.joint_names, self._states, path)
        joints = zip(self._arm.joint_names, self._known, strict=True)
        if lacking := [name for name, known in joints if not known]:
            raise BagError(
                f"the joint states in {path} never hold {lacking[0]} of {self._arm.name}; give the robot it was "
                "recorded with"
            )
        if not self._has_velocities:
            raise BagError(f"the joint states in {path} hold no velocities; publish them, and record again")
        if self._command_width != len(self._arm.joint_names):
            raise BagError(
                f"the commands in {path} have {self._command_width} values where {len(self._arm.joint_names)} torques "
                "are needed; give the robot the bag was recorded with"
            )


def _update(content: Any, array: NDArray[Any], dtype: str) -> None:
    for rows in pieces(len(array)):
        content.update(np.ascontiguousarray(array[rows], dtype=dtype).tobytes())
