"""A file that holds whole records only, even when the disk fails under it."""

import os
from contextlib import suppress
from pathlib import Path

from ttdm_ros.errors import BagError


class FileSink:
    """The stream an MCAP writer writes to: unbuffered, and cut back to the last whole record if a write fails.

    The MCAP writer hands over whole records in each call, so the end of a successful call is a record boundary.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            BagError: it exists or cannot be created.
        """
        self._path = path
        self._end = 0
        self._problem: str | None = None
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise BagError(f"{path} cannot be made ({error.strerror}); choose another folder for the bag") from error

    def write(self, data: bytes) -> int:
        """Append whole records.

        Raises:
            BagError: the disk is full or failed, now or in an earlier call.
        """
        if self._problem is not None:
            raise BagError(self._problem)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            self._problem = (
                f"writing {self._path} failed ({error.strerror}); make room on the disk, then run "
                f"`ttdm salvage {self._path.parent}` to close the bag with the messages written until then"
            )
            raise BagError(self._problem) from error
        self._end += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the length of the file."""
        return self._end

    def flush(self) -> None:
        """Do nothing: every write already reached the operating system."""

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
