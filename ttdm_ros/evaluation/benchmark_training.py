"""What a step of the optimiser costs: by weighting, and by how many models train side by side."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.table import Table

from ttdm_ros.commands.terminal import make_console
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.dataset import Windows
from ttdm_ros.training.optimiser import Progress
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.trainer import fine_tune
from ttdm_ros.training.weightings import find_weighting, weightings

SAMPLES = 4000
SIDE_BY_SIDE = (1, 4, 16)
ROUNDS = 5  # of each; they take turns, so that a busy machine is as busy for all
COST_TARGET, SHARE_TARGET = 1.3, 0.6


def run(*, robot: str = "panda", steps: int = 60, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Measure fine-tuning on random data, print a table, and return the figures.

    Args:
        robot: name that ships, or a path.
        steps: of the optimiser, in each of some rounds.
        progress: told the share that is done, now and then.

    Returns:
        ``step_ms`` of one model by weighting; ``relative``: the same over that of ``mse``; ``together_ms`` of a step of
        several models side by side, by their number; ``share``: the same over that number and one model's;
        ``targets``: whether each is met.

    Raises:
        TtdmError: the robot cannot be loaded, or its dynamics cannot be compiled.
    """
    told = progress or (lambda done: None)
    arm = load_arm(robot)
    config = TrainingConfig(
        steps=steps, validate_every=max(steps, 1), patience=1000, metric_steps=0, metric_inner_steps=1
    )
    torch.set_num_threads(config.threads)
    windows, sensitivities = _data(config.p)
    names = list(weightings())
    cases: dict[str, tuple[list[str], int]] = {name: ([name], 1) for name in names}
    cases |= {f"together {k}": (["sensitivity"], k) for k in SIDE_BY_SIDE if k > 1}
    cases["all weightings"] = (names, 1)
    times: dict[str, list[float]] = {case: [] for case in cases}
    for turn in range(ROUNDS):
        for i, (case, (chosen, count)) in enumerate(cases.items()):
            models = [PredictionModel.random(config.specification, seed) for seed in range(count)]
            marks: list[float] = []

            def look(state: Progress, marks: list[float] = marks) -> None:
                if state.stage == "fine-tuning":
                    marks.append(time.perf_counter())

            weigh = [find_weighting(name) for name in chosen]
            fine_tune(models, weigh, windows, sensitivities, nominal_batch(arm), config, on_progress=look)
            times[case].append(1e3 * (marks[-1] - marks[0]) / steps)
            told((turn + (i + 1) / len(cases)) / ROUNDS)
    figures = _figures(arm.name, {case: float(np.min(values)) for case, values in times.items()}, names)
    make_console().print(_table(figures))
    return figures


def _data(p: int) -> tuple[Windows, SampleSensitivities]:
    """Random numbers of the size that real ones have."""
    random = np.random.default_rng(0)
    training = random.uniform(size=SAMPLES) > 0.15
    windows = Windows(
        p=p,
        dt=0.02,
        x=random.normal(size=(SAMPLES, p + 1, 14)),
        u=random.normal(size=(SAMPLES, p, 7)),
        nominal=random.normal(size=(SAMPLES, p, 7)),
        slope=random.normal(size=(SAMPLES, p, 7, 14)).astype(np.float32),
        time=0.008 * np.arange(SAMPLES, dtype=np.float64),
        training=training,
        validation=~training,
    )
    sensitivities = SampleSensitivities(
        p=p,
        g=random.normal(size=(SAMPLES, p, 7, 14)),
        value_gradient=random.normal(size=(SAMPLES, p, 14)),
        good=np.ones(SAMPLES, dtype=bool),
        reasons={},
    )
    return windows, sensitivities


def _figures(robot: str, times: dict[str, float], names: list[str]) -> dict[str, Any]:
    step_ms = {name: times[name] for name in names}
    together = {k: times["sensitivity" if k == 1 else f"together {k}"] for k in SIDE_BY_SIDE}
    relative = {name: value / step_ms["mse"] for name, value in step_ms.items()}
    share = {k: value / (k * together[1]) for k, value in together.items()}
    return {
        "robot": robot,
        "step_ms": step_ms,
        "relative": relative,
        "together_ms": together,
        "share": share,
        "all_weightings_ms": times["all weightings"],
        "targets": {
            "sensitivity": relative["sensitivity"] <= COST_TARGET,
            "together": share[SIDE_BY_SIDE[-1]] <= SHARE_TARGET,
        },
    }


def _table(figures: dict[str, Any]) -> Table:
    table = Table(title="a step of the optimiser, 256 rollouts of 4 steps", title_justify="left")
    table.add_column("")
    table.add_column("[ms]", justify="right")
    table.add_column("relative", justify="right")
    for name, value in figures["step_ms"].items():
        table.add_row(name, f"{value:.2f}", f"{figures['relative'][name]:.2f} of mse")
    table.add_section()
    for k, value in figures["together_ms"].items():
        told = f"{figures['share'][k]:.2f} of {k} times one" if k > 1 else ""
        table.add_row(f"sensitivity, {k} model{'s' * (k > 1)} together", f"{value:.2f}", told)
    whole = sum(figures["step_ms"].values())
    alone = f"{figures['all_weightings_ms'] / whole:.2f} of one after another"
    table.add_row("every weighting together", f"{figures['all_weightings_ms']:.2f}", alone)
    return table
