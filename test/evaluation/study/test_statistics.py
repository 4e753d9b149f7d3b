"""Statistics against closed forms, and what they must not be asked."""

import numpy as np
import pytest
from scipy import stats

from ttdm_ros.evaluation.study.statistics import (
    compare,
    excess_table,
    growth_of,
    paired_reduction_of,
    rank_correlation,
    reduction_of,
    select,
    signed_rank_p,
    summarise,
)


def drive(seed: int, reference: str, excess: float, *, completed: bool = True) -> dict[str, object]:
    return {"seed": seed, "reference": reference, "excess": excess if completed else None, "completed": completed}


def test_drives_stand_in_their_place_whatever_their_order() -> None:
    rows = [drive(1, "b", 4.0), drive(0, "a", 1.0), drive(1, "a", 3.0), drive(0, "b", 2.0, completed=False)]
    np.testing.assert_array_equal(excess_table(rows), [[1.0, np.inf], [3.0, 4.0]])
    assert select(rows, seed=1, reference="a") == [rows[2]]


def test_a_missing_or_doubled_drive_is_an_error() -> None:
    whole = [drive(seed, name, 1.0) for seed in (0, 1) for name in ("a", "b")]
    for rows in (whole[:-1], [*whole, whole[0]]):
        with pytest.raises(ValueError, match="drives for 2 seeds and 2 references"):
            excess_table(rows)


def test_a_reduction_that_is_the_same_everywhere_has_no_interval() -> None:
    other = np.random.default_rng(0).uniform(0.5, 2.0, (4, 5))
    found = reduction_of(0.25 * other, other)
    assert found.value == pytest.approx(0.75)
    assert (found.low, found.high) == (pytest.approx(0.75), pytest.approx(0.75))
    assert found.excludes_zero


def test_equal_weightings_are_told_from_nothing() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for trial in range(40):
        own, other = (np.exp(random.normal(0.0, 0.5, (6, 6))) for _ in range(2))
        found = compare(own, other, seed=trial)
        hits += found.reduction.excludes_zero
        assert found.reduction.low <= found.reduction.value <= found.reduction.high
    assert hits <= 6  # one in twenty, and some for the few seeds


def test_the_interval_of_seeds_that_differ_is_wide_however_many_references_there_are() -> None:
    """Drives of one model are not independent: with one good and one bad seed nothing is known."""
    other = np.ones((2, 200))
    own = np.concatenate([np.full((1, 200), 0.2), np.full((1, 200), 1.6)])
    found = reduction_of(own, other)
    assert found.low == pytest.approx(-0.6)
    assert found.high == pytest.approx(0.8)


def test_pairs_see_what_the_difficulty_of_references_hides() -> None:
    difficulty = np.array([[0.1, 1.0, 10.0, 100.0, 1000.0]]) * np.ones((5, 1))
    own = 0.9 * difficulty
    paired, unpaired = paired_reduction_of(own, difficulty), reduction_of(own, difficulty)
    assert (paired.low, paired.value, paired.high) == (pytest.approx(0.1),) * 3
    assert unpaired.value == pytest.approx(0.1)
    noisy = own * np.exp(np.random.default_rng(0).normal(0.0, 0.05, own.shape))
    assert paired_reduction_of(noisy, difficulty).low > 0.0


def test_a_growth_that_is_the_same_everywhere_has_no_interval_however_much_seeds_differ() -> None:
    """With the same draws median(r) - median(r - 0.3) is 0.3 in each, although each median varies."""
    other = np.random.default_rng(0).uniform(0.5, 2.0, (3, 5))
    before = np.array([[0.4], [0.8], [1.5]]) + 0.01 * np.arange(5)
    found = growth_of(((before - 0.3) * other, other), (before * other, other))
    assert (found.low, found.value, found.high) == (pytest.approx(0.3),) * 3
    alone = paired_reduction_of(before * other, other)
    assert alone.high - alone.low > 1.0
    failed = np.full(other.shape, np.inf)
    assert growth_of((failed, other), (other, other)).high == -np.inf
    assert np.isnan(growth_of((failed, other), (failed, other)).value)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_p_of_values_of_one_sign_is_the_smallest_that_so_many_can_have(number: int) -> None:
    for values in (np.arange(1.0, number + 1.0), np.full(number, -0.7), np.full(number, np.inf)):
        assert signed_rank_p(values) == pytest.approx(min(1.0, 2.0 / 2.0**number))
    assert signed_rank_p(np.array([0.0, np.nan])) == 1.0


@pytest.mark.parametrize("number", [5, 6, 12, 30])
def test_p_without_ties_is_that_of_scipy(number: int) -> None:
    random = np.random.default_rng(number)
    for _ in range(5):
        values = random.normal(0.3, 1.0, number)
        assert signed_rank_p(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


def test_ties_and_failures_have_their_mean_rank() -> None:
    """By hand: 2, 1, -1 have the ranks 3, 1.5, 1.5; of 8 sums of some of them 0, 1.5, 1.5 are at most 1.5."""
    assert signed_rank_p(np.array([2.0, 1.0, -1.0])) == pytest.approx(2.0 * 3.0 / 8.0)
    # Ranks 3.5, 1, 2, 3.5; of 16 sums 0, 1, 2, 3, 3.5, 3.5 are at most 3.5.
    assert signed_rank_p(np.array([np.inf, 1.0, 2.0, -np.inf])) == pytest.approx(2.0 * 6.0 / 16.0)


def test_many_drives_of_few_models_do_not_make_a_small_p() -> None:
    other = np.exp(np.random.default_rng(0).normal(0.0, 0.3, (3, 200)))
    found = compare(0.5 * other, other)
    assert (found.p_value, found.seeds) == (pytest.approx(2.0 / 2.0**3), 3)
    assert (found.better, found.pairs) == (600, 600)


def test_failures_widen_the_interval_down_to_failure() -> None:
    """One of three models fails everywhere: two or three of three drawn are it in 7 of 27 draws."""
    other = np.ones((3, 5))
    own = np.array([[np.inf], [0.5], [0.5]]) * other
    for found in (reduction_of(own, other), paired_reduction_of(own, other)):
        assert (found.low, found.value, found.high) == (-np.inf, pytest.approx(0.5), pytest.approx(0.5))
    for found in (reduction_of(own[:2], other[:2]), paired_reduction_of(own[:2], other[:2])):
        assert (found.low, found.value, found.high) == (-np.inf, -np.inf, pytest.approx(0.5))


def test_a_pair_that_the_other_alone_fails_is_won_and_one_that_both_fail_is_none() -> None:
    own = np.array([[0.5, 0.6, np.inf]] * 6)
    other = np.array([[1.0, np.inf, np.inf]] * 6)
    found = compare(own, other)
    assert found.paired.value == pytest.approx(0.75)  # between 0.5 and 1
    assert found.reduction.value == 1.0
    assert (found.better, found.pairs, found.worse_failures) == (12, 12, 0)
    assert found.p_value == pytest.approx(2.0 / 2.0**6)
    reverse = compare(other, own)
    assert (reverse.paired.value, reverse.better, reverse.worse_failures) == (-np.inf, 0, 6)
    assert reverse.p_value == pytest.approx(2.0 / 2.0**6)
    neither = compare(np.full((2, 2), np.inf), np.full((2, 2), np.inf))
    assert np.isnan([neither.paired.value, neither.paired.low, neither.reduction.value]).all()
    assert (neither.pairs, neither.seeds, neither.p_value) == (0, 0, 1.0)
    hardly = np.array([[0.5, np.inf, np.inf]] * 3)
    found = reduction_of(hardly, np.full((3, 3), np.inf))
    assert np.isnan([found.value, found.low, found.high]).all()


def test_a_seed_of_wins_and_losses_by_failure_alone_counts_for_neither() -> None:
    own, other = np.array([[np.inf, 1.0]]), np.array([[1.0, np.inf]])
    found = compare(own, other)
    assert (found.p_value, found.seeds, found.better, found.pairs) == (1.0, 1, 1, 2)


def test_less_than_the_oracle_costs_counts_as_no_excess() -> None:
    better, worse = np.full((2, 2), -0.1), np.ones((2, 2))
    assert paired_reduction_of(better, worse).value == 1.0
    assert paired_reduction_of(worse, better).value == -np.inf


def test_a_failure_counts_as_infinitely_bad_and_is_told() -> None:
    other = np.ones((3, 3))
    own = np.full((3, 3), 0.5)
    own[0, 0] = np.inf
    found = compare(own, other)
    assert found.worse_failures == 1
    assert found.better == 8
    assert found.reduction.value == pytest.approx(0.5)
    assert summarise(own) == {"mean": 0.5, "median": 0.5, "p90": np.inf, "failures": 1.0, "drives": 9.0}
    all_failed = summarise(np.full((2, 2), np.inf))
    assert all_failed["failures"] == 4.0
    assert all_failed["median"] == np.inf
    assert np.isnan(all_failed["mean"])
    assert summarise(np.array([[1.0, 2.0], [np.inf, np.inf]]))["median"] == np.inf


def test_percentiles_are_those_of_all_drives() -> None:
    values = np.arange(11.0)
    assert summarise(values[None])["p90"] == 9.0
    assert summarise(np.where(values == 10.0, np.inf, values)[None])["p90"] == 9.0
    assert summarise(np.where(values >= 9.0, np.inf, values)[None])["p90"] == np.inf
    assert summarise(values[None, :10])["p90"] == pytest.approx(8.1)


def test_an_error_that_tells_what_a_model_is_worth_is_correlated_with_its_excess() -> None:
    names = ["a", "b", "c", "d"]
    rows = [
        drive(seed, "x", (1.0 + i) * 10.0**seed) | {"weighting": name, "error": float(i), "other": float(-i)}
        for seed in (0, 1)
        for i, name in enumerate(names)
    ]
    assert rank_correlation(rows, "error") == pytest.approx(1.0)
    assert rank_correlation(rows, "other") == pytest.approx(-1.0)
    assert np.isnan(rank_correlation([row | {"error": 1.0} for row in rows], "error"))


def test_a_model_that_fails_is_the_worst_one_for_the_correlation() -> None:
    """The ranks of the errors are 1, 2, 3, 4, those of the excess 4, 1, 2, 3: 1 - 6 * 12 / (4 * 15)."""
    rows = [
        drive(0, "x", float(i), completed=i > 0) | {"weighting": name, "error": float(i)}
        for i, name in enumerate(["a", "b", "c", "d"])
    ]
    assert rank_correlation(rows, "error") == pytest.approx(-0.2)
