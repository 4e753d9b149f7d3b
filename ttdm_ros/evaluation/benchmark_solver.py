"""What a call of the real-time solver costs: without network and with one, side by side in one process."""

import gc
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.systems.arm import load_arm

Array = NDArray[np.float64]

PERIOD = 0.01  # of the calls [s]
WARM_UP = 200  # calls that do not count
SWAPS, FURTHER_SOLVERS = 200, 4
RATIO_TARGET, CALL_TARGET_US, PYTHON_TARGET = 1.5, 1000.0, 0.25

_KINDS = {"nominal": "no network", "network": "MLP 21-32-32-7"}


def run(*, robot: str = "panda", calls: int = 5000, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Measure calls with and without a network in turn, print a table, and return the figures.

    Each call does what the controller does: takes the references from a window that moves along the demo's path, solves
    from a state beside it, and reads plan and gain.

    Args:
        robot: name that ships, or a path.
        calls: that count, of each solver.
        progress: told the share that is done, now and then.

    Returns:
        ``nominal`` and ``network``, each with ``acados_us``, ``compiled_us``, ``gain_us`` and ``total_us`` of a call
        (``p5``, ``p50``, ``p99``) and ``python_share`` and ``gain_share``; ``ratio_p5`` of the totals; ``swap_us``;
        ``process_mb``, ``solver_mb``; ``targets``: whether each is met.

    Raises:
        TtdmError: the robot cannot be loaded or drive the demo, or the solver cannot be compiled.
    """
    console = Console()
    arm = load_arm(robot)
    timeline = Task(arm, load_task("demo")).timeline(arm.home, np.zeros(7), 0.5)
    models = {
        "nominal": PredictionModel.nominal(ModelSpecification(structure="nominal", hidden=())),
        # As large as what friction and a payload do to the acceleration.
        "network": PredictionModel.random(ModelSpecification(), seed=0, scale=1.0),
    }
    solvers = {kind: MpcSolver(arm, model, announce=console.print) for kind, model in models.items()}
    figures: dict[str, Any] = {"robot": arm.name, "calls": calls}
    times = _measure(solvers, timeline.rows, timeline.task_begins, timeline.task_ends, calls, progress)
    for kind, columns in times.items():
        figures[kind] = _summary(columns)
    figures["ratio_p5"] = figures["network"]["total_us"]["p5"] / figures["nominal"]["total_us"]["p5"]
    figures["swap_us"] = _swap_time(solvers["network"])
    figures["solver_mb"] = _memory_of_a_solver(arm, models["network"])
    figures["process_mb"] = _resident_mb()
    figures["targets"] = {
        "ratio_p5": figures["ratio_p5"] <= RATIO_TARGET,
        "network_p50": figures["network"]["total_us"]["p50"] < CALL_TARGET_US,
        "python_share": figures["network"]["python_share"] <= PYTHON_TARGET,
    }
    _print(console, figures)
    return figures


def _measure(
    solvers: dict[str, MpcSolver],
    rows_at: Callable[[Array], Array],
    begin: float,
    end: float,
    calls: int,
    progress: Callable[[float], None] | None,
) -> dict[str, Array]:
    """Return the times of the calls that count, (calls, 4) a solver: acados, compiled code, gain, all of it [µs]."""
    any_solver = next(iter(solvers.values()))
    stages = np.arange(any_solver.config.horizon + 1, dtype=np.float64) * any_solver.config.dt
    share, random = PERIOD / any_solver.config.dt, np.random.default_rng(0)
    times = {kind: np.zeros((calls, 4)) for kind in solvers}
    for solver in solvers.values():
        solver.initialise_from(rows_at(begin + stages))
    gc.collect()
    for i in range(-WARM_UP, calls):
        now = begin + (PERIOD * (i + WARM_UP)) % (end - begin)
        beside = 1e-3 * random.standard_normal(14)
        x0 = rows_at(np.array([now]))[0, 12:26] + beside
        for kind, solver in solvers.items():
            started = time.perf_counter()
            plan = solver.solve(x0, rows_at(now + stages), share=share, start=now)
            total = 1e6 * (time.perf_counter() - started)
            if i >= 0:
                times[kind][i] = plan.solve_us, plan.call_us, plan.gain_us, total
        if progress is not None and i % 100 == 0:
            progress(max(i, 0) / calls)
    return times


def _summary(times: Array) -> dict[str, Any]:
    acados, compiled, gain, total = times.T
    columns = {"acados_us": acados, "compiled_us": compiled, "gain_us": gain, "total_us": total}
    summary: dict[str, Any] = {
        name: {f"p{share}": float(np.percentile(values, share)) for share in (5, 50, 99)}
        for name, values in columns.items()
    }
    # Of medians: a call that was interrupted says nothing about either part.
    summary["python_share"] = float(np.median(total - compiled) / np.median(total))
    summary["gain_share"] = float(np.median(gain) / np.median(total))
    return summary


def _swap_time(solver: MpcSolver) -> float:
    """Return the median time of a model exchange [µs], packing its numbers included."""
    models = [PredictionModel.random(solver.specification, seed=seed) for seed in (1, 2)]
    taken = np.zeros(SWAPS)
    for i in range(SWAPS):
        started = time.perf_counter()
        solver.set_model(models[i % 2])
        taken[i] = 1e6 * (time.perf_counter() - started)
    return float(np.median(taken))


def _memory_of_a_solver(arm: Any, model: PredictionModel) -> float:
    before = _resident_mb()
    further = [MpcSolver(arm, model) for _ in range(FURTHER_SOLVERS)]
    return (_resident_mb() - before) / len(further)


def _resident_mb() -> float:
    return float(psutil.Process(os.getpid()).memory_info().rss) / 2**20


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table(title=f"one real-time iteration, {figures['robot']}, {figures['calls']} calls each, in turn")
    table.add_column("[µs]")
    for kind in _KINDS.values():
        for share in ("p5", "p50", "p99"):
            table.add_column(f"{kind}\n{share}" if share == "p5" else f"\n{share}", justify="right")
    rows = {"in acados": "acados_us", "in compiled code": "compiled_us", "gain": "gain_us", "whole call": "total_us"}
    for label, name in rows.items():
        cells = [f"{figures[kind][name][share]:.0f}" for kind in _KINDS for share in ("p5", "p50", "p99")]
        table.add_row(label, *cells)
    console.print(table)
    network, targets = figures["network"], figures["targets"]

    def line(text: str, target: str = "", *, met: bool = True) -> None:
        mark = "" if not target else f"   {target}: {'[green]yes[/]' if met else '[red]no[/]'}"
        console.print(f"{text}{mark}", highlight=False)

    ratio = f"network over no network, p5   {figures['ratio_p5']:.2f}"
    line(ratio, f"at most {RATIO_TARGET}", met=targets["ratio_p5"])
    line(f"whole call with network, p50  {network['total_us']['p50']:.0f} µs", "under 1 ms", met=targets["network_p50"])
    share = f"Python's share of it          {100 * network['python_share']:.0f} %"
    line(share, f"at most {100 * PYTHON_TARGET:.0f} %", met=targets["python_share"])
    line(f"the gain's share of it        {100 * network['gain_share']:.0f} %")
    line(f"exchange of a model           {figures['swap_us']:.0f} µs")
    line(f"memory of this process        {figures['process_mb']:.0f} MiB")
    line(f"memory of a further solver    {figures['solver_mb']:.1f} MiB")
