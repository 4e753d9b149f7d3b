"""What the rows of a study say: medians, failures, reductions with intervals, and tests of the claims.

Drives are crossed: every model of a seed drives every reference. Intervals are percentile intervals of a bootstrap that
draws seeds and references anew, each with replacement (Davison and Hinkley, Bootstrap Methods and their Application,
1997, section 3.8); drawing single drives would take models of one seed for independent.

A drive that failed is infinitely bad, and counts as such everywhere: a reduction is 1 - own / other, -inf where own
alone failed, 1 where the other alone did, and not a number where both did.
"""

import math
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
ENOUGH_SEEDS = 6
"""With fewer, the smallest p of a signed-rank test over the seeds, 2 / 2^n, is above 0.05."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its interval; an end is infinite where failures decide it."""

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
    """Of the signed-rank test on the median logarithm of the ratios of each seed; see :func:`signed_rank_p`."""
    seeds: int
    """How many seeds that test is over."""
    better: int
    """Pairs in which it costs less, or alone does not fail."""
    pairs: int
    """Drives of the same seed on the same reference that not both failed."""
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
    with np.errstate(divide="ignore"):
        by_seed = _medians(np.log(_ratios(own, other)))
    return Comparison(
        reduction=reduction_of(own, other, seed=seed),
        paired=paired_reduction_of(own, other, seed=seed),
        p_value=signed_rank_p(by_seed),
        seeds=int((~np.isnan(by_seed)).sum()),
        better=int((own < other).sum()),
        pairs=int((np.isfinite(own) | np.isfinite(other)).sum()),
        worse_failures=int((np.isinf(own) & np.isfinite(other)).sum()),
    )


def signed_rank_p(values: Array) -> float:
    """Return p of Wilcoxon's signed-rank test of some independent values, two-sided.

    It is exact, ties or not: all 2^n choices of signs of the n ranks are equally likely if the values lie about zero
    (Wilcoxon, Individual Comparisons by Ranking Methods, 1945). Zeros and what is not a number are left out, ties have
    their mean rank, and infinite values the highest. The smallest p there is with n values is 2 / 2^n: 0.0625 with
    five, 0.031 with six.
    """
    used = values[~np.isnan(values) & (values != 0.0)]
    ranks = np.rint(2.0 * stats.rankdata(np.abs(used))).astype(int)  # twice the ranks, as means of them may be halves
    chances = np.ones(1)  # of each sum of the ranks of positive values
    for rank in ranks:
        chances = 0.5 * (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0)))
    positive = int(ranks[used > 0.0].sum())
    return min(1.0, 2.0 * float(chances[: min(positive, int(ranks.sum()) - positive) + 1].sum()))


def reduction_of(own: Array, other: Array, *, seed: int = 0) -> Interval:
    """Return 1 - median(own) / median(other) with its interval; tables of (seeds, references)."""

    def reduction(rows: Array, other_rows: Array) -> Array:
        return 1.0 - _ratios(_medians(rows), _medians(other_rows))

    value = reduction(own.reshape(1, -1), other.reshape(1, -1))[0]
    return _interval(float(value), reduction(_drawn(own, seed), _drawn(other, seed)))


def paired_reduction_of(own: Array, other: Array, *, seed: int = 0) -> Interval:
    """Return the median of 1 - own / other with its interval; tables of (seeds, references)."""
    each = 1.0 - _ratios(own, other)
    return _interval(float(_medians(each.reshape(1, -1))[0]), _medians(_drawn(each, seed)))


def growth_of(later: tuple[Array, Array], first: tuple[Array, Array], *, seed: int = 0) -> Interval:
    """Return by how much the paired reduction is larger later than at first, with its interval.

    Seeds and references are drawn once for both, so that what makes some of them hard does not widen the interval.

    Args:
        later: own excess and the other's; tables of (seeds, references).
        first: the same, of the same seeds and references.
        seed: of the draws.
    """
    now, before = (1.0 - _ratios(*tables) for tables in (later, first))
    with np.errstate(invalid="ignore"):  # between two that fail there is no difference
        value = _medians(now.reshape(1, -1)) - _medians(before.reshape(1, -1))
        draws = _medians(_drawn(now, seed)) - _medians(_drawn(before, seed))
    return _interval(float(value[0]), draws)


def _drawn(table: Array, seed: int) -> Array:
    """Return tables of (seeds, references) drawn anew, each as a row (draws, seeds * references)."""
    random, (seeds, references) = np.random.default_rng(seed), table.shape
    chosen = random.integers(0, seeds, (DRAWS, seeds, 1)), random.integers(0, references, (DRAWS, 1, references))
    return table[chosen].reshape(DRAWS, -1)


def _ratios(own: Array, other: Array) -> Array:
    """Return own / other: infinite where own alone failed, 0 where the other alone did, not a number where both did.

    An excess below zero, less than the oracle's cost, counts as zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Array = np.maximum(own, 0.0) / np.maximum(other, 0.0)
    return ratios


def _medians(rows: Array) -> Array:
    """Return the median of each row (n, m) without what is not a number; 0 between two opposite infinite values."""
    ordered = np.sort(rows, axis=1)  # what is not a number comes last
    known = (~np.isnan(rows)).sum(axis=1)
    middle = np.stack([np.maximum(known - 1, 0) // 2, known // 2], axis=1)
    low, high = np.take_along_axis(ordered, middle, axis=1).T
    with np.errstate(invalid="ignore"):
        medians: Array = np.where(np.isinf(low) & (low == -high), 0.0, 0.5 * (low + high))
    return medians


def _interval(value: float, draws: Array) -> Interval:
    """Return the interval between draws, without a mean of two: there is none between finite and infinite ones.

    A value that is not a number has no interval, although some draws may have a number.
    """
    known = np.sort(draws[~np.isnan(draws)])
    if math.isnan(value) or not len(known):
        return Interval(value=value, low=math.nan, high=math.nan)
    cut = math.floor(0.5 * (1.0 - LEVEL) * (len(known) - 1))
    return Interval(value=value, low=float(known[cut]), high=float(known[-1 - cut]))


def summarise(table: Array) -> dict[str, float]:
    """Return median and 90th percentile of the excess, the mean of completed drives, and how many failed.

    Failures count as infinite in median and percentile, which are infinite where failures decide them.
    """
    good, every = table[np.isfinite(table)], np.sort(table, axis=None)
    place = 0.9 * (len(every) - 1)
    low, high = every[math.floor(place)], every[math.ceil(place)]
    p90 = high if np.isinf(high) else low + (place - math.floor(place)) * (high - low)
    return {
        "mean": float(good.mean()) if len(good) else math.nan,
        "median": float(np.median(every)),
        "p90": float(p90),
        "failures": float(np.isinf(table).sum()),
        "drives": float(table.size),
    }


def rank_correlation(rows: Sequence[Row], column: str) -> float:
    """Return the mean over seeds of Spearman's correlation between a column and the median excess of models.

    A model that fails half of its drives has the highest rank.
    """
    found = []
    for seed in sorted({row["seed"] for row in rows}):
        names = dict.fromkeys(row["weighting"] for row in rows if row["seed"] == seed)
        models = [select(rows, seed=seed, weighting=name) for name in names]
        x = [own[0][column] for own in models]
        y = [float(np.median(excess_table(own))) for own in models]
        if len(models) > 2 and len(set(x)) > 1 and len(set(y)) > 1:
            found.append(float(stats.spearmanr(x, y).statistic))
    return float(np.mean(found)) if found else math.nan
