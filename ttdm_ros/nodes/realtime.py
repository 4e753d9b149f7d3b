"""Letting a node go first on a busy machine, where the system allows it."""

import os
from contextlib import suppress
from pathlib import Path


def go_first(priority: int) -> str | None:
    """Schedule every thread of this process before all normal ones (SCHED_FIFO); what it starts later is normal.

    Args:
        priority: 1 to 99, higher goes first; 0 leaves everything as it is.

    Returns:
        Why it is not allowed, in words; None if it was done or not wanted.
    """
    if priority == 0:
        return None
    policy, parameter = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority)
    try:
        for thread in _threads():
            with suppress(ProcessLookupError):  # it has just ended
                os.sched_setscheduler(thread, policy, parameter)
    except PermissionError:
        return (
            f"real-time priority {priority} is not allowed here; on a busy machine deadlines will be missed (raise "
            "'rtprio' in /etc/security/limits.conf, or set realtime_priority to 0)"
        )
    return None


def go_along() -> None:
    """Schedule every thread of this process like all others again."""
    with suppress(PermissionError):
        for thread in _threads():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _threads() -> list[int]:
    return [int(folder.name) for folder in Path("/proc/self/task").iterdir()]
