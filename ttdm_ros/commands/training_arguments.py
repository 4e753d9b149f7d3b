"""Arguments that `ttdm sensitivities` and `ttdm train` share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ttdm_ros.commands.arguments import add_mpc, add_robot, finite_float, positive_int

if TYPE_CHECKING:
    from ttdm_ros.mpc.config import MpcConfig
    from ttdm_ros.training.config import SamplingConfig


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the bags, the robot, how the bags are sampled, and how sensitivities are worked out."""
    parser.add_argument("bag", nargs="+", type=Path, metavar="BAG", help="bag folders, or single .mcap or .db3 files")
    add_robot(parser, default="panda", default_text="panda")
    parser.add_argument("--namespace", help="namespace of the topics (default: the only one in a bag)")
    parser.add_argument("--p", type=positive_int, metavar="N", help="steps of the rollouts (default: 4)")
    parser.add_argument(
        "--spacing", type=positive_int, metavar="N", help="rollouts start at every Nth sample of 4 ms (default: 2)"
    )
    parser.add_argument(
        "--delay", type=finite_float, metavar="SECONDS", help="from a command to its effect (default: 0.003)"
    )
    parser.add_argument(
        "--robot-delay",
        type=finite_float,
        metavar="SECONDS",
        help="the same for torque that a Franka arm says it applied, from the arm's own stamp (default: 0.0005)",
    )
    parser.add_argument(
        "--gravity",
        choices=["absent", "included"],
        help="whether the torques in the bags carry the arm's weight, as those of many drivers do; it is taken away "
        "then (default: absent)",
    )
    parser.add_argument(
        "--model",
        default="nominal",
        help="model of models/, or a path to a bundle, whose sensitivities are taken (default: %(default)s, as they "
        "need no training before them, and exist where those of a learned model may not)",
    )
    parser.add_argument(
        "--hessian",
        choices=["exact", "gauss_newton"],
        default="exact",
        help="of the Lagrangian (default), or acados' own, for models with which the problem is not convex",
    )
    parser.add_argument(
        "--method",
        choices=["own", "acados"],
        default="own",
        help="what differentiates the solutions: this package (default), or acados v0.5.4 or later, to compare; "
        "compiling for it takes minutes, once",
    )
    add_mpc(parser)
    parser.add_argument("--jobs", type=positive_int, metavar="N", help="processes (default: one a processor)")
    parser.add_argument(
        "--executor",
        choices=["processes", "ray"],
        default="processes",
        help="what works the sensitivities out: processes here (default), or a Ray cluster that runs already and has "
        "this package installed; the results are the same",
    )


def sampling_of(given: argparse.Namespace, mpc: "MpcConfig") -> "SamplingConfig":
    """Return how the bags are sampled, with the step of the problem's grid."""
    from ttdm_ros.config import parse
    from ttdm_ros.training.config import SamplingConfig

    delays = {"delay": given.delay, "robot_delay": given.robot_delay}
    content = {"dt": mpc.dt, "step": mpc.dt / 5, "spacing": given.spacing, "gravity": given.gravity} | delays
    return parse({key: value for key, value in content.items() if value is not None}, SamplingConfig, "arguments")
