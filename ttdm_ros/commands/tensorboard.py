"""TensorBoard logs of a training, where the package `tensorboard` is installed; nothing otherwise."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from ttdm_ros.training.optimiser import Progress


class TensorboardLog:
    """A run a model, below one folder; use it in a ``with`` block."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is written before the first report."""
        self._folder, self._writers = folder, dict[str, Any]()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            SummaryWriter = None
        self._writer = SummaryWriter

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def on_training(self, progress: "Progress") -> None:
        """Write the losses of a look."""
        if self._writer is None:
            return
        for name, training, validation in zip(progress.names, progress.training, progress.validation, strict=True):
            if name not in self._writers:
                self._writers[name] = self._writer(str(self._folder / name))
            self._writers[name].add_scalar(f"{progress.stage}/training", training, progress.step)
            self._writers[name].add_scalar(f"{progress.stage}/best_validation", validation, progress.step)
