"""Drive a simulated arm under MPC, learn from its bag what the model lacks, and swap the new model in while it moves.

The path is driven with the nominal model and recorded; a model is trained on the bag while the arm holds its pose; the
path is driven again and half-way the new model takes over, then once more. The report compares.

Starts recorder, simulator and controller as processes, with the parameter files of config/, in a ROS domain of their
own. The first run compiles the solver, which may take a minute. Ctrl-C stops everything in order.

The output folder holds report.html, summary.json, lesson/ (the bag that is learned from), training/ (the model) and
bag/ (what came after) of the latest run; what an earlier run left there is moved to earlier/001, earlier/002 and so on,
and never removed.

Examples:
  ttdm demo
  ttdm demo --task rectangle --plant ideal --output /tmp/rectangle
  ttdm demo --no-learning --robot fr3 --duration 5
  ttdm demo --franka
"""

import argparse
from pathlib import Path

from ttdm_ros.commands.arguments import add_robot, domain_id, positive_float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), metavar="FOLDER", help="default: %(default)s"
    )
    add_robot(parser, default=None, default_text="panda; with --franka: fr3")
    parser.add_argument(
        "--task", default="demo", help="task of config/tasks, or a path to a file (default: %(default)s)"
    )
    parser.add_argument(
        "--plant",
        default="payload_friction",
        help="plant of config/plants, or a path to a file: what the arm does that the nominal one does not "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--model", default="nominal", help="model of models/, or a path to a bundle (default: %(default)s)"
    )
    parser.add_argument(
        "--franka", action="store_true", help="an FR3 behind its network protocol, with its driver (make franka)"
    )
    parser.add_argument("--no-learning", action="store_true", help="drive the path once and report")
    parser.add_argument(
        "--duration",
        type=positive_float,
        metavar="SECONDS",
        help="with --no-learning: end after so many seconds of tracking (default: at the end of the task)",
    )
    parser.add_argument(
        "--domain", type=domain_id, metavar="ID", help="ROS_DOMAIN_ID of the demo (default: one that is free)"
    )
    parser.add_argument("--keep-logs", action="store_true", help="keep what the nodes printed, also when all went well")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.demo import DemoOptions, run_demo

    options = DemoOptions(
        output=given.output,
        robot=given.robot or ("fr3" if given.franka else "panda"),
        base_frame=given.base_frame,
        tip_frame=given.tip_frame,
        task=given.task,
        plant=given.plant,
        model=given.model,
        franka=given.franka,
        learn=not given.no_learning,
        duration=given.duration,
        domain=given.domain,
        keep_logs=given.keep_logs,
    )
    run_demo(options, make_console())
    return 0
