"""Settings of the training."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ttdm_ros.config import Config
from ttdm_ros.dynamics.specification import ModelSpecification


class SamplingConfig(Config):
    """How recorded motion is brought onto a grid."""

    dt: float = Field(default=0.02, gt=0.0, le=0.2)
    """Step of the model and of the problem whose sensitivities are taken [s]."""
    step: float = Field(default=0.004, gt=0.0, le=0.2)
    """Between two samples [s]; dt is a multiple of it."""
    spacing: int = Field(default=2, ge=1, le=1000)
    """Rollouts start at every so-manieth sample."""
    delay: float = Field(default=0.003, ge=0.0, le=0.1)
    """From the recording of a command to its effect on the arm [s]."""
    robot_delay: float = Field(default=0.0005, ge=-0.01, le=0.1)
    """From the stamp of a torque that the robot itself says it applies to the middle of its effect [s]: a Franka arm
    applies it during the millisecond that follows (tried on a simulated one)."""
    gravity: Literal["absent", "included"] = "absent"
    """Whether recorded torques carry the arm's weight; where they do, the nominal gravity torque is taken away."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(round(self.dt / self.step) * self.step - self.dt) > 1e-9:
            raise ValueError(f"dt ({self.dt} s) must be a multiple of step ({self.step} s)")
        return self


class TrainingConfig(Config):
    """How a model is trained: one-step regression first, then fine-tuning on rollouts."""

    specification: ModelSpecification = ModelSpecification(inputs=("q", "v"))
    """Without tau as an input the network cannot change how torque acts, which the nominal arm knows well: in the
    closed loop such models are smoother, and their problems stay convex."""
    p: int = Field(default=4, ge=1, le=8)
    """Steps of the rollouts that are fine-tuned on."""
    base_steps: int = Field(default=2500, ge=1)
    """Optimiser steps of the one-step checkpoint."""
    base_rate: float = Field(default=3e-3, gt=0.0, le=1.0)
    """Learning rate of the checkpoint; falls to zero along a cosine."""
    base_batch: int = Field(default=512, ge=1)
    steps: int = Field(default=800, ge=0)
    """Optimiser steps of the fine-tuning."""
    rate: float = Field(default=5e-4, gt=0.0, le=1.0)
    """Learning rate of the fine-tuning; falls to zero along a cosine."""
    batch: int = Field(default=256, ge=1)
    weight_decay: float = Field(default=1.0, ge=0.0)
    """Of AdamW, times the learning rate. Minutes of motion hold few independent samples: without such a decay the
    network fits their noise within a few hundred steps."""
    gradient_clip: float = Field(default=1.0, gt=0.0)
    """Largest norm of a model's gradient."""
    floor: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the sensitivity metric's own diagonal that is mixed in; see the weightings."""
    clip: float = Field(default=5.0, gt=0.0)
    """Largest weight of a sample, in medians."""
    metric_steps: int = Field(default=40, ge=0)
    """Outer steps in which the weighting ``learned_metric`` is learned."""
    metric_inner_steps: int = Field(default=20, ge=1)
    """Optimiser steps of its model before each."""
    validate_every: int = Field(default=50, ge=1)
    """Optimiser steps between looks at the validation data; the best model seen is kept."""
    patience: int = Field(default=25, ge=1)
    """Looks without improvement after which a training ends."""
    validation_share: float = Field(default=0.15, gt=0.0, lt=0.9)
    nominal: Literal["linearised", "exact"] = "linearised"
    """How rollouts evaluate the nominal arm beside the recorded states: ``linearised`` about them, or ``exact``."""
    precision: Literal["single", "double"] = "single"
    """Of the fine-tuning; rollouts are computed as errors about the record, where single precision is plenty."""
    seed: int = Field(default=0, ge=0)
    threads: Annotated[int, Field(ge=0)] = 1
    """Of torch; 0: its own choice. Batches are small: further threads cost more than they save, above all on a machine
    that also controls."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
