"""Sum up a bag: figures, and a self-contained HTML page with plots.

Works for any bag of the topics this package knows; what is missing is said in the report.

Examples:
  ttdm report demo_output/bag
  ttdm report bags/mine --robot my_arm.urdf --tip-frame flange --output mine.html
"""

import argparse
from pathlib import Path

from ttdm_ros.commands.arguments import add_robot
from ttdm_ros.errors import TtdmError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="a bag folder, or a single .mcap or .db3 file")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the HTML page (default: BAG_report.html beside the bag)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--namespace", help="namespace of the topics (default: the only one in the bag)")
    add_robot(parser, default=None, default_text="the one whose joints the bag holds")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from ttdm_ros.commands.terminal import make_console
    from ttdm_ros.evaluation.summary import find_arm, summarise

    arm = find_arm(
        given.bag,
        robot=given.robot,
        base_frame=given.base_frame,
        tip_frame=given.tip_frame,
        namespace=given.namespace,
    )
    bag: Path = given.bag
    name = bag.absolute().stem if bag.is_file() else bag.absolute().name  # a dot in a folder's name begins no suffix
    page = given.output or bag.absolute().with_name(f"{name}_report.html")
    result = summarise(bag, arm, run={"robot": arm.name}, report=page, namespace=given.namespace)
    make_console().print(result.table)
    print(f"\nreport   {page}")
    if given.json:
        text = json.dumps(result.summary, indent=2, allow_nan=False) + "\n"
        try:
            given.json.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TtdmError(f"{given.json} cannot be written ({error.strerror}); name another file") from error
        print(f"figures  {given.json}")
    return 0
