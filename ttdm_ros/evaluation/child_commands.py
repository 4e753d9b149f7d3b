"""Commands of this package that a demo runs as processes of their own, at a lower priority than the nodes."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def train_command(
    bags: Sequence[Path],
    robot: Mapping[str, str | None],
    *,
    out: Path,
    name: str,
    sensitivities: Path | None = None,
    mpc: Path | None = None,
) -> list[str]:
    """Return program and arguments of ``ttdm train``.

    Args:
        bags: to train on.
        robot: ``robot``, ``base_frame`` and ``tip_frame``; what is None is left to the command.
        out: folder of bundle, report and figures.
        name: of the bundle.
        sensitivities: folder that keeps them for the next training; that of the bundle if left out.
        mpc: file with the settings of the problem; built in if left out.
    """
    kept = [] if sensitivities is None else ["--sensitivities", str(sensitivities)]
    kept += [] if mpc is None else ["--mpc", str(mpc)]
    return [*_ttdm("train"), *map(str, bags), *_robot(robot), "--out", str(out), "--name", name, *kept]


def report_command(bag: Path, robot: Mapping[str, str | None], *, page: Path, figures: Path) -> list[str]:
    """Return program and arguments of ``ttdm report``, which writes a page and figures as JSON."""
    return [*_ttdm("report"), str(bag), *_robot(robot), "--output", str(page), "--json", str(figures)]


def _ttdm(command: str) -> list[str]:
    return [sys.executable, "-m", "ttdm_ros.cli", command]


def _robot(robot: Mapping[str, str | None]) -> list[str]:
    options = {"--robot": "robot", "--base-frame": "base_frame", "--tip-frame": "tip_frame"}
    return [text for option, key in options.items() if (value := robot.get(key)) for text in (option, value)]
