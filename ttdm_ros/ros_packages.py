"""Which packages of a ROS installation are there."""

import os
from collections.abc import Iterable
from pathlib import Path

from ttdm_ros.errors import ConfigError

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
