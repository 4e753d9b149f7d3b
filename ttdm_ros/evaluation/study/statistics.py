"""What the rows of a study say: medians, failures, reductions with intervals, and tests of the claims.

Drives are crossed: every model of a seed drives every reference. Intervals are percentile intervals of a bootstrap that
draws seeds and references anew, each with replacement (Davison and Hinkley, Bootstrap Methods and their Application,
1997, section 3.8); drawing single drives would take models of one seed for independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Row = dict[str, Any]

DRAWS = 4000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A weighting against another one, drive by drive."""

    reduction: Interval
    """1 - median excess / median excess of the other: what is reported as the normalised reduction."""
    paired: Interval
    """Median over the drives of 1 - excess / excess of the other on the same reference with the same seed; that some
    references are harder than others does not widen its interval."""
    p_value: float
    """Of Wilcoxon's signed-rank test on the logarithms of the ratios, a pair a seed and reference, two-sided."""
    better: int
    """Pairs in which it costs less."""
    pairs: int
    worse_failures: int
    """Drives that it failed and the other did not."""


def select(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """Return the rows that have these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def excess_table(rows: Sequence[Row]) -> Array:
    """Return the excess by seed and reference (seeds, references); infinite where the drive failed.

    Raises:
        ValueError: a pair of seed and reference is missing or there twice.
    """
    seeds = sorted({row["seed"] for row in rows})
    references = sorted({row["reference"] for row in rows})
    if len(rows) != len(seeds) * len(references):
        raise ValueError(f"{len(rows)} drives for {len(seeds)} seeds and {len(references)} references")
    table = np.full((len(seeds), len(references)), np.nan)
    for row in rows:
        value = row["excess"] if row["completed"] else np.inf
        table[seeds.index(row["seed"]), references.index(row["reference"])] = value
    return table


def compare(own: Array, other: Array, *, seed: int = 0) -> Comparison:
    """Compare the excess of two weightings, (seeds, references) each, of the same seeds and references."""
    both = np.isfinite(own) & np.isfinite(other) & (own > 0.0) & (other > 0.0)
    ratios = np.log(own[both] / other[both])
    p_value = float(stats.wilcoxon(ratios).pvalue) if ratios.size and np.any(ratios) else 1.0
    return Comparison(
        reduction=reduction_of(own, other, seed=seed),
        paired=paired_reduction_of(own, other, seed=seed),
        p_value=p_value,
        better=int((own < other).sum()),
        pairs=own.size,
        worse_failures=int((np.isinf(own) & np.isfinite(other)).sum()),
    )


def reduction_of(own: Array, other: Array, *, seed: int = 0) -> Interval:
    """Return 1 - median(own) / median(other) with its interval; tables of (seeds, references)."""
    chosen = _draws(own.shape, seed)
    return _interval(float(_reduction(own[None], other[None])[0]), _reduction(own[chosen], other[chosen]))


def paired_reduction_of(own: Array, other: Array, *, seed: int = 0) -> Interval:
    """Return the median of 1 - own / other with its interval; tables of (seeds, references)."""
    usable = np.isfinite(other) & (other > 0.0)
    each = np.where(usable, 1.0 - own / np.where(usable, other, 1.0), np.nan)
    drawn = each[_draws(own.shape, seed)]
    if not usable.any():
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    return _interval(float(np.nanmedian(each)), np.nanmedian(drawn.reshape(len(drawn), -1), axis=1))


def _draws(shape: tuple[int, ...], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return indices of seeds (draws, seeds, 1) and references (draws, 1, references)."""
    random = np.random.default_rng(seed)
    return random.integers(0, shape[0], (DRAWS, shape[0], 1)), random.integers(0, shape[1], (DRAWS, 1, shape[1]))


def _interval(value: float, values: Array) -> Interval:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Interval(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(finite, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL])
    return Interval(value=value, low=float(low), high=float(high))


def _reduction(own: Array, other: Array) -> Array:
    """Return 1 - median(own) / median(other) of tables (n, seeds, references); not a number where that is no ratio."""
    a, b = (np.median(each.reshape(len(each), -1), axis=1) for each in (own, other))
    usable = np.isfinite(b) & (b > 0.0)
    reduction: Array = np.where(usable, 1.0 - a / np.where(usable, b, 1.0), np.nan)
    return reduction


def summarise(table: Array) -> dict[str, float]:
    """Return mean, median and 90th percentile of the excess of completed drives, and how many failed."""
    good = table[np.isfinite(table)]
    nothing = {"mean": float("nan"), "median": float("nan"), "p90": float("nan")}
    figures = (
        {"mean": float(good.mean()), "median": float(np.median(good)), "p90": float(np.quantile(good, 0.9))}
        if len(good)
        else nothing
    )
    return figures | {"failures": float(np.isinf(table).sum()), "drives": float(table.size)}


def rank_correlation(rows: Sequence[Row], column: str) -> float:
    """Return the mean over seeds of Spearman's correlation between a column and the median excess of models."""
    found = []
    for seed in sorted({row["seed"] for row in rows}):
        names = dict.fromkeys(row["weighting"] for row in rows if row["seed"] == seed)
        models = [[row for row in select(rows, seed=seed, weighting=name) if row["completed"]] for name in names]
        points = [(own[0][column], np.median([row["excess"] for row in own])) for own in models if own]
        x, y = np.array(points, dtype=np.float64).T
        if len(points) > 2 and np.ptp(x) > 0.0 and np.ptp(y) > 0.0:
            found.append(float(stats.spearmanr(x, y).statistic))
    return float(np.mean(found)) if found else float("nan")
