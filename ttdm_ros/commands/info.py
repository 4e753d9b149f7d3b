"""Show what a bag holds: topics, counts, rates, gaps and missed messages.

Example:
  ttdm info demo_output/bag
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="a bag folder, or a single .mcap or .db3 file")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.recording.info import describe

    make_console().print(describe(given.bag))
    return 0
