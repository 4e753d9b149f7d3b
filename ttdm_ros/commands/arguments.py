"""Arguments that several commands share, and their checks."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttdm_ros.mpc.config import MpcConfig
    from ttdm_ros.systems.arm import Arm


def add_robot(parser: argparse.ArgumentParser, *, default: str | None, default_text: str) -> None:
    """Add ``--robot``, ``--base-frame`` and ``--tip-frame``."""
    parser.add_argument(
        "--robot",
        default=default,
        metavar="ROBOT",
        help=f"robot of config/robots, or a path to a .yaml or .urdf file (default: {default_text})",
    )
    parser.add_argument(
        "--base-frame", metavar="LINK", help="only for a .urdf: the link at which the arm begins (default: its own)"
    )
    parser.add_argument(
        "--tip-frame", metavar="LINK", help="only for a .urdf: the link at which the arm ends (default: its own)"
    )


def add_mpc(parser: argparse.ArgumentParser) -> None:
    """Add ``--mpc``."""
    parser.add_argument(
        "--mpc",
        type=Path,
        metavar="FILE",
        help="YAML file with weights and grid of the problem, or the controller's parameter file, whose group mpc "
        "counts (default: built in)",
    )


def arm_of(given: argparse.Namespace) -> "Arm":
    """Load the arm that was given."""
    from ttdm_ros.systems.arm import load_arm

    return load_arm(given.robot, base_frame=given.base_frame, tip_frame=given.tip_frame)


def mpc_of(given: argparse.Namespace) -> "MpcConfig":
    """Load the settings of the problem."""
    from ttdm_ros.mpc.config import MpcConfig
    from ttdm_ros.mpc.settings_file import load_mpc

    return MpcConfig() if given.mpc is None else load_mpc(given.mpc)


def positive_int(text: str) -> int:
    """Read a whole number above zero."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above zero")
    return number


def positive_float(text: str) -> float:
    """Read a finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above zero")
    return number


def finite_float(text: str) -> float:
    """Read a finite number; the settings tell its range."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return number


def share(text: str) -> float:
    """Read a number from 0 up to, but not including, 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < 1.0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share; give a number from 0 up to 1, as 0.05")
    return number


def domain_id(text: str) -> int:
    """Read a ROS domain id."""
    if not text.isdecimal() or int(text) > 232:
        raise argparse.ArgumentTypeError(f"'{text}' is not a ROS domain; give a number from 0 to 232")
    return int(text)
