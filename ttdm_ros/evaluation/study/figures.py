"""The figures of a study."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ttdm_ros.evaluation.drawing import BLUE, GREEN, GREY, ORANGE, RED, SKY, VIOLET, Canvas
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.findings import (
    AVERAGED,
    BASELINE,
    METHOD,
    against,
    stated,
    variants,
)
from ttdm_ros.evaluation.study.plan import CHECKPOINT
from ttdm_ros.evaluation.study.statistics import (
    Array,
    Interval,
    Row,
    excess_table,
    rank_correlation,
    select,
)

_WIDTH = 11.0
_COLOURS = (RED, BLUE, GREEN, ORANGE, VIOLET, SKY, "#a0764a", "#6a7f10")


class Figures:
    """Draws; weightings have the same colour everywhere."""

    def __init__(self, study: StudyConfig, rows: Sequence[Row]) -> None:
        """Take the drives of a study."""
        self._study, self._rows = study, rows
        others = [name for name in study.weightings if name not in (METHOD, BASELINE)]
        order = [name for name in (METHOD, AVERAGED) if name in study.weightings]
        order += [name for name in others if name != AVERAGED]
        self._colours = dict(zip(order, cycle(_COLOURS), strict=False)) | {BASELINE: GREY, CHECKPOINT: "#5b6068"}
        self._compared = order

    def reduction_by_p(self) -> Canvas:
        """Reduction against the length of the rollouts; last round."""
        canvas = Canvas(_WIDTH, 3.6, with_png=True)
        with canvas as figure:
            axes = figure.subplots(1, 1)
            for i, name in enumerate(self._compared):
                drives = [stated(self._study, self._rows, p=p) for p in self._study.p]
                found = [against(each, name, BASELINE).reduction for each in drives]
                self._points(axes, np.arange(len(found)), found, name, i)
            axes.set_xticks(range(len(self._study.p)), [str(p) for p in self._study.p])
            axes.set_xlabel("steps p of the rollouts")
            axes.axhline(0.0, color=GREY, linewidth=0.8)
            axes.set_ylabel(f"reduction of the excess against {BASELINE}")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return canvas

    def excess_by_capacity(self) -> Canvas | None:
        """Excess and reduction against the capacity of the network."""
        return self._along("capacity", "hidden", "hidden units", lambda text: [int(n) for n in text.split("-") if n])

    def excess_by_data(self) -> Canvas | None:
        """Excess and reduction against the length of the recordings that are learned of."""
        return self._along("data", "recorded_s", "recorded [s]", float)

    def _along(self, experiment: str, column: str, label: str, order: Callable[[Any], Any]) -> Canvas | None:
        """Draw excess and reduction against a column, with the seeds that all of its values have."""
        rows = [*select(self._rows, experiment=experiment), *stated(self._study, self._rows)]
        sizes = sorted({row[column] for row in rows}, key=order)
        seeds = set.intersection(*({row["seed"] for row in select(rows, **{column: size})} for size in sizes))
        rows = [row for row in rows if row["seed"] in seeds]
        if len(sizes) < 2:
            return None
        canvas = Canvas(_WIDTH, 3.6, with_png=True)
        with canvas as figure:
            left, right = figure.subplots(1, 2)
            places = np.arange(len(sizes))
            for i, name in enumerate((BASELINE, *self._compared)):
                tables = [excess_table(select(rows, weighting=name, **{column: size})) for size in sizes]
                left.plot(places, _medians(tables), marker="o", markersize=3.5, color=self._colours[name], label=name)
                if name != BASELINE:
                    found = [against(select(rows, **{column: size}), name, BASELINE).reduction for size in sizes]
                    self._points(right, places, found, name, i)
            left.set_yscale("log")
            left.set_ylabel("median excess cost")
            right.set_ylabel(f"reduction against {BASELINE}")
            right.axhline(0.0, color=GREY, linewidth=0.8)
            right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
            for axes in (left, right):
                axes.set_xticks(places, [f"{size:g}" if isinstance(size, float) else size for size in sizes])
                axes.set_xlabel(label)
        return canvas

    def mismatch(self) -> Canvas:
        """Prediction error against cost of control, a point a model: which error tells what a model is worth?"""
        columns = {
            "error_one_step": "one-step error / deviation of the data",
            "error_last_step": f"error after p = {self._study.p_compared} steps / deviation",
            "cost_of_errors": "cost of the errors by the sensitivities",
        }
        rows = stated(self._study, self._rows)
        canvas = Canvas(_WIDTH, 3.6, with_png=True)
        with canvas as figure:
            grid = figure.subplots(1, 3, sharey=True)
            for axes, (column, text) in zip(grid, columns.items(), strict=True):
                for name in (CHECKPOINT, BASELINE, *self._compared):
                    models = [select(rows, weighting=name, seed=seed) for seed in self._study.seeds]
                    x, y = [own[0][column] for own in models], _medians([excess_table(own) for own in models])
                    axes.scatter(x, y, s=16, color=self._colours[name], label=name)
                axes.set_xlabel(text)
                axes.set_title(f"rank correlation within seeds {rank_correlation(rows, column):.2f}", loc="left")
            grid[0].set_ylabel("median excess cost of a seed")
            grid[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return canvas

    def local_against_mean(self) -> Canvas | None:
        """Excess of the local weighting against that of the averaged one, a point a drive."""
        rows = stated(self._study, self._rows)
        if not {METHOD, AVERAGED} <= set(self._study.weightings):
            return None
        own, *others = (excess_table(select(rows, weighting=name)) for name in (METHOD, AVERAGED, BASELINE))
        panels = [
            (name, other, both)
            for name, other in zip((AVERAGED, BASELINE), others, strict=True)
            if (both := np.isfinite(own) & np.isfinite(other) & (own > 0.0) & (other > 0.0)).any()
        ]
        if not panels:
            return None
        canvas = Canvas(_WIDTH, 3.8, with_png=True)
        with canvas as figure:
            for axes, (name, other, both) in zip(
                figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
            ):
                for i, seed in enumerate(sorted(self._study.seeds)):
                    colour = _COLOURS[i % len(_COLOURS)]
                    chosen = both[i]
                    axes.scatter(other[i][chosen], own[i][chosen], s=16, color=colour, label=f"seed {seed}")
                ends = [min(own[both].min(), other[both].min()), max(own[both].max(), other[both].max())]
                axes.plot(ends, ends, color=GREY, linewidth=0.8)
                axes.set(xscale="log", yscale="log", xlabel=f"excess with {name}", ylabel=f"excess with {METHOD}")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return canvas

    def rounds(self) -> Canvas:
        """Excess over the rounds."""
        canvas = Canvas(_WIDTH, 3.2, with_png=True)
        with canvas as figure:
            axes = figure.subplots(1, 1)
            numbers = list(range(self._study.rounds))
            for name in (CHECKPOINT, BASELINE, *self._compared):
                tables = [
                    excess_table(select(stated(self._study, self._rows, round=n), weighting=name)) for n in numbers
                ]
                axes.plot(numbers, _medians(tables), marker="o", markersize=3.5, color=self._colours[name], label=name)
            axes.set_xticks(numbers)
            axes.set_xlabel("round")
            axes.set_ylabel(f"median excess, p = {self._study.p_compared}")
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return canvas

    def variants(self) -> Canvas | None:
        """Reduction that each variant brings against the one it is compared with, on the validation references."""
        compared = variants(self._study, self._rows)
        if not compared:
            return None
        canvas = Canvas(_WIDTH, 0.9 + 0.28 * len(compared), with_png=True)
        with canvas as figure:
            axes = figure.subplots(1, 1)
            named = {
                variant.name: f" (against {variant.against})" for variant in self._study.variants if variant.against
            }
            for i, found in enumerate(each.paired for each in compared.values()):
                axes.plot(_drawable([found.value]), [i], marker="o", color=RED if found.value < 0.0 else GREEN)
                draw_interval(axes, i, found, GREY, upright=False, linewidth=1.6)
            axes.set_yticks(range(len(compared)), [name + named.get(name, "") for name in compared])
            axes.invert_yaxis()
            axes.axvline(0.0, color=GREY, linewidth=0.8)
            axes.set_xlabel("reduction of the excess; to the right is better")
        return canvas

    def _points(self, axes: Axes, x: np.ndarray, found: Sequence[Interval], name: str, i: int) -> None:
        places = x + 0.07 * (i - 0.5 * len(self._compared))
        style: dict[str, Any] = {"linewidth": 1.8 if name == METHOD else 1.0, "marker": "o", "markersize": 3.5}
        axes.plot(places, _drawable([each.value for each in found]), color=self._colours[name], label=name, **style)
        for place, each in zip(places, found, strict=True):
            draw_interval(axes, place, each, self._colours[name], upright=True, linewidth=0.8)


def draw_interval(axes: Axes, place: float, found: Interval, colour: str, *, upright: bool, linewidth: float) -> None:
    """Draw an interval; a lower end that is infinite is an arrow to the edge, such a value a triangle there."""

    def at(value: float) -> tuple[float, float]:
        return (place, value) if upright else (value, place)

    if np.isneginf(found.value):
        edge = axes.get_xaxis_transform() if upright else axes.get_yaxis_transform()
        axes.plot(*at(0.0), marker="v" if upright else "<", color=colour, transform=edge, clip_on=False)
    ends = [end for end in (found.low, found.value, found.high) if np.isfinite(end)]
    if not ends:
        return
    axes.plot(*zip(at(min(ends)), at(max(ends)), strict=True), color=colour, linewidth=linewidth)
    if np.isneginf(found.low):
        axes.annotate(
            "",
            xy=at(0.0),
            xycoords=("data", "axes fraction") if upright else ("axes fraction", "data"),
            xytext=at(min(ends)),
            textcoords="data",
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": linewidth, "shrinkA": 0, "shrinkB": 0},
        )


def _medians(tables: Sequence[Array]) -> Array:
    return _drawable([float(np.median(table)) for table in tables])


def _drawable(values: Sequence[float]) -> Array:
    """Return values of which those that are infinite have no place in a figure."""
    found = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)
