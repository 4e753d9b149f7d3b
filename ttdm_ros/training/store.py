"""Columns of numbers on disk, mapped into memory: what a data set needs of memory does not grow with it.

A column is a file without a name. The space is freed when the last array that shows it is gone, or the process has
ended, however it did. Of the pages of such files only those in use have to be in memory; the system drops the others
when it needs room.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ttdm_ros.errors import StorageError

ROWS = 4096
"""Rows that are worked on at once."""
PART = 1024
"""Rollouts that are worked on at once."""


class Store:
    """Makes columns."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make columns on the file system of a folder, the system's for temporary files if left out.

        The folder need not exist yet; then they are in the first one above it that does.
        """
        place = Path(tempfile.gettempdir()) if folder is None else folder.absolute()
        self._folder = next(each for each in (place, *place.parents) if each.is_dir())

    def column(self, *shape: int, dtype: DTypeLike = np.float64) -> "Column":
        """Return a new column; a row of it has this shape."""
        return Column(self._folder, shape, np.dtype(dtype))

    def derived(self, function: Callable[[NDArray[Any]], NDArray[Any]], array: NDArray[Any]) -> NDArray[Any]:
        """Return what a function makes of the numbers of an array (n,), one by one."""
        column = self.column()
        for rows in pieces(len(array)):
            column.append(function(array[rows]))
        return column.finish()


class Column:
    """Rows that are appended, then read."""

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Begin an empty one.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._folder, self._shape, self._dtype, self._count = folder, shape, dtype, 0
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".ttdm_")  # noqa: SIM115 - `finish` closes it
        except OSError as error:
            raise self._failure(error) from error

    def __len__(self) -> int:
        """Number of rows."""
        return self._count

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows (n, *shape).

        Raises:
            StorageError: there is no room.
        """
        if rows.shape[1:] != self._shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} do not fit a column of {self._shape}")
        try:
            self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data.cast("B") if rows.size else b"")
        except OSError as error:
            raise self._failure(error) from error
        self._count += len(rows)

    def finish(self) -> NDArray[Any]:
        """Return all rows (n, *shape), read-only; nothing can be appended any more.

        Raises:
            StorageError: there is no room.
        """
        shape = (self._count, *self._shape)
        try:
            with self._file as file:
                file.flush()
                if 0 in shape:
                    return np.zeros(shape, dtype=self._dtype)
                # A plain array of it: a memmap's own class is slow to index.
                return np.memmap(file, dtype=self._dtype, mode="r", shape=shape).view(np.ndarray)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self._folder} cannot take the data set ({error.strerror}); make room, or choose another")


def pieces(count: int, size: int | None = None) -> Iterator[slice]:
    """Yield consecutive slices that together are ``count`` rows, each of ``size`` or of ``ROWS``."""
    size = size or ROWS
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))


def moments(parts: Callable[[], Iterator[NDArray[np.float64]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation over the first axis; ``parts`` is called twice, see ``mean``."""
    centre = mean(parts())
    return centre, np.sqrt(mean(np.square(part - centre) for part in parts()))


def mean(parts: Iterator[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean over the first axis of arrays one after another, added up row by row."""
    total: NDArray[np.float64] | None = None
    count = 0
    for part in parts:
        rows = part if total is None else np.concatenate([total[None], part])
        if len(rows):
            total = np.add.reduce(rows, axis=0)
        count += len(part)
    if total is None:
        raise ValueError("there is nothing to take the mean of")
    return total / count
