"""Improve a model round by round: record with it in the loop, train on all data so far, swap the new one in, again.

Round 0 drives the task with the model to begin with and measures the error of the tip. Every round after it drives with
the present model and a little exploration into a bag, trains on the bags of all rounds while the arm holds its pose,
swaps the new model into the running controller, and drives again without exploration to measure. It ends after
--rounds, or when a round lowers the error by less than --min-gain; the best model is then swapped in and named.

The output folder keeps everything: round_01/bag, round_01/model, round_01/check and so on, improve.json with the
figures, and report.html. Given again, the same command goes on after the last finished round; what an unfinished one
left is moved to unfinished/.

Recorder, simulator and controller are started as processes; with --plant-running no simulator is started, and
ROS_DOMAIN_ID and the like are those of the environment. Several tasks start the controller anew for each. Nodes get the
parameters of --params-file, but for what this command sets itself, and the trainings the mpc settings in it.

Examples:
  ttdm improve --rounds 2
  ttdm improve --task circle --task sines --plant payload_1kg --output /tmp/rounds
  ttdm improve --plant-running --robot fr3 --task my_task.yaml --exploration 0.02 --params-file mine.yaml
"""

import argparse
from pathlib import Path

from ttdm_ros.commands.arguments import add_robot, domain_id, positive_int, share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--output", type=Path, default=Path("improve_output"), metavar="FOLDER", help="default: %(default)s"
    )
    add_robot(parser, default="panda", default_text="panda")
    parser.add_argument(
        "--task",
        action="append",
        metavar="TASK",
        help="task of config/tasks, or a path to a file; may be given several times (default: demo)",
    )
    plant = parser.add_mutually_exclusive_group()
    plant.add_argument(
        "--plant",
        default="payload_friction",
        help="plant of config/plants, or a path to a file: what the arm does that the nominal one does not "
        "(default: %(default)s)",
    )
    plant.add_argument("--plant-running", action="store_true", help="an arm is up already: start no simulator")
    parser.add_argument(
        "--model",
        default="nominal",
        help="model of models/, or a path to a bundle, to begin with (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=positive_int, default=3, metavar="N", help="at most (default: %(default)s)")
    parser.add_argument(
        "--min-gain",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="by which a round has to lower the error, else it is the last (default: %(default)s)",
    )
    parser.add_argument(
        "--exploration",
        type=share,
        default=0.04,
        metavar="SHARE",
        help="of the torque limits, added while data is recorded (default: %(default)s)",
    )
    parser.add_argument(
        "--params-file", type=Path, metavar="FILE", help="parameter file for the nodes (default: what ships alone)"
    )
    parser.add_argument(
        "--use-sim-time", action="store_true", help="with --plant-running: time comes from /clock, as in Gazebo"
    )
    parser.add_argument(
        "--domain",
        type=domain_id,
        metavar="ID",
        help="ROS_DOMAIN_ID of the simulated arm (default: one that is free); not with --plant-running",
    )


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.improve import ImproveOptions, run_improve

    options = ImproveOptions(
        output=given.output,
        robot=given.robot,
        base_frame=given.base_frame,
        tip_frame=given.tip_frame,
        tasks=tuple(given.task or ("demo",)),
        plant=None if given.plant_running else given.plant,
        model=given.model,
        rounds=given.rounds,
        min_gain=given.min_gain,
        exploration=given.exploration,
        domain=given.domain,
        params_file=given.params_file,
        use_sim_time=given.use_sim_time,
    )
    run_improve(options, make_console())
    return 0
