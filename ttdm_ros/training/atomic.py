"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its final place, bring it to the disk, and move it there in one step.

    Args:
        path: the file; its folder must exist.
        write: writes into the path it is given.

    Raises:
        OSError: it cannot be written.
    """
    target = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        target.replace(path)
    finally:
        target.unlink(missing_ok=True)
