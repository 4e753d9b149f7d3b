"""Measure on this machine; `solver`: time per call of the real-time solver, with and without a network.

Examples:
  ttdm benchmark solver
  ttdm benchmark solver --robot fr3 --calls 10000 --json solver.json
"""

import argparse
from pathlib import Path

from ttdm_ros.commands.arguments import positive_int
from ttdm_ros.errors import TtdmError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", choices=["solver"], help="what is measured")
    parser.add_argument("--robot", default="panda", help="robot of config/robots, or a path (default: %(default)s)")
    parser.add_argument("--calls", type=positive_int, default=2000, metavar="N", help="calls (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures into this file")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from rich.progress import Progress

    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.benchmark_solver import run as benchmark_solver
    from ttdm_ros.evaluation.plain import as_plain

    console = make_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("solving", total=1.0)
        figures = benchmark_solver(
            robot=given.robot, calls=given.calls, progress=lambda done: progress.update(bar, completed=done)
        )
    if given.json:
        try:
            given.json.write_text(json.dumps(as_plain(figures), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise TtdmError(f"{given.json} cannot be written ({error.strerror}); name another file") from error
        print(f"figures  {given.json}")
    return 0
