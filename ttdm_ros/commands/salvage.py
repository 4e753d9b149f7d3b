"""Make a bag whole whose recorder was killed; the bag itself is never changed.

Example:
  ttdm salvage bags/ttdm_2026-01-31_12-00-00
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="a bag folder, or a single .mcap file")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="folder of the whole bag (default: BAG_salvaged beside it)"
    )


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.recording.salvage import salvage

    print(salvage(given.bag, given.output))
    return 0
