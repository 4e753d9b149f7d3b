"""Work out what errors of predicted states cost the closed loop, at every sample of some bags.

At each sample the optimal control problem is solved and differentiated. The folder holds manifest.json, which says what
was taken of what, and for each bag a folder with a file a few hundred samples. An export that was interrupted goes on
where it was when the same command is given again, and further bags are added; a folder of another model or other
settings is refused.

Examples:
  ttdm sensitivities demo_output/lesson --out sensitivities
  ttdm sensitivities bags/a bags/b --robot fr3 --p 6 --jobs 4 --out sensitivities
  ttdm info sensitivities
"""

import argparse
from pathlib import Path

from ttdm_ros.commands.arguments import arm_of, mpc_of
from ttdm_ros.commands.training_arguments import add_data, sampling_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the sensitivities go")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.progress import ProgressDisplay
    from ttdm_ros.dynamics.bundle import load_model
    from ttdm_ros.training.bag_data import read_bags
    from ttdm_ros.training.config import TrainingConfig
    from ttdm_ros.training.export import ExportSettings, export
    from ttdm_ros.training.store import Store

    arm, model, mpc = arm_of(given), load_model(given.model), mpc_of(given)
    sampling, p = sampling_of(given, mpc), given.p or TrainingConfig().p
    settings = ExportSettings(
        arm=arm, model=model, p=p, sampling=sampling, mpc=mpc, hessian=given.hessian, method=given.method
    )
    store = Store(given.out)
    with ProgressDisplay() as display:
        bags = read_bags(given.bag, arm, sampling, namespace=given.namespace, store=store, announce=display.announce)
        result = export(
            bags,
            settings,
            given.out,
            jobs=given.jobs,
            executor=given.executor,
            on_progress=display.on_export,
            announce=display.announce,
            store=store,
        )
    others = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in result.reasons.items())
    print(f"solved   {int(result.good.sum())} of {len(result.good)} samples" + (f"; left out: {others}" * bool(others)))
    print(f"folder   {given.out}")
    return 0
