"""What an error of the predicted state costs: one class a weighting.

With ε_k = x̂_{t+k} - x_{t+k}, k = 1..p, the loss of a sample is Σ_k ‖F_k ε_k‖² (or ‖Σ_k F_k ε_k‖² where coupled). A
weighting yields the factors F_k (n, p, r, 14). To add one: derive from ``Weighting``, give it a ``name``, yield the
factors; it can be chosen by its name everywhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import ConfigError
from ttdm_ros.training.sensitivities import SampleSensitivities

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What a weighting may look at; n samples."""

    x: Array
    """Recorded states (n, p + 1, 14)."""
    training: NDArray[np.bool_]
    """Samples that are trained on (n,); means and deviations are taken over these."""
    sensitivities: SampleSensitivities | None
    """Of the same samples."""
    floor: float
    """Share of the metric's own diagonal that is mixed in, for the directions the metric does not see."""
    clip: float
    """Largest weight of a sample, in medians over the samples."""

    @property
    def p(self) -> int:
        """Steps of the rollouts."""
        return self.x.shape[1] - 1

    @property
    def g(self) -> Array:
        """G_k (n, p, 7, 14), clipped."""
        sensitivities = self._needed()
        size = np.sqrt(np.square(sensitivities.g).sum(axis=(1, 2, 3)))
        chosen = size[self.training & sensitivities.good]
        median = float(np.median(chosen)) if len(chosen) else 1.0
        scale = np.minimum(1.0, self.clip * median / np.maximum(size, 1e-300))
        return sensitivities.g * scale[:, None, None, None]

    @property
    def value_gradient(self) -> Array:
        """∂V/∂x_k (n, p, 14)."""
        return self._needed().value_gradient

    def _needed(self) -> SampleSensitivities:
        if self.sensitivities is None:
            raise ConfigError("this weighting needs sensitivities; export them first with `ttdm sensitivities`")
        return self.sensitivities


class Weighting(ABC):
    """One way to weigh errors."""

    name: ClassVar[str]
    coupled: ClassVar[bool] = False
    """Whether errors of different steps may cancel."""
    needs_sensitivities: ClassVar[bool] = True

    @abstractmethod
    def factors(self, context: Context) -> Array:
        """Return F_k (n or 1, p, r, 14)."""


class Mse(Weighting):
    """Σ_k ‖ε_k‖²."""

    name = "mse"
    needs_sensitivities = False

    def factors(self, context: Context) -> Array:
        """Identity."""
        return np.broadcast_to(np.eye(14), (1, context.p, 14, 14)).copy()


class Variance(Weighting):
    """Σ_k ‖ε_k / σ_x‖²."""

    name = "variance"
    needs_sensitivities = False

    def factors(self, context: Context) -> Array:
        """One over the standard deviation of each state."""
        deviation = context.x[context.training, 0].std(axis=0)
        return np.broadcast_to(np.diag(1.0 / np.maximum(deviation, 1e-6)), (1, context.p, 14, 14)).copy()


class Sensitivity(Weighting):
    """Σ_k ‖G_k ε_k‖², the method; with a floor f: (1 - f) of it and f of ``sensitivity_diagonal``."""

    name = "sensitivity"

    def factors(self, context: Context) -> Array:
        """G_k over the root of its own diagonal."""
        g = context.g
        if context.floor <= 0.0:
            return g
        return np.concatenate([np.sqrt(1.0 - context.floor) * g, np.sqrt(context.floor) * _diagonal(g)], axis=2)


class SensitivityCoupled(Weighting):
    """‖Σ_k G_k ε_k‖², what the errors cost together; with the same floor."""

    name = "sensitivity_coupled"
    coupled = True

    def factors(self, context: Context) -> Array:
        """G_k; the floor's rows of different steps lie apart, so that only G's errors cancel."""
        g = context.g
        if context.floor <= 0.0:
            return g
        count, p = g.shape[:2]
        apart = np.zeros((count, p, p, 14, 14))
        apart[:, np.arange(p), np.arange(p)] = _diagonal(g)
        rows = apart.reshape(count, p, p * 14, 14)
        return np.concatenate([np.sqrt(1.0 - context.floor) * g, np.sqrt(context.floor) * rows], axis=2)


class SensitivityDiagonal(Weighting):
    """Σ_k Σ_i (G_kᵀG_k)_ii ε_k,i²."""

    name = "sensitivity_diagonal"

    def factors(self, context: Context) -> Array:
        """Root of the metric's diagonal."""
        return _diagonal(context.g)


class SensitivityMean(Weighting):
    """Σ_k ε_kᵀ W̄_k ε_k, the data set's mean of G_kᵀG_k: the paper's ablation."""

    name = "sensitivity_mean"

    def factors(self, context: Context) -> Array:
        """Root of the mean metric."""
        sensitivities = context.sensitivities
        chosen = context.training if sensitivities is None else context.training & sensitivities.good
        g = context.g[chosen]
        mean = np.einsum("npri,nprj->pij", g, g) / max(len(g), 1)
        values, vectors = np.linalg.eigh(mean)
        return np.asarray((np.sqrt(np.maximum(values, 0.0))[:, :, None] * vectors.transpose(0, 2, 1))[None])


class ValueGradient(Weighting):
    """Σ_k Σ_i (∂V/∂x_{k,i} ε_k,i)², after VaGraM (Voelcker et al., ICLR 2022)."""

    name = "value_gradient"

    def factors(self, context: Context) -> Array:
        """Diagonal of the value's gradient, clipped like G."""
        gradient = np.abs(context.value_gradient)
        size = np.sqrt(np.square(gradient).sum(axis=(1, 2)))
        chosen = size[context.training & (size > 0.0)]
        median = float(np.median(chosen)) if len(chosen) else 1.0
        gradient *= np.minimum(1.0, context.clip * median / np.maximum(size, 1e-300))[:, None, None]
        return gradient[..., None] * np.eye(14)


def _diagonal(g: Array) -> Array:
    return np.sqrt(np.square(g).sum(axis=2))[..., None] * np.eye(14)


def weightings() -> dict[str, type[Weighting]]:
    """Return every weighting by its name, in the order of their definition."""
    return {kind.name: kind for kind in Weighting.__subclasses__()}


def find_weighting(name: str) -> Weighting:
    """Return a weighting by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    known = weightings()
    if name not in known:
        raise ConfigError(f"there is no weighting '{name}'; known: {', '.join(known)}")
    return known[name]()
