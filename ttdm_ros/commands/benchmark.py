"""Measure on this machine.

`solver`: time per call of the real-time solver, with and without a network. `sensitivities`: samples a second of an
export, its memory, and a plain implementation beside. `training`: a step of the optimiser, by weighting and by how many
models train side by side. `swap`: exchanges of the model on a controller that drives, with recorder and simulator.
`franka`: the controller drives a simulated FR3 whose communication and motion limits are enforced (make franka).

Examples:
  ttdm benchmark solver
  ttdm benchmark solver --robot fr3 --calls 10000 --json solver.json
  ttdm benchmark sensitivities --calls 20000
  ttdm benchmark training
  ttdm benchmark swap --calls 100
  ttdm benchmark franka --seconds 600
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttdm_ros.commands.arguments import positive_float, positive_int
from ttdm_ros.errors import TtdmError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what", choices=["solver", "sensitivities", "training", "swap", "franka"], help="what is measured"
    )
    parser.add_argument("--robot", help="robot of config/robots, or a path (default: panda; of franka: fr3)")
    parser.add_argument(
        "--calls",
        type=positive_int,
        metavar="N",
        help="calls of the solver, samples of an export, steps of the optimiser or exchanges of the model "
        "(default: 2000, 2000, 60, 100)",
    )
    parser.add_argument(
        "--seconds",
        type=positive_float,
        default=600.0,
        metavar="S",
        help="franka: of driving (default: %(default)s)",
    )
    parser.add_argument(
        "--feedback",
        choices=["driver", "controller"],
        default="driver",
        help="franka: where the feedback gain acts (default: %(default)s)",
    )
    parser.add_argument(
        "--guard",
        type=positive_float,
        metavar="S",
        help="franka: without a command for so long the driver holds the arm (default: 0.4, for a busy machine; the "
        "driver's own is 0.05)",
    )
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="franka: keep bag and logs in this folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures into this file")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from rich.progress import Progress

    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.plain import as_plain

    console = make_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("measuring", total=1.0)
        figures = _measure(given, lambda done: progress.update(bar, completed=done))
    if given.json:
        try:
            given.json.write_text(json.dumps(as_plain(figures), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise TtdmError(f"{given.json} cannot be written ({error.strerror}); name another file") from error
        print(f"figures  {given.json}")
    return 0


def _measure(given: argparse.Namespace, progress: Callable[[float], None]) -> dict[str, Any]:
    robot = given.robot or "panda"
    match given.what:
        case "solver":
            from ttdm_ros.evaluation.benchmark_solver import run as benchmark_solver

            return benchmark_solver(robot=robot, calls=given.calls or 2000, progress=progress)
        case "sensitivities":
            from ttdm_ros.evaluation.benchmark_sensitivities import run as benchmark_sensitivities

            return benchmark_sensitivities(robot=robot, samples=given.calls or 2000, progress=progress)
        case "swap":
            from ttdm_ros.evaluation.benchmark_swap import run as benchmark_swap

            return benchmark_swap(robot=robot, swaps=given.calls or 100, progress=progress)
        case "franka":
            from ttdm_ros.evaluation.benchmark_franka import run as benchmark_franka

            return benchmark_franka(
                robot=given.robot or "fr3",
                seconds=given.seconds,
                feedback=given.feedback,
                guard=given.guard,
                folder=given.folder,
                progress=progress,
            )
        case _:
            from ttdm_ros.evaluation.benchmark_training import run as benchmark_training

            return benchmark_training(robot=robot, steps=given.calls or 60, progress=progress)
