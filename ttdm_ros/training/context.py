"""What a weighting may look at: a data set and its statistics, in parts that fit into memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import ConfigError
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.store import PART, moments, pieces

Array = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What a weighting may look at; n samples: a whole data set, or a part of one.

    A data set may be longer than memory: what is worked out of all of it is worked out part by part.
    """

    x: Array
    """Recorded states (n, p + 1, 14)."""
    training: NDArray[np.bool_]
    """Samples that are trained on (n,); means, medians and deviations are taken over these."""
    sensitivities: SampleSensitivities | None
    """Of the same samples."""
    floor: float
    """Share of the metric's own diagonal that is mixed in, for the directions the metric does not see."""
    clip: float
    """Largest weight of a sample, in medians over the samples."""
    part_of: "Context | None" = None
    """The whole data set, if this is a part of one."""

    @property
    def whole(self) -> "Context":
        """The whole data set."""
        return self.part_of or self

    def parts(self) -> Iterator["Context"]:
        """Yield all samples in parts that fit into memory."""
        return (self.part(rows) for rows in pieces(len(self.x), PART))

    def part(self, rows: slice | NDArray[np.intp]) -> "Context":
        """Return some of the samples, as a part of the whole."""
        known = None if self.sensitivities is None else self.sensitivities.part(rows)
        return replace(self, x=self.x[rows], training=self.training[rows], sensitivities=known, part_of=self.whole)

    @property
    def p(self) -> int:
        """Steps of the rollouts."""
        return self.x.shape[1] - 1

    @property
    def g(self) -> Array:
        """G_k (n, p, 7, 14), clipped: none is longer (root of all squares) than ``clip`` medians."""
        return self.known.g * _clipping(_size(self.known.g), self.whole.longest_g)[:, None, None, None]

    @property
    def value_gradient(self) -> Array:
        """∂V/∂x_k (n, p, 14), clipped likewise."""
        gradient = self.known.value_gradient
        return gradient * _clipping(_size(gradient), self.whole.longest_gradient)[:, None, None]

    @property
    def known(self) -> SampleSensitivities:
        """The sensitivities.

        Raises:
            ConfigError: there are none.
        """
        if self.sensitivities is None:
            raise ConfigError("this weighting needs sensitivities; export them first with `ttdm sensitivities`")
        return self.sensitivities

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """Samples that are trained on and have sensitivities (n,)."""
        return self.training & self.known.good

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of each state over the data set (14,)."""
        return moments(lambda: (part.x[part.training, 0] for part in self.parts()))[1]

    @cached_property
    def longest_g(self) -> float:
        """Length that G of a sample is held at."""
        return self._most(lambda part: part.known.g)

    @cached_property
    def longest_gradient(self) -> float:
        """Length that ∂V/∂x of a sample is held at."""
        return self._most(lambda part: part.known.value_gradient)

    def _most(self, of: Callable[["Context"], Numbers]) -> float:
        """Return ``clip`` medians of the sizes of what a part holds."""
        chosen = np.concatenate([_size(of(part)[part.chosen]) for part in self.parts()])
        return self.clip * float(np.median(chosen)) if len(chosen) else np.inf


def _clipping(size: Array, most: float) -> Array:
    """Return factors (n,) that keep sizes (n,) below ``most``."""
    factor: Array = np.divide(most, size, out=np.ones_like(size), where=size > most)
    return factor


def _size(each: Numbers) -> Array:
    """Root of all squares of each sample (n,)."""
    size: Array = np.sqrt(np.square(each).sum(axis=tuple(range(1, each.ndim))))
    return size
