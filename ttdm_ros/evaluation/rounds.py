"""Rounds of improvement on disk: what each one gave, which model is the best, and whether another one pays."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ttdm_ros import __version__
from ttdm_ros.config import Config
from ttdm_ros.errors import TtdmError
from ttdm_ros.training.atomic import replace_file
from ttdm_ros.training.sensitivity_manifest import read_manifest

_UNFINISHED = "unfinished"


class Round(Config):
    """One round: recorded with the model before it, trained on all data so far, measured. Round 0 only measures."""

    number: int
    model: str
    """Of the check: a name of ``models/``, a path, or, from round 1 on, a folder within that of the rounds."""
    fingerprint: str
    bags: tuple[str, ...] = ()
    """Recorded in this round, relative to the folder of the rounds."""
    samples: dict[str, int] = Field(default_factory=dict)
    """That its model was trained on and validated with, of all rounds so far."""
    validation: dict[str, float] = Field(default_factory=dict)
    """Errors of its model on samples that its training never saw, as ``ttdm train`` measures them."""
    rmse_by_task: dict[str, float]
    """Of the tip to its reference, driven with this model and without exploration [mm]."""
    rmse_mm: float
    """Root mean square of those."""


class Run(Config):
    """What was driven: rounds of different runs are never mixed."""

    robot: str
    base_frame: str | None = None
    """None: the robot's own, and in rounds of a version that did not keep it."""
    tip_frame: str | None = None
    tasks: tuple[str, ...]
    plant: str | None
    """None: an arm that was up already."""
    model: str
    exploration: float
    params_file: str | None = None
    """For the nodes; None: the parameters that ship."""


class Rounds(Config):
    """All finished rounds of a run, the first one being number 0."""

    version: str = __version__
    run: Run
    rounds: tuple[Round, ...] = ()
    best: str | None = None
    """Model with the lowest RMSE."""
    ended: str | None = None
    """Why there is no further round."""
    problem: str | None = None
    """What went wrong, if something did."""

    @property
    def best_round(self) -> Round:
        """The one with the lowest RMSE, the earlier one of two; there must be one."""
        return min(self.rounds, key=lambda each: each.rmse_mm)

    def verdict(self, wanted: int, min_gain: float) -> str | None:
        """Say why there is to be no further round, or None if there is.

        Args:
            wanted: number of rounds, round 0 not counted.
            min_gain: share by which a round has to lower the RMSE below the best before it.
        """
        if len(self.rounds) > 1:
            last, before = self.rounds[-1], min(each.rmse_mm for each in self.rounds[:-1])
            if last.rmse_mm > before * (1.0 - min_gain):
                return (
                    f"round {last.number} did not pay: {last.rmse_mm:.2f} mm after {before:.2f} mm, "
                    f"where {min_gain:.0%} less was asked for"
                )
        return "all rounds that were asked for are done" if len(self.rounds) > wanted else None


@dataclass(frozen=True, slots=True)
class RoundsFolder:
    """Where rounds are kept; nothing in it is ever overwritten but logs, report and ``improve.json``."""

    path: Path

    @property
    def file(self) -> Path:
        """The figures of all rounds."""
        return self.path / "improve.json"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.path / "report.html"

    @property
    def sensitivities(self) -> Path:
        """Those of the bags of all rounds: each round's training works out only what its new bags add."""
        return self.path / "sensitivities"

    @property
    def logs(self) -> Path:
        """What the processes printed."""
        return self.path / "logs"

    def round(self, number: int) -> Path:
        """Folder of a round."""
        return self.path / f"round_{number:02d}"

    def open(self, run: Run) -> Rounds:
        """Make the folder, or return the finished rounds in it and move away what is of no use to further ones.

        That is what an unfinished round left, and sensitivities of another version of this package.

        Raises:
            TtdmError: it cannot be written, or holds rounds of another run.
        """
        found = self._read()
        if found is not None and found.run != run:
            names = [name for name in Run.model_fields if getattr(found.run, name) != getattr(run, name)]
            differences = ", ".join(f"{name} {getattr(found.run, name)}, not {getattr(run, name)}" for name in names)
            raise TtdmError(f"{self.path} holds rounds of another run ({differences}); choose another --output")
        rounds = Rounds(run=run) if found is None else found
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._move_unfinished(len(rounds.rounds))
            self._move_outdated_sensitivities()
        except OSError as error:
            raise TtdmError(
                f"the output folder {self.path} cannot be written ({error.strerror}); name another with --output"
            ) from error
        return rounds

    def write(self, rounds: Rounds) -> None:
        """Replace the file in one step.

        Raises:
            TtdmError: it cannot be written.
        """
        text = json.dumps(rounds.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
        try:
            replace_file(self.file, lambda target: target.write_text(text, encoding="utf-8"))
        except OSError as error:
            raise TtdmError(
                f"{self.file} cannot be written ({error.strerror}); make room, or choose another"
            ) from error

    def _read(self) -> Rounds | None:
        try:
            return Rounds.model_validate_json(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise TtdmError(f"{self.file} cannot be read as figures of rounds; choose another --output") from error

    def _move_unfinished(self, finished: int) -> None:
        for folder in sorted(self.path.glob("round_[0-9]*")):
            if folder.name.removeprefix("round_").isdecimal() and int(folder.name.removeprefix("round_")) >= finished:
                self._move_away(folder)

    def _move_outdated_sensitivities(self) -> None:
        if not self.sensitivities.exists():
            return
        try:
            current = read_manifest(self.sensitivities).version == __version__
        except TtdmError:
            current = False
        if not current:
            self._move_away(self.sensitivities)

    def _move_away(self, folder: Path) -> None:
        target = self.path / _UNFINISHED
        target.mkdir(exist_ok=True)
        number = 1 + sum(1 for _ in target.glob(f"{folder.name}_*"))
        folder.rename(target / f"{folder.name}_{number}")


def read_json(path: Path) -> dict[str, Any]:
    """Read what a command wrote.

    Raises:
        TtdmError: it is missing or damaged.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TtdmError(f"{path} cannot be read; see the logs beside the rounds") from error
    return content
