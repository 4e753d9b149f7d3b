"""Messages in the order of their stamps, although they arrive in another one and never lie in memory all together."""

from heapq import heappush, heapreplace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import BagError
from ttdm_ros.training.store import Store

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]

LATEST = 5.0  # a message that comes later than this is left out [s]
MOST_LATE = 0.01  # a larger share of such messages is no accident
HIGHEST = 5  # a row is behind if so many before it have later stamps: single stamps from the future count for nothing
BEHIND = 20  # so many rows one after the other that are behind, and in order, are no messages that come late,
GOES_ON = 0.1  # if they last so long [s]


class Ordering:
    """Rows of one topic by their stamps, each stamp once: of several rows with one stamp, the first that came.

    A row is passed on when those that came within the last ``LATEST`` have later stamps. Only times of reception are
    compared with each other, and only stamps with each other: they may be of different clocks.

    Attributes:
        count: rows that were added.
        late: how many of them were left out as too late.
    """

    def __init__(self, width: int) -> None:
        """Start empty, for rows of ``width`` numbers."""
        self.count = self.late = 0
        self._course = _Course()
        self._last = np.iinfo(np.int64).min  # stamp of the last row that was passed on
        self._stamp, self._received = np.zeros((2, 0), dtype=np.int64)
        self._values = np.zeros((0, width))

    def add(self, stamp: Stamps, received: Stamps, values: Array) -> tuple[Stamps, Array]:
        """Add rows in the order in which they came.

        Args:
            stamp: what they are ordered by [ns], (n,).
            received: when they came [ns], (n,).
            values: the rows (n, width).

        Returns:
            Stamps (m,) and rows (m, width) that are in order for good.
        """
        self.count += len(stamp)
        self._course.add(stamp, received)
        self.late += int((stamp < self._last).sum())
        new = stamp > self._last
        stamp = np.concatenate([self._stamp, stamp[new]])
        received = np.concatenate([self._received, received[new]])
        values = np.concatenate([self._values, values[new]])
        if not len(stamp):
            return stamp, values
        bound = stamp[received >= received.max() - round(1e9 * LATEST)].min()
        return self._pass_on(stamp, received, values, bound)

    def finish(self) -> tuple[Stamps, Array]:
        """Return the rows that are left."""
        return self._pass_on(self._stamp, self._received, self._values, np.iinfo(np.int64).max)

    def _pass_on(self, stamp: Stamps, received: Stamps, values: Array, bound: int) -> tuple[Stamps, Array]:
        ordered, first = np.unique(stamp, return_index=True)
        cut = int(np.searchsorted(ordered, bound))
        ready, kept = first[:cut], first[cut:]
        self._stamp, self._received, self._values = ordered[cut:], received[kept], values[kept]
        if cut:
            self._last = int(ordered[cut - 1])
        return ordered[:cut], values[ready]

    @property
    def has_jumped(self) -> bool:
        """Whether the clock of the stamps must have been set back: they went on from an earlier time, or many are late.

        Late rows alone do not tell: what was set back by less than ``LATEST`` would be sorted among the rows before.
        """
        return self._course.is_set_back or self.late > MOST_LATE * self.count


class _Course:
    """The stamps of a topic in the order in which they came.

    Rows that come late have rows in time about them, or come in disorder, or all at once. Where a clock was set back,
    or a simulation started anew, all rows are behind for as long as it was set back by, and go on as those before did.
    """

    def __init__(self) -> None:
        self.is_set_back = False
        self._highest: list[int] = []  # stamps, as a heap
        self._behind = self._last = 0  # rows in a row, and the stamp of the last one
        self._begin = 0, 0  # of the first one: stamp and time of reception

    def add(self, stamp: Stamps, received: Stamps) -> None:
        highest = self._highest
        for at, came in zip(stamp.tolist(), received.tolist(), strict=True):
            if len(highest) < HIGHEST:
                heappush(highest, at)
            elif at >= highest[0]:
                heapreplace(highest, at)
                self._behind = 0
            else:
                if not self._behind or at < self._last:
                    self._behind, self._begin = 0, (at, came)
                self._behind, self._last = self._behind + 1, at
                lasted = min(at - self._begin[0], came - self._begin[1])
                self.is_set_back |= self._behind >= BEHIND and lasted >= 1e9 * GOES_ON


class OrderedColumns:
    """The messages of one topic that are numbers throughout, on their way to columns of some widths."""

    def __init__(self, store: Store, *widths: int) -> None:
        """Start empty."""
        self._ordering = Ordering(sum(widths))
        self._stamps = store.column(dtype=np.int64)
        self._columns = [store.column(width) for width in widths]
        self._edges = np.cumsum(widths)[:-1]

    def add(self, stamp: Stamps, received: Stamps, values: Array) -> None:
        """Add messages in the order in which they came; arguments as for ``Ordering.add``."""
        usable = np.isfinite(values).all(axis=1)
        self._append(*self._ordering.add(stamp[usable], received[usable], values[usable]))

    def finish(self, name: str, path: Path | str) -> list[Any]:
        """Return the stamps and the columns.

        Args:
            name: what the messages are, for the error.
            path: where they are from.

        Raises:
            BagError: the stamps jump back.
            StorageError: there is no room.
        """
        self._append(*self._ordering.finish())
        if self._ordering.has_jumped:
            late = self._ordering.late
            told = f"{late} of {self._ordering.count} come more than {LATEST:g} s too late"
            raise BagError(
                f"the stamps of the {name} in {path} jump back{f': {told}' if late else ' and go on from there'}; "
                "record again without setting a clock or restarting a simulation"
            )
        return self._close()

    def discard(self) -> None:
        """Give the room back; nothing can be added any more."""
        self._close()

    def _close(self) -> list[Any]:
        return [column.finish() for column in (self._stamps, *self._columns)]

    def _append(self, stamp: Stamps, values: Array) -> None:
        self._stamps.append(stamp)
        for column, part in zip(self._columns, np.split(values, self._edges, axis=1), strict=True):
            column.append(part)
