"""What a prediction model is made of, apart from its numbers.

Acceleration a = a_nominal(q, v, tau) + r_w(q, v, tau) (``residual``), a = r_w (``full``) or a = a_nominal
(``nominal``), where r_w is a multilayer perceptron with tanh units. The next state is the semi-implicit Euler step of
``step``.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ttdm_ros.config import Config

JOINTS = 7
NX = 2 * JOINTS
NU = JOINTS
Input = Literal["q", "v", "tau"]
Structure = Literal["nominal", "residual", "full"]
INPUTS: tuple[Input, ...] = ("q", "v", "tau")
Array = NDArray[np.float64]


class ModelSpecification(Config):
    """Structure and layer sizes; two models of equal specification can be exchanged without compiling anything."""

    structure: Structure = "residual"
    """``residual``: network added to the nominal acceleration; ``full``: network alone; ``nominal``: no network."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=512)], ...], Field(max_length=4)] = (32, 32)
    """Units of the hidden layers."""
    inputs: Annotated[tuple[Input, ...], Field(min_length=1)] = INPUTS
    """What the network sees, in the order q, v, tau."""
    activation: Literal["tanh"] = "tanh"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.inputs) != [name for name in INPUTS if name in self.inputs]:
            raise ValueError(f"inputs must be some of q, v, tau in this order, each once, not {list(self.inputs)}")
        if self.structure == "nominal" and self.hidden:
            raise ValueError("a model of structure 'nominal' has no hidden layers; set hidden: []")
        return self

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Width of input, hidden and output layers; empty without a network."""
        return () if self.structure == "nominal" else (JOINTS * len(self.inputs), *self.hidden, JOINTS)

    @property
    def columns(self) -> list[int]:
        """Which of the 21 entries of (q, v, tau) the network sees."""
        return [INPUTS.index(name) * JOINTS + i for name in self.inputs for i in range(JOINTS)]

    @property
    def packed_sizes(self) -> tuple[int, ...]:
        """Layer sizes of the packed network, which takes all of (q, v, tau); see ``PredictionModel.packed``."""
        return (NX + NU, *self.layer_sizes[1:]) if self.layer_sizes else ()

    @property
    def packed_size(self) -> int:
        """How many numbers a packed network has."""
        return sum((before + 1) * after for before, after in pairwise(self.packed_sizes))


def step(q: Array, v: Array, acceleration: Array, dt: float) -> tuple[Array, Array]:
    """Return the next q [rad] and v [rad/s]: v⁺ = v + dt a, q⁺ = q + dt (v + v⁺)/2, arrays (..., 7)."""
    following = v + dt * acceleration
    return q + 0.5 * dt * (v + following), following
