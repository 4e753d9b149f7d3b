"""Progress of exports and trainings in the terminal; a line now and then where the output is no terminal."""

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ttdm_ros.commands.terminal import make_console

if TYPE_CHECKING:
    from ttdm_ros.evaluation.study.runner import StudyProgress
    from ttdm_ros.training.export import ExportProgress
    from ttdm_ros.training.optimiser import Progress as TrainingProgress

_LINE_EVERY = 10.0  # [s]


class ProgressDisplay:
    """Bars for every stage; use it in a ``with`` block."""

    def __init__(self) -> None:
        """Prepare; nothing is shown before the first report."""
        self.console = make_console()
        columns = (TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.fields[told]}"))
        self._bars = Progress(*columns, TimeRemainingColumn(), console=self.console)
        self._tasks: dict[str, TaskID] = {}
        self._last_line = -math.inf

    def __enter__(self) -> Self:
        """Start the bars."""
        if self.console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bars."""
        self._bars.stop()

    def announce(self, text: str) -> None:
        """Say a sentence."""
        self.console.print(text, highlight=False)

    def on_export(self, progress: "ExportProgress") -> None:
        """Show how far an export is."""
        left_out = sum(progress.reasons.values())
        told = f"{progress.done}/{progress.total}, {progress.rate:.0f}/s" + f", {left_out} left out" * bool(left_out)
        if not self.console.is_terminal and math.isfinite(progress.seconds_left):
            told += f", {progress.seconds_left:.0f} s left"
        self._show("sensitivities", progress.done, progress.total, told)

    def on_training(self, progress: "TrainingProgress") -> None:
        """Show how far a training is."""
        losses = progress.validation
        told = f"step {progress.step}, loss {min(losses):.3g}"
        if len(losses) > 1:
            told += f" to {max(losses):.3g}"
        self._show(progress.stage, progress.step, progress.steps, told)

    def on_study(self, progress: "StudyProgress") -> None:
        """Show how far a study is."""
        left = progress.seconds / progress.done * (progress.total - progress.done)
        told = f"{progress.done}/{progress.total}"
        if not self.console.is_terminal and left:
            told += f", {left / 60.0:.0f} min left"
        self._show(progress.stage, progress.done, progress.total, told)

    def _show(self, stage: str, done: int, total: int, told: str) -> None:
        if self.console.is_terminal:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=max(total, 1), told=told)
            self._bars.update(self._tasks[stage], completed=done, total=max(total, 1), told=told)
        elif done >= total or time.monotonic() - self._last_line > _LINE_EVERY:
            self._last_line = time.monotonic()
            self.console.print(f"{stage:<14} {told}", highlight=False)
