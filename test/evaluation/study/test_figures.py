"""Figures of drives that failed, of many weightings, and of seeds in another order."""

import re
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ttdm_ros.evaluation.study.config import StudyConfig, Variant
from ttdm_ros.evaluation.study.figures import Figures, draw_interval
from ttdm_ros.evaluation.study.statistics import Interval

Rows = list[dict[str, Any]]


def fail(rows: Rows, weighting: str) -> None:
    for row in rows:
        if row["weighting"] == weighting:
            row["completed"], row["excess"] = False, None


def test_drives_that_none_completed_are_not_compared(study: StudyConfig, rows: Rows) -> None:
    fail(rows, "sensitivity_mean")
    drawn = Figures(study, rows).local_against_mean()
    assert drawn is not None
    svg = drawn.svg("local")
    assert "excess with mse" in svg
    assert "excess with sensitivity_mean" not in svg
    fail(rows, "sensitivity")
    assert Figures(study, rows).local_against_mean() is None


def test_seeds_are_named_in_the_order_of_the_tables(study: StudyConfig, rows: Rows) -> None:
    drawn = Figures(study.model_copy(update={"seeds": (2, 0, 1)}), rows).local_against_mean()
    assert drawn is not None
    assert re.findall(r">seed (\d)<", drawn.svg("local")) == ["0", "1", "2"]


def test_more_weightings_than_colours_are_drawn(study: StudyConfig, rows: Rows) -> None:
    names = tuple(f"own {i}" for i in range(10))
    more = [row | {"weighting": name} for row in rows if row["weighting"] == "variance" for name in names]
    figures = Figures(study.model_copy(update={"weightings": (*study.weightings, *names)}), [*rows, *more])
    for canvas in (figures.reduction_by_p(), figures.excess_by_capacity(), figures.mismatch(), figures.rounds()):
        assert canvas is not None
        assert "own 9" in canvas.svg("many")


def test_a_variant_is_drawn_with_the_one_it_is_against(study: StudyConfig, rows: Rows) -> None:
    more = [row | {"variant": "third"} for row in rows if row["variant"] == "no floor"]
    changed = study.model_copy(update={"variants": (*study.variants, Variant(name="third", against="no floor"))})
    drawn = Figures(changed, [*rows, *more]).variants()
    assert drawn is not None
    assert "third (against no floor)" in drawn.svg("variants")


def test_an_interval_without_an_end_points_to_the_edge_and_leaves_the_scale_as_it_is() -> None:
    axes = Figure().subplots(1, 1)
    draw_interval(axes, 1.0, Interval(value=0.5, low=0.4, high=0.6), "red", upright=True, linewidth=1.0)
    limits = axes.get_ylim()
    draw_interval(axes, 1.0, Interval(value=0.5, low=-np.inf, high=0.6), "red", upright=True, linewidth=1.0)
    draw_interval(axes, 1.0, Interval(value=-np.inf, low=-np.inf, high=-np.inf), "red", upright=True, linewidth=1.0)
    draw_interval(axes, 1.0, Interval(value=np.nan, low=np.nan, high=np.nan), "red", upright=True, linewidth=1.0)
    assert axes.get_ylim() == limits
    (arrow,) = axes.texts
    assert (arrow.xy, arrow.xycoords) == ((1.0, 0.0), ("data", "axes fraction"))
    *_, triangle = axes.lines
    assert triangle.get_marker() == "v"
