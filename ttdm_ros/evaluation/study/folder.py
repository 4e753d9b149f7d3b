"""The folder of a study: what is finished is there whole, and never mixed with another study's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.plain import as_plain
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.training.atomic import replace_file

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Paths in it."""

    path: Path

    def open(self, study: StudyConfig) -> None:
        """Make the folder, or check that it is of the same study.

        Raises:
            TtdmError: it holds another study, or cannot be written.
        """
        description, content = self.path / "study.json", study.model_dump(mode="json")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not description.exists():
                self.write(description, content)
        except OSError as error:
            raise TtdmError(f"the folder {self.path} cannot be written ({error.strerror}); choose another") from error
        if self.read(description) != json.loads(json.dumps(content)):
            raise TtdmError(f"{self.path} holds a study with other settings; choose another folder with --out")

    @property
    def baselines(self) -> Path:
        """What oracle and nominal model cost."""
        return self.path / "baselines.json"

    @property
    def sensitivities(self) -> Path:
        """Exports."""
        return self.path / "sensitivities"

    @property
    def checkpoints(self) -> Path:
        """Bundles that are fine-tuned."""
        return self.path / "checkpoints"

    @property
    def seconds(self) -> float:
        """Time that the study took so far, in all its parts [s]."""
        return float(self.read(self._time)["seconds"]) if self._time.exists() else 0.0

    def note_seconds(self, seconds: float) -> None:
        """Keep the time that the study took so far [s]."""
        self.write(self._time, {"seconds": round(seconds, 1)})

    @property
    def _time(self) -> Path:
        return self.path / "time.json"

    def drives(self, name: str) -> Path:
        """Recordings of a seed and round."""
        return self.path / "drives" / f"{name}.npz"

    def cell(self, name: str) -> Path:
        """Result of a cell."""
        return self.path / "cells" / f"{name}.json"

    def write(self, path: Path, content: Any) -> None:
        """Write JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(as_plain(content), indent=1, allow_nan=False) + "\n"
        replace_file(path, lambda target: target.write_text(text, encoding="utf-8"))

    def read(self, path: Path) -> Any:
        """Read JSON.

        Raises:
            TtdmError: it is damaged.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TtdmError(f"{path} cannot be read ({error}); delete it, and start the study again") from error

    def write_arrays(self, path: Path, arrays: Arrays) -> None:
        """Write arrays, all of them or none."""
        path.parent.mkdir(parents=True, exist_ok=True)

        def write(target: Path) -> None:
            with target.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]

        replace_file(path, write)

    def read_arrays(self, path: Path) -> Arrays:
        """Read arrays.

        Raises:
            TtdmError: the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError) as error:
            raise TtdmError(f"{path} cannot be read ({error}); delete it, and start the study again") from error
