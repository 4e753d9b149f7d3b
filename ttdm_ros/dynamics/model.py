"""A prediction model: specification, normalisation and weights of its network."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.specification import JOINTS, NU, NX, ModelSpecification
from ttdm_ros.errors import BundleError

Array = NDArray[np.float64]

NORMALISATION = ("input_mean", "input_std", "output_mean", "output_std")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """An affine layer y = weight x + bias."""

    weight: Array  # (out, in)
    bias: Array  # (out,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionModel:
    """The network r_w(x, u) = output_mean + output_std * mlp((z - input_mean) / input_std), z = (q, v, tau) or a part.

    All arrays are checked once, here; afterwards every shape fits and every number is finite.

    Raises:
        BundleError: a shape does not fit the specification, a number is not finite, or a scale is not positive.
    """

    specification: ModelSpecification
    input_mean: Array = field(default_factory=lambda: np.zeros(0))  # (n_in,)
    input_std: Array = field(default_factory=lambda: np.zeros(0))  # (n_in,)
    output_mean: Array = field(default_factory=lambda: np.zeros(0))  # (7,) [rad/s²]
    output_std: Array = field(default_factory=lambda: np.zeros(0))  # (7,) [rad/s²]
    layers: tuple[Layer, ...] = ()
    name: str = "unnamed"
    robot: str = ""  # name of the robot it was made for; empty: any

    def __post_init__(self) -> None:
        """Check shapes and values."""
        sizes = self.specification.layer_sizes
        expected = {} if not sizes else {"input": sizes[0], "output": sizes[-1]}
        for end, size in expected.items():
            for kind in ("mean", "std"):
                self._check(f"{end}_{kind}", getattr(self, f"{end}_{kind}"), (size,))
            if (getattr(self, f"{end}_std") <= 0.0).any():
                raise BundleError(f"{end}_std of the model '{self.name}' must be positive; train the model again")
        if len(self.layers) != max(len(sizes) - 1, 0):
            raise BundleError(
                f"the model '{self.name}' has {len(self.layers)} layers where its specification asks for "
                f"{max(len(sizes) - 1, 0)}; restore model.yaml and weights.safetensors from one training"
            )
        for i, (layer, before, after) in enumerate(zip(self.layers, sizes, sizes[1:], strict=False)):
            self._check(f"layers.{i}.weight", layer.weight, (after, before))
            self._check(f"layers.{i}.bias", layer.bias, (after,))

    def _check(self, what: str, value: Array, shape: tuple[int, ...]) -> None:
        if value.shape != shape:
            raise BundleError(
                f"{what} of the model '{self.name}' has shape {value.shape} where {shape} is needed; restore "
                "model.yaml and weights.safetensors from one training"
            )
        if not np.isfinite(value).all():
            raise BundleError(f"{what} of the model '{self.name}' holds NaN or infinity; train the model again")

    @classmethod
    def nominal(cls, specification: ModelSpecification | None = None, *, name: str = "nominal") -> Self:
        """Return a model whose network yields zero, so that it predicts as the nominal arm does."""
        specification = specification or ModelSpecification()
        if specification.structure == "full":
            raise BundleError("a model of structure 'full' has no nominal part; choose structure 'residual'")
        sizes = specification.layer_sizes
        layers = [Layer(weight=np.zeros((b, a)), bias=np.zeros(b)) for a, b in pairwise(sizes)]
        return cls._with(specification, layers, name)

    @classmethod
    def random(cls, specification: ModelSpecification, seed: int, *, scale: float = 1.0, name: str = "random") -> Self:
        """Return a model with random weights (LeCun's initialisation); ``scale`` [rad/s²] is its size."""
        generator, sizes = np.random.default_rng(seed), specification.layer_sizes
        layers = [
            Layer(weight=generator.normal(0.0, a**-0.5, (b, a)), bias=generator.normal(0.0, 0.1, b))
            for a, b in pairwise(sizes)
        ]
        return cls._with(specification, layers, name, scale)

    @classmethod
    def _with(cls, specification: ModelSpecification, layers: Sequence[Layer], name: str, scale: float = 1.0) -> Self:
        inputs, outputs = (specification.layer_sizes[0], JOINTS) if specification.layer_sizes else (0, 0)
        return cls(
            specification=specification,
            input_mean=np.zeros(inputs),
            input_std=np.ones(inputs),
            output_mean=np.zeros(outputs),
            output_std=np.full(outputs, scale),
            layers=tuple(layers),
            name=name,
        )

    def tensors(self) -> dict[str, Array]:
        """Return every array by the name it has in a bundle; none without a network."""
        if not self.layers:
            return {}
        tensors = {name: getattr(self, name) for name in NORMALISATION}
        for i, layer in enumerate(self.layers):
            tensors |= {f"layers.{i}.weight": layer.weight, f"layers.{i}.bias": layer.bias}
        return tensors

    def residual(self, z: Array) -> Array:
        """Return r_w (..., 7) [rad/s²] at z = (q, v, tau) (..., 21)."""
        if not self.layers:
            return np.zeros((*z.shape[:-1], JOINTS))
        h = (z[..., self.specification.columns] - self.input_mean) / self.input_std
        for i, layer in enumerate(self.layers):
            h = h @ layer.weight.T + layer.bias
            if i < len(self.layers) - 1:
                h = np.tanh(h)
        residual: Array = self.output_mean + self.output_std * h
        return residual

    def packed(self) -> Array:
        """Return the numbers the compiled solver reads, (packed_size,): a layer's weight row by row, then its bias.

        The normalisation is folded into the first and the last layer, and the first takes all of (q, v, tau).
        """
        if not self.layers:
            return np.zeros(0)
        weights, biases = [layer.weight for layer in self.layers], [layer.bias for layer in self.layers]
        first = np.zeros((len(biases[0]), NX + NU))
        first[:, self.specification.columns] = weights[0] / self.input_std
        biases[0] = biases[0] - weights[0] @ (self.input_mean / self.input_std)
        weights[0] = first
        weights[-1] = self.output_std[:, None] * weights[-1]
        biases[-1] = self.output_std * biases[-1] + self.output_mean
        pairs = zip(weights, biases, strict=True)
        return np.concatenate([part.ravel() for pair in pairs for part in pair]).astype(np.float64)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with specification and numbers, and with nothing else."""
        content = hashlib.sha256(self.specification.model_dump_json().encode())
        for name, value in self.tensors().items():
            content.update(name.encode() + np.ascontiguousarray(value, dtype="<f8").tobytes())
        return content.hexdigest()[:16]
