"""Statistics against closed forms, and what they must not be asked."""

import numpy as np
import pytest

from ttdm_ros.evaluation.study.statistics import (
    compare,
    excess_table,
    paired_reduction_of,
    rank_correlation,
    reduction_of,
    select,
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
    assert np.isnan(paired_reduction_of(own, np.full(own.shape, np.inf)).value)


def test_a_failure_counts_as_infinitely_bad_and_is_told() -> None:
    other = np.ones((3, 3))
    own = np.full((3, 3), 0.5)
    own[0, 0] = np.inf
    found = compare(own, other)
    assert found.worse_failures == 1
    assert found.better == 8
    assert found.reduction.value == pytest.approx(0.5)
    assert summarise(own) == {"mean": 0.5, "median": 0.5, "p90": 0.5, "failures": 1.0, "drives": 9.0}
    all_failed = summarise(np.full((2, 2), np.inf))
    assert all_failed["failures"] == 4.0
    assert np.isnan(all_failed["median"])
    assert np.isnan(compare(own, np.full((3, 3), np.inf)).reduction.value)


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
