"""Which packages of ROS are there."""

import os
from collections.abc import Iterable
from pathlib import Path

from ttdm_ros.errors import ConfigError, TtdmError

_INDEX = Path("share") / "ament_index" / "resource_index" / "packages"


def need(packages: Iterable[str], what_for: str) -> None:
    """Refuse if packages are missing from the sourced ROS installation.

    Raises:
        ConfigError: one is; the sentence tells what to install.
    """
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    missing = [name for name in packages if not any((prefix / _INDEX / name).is_file() for prefix in prefixes)]
    if missing:
        debian = " ".join(f"ros-$ROS_DISTRO-{name.replace('_', '-')}" for name in missing)
        raise ConfigError(f"{what_for} needs the ROS packages {', '.join(missing)}; install: sudo apt install {debian}")


def without(error: ImportError, what_for: str) -> TtdmError:
    """Return the sentence for a command that cannot be run because a Python package of ROS cannot be imported."""
    return TtdmError(
        f"{what_for} needs ROS 2's Python packages, and {error.name} is missing; install them, or source a ROS "
        "workspace first"
    )
