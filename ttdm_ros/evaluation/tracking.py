"""The tip of a recorded arm against its reference."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros import topics
from ttdm_ros.control.phase import Phase
from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import JointStates, Table, Trajectories
from ttdm_ros.systems.arm import Arm

_STAMP_NS = 1000  # times in topics.TIMING are floats: seconds since 1970 resolve a quarter of a microsecond
_LARGEST_GAP = 5.0  # joint states further apart than so many usual periods are not interpolated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TipTrack:
    """The tip where it was measured and where it was wanted, at the n stamps of the reference that can be compared.

    Attributes:
        stamp_ns: stamps of the reference [ns], (n,), increasing.
        phase: of the controller then (``Phase``), (n,); all TRACKING if the bag does not tell.
        position: measured, in the base frame [m], (n, 3).
        reference: wanted, in the base frame [m], (n, 3).
        angle: between the measured and the wanted orientation [rad], (n,).
        left_out: references without joint states around them.
    """

    stamp_ns: np.ndarray
    phase: np.ndarray
    position: np.ndarray
    reference: np.ndarray
    angle: np.ndarray
    left_out: int

    @property
    def error(self) -> np.ndarray:
        """Measured minus wanted position along the axes of the base frame [m], (n, 3)."""
        error: np.ndarray = self.position - self.reference
        return error

    @property
    def distance(self) -> np.ndarray:
        """Length of ``error`` [m], (n,)."""
        return np.linalg.norm(self.error, axis=1)

    @property
    def is_tracking(self) -> np.ndarray:
        """Whether the task was driven, (n,)."""
        is_tracking: np.ndarray = self.phase == Phase.TRACKING
        return is_tracking


def track_tip(recording: Recording, arm: Arm) -> TipTrack | None:
    """Compare the tip at the joint positions, interpolated linearly at the stamps of the reference, with the reference.

    Returns:
        None if the bag lacks joint states or references, or none of them overlap.
    """
    states, reference = recording.joint_states, recording.reference
    if states is None or reference is None:
        return None
    stamp_ns, q = ordered_positions(states)
    wanted_ns, first = np.unique(reference.stamp_ns, return_index=True)
    usable = _between_neighbours(wanted_ns, stamp_ns) & _is_finite(reference, first)
    wanted_ns, first = wanted_ns[usable], first[usable]
    if not len(first):
        return None
    origin = stamp_ns[0]  # differences are exact as floats, times since 1970 are not
    at = (wanted_ns - origin).astype(float)
    q_at = np.column_stack([np.interp(at, (stamp_ns - origin).astype(float), q[:, i]) for i in range(q.shape[1])])
    poses = [arm.tip_pose(row) for row in q_at]
    rotations = np.array([rotation for _, rotation in poses])
    return TipTrack(
        stamp_ns=wanted_ns,
        phase=phase_at(recording.timing, wanted_ns),
        position=np.array([position for position, _ in poses]),
        reference=reference.position[first, 0],
        angle=_angles(rotations, reference.quaternion[first, 0]),
        left_out=int((~usable).sum()),
    )


def ordered_positions(states: JointStates) -> tuple[np.ndarray, np.ndarray]:
    """Return increasing stamps [ns] (n,) and joint positions (n, joints) of the states that hold every joint."""
    stamp_ns, first = np.unique(states.stamp_ns, return_index=True)
    whole = np.isfinite(states.q[first]).all(axis=1)
    return stamp_ns[whole], states.q[first][whole]


def phase_at(timing: Table | None, stamp_ns: np.ndarray) -> np.ndarray:
    """Return the phase at each stamp: that of the last solve before it; TRACKING if there is no timing, (n,)."""
    if timing is None or not len(timing):
        return np.full(len(stamp_ns), int(Phase.TRACKING))
    rows = timing.values[np.argsort(timing.values[:, topics.TIMING_COLUMNS.index("stamp")], kind="stable")]
    solved_ns = np.round(rows[:, topics.TIMING_COLUMNS.index("stamp")] * 1e9).astype(np.int64)
    last = np.searchsorted(solved_ns, stamp_ns + _STAMP_NS, side="right") - 1
    phase: np.ndarray = rows[np.clip(last, 0, None), topics.TIMING_COLUMNS.index("phase")].astype(int)
    return phase


def _between_neighbours(at_ns: np.ndarray, stamp_ns: np.ndarray) -> np.ndarray:
    """Tell which times lie between two joint states that are not too far apart, (n,)."""
    if len(stamp_ns) < 2:
        return np.zeros(len(at_ns), dtype=bool)
    steps = np.diff(stamp_ns)
    interval = np.clip(np.searchsorted(stamp_ns, at_ns, side="right") - 1, 0, len(steps) - 1)
    inside = (at_ns >= stamp_ns[0]) & (at_ns <= stamp_ns[-1])
    return inside & (steps[interval] <= _LARGEST_GAP * np.median(steps))


def _is_finite(reference: Trajectories, rows: np.ndarray) -> np.ndarray:
    """Tell which references hold a pose, (n,)."""
    pose = np.concatenate((reference.position[rows, 0], reference.quaternion[rows, 0]), axis=1)
    return np.isfinite(pose).all(axis=1) & (np.linalg.norm(pose[:, 3:], axis=1) > 0.0)


def _angles(rotations: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Return the angles [rad] (n,) between rotations (n, 3, 3) and quaternions x, y, z, w (n, 4) of any length."""
    x, y, z, w = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    wanted = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    difference = wanted.transpose(0, 2, 1) @ rotations
    skew = difference - difference.transpose(0, 2, 1)
    sine = 0.5 * np.sqrt(skew[:, 2, 1] ** 2 + skew[:, 0, 2] ** 2 + skew[:, 1, 0] ** 2)
    cosine = 0.5 * (np.trace(difference, axis1=1, axis2=2) - 1.0)
    return np.arctan2(sine, cosine)  # exact at small angles, where the arc cosine is not
