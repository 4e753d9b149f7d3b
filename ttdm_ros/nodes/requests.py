"""What other threads want to have done in one thread."""

import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ttdm_ros.errors import SolverError

T = TypeVar("T")

_PATIENCE_S = 10.0  # for the thread to do what it is asked


class Requests:
    """Functions that wait to be called in a thread, which looks for them between two things of its own."""

    def __init__(self, is_alive: Callable[[], bool]) -> None:
        """Start with none; ``is_alive`` tells whether the thread runs."""
        self._is_alive = is_alive
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def put(self, function: Callable[[], None]) -> None:
        """Have a function called, some time."""
        self._waiting.put(function)

    def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns when called in the thread, or raise what it raises.

        Raises:
            SolverError: the thread has ended or does not do it in time; what it has not begun then, it never does.
        """
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self.put(job)
        try:
            if self._is_alive():
                return future.result(timeout=_PATIENCE_S)
        except TimeoutError as error:
            if not future.cancel():
                return _begun(future, error)
            if self._is_alive():
                raise SolverError(
                    f"the control thread was busy for {_PATIENCE_S:g} s, and nothing was changed; give it more of a "
                    "processor, and ask again"
                ) from error
        raise SolverError("the controller has ended; configure it again")

    def answer_one(self, timeout: float) -> None:
        """Call the one that waits longest; wait for one for at most ``timeout`` [s]."""
        with contextlib.suppress(queue.Empty):
            self._waiting.get(timeout=timeout)()

    def answer_all(self) -> None:
        """Call all that wait."""
        while not self._waiting.empty():
            self._waiting.get()()


def _begun(future: Future[T], error: TimeoutError) -> T:
    """Return the result of what was begun at the last moment, or has ended with a time-out of its own."""
    if future.done():
        return future.result()
    raise SolverError(
        f"the control thread has not finished within {_PATIENCE_S:g} s what it was asked; look at the controller's "
        "status before asking again"
    ) from error
