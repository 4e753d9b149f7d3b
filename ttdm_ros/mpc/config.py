"""Settings of the optimal control problem that need no compiling, except the number of stages."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ttdm_ros.config import Config
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS
from ttdm_ros.systems.arm import JointLimits

Array = NDArray[np.float64]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class MpcConfig(Config):
    """min Σ_k ½ ‖y_k - y_ref,k‖²_W + ½ ‖y_N - y_ref,N‖²_W_N, with y = (tip position, tip orientation, q, v, tau)."""

    horizon: int = Field(default=20, ge=2, le=200)
    """Stages N."""
    dt: float = Field(default=0.02, gt=0.0, le=0.2)
    """Step of the grid, independent of the control rate [s]."""
    position_weight: Positive = 2.0e4
    """Of the tip's position error [1/m²]."""
    orientation_weight: NonNegative = 1.0e3
    """Of the tip's orientation error [1/rad²]."""
    posture_weight: Positive = 2.0
    """Of the deviation from the reference posture [1/rad²]; settles the redundant joint."""
    velocity_weight: Positive = 1.0
    """Of the deviation from the reference joint velocity [s²/rad²]."""
    torque_weight: Positive = 1.0e-2
    """Of the deviation from the reference torque [1/(N·m)²]."""
    terminal_factor: Positive = 2.0
    """Weights of the last stage over those of the others."""
    slack_quadratic: Positive = 1.0e5
    """Penalty on leaving the bounds of q and v, half of it per rad² and (rad/s)²; quadratic alone, so that the optimal
    cost has a gradient everywhere, which its sensitivities need."""
    velocity_share: float = Field(default=0.95, gt=0.0, le=1.0)
    """Share of the joint velocity limits that the plan keeps to."""
    effort_share: float = Field(default=0.95, gt=0.0, le=1.0)
    """Share of the torque limits that the plan keeps to; the rest is the feedback's between solves."""

    def stage_weights(self) -> Array:
        """Weights (33,) of the entries of a stage's residual, in the order of the reference rows."""
        # ‖R - R_ref‖²_F = 2 θ² for small angles θ, so half the weight an entry makes the whole one an angle.
        parts = (
            (self.position_weight, 3),
            (0.5 * self.orientation_weight, 9),
            (self.posture_weight, 7),
            (self.velocity_weight, 7),
            (self.torque_weight, 7),
        )
        weights = np.concatenate([np.full(count, value) for value, count in parts])
        assert weights.shape == (TABLE_COLUMNS,)
        return weights

    def bounds(self, limits: JointLimits) -> tuple[Array, Array, Array, Array, Array]:
        """Bounds of the problem for an arm: x lower and upper (14,), u lower and upper (7,), penalty on x (14,)."""
        speed, effort = self.velocity_share * limits.velocity, self.effort_share * limits.effort
        return (
            np.concatenate((limits.position_lower, -speed)),
            np.concatenate((limits.position_upper, speed)),
            -effort,
            effort,
            np.full(2 * len(effort), self.slack_quadratic),
        )

    def terminal_weights(self) -> Array:
        """Weights (33,) of the last stage, which has no input."""
        weights = self.terminal_factor * self.stage_weights()
        weights[-7:] = 0.0
        return weights
