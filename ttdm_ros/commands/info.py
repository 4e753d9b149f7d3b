"""Explain a bag, a model bundle or a folder of sensitivities.

Of a bag: topics, counts, rates, gaps and missed messages. Of a bundle: its network, where it comes from and how well it
predicts. Of sensitivities: what they were made of, how many samples were solved, and why others were not.

Examples:
  ttdm info demo_output/bag
  ttdm info nominal
  ttdm info training_output/sensitivity_s0
  ttdm info training_output/sensitivities
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "path",
        type=Path,
        metavar="PATH",
        help="a bag folder or a single .mcap or .db3 file, a bundle or the name of one of models/, or a folder of "
        "sensitivities",
    )


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.terminal import make_console

    path: Path = given.path.expanduser()
    console = make_console()
    if (path / "manifest.json").is_file():
        from ttdm_ros.training.sensitivity_info import describe as describe_sensitivities

        console.print(describe_sensitivities(path))
    elif (path / "model.yaml").is_file() or (not path.exists() and _ships(given.path)):
        from ttdm_ros.dynamics.bundle_info import describe as describe_bundle

        console.print(describe_bundle(given.path))
    else:
        from ttdm_ros.recording.info import describe

        console.print(describe(path))
    return 0


def _ships(path: Path) -> bool:
    """Whether a model of that name ships."""
    from ttdm_ros.paths import share_folder

    return (share_folder() / "models" / path / "model.yaml").is_file()
