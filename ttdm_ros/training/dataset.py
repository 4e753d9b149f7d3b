"""Rollout windows cut from trajectories, and what training needs to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.errors import BagError
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]

BLOCK = 1.0  # the split into training and validation takes whole blocks of this length [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Rollouts of up to p steps from n samples of one or several trajectories."""

    p: int
    dt: float
    x: Array
    """States (n, p + 1, 14)."""
    u: Array
    """Torques (n, p, 7)."""
    nominal: Array
    """Nominal acceleration at the first state (n, 7) [rad/s²]."""
    validation: NDArray[np.bool_]
    """Whether a sample is for validation only (n,)."""

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.x)

    @property
    def residual(self) -> Array:
        """Acceleration over the first step that the nominal arm does not explain (n, 7) [rad/s²]."""
        taken: Array = (self.x[:, 1, 7:] - self.x[:, 0, 7:]) / self.dt
        return taken - self.nominal

    @property
    def z(self) -> Array:
        """First (q, v, tau) (n, 21)."""
        return np.concatenate([self.x[:, 0], self.u[:, 0]], axis=1)


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

    Trajectories are split into blocks of a second, of which a share chosen by ``seed`` is for validation; a training
    rollout that reaches into a validation block counts as validation, so that the two share no sample.

    Raises:
        BagError: there is no sample, or the trajectories differ in their step.
    """
    if not trajectories or not any(len(each) for each in starts):
        raise BagError("there is no sample to train on; record the arm while it is driven, for longer")
    steps = {trajectory.dt for trajectory in trajectories}
    if len(steps) > 1:
        raise BagError(f"the trajectories have different steps {sorted(steps)} s; resample them to one")
    (dt,) = steps
    generator = np.random.default_rng(seed)
    xs, us, held_out = [], [], []
    for trajectory, chosen in zip(trajectories, starts, strict=True):
        x, u = trajectory.windows(chosen, p)
        per_block = max(1, round(BLOCK / trajectory.step))
        blocks = generator.random(len(trajectory) // per_block + 1) < validation_share
        last = chosen + p * trajectory.stride
        held_out.append(blocks[chosen // per_block] | blocks[last // per_block])
        xs.append(x)
        us.append(u)
    x, u = np.concatenate(xs), np.concatenate(us)
    validation = np.concatenate(held_out)
    if validation.all() or not validation.any():  # too little data for blocks: every seventh sample
        validation = np.arange(len(x)) % 7 == 3
    acceleration, _ = nominal(np.concatenate([x[:, 0], u[:, 0]], axis=1), jacobian=False)
    return Windows(p=p, dt=dt, x=x, u=u, nominal=acceleration, validation=validation)
