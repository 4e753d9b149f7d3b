"""Settings of the training."""

from typing import Annotated, Literal

from pydantic import Field

from ttdm_ros.config import Config
from ttdm_ros.dynamics.specification import ModelSpecification


class TrainingConfig(Config):
    """How a model is trained: one-step regression first, then fine-tuning on rollouts."""

    specification: ModelSpecification = ModelSpecification()
    p: int = Field(default=4, ge=1, le=8)
    """Steps of the rollouts that are fine-tuned on."""
    base_steps: int = Field(default=4000, ge=1)
    """Optimiser steps of the one-step checkpoint."""
    base_rate: float = Field(default=3e-3, gt=0.0, le=1.0)
    """Learning rate of the checkpoint; falls to zero along a cosine."""
    base_batch: int = Field(default=512, ge=1)
    steps: int = Field(default=1500, ge=0)
    """Optimiser steps of the fine-tuning."""
    rate: float = Field(default=5e-4, gt=0.0, le=1.0)
    """Learning rate of the fine-tuning; falls to zero along a cosine."""
    batch: int = Field(default=256, ge=1)
    weight_decay: float = Field(default=1e-6, ge=0.0)
    gradient_clip: float = Field(default=1.0, gt=0.0)
    """Largest norm of a model's gradient."""
    floor: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the sensitivity metric's own diagonal that is mixed in; see the weightings."""
    clip: float = Field(default=5.0, gt=0.0)
    """Largest weight of a sample, in medians."""
    validate_every: int = Field(default=50, ge=1)
    """Optimiser steps between looks at the validation data; the best model seen is kept."""
    patience: int = Field(default=12, ge=1)
    """Looks without improvement after which a training ends."""
    validation_share: float = Field(default=0.15, gt=0.0, lt=0.9)
    seed: int = Field(default=0, ge=0)
    threads: Annotated[int, Field(ge=0)] = 0
    """Of torch; 0: its own choice."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
