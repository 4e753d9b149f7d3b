"""What happens to the processes of a demo when the demo itself is told to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console


@contextmanager
def ended_by_signals(folder: Path, console: Console) -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does, so that the processes are stopped in order; say what is left."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        console.print(f"Interrupted; what was recorded until then is in {folder}", highlight=False)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
