"""Run controller and plant in closed loop without ROS, faster than real time.

Every task is run once with each seed, from 0 up. A table shows the medians over the seeds, of those runs that have the
figure: one that was stopped before the task began has no tracking error. The JSON file holds every run.

Examples:
  ttdm evaluate --task circle --plant payload_friction --json circle.json
  ttdm evaluate --model my_model --mpc controller.yaml --task circle
  ttdm evaluate --robot fr3 --model nominal --task circle rectangle my_task.yaml --plant ideal --seeds 5 --json out.json
"""

import argparse
import math
from pathlib import Path
from typing import Any

from ttdm_ros.commands.arguments import add_mpc, add_robot, arm_of, mpc_of, positive_int
from ttdm_ros.errors import TtdmError

Figures = list[dict[str, float]]
"""Those of the runs of a task."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_robot(parser, default="panda", default_text="panda")
    parser.add_argument("--model", default="nominal", help="model of models/, or a path (default: %(default)s)")
    parser.add_argument(
        "--task", nargs="+", required=True, metavar="TASK", help="tasks of config/tasks, or paths to files"
    )
    parser.add_argument(
        "--plant", default="payload_friction", help="plant of config/plants, or a path (default: %(default)s)"
    )
    add_mpc(parser)
    parser.add_argument("--seeds", type=positive_int, default=1, metavar="N", help="runs a task (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run into this file")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from rich.progress import Progress

    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.closed_loop import evaluate
    from ttdm_ros.paths import find_config

    for task in given.task:
        find_config("tasks", task)
    find_config("plants", given.plant)
    arm, mpc = arm_of(given), mpc_of(given)
    console = make_console()
    runs: list[dict[str, Any]] = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for task in given.task:
            for seed in range(given.seeds):
                bar = progress.add_task(f"{task}, seed {seed}", total=1.0)
                result = evaluate(
                    arm=arm,
                    mpc=mpc,
                    model=given.model,
                    task=task,
                    plant=given.plant,
                    seed=seed,
                    progress=lambda done, bar=bar: progress.update(bar, completed=done),  # type: ignore[misc]
                )
                progress.update(bar, completed=1.0)
                runs.append({"task": task, "seed": seed, "fault": result.fault, "figures": dict(result.figures)})
    figures = {task: [run["figures"] for run in runs if run["task"] == task] for task in given.task}
    runs_a_task = "one run" if given.seeds == 1 else f"medians of {given.seeds} runs"
    console.print(f"{given.robot}, model {given.model}, plant {given.plant}; {runs_a_task} a task", highlight=False)
    console.print(_table(figures))
    for stopped in (run for run in runs if run["fault"]):
        console.print(f"{stopped['task']}, seed {stopped['seed']}: {stopped['fault']}", highlight=False)
    if given.json:
        _write(given, mpc.model_dump(), runs, figures)
        print(f"figures  {given.json}")
    return 0


def _known(runs: Figures, key: str) -> list[float]:
    """Return a figure of the runs that have it."""
    values = (run.get(key, math.nan) for run in runs)
    return [value for value in values if math.isfinite(value)]


def _median(values: list[float]) -> float:
    from statistics import median

    return median(values) if values else math.nan


def _table(figures: dict[str, Figures]) -> Any:
    from rich.table import Table

    def cell(runs: Figures, key: str) -> str:
        known = _known(runs, key)
        of_all = "" if len(known) == len(runs) else f" ({len(known)} of {len(runs)} runs)"
        return f"{_median(known):.4g}{of_all}" if known else "–"

    table = Table()
    table.add_column("")
    for task in figures:
        table.add_column(Path(task).stem, justify="right")
    for key in next(iter(figures.values()))[0]:
        table.add_row(key, *(cell(runs, key) for runs in figures.values()))
    return table


def _write(
    given: argparse.Namespace, mpc: dict[str, Any], runs: list[dict[str, Any]], figures: dict[str, Figures]
) -> None:
    import json

    from ttdm_ros import __version__
    from ttdm_ros.evaluation.plain import as_plain

    content = {
        "version": __version__,
        "robot": given.robot,
        "model": given.model,
        "plant": given.plant,
        "mpc": mpc,
        "runs": runs,
        "medians": {task: {key: _median(_known(each, key)) for key in each[0]} for task, each in figures.items()},
        "runs_with_the_figure": {
            task: {key: len(_known(each, key)) for key in each[0]} for task, each in figures.items()
        },
    }
    try:
        given.json.write_text(json.dumps(as_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise TtdmError(f"{given.json} cannot be written ({error.strerror}); name another file") from error
