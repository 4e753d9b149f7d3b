"""Train prediction models on bags, by one or several weightings of the errors.

First a one-step model is trained for every seed, then each weighting fine-tunes it on rollouts of p steps; all models
train side by side. Weightings that need sensitivities take those of --sensitivities, or work them out. The folder
--out gets a bundle a model, report.html and training.json; a training that was interrupted goes on where it was when
the same command is given again.

Weightings: mse, variance, sensitivity, sensitivity_coupled, sensitivity_diagonal, sensitivity_mean, value_gradient,
learned_metric; or `all`.

Examples:
  ttdm train demo_output/lesson --out training_output
  ttdm train bags/a bags/b --weighting mse,sensitivity --seeds 3 --out training_output
  ttdm train bags/a --robot fr3 --mpc explore.yaml --out training_output
  ttdm train bags/a --hidden 16 --inputs q,v,tau --sensitivities sensitivities --name small --out training_output
"""

import argparse
from pathlib import Path
from typing import Any

from ttdm_ros.commands.arguments import arm_of, mpc_of, positive_int
from ttdm_ros.commands.training_arguments import add_data, sampling_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser)
    parser.add_argument(
        "--weighting", default="sensitivity", metavar="W[,W...]", help="what errors cost (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=positive_int, default=1, metavar="N", help="models a weighting (default: 1)")
    parser.add_argument("--hidden", metavar="N[,N...]", help="units of the hidden layers (default: 32,32)")
    parser.add_argument("--inputs", metavar="I[,I...]", help="what the network sees, of q, v, tau (default: q,v)")
    parser.add_argument("--structure", choices=["residual", "full"], help="with or without the nominal arm")
    parser.add_argument("--steps", type=positive_int, metavar="N", help="optimiser steps of the fine-tuning")
    parser.add_argument("--base-steps", type=positive_int, metavar="N", help="optimiser steps before it")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with more settings of the training")
    parser.add_argument(
        "--sensitivities", type=Path, metavar="FOLDER", help="of `ttdm sensitivities` (default: made in the output)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("training_output"), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument("--name", default="", help="of the bundle; with several models, what their names begin with")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.progress import ProgressDisplay
    from ttdm_ros.commands.tensorboard import TensorboardLog
    from ttdm_ros.evaluation.training_report import write_training_report
    from ttdm_ros.evaluation.training_summary import as_table, write_summary
    from ttdm_ros.training.pipeline import train_from_bags

    job = _job(given)
    with ProgressDisplay() as display, TensorboardLog(given.out / "tensorboard") as log:

        def on_training(progress: Any) -> None:
            display.on_training(progress)
            log.on_training(progress)

        def on_outcome(outcome: Any) -> None:
            write_training_report(outcome, given.out / "report.html")
            write_summary(outcome, given.out / "training.json")

        outcome = train_from_bags(
            job,
            on_export=display.on_export,
            on_training=on_training,
            on_outcome=on_outcome,
            announce=display.announce,
        )
    display.console.print(as_table(outcome))
    for folder in outcome.bundles:
        print(f"model    {folder}")
    print(f"report   {given.out / 'report.html'}")
    return 0


def _job(given: argparse.Namespace) -> Any:
    from ttdm_ros.dynamics.bundle import load_model
    from ttdm_ros.training.job import TrainingJob
    from ttdm_ros.training.weightings import weightings

    mpc = mpc_of(given)
    names = tuple(weightings()) if given.weighting == "all" else tuple(_split(given.weighting))
    return TrainingJob(
        bags=tuple(given.bag),
        arm=arm_of(given),
        out=given.out,
        weightings=names,
        seeds=tuple(range(given.seeds)),
        config=_config(given),
        sampling=sampling_of(given, mpc),
        mpc=mpc,
        model=load_model(given.model),
        hessian=given.hessian,
        method=given.method,
        sensitivities=given.sensitivities,
        name=given.name,
        namespace=given.namespace,
        jobs=given.jobs,
        executor=given.executor,
    )


def _config(given: argparse.Namespace) -> Any:
    """Settings of the file, with those of the arguments over them."""
    from ttdm_ros.config import load, parse
    from ttdm_ros.training.config import TrainingConfig

    content = (TrainingConfig() if given.config is None else load(given.config, TrainingConfig)).model_dump()
    hidden = None if given.hidden is None else [_whole(part) for part in _split(given.hidden)]
    inputs = None if given.inputs is None else _split(given.inputs)
    network = {"hidden": hidden, "inputs": inputs, "structure": given.structure}
    content["specification"] |= {key: value for key, value in network.items() if value is not None}
    content |= {key: value for key in ("p", "steps", "base_steps") if (value := getattr(given, key)) is not None}
    return parse(content, TrainingConfig, "arguments")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(text: str) -> int | str:
    """Return a number if it is one; what is none is refused with the other settings."""
    return int(text) if text.isdecimal() else text
