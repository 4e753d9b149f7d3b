"""Rollout windows cut from trajectories, and what training needs to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.errors import BagError
from ttdm_ros.training.store import Store, pieces
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 1.0  # the split into training and validation takes whole blocks of this length [s], shorter ones of short data
FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Rollouts of p steps from n samples of one or several trajectories.

    All but the masks may lie on disk, see ``Store``: what is worked out of them is worked out of a ``part``.
    """

    p: int
    dt: float
    x: Array
    """States (n, p + 1, 14)."""
    u: Array
    """Torques (n, p, 7)."""
    nominal: Array
    """Nominal acceleration along the recorded states (n, p, 7) [rad/s²]."""
    slope: NDArray[np.float32]
    """∂a_nominal/∂(q, v) along the recorded states (n, p, 7, 14)."""
    time: Array
    """Of the first sample (n,), within its recording [s]."""
    training: Mask
    """Whether a sample is trained on (n,)."""
    validation: Mask
    """Whether a sample is for validation (n,). A rollout that reaches from one block into the other is neither."""

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.x)

    def part(self, rows: slice | NDArray[np.intp]) -> "Windows":
        """Return some of the samples."""
        names = ("x", "u", "nominal", "slope", "time", "training", "validation")
        return Windows(p=self.p, dt=self.dt, **{name: getattr(self, name)[rows] for name in names})

    @property
    def taken(self) -> Array:
        """Acceleration over each step, by the recorded velocities (n, p, 7) [rad/s²]."""
        taken: Array = np.diff(self.x[:, :, 7:], axis=1) / self.dt
        return taken

    @property
    def residual(self) -> Array:
        """Acceleration over the first step that the nominal arm does not explain (n, 7) [rad/s²]."""
        return self.taken[:, 0] - self.nominal[:, 0]

    @property
    def z(self) -> Array:
        """(q, v, tau) at the beginning of each step (n, p, 21)."""
        return np.concatenate([self.x[:, :-1], self.u], axis=2)


def spaced_starts(trajectories: Sequence[Trajectory], p: int, spacing: int = 1) -> list[NDArray[np.intp]]:
    """Return the samples of each trajectory at which rollouts start; saturated ones are left out.

    A torque limit between command and motion makes the recorded command a lie about what was applied.
    """
    result = []
    for trajectory in trajectories:
        starts = trajectory.starts(p, spacing)
        clean = np.ones(len(starts), dtype=bool)
        for step in range(p):
            clean &= ~trajectory.saturated[starts + step * trajectory.stride]
        result.append(starts[clean])
    return result


def cut(
    trajectories: Sequence[Trajectory],
    starts: Sequence[NDArray[np.intp]],
    p: int,
    nominal: NominalBatch,
    *,
    validation_share: float = 0.15,
    seed: int = 0,
    store: Store | None = None,
) -> Windows:
    """Cut rollouts of ``p`` steps.

    Trajectories are split into blocks of a second, of which a share chosen by ``seed`` is for validation; a rollout
    that reaches from one kind of block into the other is neither trained on nor validated with, so that training and
    validation share no sample.

    Args:
        trajectories: of one step.
        starts: of each trajectory the samples at which rollouts start.
        p: steps of a rollout.
        nominal: acceleration of the arm.
        validation_share: of the blocks.
        seed: chooses the blocks.
        store: where the rollouts are kept; the system's folder for temporary files if left out.

    Raises:
        BagError: there is no sample, there are too few to set some aside, or the trajectories differ in their step.
        StorageError: there is no room for the rollouts.
    """
    if not trajectories or not any(len(each) for each in starts):
        raise BagError("there is no sample to train on; record the arm while it is driven, for longer")
    steps = {trajectory.dt for trajectory in trajectories}
    if len(steps) > 1:
        raise BagError(f"the trajectories have different steps {sorted(steps)} s; resample them to one")
    (dt,) = steps
    training, validation = _split(trajectories, starts, p, validation_share, seed)
    if not training.any() or not validation.any():
        raise BagError(
            f"{len(training)} samples are too few to set some aside for validation; record the arm for longer"
        )
    store = store or Store()
    columns = {
        "x": store.column(p + 1, 14),
        "u": store.column(p, 7),
        "nominal": store.column(p, 7),
        "slope": store.column(p, 7, 14, dtype=np.float32),
        "time": store.column(),
    }
    for trajectory, all_starts in zip(trajectories, starts, strict=True):
        for rows in pieces(len(all_starts)):
            chosen = all_starts[rows]
            x, u = trajectory.windows(chosen, p)
            acceleration, slope = nominal(np.concatenate([x[:, :-1], u], axis=2).reshape(-1, 21))
            assert slope is not None
            columns["x"].append(x)
            columns["u"].append(u)
            columns["nominal"].append(acceleration.reshape(-1, p, 7))
            columns["slope"].append(slope[:, :, :14].reshape(-1, p, 7, 14))
            columns["time"].append(trajectory.time[chosen])
    arrays: dict[str, Any] = {name: column.finish() for name, column in columns.items()}
    return Windows(p=p, dt=dt, training=training, validation=validation, **arrays)


def _split(
    trajectories: Sequence[Trajectory], starts: Sequence[NDArray[np.intp]], p: int, share: float, seed: int
) -> tuple[Mask, Mask]:
    """Return which rollouts lie in blocks for training throughout, and which in blocks for validation."""
    length, held_out = _held_out(trajectories, share, seed)
    training, validation = [], []
    for trajectory, chosen, blocks in zip(trajectories, starts, held_out, strict=True):
        first, last = chosen // length, (chosen + p * trajectory.stride) // length
        before = np.concatenate([[0], np.cumsum(blocks)])
        held, reached = before[last + 1] - before[first], last + 1 - first
        training.append(held == 0)
        validation.append(held == reached)
    return np.concatenate(training), np.concatenate(validation)


def _held_out(trajectories: Sequence[Trajectory], share: float, seed: int) -> tuple[int, list[Mask]]:
    """Choose blocks for validation, at least one; return their length in samples, and the mask of each trajectory's."""
    total = sum(len(trajectory) for trajectory in trajectories)
    length = max(1, min(round(BLOCK / trajectories[0].step), total // FEWEST_BLOCKS))
    counts = [-(-len(trajectory) // length) for trajectory in trajectories]
    blocks = np.zeros(sum(counts), dtype=bool)
    number = max(1, round(share * len(blocks)))
    blocks[np.random.default_rng(seed).choice(len(blocks), number, replace=False)] = True
    return length, np.split(blocks, np.cumsum(counts)[:-1])
