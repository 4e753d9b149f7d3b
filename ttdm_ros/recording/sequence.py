"""Counting what did not arrive, from the numbers a publisher gives its messages."""

import numpy as np

_REMEMBERED = 100_000  # numbers of missed messages kept, in case they arrive late


class SequenceCounter:
    """Follows the sequence numbers of each publisher of one topic.

    A message that overtakes another counts the other as missed until it arrives; a message that came already (two
    subscriptions hear it while one replaces the other) is recognised as a repeat.
    """

    __slots__ = ("_early", "_first", "_forgotten", "_last", "_missing")

    def __init__(self) -> None:
        """Start with no publisher known."""
        self._first: dict[bytes, int] = {}
        self._early: dict[bytes, set[int]] = {}
        self._last: dict[bytes, int] = {}
        self._missing: dict[bytes, set[int]] = {}
        self._forgotten = 0

    @property
    def missed(self) -> int:
        """Messages that were published after the first one received, and never arrived."""
        return self._forgotten + sum(map(len, self._missing.values()))

    def is_new(self, publisher: bytes, number: int) -> bool:
        """Note one message; return False if it was noted before."""
        last = self._last.get(publisher)
        if last is None:
            self._first[publisher] = number
        if last is None or number == last + 1:
            self._last[publisher] = number
            return True
        if number < self._first[publisher]:  # latched messages that came late
            early = self._early.setdefault(publisher, set())
            is_new = number not in early
            early.add(number)
            return is_new
        missing = self._missing.setdefault(publisher, set())
        if number > last:
            self._last[publisher] = number
            room = _REMEMBERED - len(missing)
            oldest_kept = max(last + 1, number - room)
            self._forgotten += oldest_kept - (last + 1)
            missing.update(range(oldest_kept, number))
            return True
        if number in missing:
            missing.remove(number)
            return True
        return False


def count_missing(numbers: np.ndarray) -> int | None:
    """Return how many numbers are absent between the first and the last of ``numbers`` (n,).

    None if the numbers cannot tell: all are zero (the recorder had none), or they do not increase (several publishers,
    or one that was started again).
    """
    steps = np.diff(numbers.astype(np.int64))
    if not len(steps) or (steps <= 0).any():
        return None if len(steps) or not numbers.any() else 0
    return int((steps - 1).sum())
