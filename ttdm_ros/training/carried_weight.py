"""Whether recorded torques carry the arm's weight, which a torque here never does: models would learn it as an error.

What drove the arm beyond its nominal dynamics, tau - M(q) a - c(q, v), is friction and payload if all is well, and the
gravity torque g(q) besides if not. Taking g away then leaves much less of it, and more otherwise. This is looked at
twice, so that nothing else is taken for the weight: by how the rest varies about its mean from posture to posture,
which an offset of the torques does not alter, and after all is taken out that friction and any rigid payload at the tip
could make of it, which can look much like g.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import BagError
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]

_SAMPLES = 1000
_SHORTEST = 4.0  # of motion, below which nothing is said [s]
_SHARE = 0.5  # of the rest that is left, at most, if g is taken away
_SLIDING = 0.02  # from which on dry friction counts as sliding [rad/s]


def check_weight(arm: Arm, trajectories: Sequence[Trajectory], path: Path | str, *, taken_away: bool) -> None:
    """Raise a BagError if the torques of a bag carry the arm's weight, or lack it because it was taken away twice.

    Too little motion, or too little difference between the postures, is never refused.
    """
    samples = _samples(arm, trajectories)
    if samples is None:
        return
    rest, weight, others = samples
    if _explains(rest, weight, others):
        raise BagError(
            f"the torques in {path} carry the arm's weight, and training needs them without it; give --gravity "
            "included, and the nominal gravity torque of the recorded positions is taken away"
        )
    if taken_away and _explains(rest, -weight, others):
        raise BagError(f"the torques in {path} do not carry the arm's weight; leave out --gravity included")


def carries_weight(arm: Arm, trajectories: Sequence[Trajectory]) -> bool:
    """Whether torques carry the arm's weight, as far as the motion tells."""
    samples = _samples(arm, trajectories)
    return samples is not None and _explains(*samples)


def _samples(arm: Arm, trajectories: Sequence[Trajectory]) -> tuple[Array, Array, Array] | None:
    """Return ``_row`` of many samples, as (n, 7), (n, 7), (n, 7, 18); None if there is too little motion."""
    total = sum(len(each) for each in trajectories)
    if not trajectories or total * trajectories[0].step < _SHORTEST:
        return None
    every = max(1, total // _SAMPLES)
    rows = [_row(arm, each, i) for each in trajectories for i in range(0, len(each) - each.stride, every)]
    rest, weight, others = (np.array(each) for each in zip(*rows, strict=True))
    return rest, weight, others


def _explains(rest: Array, weight: Array, others: Array) -> bool:
    """Whether a weight explains much of the rest, also of what other causes leave of it."""
    if not (rest - weight).var(axis=0).sum() < _SHARE * rest.var(axis=0).sum():
        return False
    basis = others.reshape(-1, others.shape[-1])
    basis = basis / np.maximum(np.linalg.norm(basis, axis=0), 1e-9)
    both = np.stack([rest.ravel(), weight.ravel()], axis=1)
    left, weight_left = (both - basis @ np.linalg.lstsq(basis, both, rcond=1e-8)[0]).T
    return bool(np.sum((left - weight_left) ** 2) < _SHARE * np.sum(left**2))


def _row(arm: Arm, trajectory: Trajectory, i: int) -> tuple[Array, Array, Array]:
    """Return what nominal dynamics leaves of the torque (7,), the gravity torque (7,), other causes of it (7, 18)."""
    q, v = trajectory.x[i, :7], trajectory.x[i, 7:]
    a = (trajectory.x[i + trajectory.stride, 7:] - v) / trajectory.dt
    friction = np.concatenate([np.diag(np.tanh(v / _SLIDING)), np.diag(v)], axis=1)
    others = np.concatenate([_payload(arm, q), friction], axis=1)
    return trajectory.u[i] - arm.inverse_dynamics(q, v, a), arm.gravity_torque(q), others


def _payload(arm: Arm, q: Array) -> Array:
    """Return the torques (7, 4) that carry a unit of mass at the tip, and of mass times distance along its axes."""
    jacobian, (_, rotation) = arm.tip_jacobian(q), arm.tip_pose(q)
    up = arm.base_placement.rotation.T @ -arm.model.gravity.linear
    columns = [jacobian[:3].T @ up, *(jacobian[3:].T @ np.cross(axis, up) for axis in rotation.T)]
    return np.stack(columns, axis=1)
