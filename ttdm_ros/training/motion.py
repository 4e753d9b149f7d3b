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
from ttdm_ros.recording.series import JointStates
from ttdm_ros.recording.stream import PIECE, stream_bag
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.applied_torque import AppliedTorque, TorqueReader
from ttdm_ros.training.ordering import OrderedColumns
from ttdm_ros.training.store import Store, pieces

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Messages in the order of time, each time once: stamps [ns] and their rows of seven numbers."""

    stamp: Stamps
    q: Array
    v: Array
    torque: AppliedTorque
    wanted_stamp: Stamps
    """Of the reference; empty if the bag has none."""
    wanted: Array
    """Posture, velocity and torque (r, 21)."""

    def fingerprint(self, names: tuple[str, ...]) -> str:
        """Return a hash of all this and of the joints' names."""
        content = hashlib.sha256("\n".join(names).encode())
        if self.torque.by_robot:
            content.update(b"\ntorque by the robot")
        for stamps in (self.stamp, self.torque.stamp, self.wanted_stamp):
            _update(content, stamps, "<i8")
        for values in (self.q, self.v, self.torque.values, self.wanted):
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
        BagError: the bag is damaged, lacks a topic that is needed, is of another robot, its stamps jump back, or it
            does not tell what torque drove the arm.
        StorageError: there is no room.
    """
    states, wanted = OrderedColumns(store, 7, 7), OrderedColumns(store, 21)
    check, torque = _Check(arm), TorqueReader(len(arm.joint_names), store)
    recordings = stream_bag(
        path,
        seconds=seconds,
        only=(topics.JOINT_STATES, topics.REFERENCE_JOINTS, *torque.TOPICS),
        require=(topics.JOINT_STATES, torque.NEEDED),
        namespace=namespace,
        joints=arm.joint_names,
    )
    for piece in recordings:
        torque.add(piece)
        if (state := piece.joint_states) is not None:
            check.add_states(state)
            states.add(state.stamp_ns, state.log_time_ns, np.concatenate([state.q, state.v], axis=1))
        if (target := piece.reference_joints) is not None:
            row = np.concatenate([target.q, target.v, np.nan_to_num(target.tau)], axis=1)
            wanted.add(target.stamp_ns, target.log_time_ns, row)
    check.finish(path)
    stamp, q, v = states.finish("joint states", path)
    applied = torque.finish(path, stamp)
    wanted_stamp, reference = wanted.finish("references", path)
    return Motion(stamp=stamp, q=q, v=v, torque=applied, wanted_stamp=wanted_stamp, wanted=reference)


class _Check:
    """Whether a bag is of the arm; what is lacking can only be told at its end."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._states = 0
        self._known = np.zeros(len(arm.joint_names), dtype=bool)
        self._has_velocities = False

    def add_states(self, states: JointStates) -> None:
        self._states += len(states)
        self._known |= ~np.isnan(states.q).all(axis=0)
        self._has_velocities |= not np.isnan(states.v).all()

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


def _update(content: Any, array: NDArray[Any], dtype: str) -> None:
    for rows in pieces(len(array)):
        content.update(np.ascontiguousarray(array[rows], dtype=dtype).tobytes())
