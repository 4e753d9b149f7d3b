"""The folder a demo writes into: always the latest run at its top, and every earlier one kept whole below it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttdm_ros.errors import TtdmError

_EARLIER = "earlier"
_OF_A_RUN = ("lesson", "training", "bag", "report.html", "summary.json", "logs")


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Paths of the latest run.

    What the run before left is moved together into ``earlier/001``, ``earlier/002`` and so on; nothing is ever
    overwritten or removed but the logs of a run that went well.
    """

    path: Path

    @property
    def bag(self) -> Path:
        """The bag's folder."""
        return self.path / "bag"

    @property
    def lesson(self) -> Path:
        """The bag that the model is trained on."""
        return self.path / "lesson"

    @property
    def training(self) -> Path:
        """Model and report of the training."""
        return self.path / "training"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.path / "report.html"

    @property
    def summary(self) -> Path:
        """The figures as JSON."""
        return self.path / "summary.json"

    @property
    def logs(self) -> Path:
        """What the processes printed."""
        return self.path / "logs"

    def prepare(self) -> Path | None:
        """Make the folder, and move an earlier run away; return where that is now, None if there was none.

        Raises:
            TtdmError: the folder cannot be written.
        """
        try:
            moved = self._move_earlier_run()
            self.logs.mkdir(parents=True)
        except OSError as error:
            raise TtdmError(
                f"the output folder {self.path} cannot be written ({error.strerror}); name another with --output"
            ) from error
        return moved

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the figures; the same figures give the same text."""
        self.summary.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def remove_logs(self) -> None:
        """Remove what the processes printed."""
        shutil.rmtree(self.logs, ignore_errors=True)

    def _move_earlier_run(self) -> Path | None:
        found = [self.path / name for name in _OF_A_RUN if (self.path / name).exists()]
        if not found:
            return None
        earlier = self.path / _EARLIER
        numbers = [int(folder.name) for folder in earlier.glob("[0-9]*") if folder.name.isdecimal()]
        target = earlier / f"{max(numbers, default=0) + 1:03d}"
        target.mkdir(parents=True)
        for path in found:
            path.rename(target / path.name)
        return target
