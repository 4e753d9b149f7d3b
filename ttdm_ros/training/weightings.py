"""What an error of the predicted state costs: one class a weighting.

With ε_k = x̂_{t+k} - x_{t+k}, k = 1..p, the loss of a sample is Σ_k ‖F_k ε_k‖² + Σ_k Σ_i (d_k,i ε_k,i)², or
‖Σ_k F_k ε_k‖² + ... where errors of different steps may cancel. A weighting yields F and d as ``Factors``. To add one:
derive from ``Weighting``, give it a ``name``, yield the factors; it can be chosen by its name everywhere.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import ConfigError
from ttdm_ros.training.context import Context

if TYPE_CHECKING:
    from ttdm_ros.training.tuning import Tuning

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factors:
    """F_k (n or 1, p, r, 14) and d_k (n or 1, p, 14); either may be None, but not both."""

    full: Array | None = None
    diagonal: Array | None = None


class Weighting(ABC):
    """One way to weigh errors."""

    name: ClassVar[str]
    coupled: ClassVar[bool] = False
    """Whether errors of different steps may cancel in F."""
    needs_sensitivities: ClassVar[bool] = True

    def prepare(self, tuning: "Tuning") -> "Weighting":
        """Return the weighting ready for use; one that has to be learned from the data is, here."""
        return self

    @abstractmethod
    def factors(self, context: Context) -> Factors:
        """Return F and d for all samples, those without sensitivities included (any finite number will do).

        The trainer asks for one part of the data set after another, ``context.whole`` being all of it.
        """


class Mse(Weighting):
    """Σ_k ‖ε_k‖²."""

    name = "mse"
    needs_sensitivities = False

    def factors(self, context: Context) -> Factors:
        """Ones."""
        return Factors(diagonal=np.ones((1, context.p, 14)))


class Variance(Weighting):
    """Σ_k ‖ε_k / σ_x‖²."""

    name = "variance"
    needs_sensitivities = False

    def factors(self, context: Context) -> Factors:
        """One over the standard deviation of each state."""
        deviation = context.whole.deviation
        return Factors(diagonal=np.tile(1.0 / np.maximum(deviation, 1e-6), (1, context.p, 1)))


class Sensitivity(Weighting):
    """Σ_k ‖G_k ε_k‖², the method; with a floor f: (1 - f) of it and f of ``sensitivity_diagonal``."""

    name = "sensitivity"

    def factors(self, context: Context) -> Factors:
        """G_k, and the root of its own diagonal."""
        return _with_floor(context.g, context.floor)


class SensitivityCoupled(Weighting):
    """‖Σ_k G_k ε_k‖², what the errors cost together; with the same floor, in which nothing cancels."""

    name = "sensitivity_coupled"
    coupled = True

    def factors(self, context: Context) -> Factors:
        """As for ``sensitivity``."""
        return _with_floor(context.g, context.floor)


class SensitivityDiagonal(Weighting):
    """Σ_k Σ_i (G_kᵀG_k)_ii ε_k,i²."""

    name = "sensitivity_diagonal"

    def factors(self, context: Context) -> Factors:
        """Root of the metric's diagonal."""
        return Factors(diagonal=_diagonal(context.g))


class SensitivityMean(Weighting):
    """Σ_k ε_kᵀ W̄_k ε_k, the data set's mean of G_kᵀG_k: the paper's ablation."""

    name = "sensitivity_mean"

    def factors(self, context: Context) -> Factors:
        """Root of the mean metric."""
        total, count = np.zeros((context.p, 14, 14)), 0
        for part in context.whole.parts():
            g = part.g[part.chosen]
            total += np.einsum("npri,nprj->pij", g, g, optimize=True)
            count += len(g)
        values, vectors = np.linalg.eigh(total / max(count, 1))
        root = np.sqrt(np.maximum(values, 0.0))[:, :, None] * vectors.transpose(0, 2, 1)
        return Factors(full=root[None])


class ValueGradient(Weighting):
    """Σ_k Σ_i (∂V/∂x_{k,i} ε_k,i)², after VaGraM (Voelcker et al., ICLR 2022)."""

    name = "value_gradient"

    def factors(self, context: Context) -> Factors:
        """Size of the value's gradient, clipped like G."""
        return Factors(diagonal=np.abs(context.value_gradient))


def _with_floor(g: Array, floor: float) -> Factors:
    if floor <= 0.0:
        return Factors(full=g)
    return Factors(full=np.sqrt(1.0 - floor) * g, diagonal=np.sqrt(floor) * _diagonal(g))


def _diagonal(g: Array) -> Array:
    diagonal: Array = np.sqrt(np.square(g).sum(axis=2))
    return diagonal


def weightings() -> dict[str, type[Weighting]]:
    """Return every weighting by its name: each class, and then those that derive from it, in order of definition."""
    import ttdm_ros.training.learned_metric  # noqa: F401 - defines one; it needs this module

    return {kind.name: kind for kind in _derived(Weighting) if "name" in vars(kind)}


def _derived(kind: type) -> Iterator[Any]:
    each: Any
    for each in kind.__subclasses__():
        yield each
        yield from _derived(each)


def find_weighting(name: str) -> Weighting:
    """Return a weighting by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    known = weightings()
    if name not in known:
        raise ConfigError(f"there is no weighting '{name}'; known: {', '.join(known)}")
    return known[name]()
