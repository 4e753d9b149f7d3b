"""Time of a virtual machine's processors that its host gave to others: what no process on it can be blamed for."""

from pathlib import Path

_COUNTED = 8  # columns of the line "cpu" that add up to all time, see proc_stat(5); the last of them is stolen

Ticks = tuple[int, ...]


def processor_ticks(stat: Path = Path("/proc/stat")) -> Ticks | None:
    """Return how the processors spent their time since the machine was started, or None where that is not told.

    Args:
        stat: the kernel's file.
    """
    try:
        words = stat.read_text(encoding="ascii").partition("\n")[0].split()
        ticks = tuple(int(word) for word in words[1 : 1 + _COUNTED])
    except (OSError, ValueError):
        return None
    return ticks if words[:1] == ["cpu"] and len(ticks) == _COUNTED else None


def stolen_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """Return the share of the processors' time that was stolen between two calls of ``processor_ticks``."""
    if before is None or after is None:
        return None
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return spent[-1] / sum(spent) if sum(spent) > 0 else None
