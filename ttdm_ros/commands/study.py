"""Compare weightings in the closed loop, with statistics: the paper's study.

For every seed data is recorded with the nominal model, then with learned ones; every weighting fine-tunes the same
checkpoint at several lengths of rollouts, and all models drive references that none was trained on, beside an MPC that
knows the plant. The folder gets report.html, a PNG a figure, table.csv, runs.csv (a line a drive) and summary.json. A
study that was interrupted goes on where it was when the same command is given again.

Examples:
  ttdm study arm
  ttdm study arm --quick --out quick_output
  ttdm study pick
  ttdm study my_study.yaml --jobs 8 --out my_output
"""

import argparse
import sys
from pathlib import Path

from ttdm_ros.commands.arguments import positive_int
from ttdm_ros.errors import TtdmError

_QUICK = {"arm": "quick"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("study", help="study of config/studies (arm, pick), or a path to a file")
    parser.add_argument("--quick", action="store_true", help="every part, as small as it can be, in minutes")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: study_NAME_output, NAME being that of the file"
    )
    parser.add_argument("--jobs", type=positive_int, metavar="N", help="processes (default: one a processor)")
    parser.add_argument(
        "--executor",
        choices=["processes", "ray"],
        default="processes",
        help="of this machine, or tasks of a Ray cluster that runs already (default: %(default)s)",
    )


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    from ttdm_ros.commands.progress import ProgressDisplay
    from ttdm_ros.evaluation.study.config import load_study, name_of
    from ttdm_ros.evaluation.study.folder import StudyFolder
    from ttdm_ros.evaluation.study.report import write_report
    from ttdm_ros.evaluation.study.runner import run_study

    if given.quick and given.study not in _QUICK:
        raise TtdmError(f"there is no quick form of {given.study}; leave --quick out, or give it with arm")
    name = _QUICK[given.study] if given.quick else given.study
    study = load_study(name)
    folder = StudyFolder(given.out or Path(f"study_{name_of(name)}_output"))
    with ProgressDisplay() as display:
        rows = run_study(
            study,
            folder,
            jobs=given.jobs,
            executor=given.executor,
            on_progress=display.on_study,
            announce=display.announce,
        )
    command = f"ttdm {' '.join(sys.argv[1:])}"
    page = write_report(study, folder, rows, command=command)
    print(f"report   {page}\nfigures  {folder.path / 'summary.json'}")
    return 0
