"""The plots of a training's report, each an SVG element; None where the training had nothing to show."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ttdm_ros.evaluation.drawing import BLUE, GREEN, GREY, ORANGE, RED, SKY, VIOLET, Canvas, curve
from ttdm_ros.evaluation.training_summary import measured_groups
from ttdm_ros.training.pipeline import TrainingOutcome
from ttdm_ros.training.store import mean

_WIDTH = 11.0  # [in]
_BROWN = "#a0764a"
_COLOURS = (BLUE, ORANGE, GREEN, RED, VIOLET, SKY, _BROWN)
_STYLES = ("-", "--", ":")
_HALVES = (slice(0, 7), slice(7, 14))


def losses(outcome: TrainingOutcome) -> str:
    """Validation losses over the steps: of the checkpoints, and of each weighting relative to its checkpoint."""
    canvas = Canvas(_WIDTH, 3.4)
    with canvas as figure:
        base, tuned = figure.subplots(1, 2)
        history = outcome.base.history
        for i, seed in enumerate(outcome.job.seeds):
            base.plot(history.step, np.array(history.validation)[:, i], color=GREY, label=f"seed {seed}")
        base.set_yscale("log")
        base.set_title("one-step checkpoint", loc="left")
        base.set_ylabel("validation loss / variance")
        history, seeds = outcome.tuned.history, len(outcome.job.seeds)
        values = np.array(history.validation)
        for i, weighting in enumerate(outcome.job.weightings):
            for j in range(seeds):
                label = weighting if j == 0 else None
                tuned.plot(history.step, values[:, i * seeds + j], label=label, **_style(i))
        tuned.set_title("fine-tuning, each by its own loss", loc="left")
        tuned.set_ylabel("validation loss / checkpoint's")
        tuned.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        for axes in (base, tuned):
            axes.set_xlabel("step of the optimiser")
    return canvas.svg("losses")


def errors_by_step(outcome: TrainingOutcome) -> str:
    """Errors of rollouts over the steps, before and after fine-tuning."""
    canvas = Canvas(_WIDTH, 3.2)
    with canvas as figure:
        grid = figure.subplots(1, 2)
        steps = np.arange(1, outcome.job.config.p + 1)
        for axes, states, unit in zip(grid, _HALVES, ("position [rad]", "velocity [rad/s]"), strict=True):
            for i, (name, rmse) in enumerate(_median_errors(outcome)):
                values = np.sqrt(np.square(rmse[:, states]).mean(axis=1))
                axes.plot(steps, values, marker="o", markersize=3.5, label=name, **_group_style(i))
            axes.set_xticks(steps)
            axes.set_xlabel("steps ahead")
            axes.set_ylabel(f"error of {unit}")
            axes.set_yscale("log")
        grid[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return canvas.svg("steps")


def errors_by_state(outcome: TrainingOutcome) -> str:
    """Errors after the last step by joint, before and after fine-tuning."""
    groups = list(_median_errors(outcome))[1:]  # the nominal arm's would dwarf the others
    canvas = Canvas(_WIDTH, 5.4)
    with canvas as figure:
        grid = figure.subplots(2, 1)
        for axes, states, unit in zip(grid, _HALVES, ("position [rad]", "velocity [rad/s]"), strict=True):
            _bars(axes, outcome.job.arm.joint_names, [(name, rmse[-1, states]) for name, rmse in groups])
            axes.set_ylabel(f"error of {unit}")
        grid[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4)
    return canvas.svg("states")


def weights_by_joint(outcome: TrainingOutcome) -> str | None:
    """What an error of each state costs, by the sensitivities: the root of the metric's mean diagonal."""
    known = outcome.sensitivities
    if known is None or not known.good.any():
        return None
    weight = np.sqrt(mean(np.square(part.g[part.good]).sum(axis=2) for part in known.parts()))
    canvas = Canvas(_WIDTH, 3.2)
    with canvas as figure:
        grid = figure.subplots(1, 2)
        for axes, states, unit in zip(grid, _HALVES, ("position [1/rad]", "velocity [s/rad]"), strict=True):
            steps = [(f"k = {k + 1}", weight[k, states]) for k in range(known.p)]
            _bars(axes, outcome.job.arm.joint_names, steps, offset=2)
            axes.set_ylabel(f"weight of {unit}")
            axes.tick_params(axis="x", labelrotation=30)
        grid[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return canvas.svg("weights")


def weights_over_time(outcome: TrainingOutcome) -> str | None:
    """Size of the metric along the recordings, and which joint counts most."""
    known = outcome.sensitivities
    if known is None or not known.good.any():
        return None
    by_joint = np.concatenate([np.sqrt(np.square(part.g).sum(axis=(1, 2)))[:, :7] for part in known.parts()])
    by_joint[~known.good] = np.nan
    canvas = Canvas(_WIDTH, 3.0)
    with canvas as figure:
        axes = figure.subplots(1, 1)
        t = np.arange(len(by_joint)) * outcome.job.sampling.step * outcome.job.sampling.spacing
        for i, name in enumerate(outcome.job.arm.joint_names):
            curve(axes, t, by_joint[:, i], label=name, linewidth=0.9, **_style(i))
        axes.set_xlabel("time in the recordings, one after another [s]")
        axes.set_ylabel("weight of position [1/rad]")
        axes.set_ylim(bottom=0.0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return canvas.svg("along")


def _median_errors(outcome: TrainingOutcome) -> list[tuple[str, np.ndarray]]:
    """Return name and median over seeds of the errors (p, 14), of nominal arm, checkpoints and each weighting."""
    groups = measured_groups(outcome)
    return [(name, np.median([metrics.rmse for metrics in group], axis=0)) for name, group in groups]


def _bars(axes: Axes, names: Sequence[str], groups: Sequence[tuple[str, np.ndarray]], *, offset: int = 1) -> None:
    places, width = np.arange(len(names)), 0.8 / len(groups)
    for i, (name, values) in enumerate(groups):
        colour = _group_style(i + offset)["color"]
        axes.bar(places + (i - 0.5 * (len(groups) - 1)) * width, values, width, color=colour, label=name)
    axes.set_xticks(places, names)
    axes.grid(axis="x", visible=False)


def _style(i: int) -> dict[str, Any]:
    return {"color": _COLOURS[i % len(_COLOURS)], "linestyle": _STYLES[i // len(_COLOURS) % len(_STYLES)]}


def _group_style(i: int) -> dict[str, Any]:
    """Nominal arm grey and dashed, checkpoint grey, weightings in colours."""
    if i < 2:
        return {"color": GREY, "linestyle": ("--", "-")[i]}
    return _style(i - 2)
