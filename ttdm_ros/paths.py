"""Where things lie: the files the package ships, and the user's cache."""

import os
import sys
from functools import cache
from pathlib import Path

from ttdm_ros.errors import ConfigError


@cache
def share_folder() -> Path:
    """Return the folder that holds ``config/``, ``models/`` and ``launch/``.

    A source tree comes first (an editable installation), then the ament index, then ``<prefix>/share/ttdm_ros``.
    """
    source = Path(__file__).resolve().parents[1]
    if (source / "package.xml").is_file():
        return source
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in (*prefixes, Path(sys.prefix)):
        folder = prefix / "share" / "ttdm_ros"
        if (folder / "config").is_dir():
            return folder
    raise ConfigError("the shared files of ttdm_ros were not found; install the package again, or source its workspace")


def cache_folder() -> Path:
    """Return the user's cache folder of this package (``$XDG_CACHE_HOME/ttdm_ros``), made if it is missing."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "ttdm_ros"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_config(kind: str, name_or_path: str | Path) -> Path:
    """Resolve ``panda`` or ``some/file.yaml`` to a file; ``kind`` is a folder of ``config/`` (robots, tasks, plants).

    Raises:
        ConfigError: there is no such file; the message lists the names that ship.
    """
    given = Path(name_or_path).expanduser()
    if given.suffix:
        if given.is_file():
            return given
        raise ConfigError(f"there is no file {given}; give a path to a file, or one of {_shipped(kind)}")
    shipped = share_folder() / "config" / kind / f"{given}.yaml"
    if shipped.is_file():
        return shipped
    raise ConfigError(f"there is no {kind[:-1]} named '{given}'; known: {_shipped(kind)} (or give a path to a file)")


def _shipped(kind: str) -> str:
    return ", ".join(sorted(p.stem for p in (share_folder() / "config" / kind).glob("*.yaml")))
