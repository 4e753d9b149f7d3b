"""What a person sees while a demo runs: bars in a terminal, lines elsewhere."""

import math
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_ERROR = 2  # diagnostic_msgs/DiagnosticStatus.ERROR
_LINE_EVERY_S = 5.0  # where there is no terminal to redraw

_PREPARING = "preparing the solver"
_PATIENCE = "compiling it, once, may take a minute"
_STAGES = {
    "inactive": _PREPARING,
    "waiting": "waiting for the arm",
    "approach": "moving to the start",
    "tracking": "tracking",
    "holding": "done, holding",
    "leaving": "coming to rest",
    "braking": "fault, braking",
    "stopped": "fault, stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerStatus:
    """What ``mpc_controller/status`` says; NaN for numbers it does not hold.

    Attributes:
        phase: name of the phase in lower case.
        progress: how much of the task is done, 0 to 1.
        tracking_error_mm: distance of the tip to its reference [mm].
        solve_us: time of the last solve [µs].
        missed: solves that came too late.
        is_error: whether the controller itself calls its state an error.
        message: its message, in words.
    """

    phase: str
    progress: float
    tracking_error_mm: float
    solve_us: float
    missed: float
    is_error: bool
    message: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> "ControllerStatus":
        """Read the values of a status message."""
        return cls(
            phase=str(values.get("phase", "")).lower(),
            progress=_number(values.get("progress")),
            tracking_error_mm=_number(values.get("tracking_error_mm")),
            solve_us=_number(values.get("solve_us")),
            missed=_number(values.get("missed")),
            is_error=_number(values.get("level")) >= _ERROR,
            message=str(values.get("message", "")),
        )


class DemoView:
    """Shows the stages of a demo; use it in a ``with`` block."""

    def __init__(self, console: Console) -> None:
        """Show the first stage from the beginning of the ``with`` block."""
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            refresh_per_second=5.0,
            disable=not console.is_terminal,
        )
        self._stage = ""
        self._task: TaskID | None = None
        self._last_line = -math.inf

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        self._begin(_PREPARING, _PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw a last time."""
        if kind is None:
            self._finish()
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False)

    def stage(self, text: str) -> None:
        """Begin a stage that no status tells of."""
        if text != self._stage:
            self._begin(text)

    def show(self, status: ControllerStatus) -> None:
        """Follow the controller."""
        self.stage(_STAGES.get(status.phase, status.phase))
        note = _note(status)
        if self._task is not None:
            done = status.progress if status.phase == "tracking" and math.isfinite(status.progress) else None
            self._progress.update(self._task, total=None if done is None else 1.0, completed=done or 0.0, note=note)
        if note and not self._console.is_terminal and time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self.say(f"  {note}")

    def _begin(self, stage: str, note: str = "") -> None:
        self._finish()
        self._stage = stage
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._task = self._progress.add_task(stage, total=None, note=note)
        else:
            self.say(f"{stage} ({note})" if note else stage)

    def _finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1.0, completed=1.0)


def _note(status: ControllerStatus) -> str:
    parts = []
    if status.phase == "tracking" and math.isfinite(status.progress):
        parts.append(f"{status.progress:4.0%}")
    if status.phase in ("approach", "tracking", "holding"):
        if math.isfinite(status.tracking_error_mm):
            parts.append(f"tip error {status.tracking_error_mm:5.2f} mm")
        if math.isfinite(status.solve_us):
            parts.append(f"solve {status.solve_us:4.0f} µs")
    return ", ".join(parts)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
