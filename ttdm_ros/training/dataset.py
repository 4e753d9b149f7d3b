"""Rollout windows cut from trajectories, and what training needs to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.errors import BagError
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 1.0  # the split into training and validation takes whole blocks of this length [s], shorter ones of short data
FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Rollouts of p steps from n samples of one or several trajectories."""

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
        steps = trajectory.stride * np.arange(p)
        clean = ~trajectory.saturated[starts[:, None] + steps].any(axis=1) if len(starts) else np.zeros(0, dtype=bool)
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
) -> Windows:
    """Cut rollouts of ``p`` steps.

    Trajectories are split into blocks of a second, of which a share chosen by ``seed`` is for validation; a rollout
    that reaches from one kind of block into the other is neither trained on nor validated with, so that training and
    validation share no sample.

    Raises:
        BagError: there is no sample, there are too few to set some aside, or the trajectories differ in their step.
    """
    if not trajectories or not any(len(each) for each in starts):
        raise BagError("there is no sample to train on; record the arm while it is driven, for longer")
    steps = {trajectory.dt for trajectory in trajectories}
    if len(steps) > 1:
        raise BagError(f"the trajectories have different steps {sorted(steps)} s; resample them to one")
    (dt,) = steps
    held_out = _held_out(trajectories, validation_share, seed)
    xs, us, times, counts, lengths = [], [], [], [], []
    for trajectory, chosen, mask in zip(trajectories, starts, held_out, strict=True):
        x, u = trajectory.windows(chosen, p)
        before = np.concatenate([[0], np.cumsum(mask)])
        last = chosen + p * trajectory.stride
        counts.append(before[last + 1] - before[chosen])
        lengths.append(last + 1 - chosen)
        xs.append(x)
        us.append(u)
        times.append(trajectory.time[chosen])
    x, u, inside, length = (np.concatenate(each) for each in (xs, us, counts, lengths))
    training, validation = inside == 0, inside == length
    if not training.any() or not validation.any():
        raise BagError(f"{len(x)} samples are too few to set some aside for validation; record the arm for longer")
    z = np.concatenate([x[:, :-1], u], axis=2).reshape(-1, 21)
    acceleration, slope = nominal(z)
    assert slope is not None
    return Windows(
        p=p,
        dt=dt,
        x=x,
        u=u,
        nominal=acceleration.reshape(-1, p, 7),
        slope=slope[:, :, :14].astype(np.float32).reshape(-1, p, 7, 14),
        time=np.concatenate(times),
        training=training,
        validation=validation,
    )


def _held_out(trajectories: Sequence[Trajectory], share: float, seed: int) -> list[Mask]:
    """Choose blocks for validation, at least one; return the mask of their samples for each trajectory."""
    total = sum(len(trajectory) for trajectory in trajectories)
    length = max(1, min(round(BLOCK / trajectories[0].step), total // FEWEST_BLOCKS))
    counts = [-(-len(trajectory) // length) for trajectory in trajectories]
    blocks = np.zeros(sum(counts), dtype=bool)
    number = max(1, round(share * len(blocks)))
    blocks[np.random.default_rng(seed).choice(len(blocks), number, replace=False)] = True
    parts = np.split(blocks, np.cumsum(counts)[:-1])
    return [np.repeat(part, length)[: len(trajectory)] for part, trajectory in zip(parts, trajectories, strict=True)]
