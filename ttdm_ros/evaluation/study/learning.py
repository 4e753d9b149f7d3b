"""Models of a study: the common checkpoint, and every fine-tuning of it."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ttdm_ros.dynamics.bundle import DESCRIPTION, load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.evaluation.study.config import StudyConfig, Variant
from ttdm_ros.evaluation.study.driving import split_drives
from ttdm_ros.evaluation.study.folder import Arrays, StudyFolder
from ttdm_ros.evaluation.study.plan import Cell, Drives
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.bag_data import BagData, reference_rows
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.dataset import Windows, cut
from ttdm_ros.training.export import ExportSettings, export
from ttdm_ros.training.metrics import PredictionMetrics, measure
from ttdm_ros.training.sensitivities import Hessian, SampleSensitivities
from ttdm_ros.training.trainer import fine_tune, train_base
from ttdm_ros.training.trajectory import Trajectory, resample
from ttdm_ros.training.weightings import find_weighting

Array = NDArray[np.float64]

_OTHER_BATCHES = 1_000_000  # what a seed is moved by so that no other has the same batches
_OF_CHECKPOINT = {
    *("specification", "base_steps", "base_rate", "base_batch", "weight_decay", "gradient_clip"),
    *("validate_every", "patience", "validation_share", "seed"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuned:
    """A model and its errors on samples that training never saw."""

    model: PredictionModel
    metrics: PredictionMetrics
    spread: Array
    """Standard deviation of each state in the recordings (14,), by which errors are made comparable."""


class Learning:
    """Trains on the recordings of one seed, up to a round."""

    def __init__(
        self, study: StudyConfig, folder: StudyFolder, arm: Arm, seed: int, last_round: int, drives: int | None = None
    ) -> None:
        """Read the recordings; of each round the first so many ``drives``, or all."""
        self._study, self._folder, self._arm = study, folder, arm
        self._seed, self._drives = seed, drives
        self._few = f"_drives{drives}" if drives else ""
        self._name = f"seed{seed}_round{last_round}{self._few}"
        self._bags = [self._bag(Drives(seed=seed, round=i)) for i in range(last_round + 1)]
        self._trajectories = [part for bag in self._bags for part in bag.trajectories]
        if study.training.threads:
            torch.set_num_threads(study.training.threads)

    def checkpoint(self, training: TrainingConfig) -> PredictionModel:
        """Return the one-step model of these recordings, trained if it never was.

        It is the same for every p, as it is trained on rollouts that fit the longest one.
        """
        text = training.model_dump_json(include=_OF_CHECKPOINT)
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        bundle = self._folder.checkpoints / f"{self._name}_{name}"
        if not (bundle / DESCRIPTION).exists():
            trained = train_base(
                self._windows(max(self._study.p)), training, [self._seed], robot=self._arm.name
            ).models[0]
            self._folder.checkpoints.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=self._folder.checkpoints))
            save_model(trained, work / "bundle", provenance={"study": name}, metrics={})
            with contextlib.suppress(OSError):  # another process was first, with the same model
                (work / "bundle").rename(bundle)
            shutil.rmtree(work)
        return load_model(str(bundle))

    def sensitivities(
        self, p: int, hessian: Hessian = "exact", of: PredictionModel | None = None
    ) -> SampleSensitivities:
        """Return the sensitivities of all samples; what is not there yet is worked out by this process."""
        settings = self._settings(p, hessian, of)
        name = f"p{p}_{hessian}_{settings.model.fingerprint}{self._few}"
        return export(self._bags, settings, self._folder.sensitivities / name, jobs=1)

    def tune(self, cell: Cell, training: TrainingConfig) -> list[Tuned]:
        """Fine-tune the checkpoint with every weighting of a cell; the first of those returned is the checkpoint."""
        checkpoint, windows = self.checkpoint(training), self._windows(cell.p)
        exact, nominal = self.sensitivities(cell.p), nominal_batch(self._arm)
        weightings = [find_weighting(name) for name in cell.weightings]
        variant = cell.variant or Variant(name="as chosen")
        models: Sequence[PredictionModel] = [checkpoint]
        for part in range(variant.parts):  # a variant, which alone can have several, has one weighting
            of = {"checkpoint": checkpoint, "refreshed": models[0]}.get(variant.sensitivities or "nominal")
            used = self.sensitivities(cell.p, variant.hessian or "exact", of)
            share = {"steps": training.steps // variant.parts, "seed": training.seed + part * _OTHER_BATCHES}
            settings = training.model_copy(update=share)
            models = fine_tune([models[0]], weightings, windows, used, nominal, settings).models
        models = [checkpoint, *models]
        spread = np.asarray(windows.x[:, 0]).std(axis=0)
        measured = measure(models, windows, nominal, exact)
        return [Tuned(model=m, metrics=each, spread=spread) for m, each in zip(models, measured, strict=True)]

    def training_of(
        self, specification: ModelSpecification, p: int, changed: dict[str, float | int | str] | None = None
    ) -> TrainingConfig:
        """Return the settings of a training; those of a variant are laid over the study's."""
        own = {"specification": specification.model_dump(), "p": p, "seed": self._seed}
        return TrainingConfig.model_validate({**self._study.training.model_dump(), **own, **(changed or {})})

    def _settings(self, p: int, hessian: Hessian = "exact", of: PredictionModel | None = None) -> ExportSettings:
        return ExportSettings(
            arm=self._arm,
            model=of or PredictionModel.nominal(),
            p=p,
            sampling=self._study.sampling,
            mpc=self._study.mpc,
            hessian=hessian,
        )

    def _windows(self, p: int) -> Windows:
        starts = self._settings(p).starts(self._trajectories)
        share = self._study.training.validation_share
        nominal = nominal_batch(self._arm)
        return cut(self._trajectories, starts, p, nominal, validation_share=share, seed=self._seed)

    def _bag(self, drives: Drives) -> BagData:
        path = self._folder.drives(drives.name)
        arrays = self._folder.read_arrays(path)
        kept = split_drives(arrays)[: self._drives]
        content = hashlib.sha256(b"".join(drive[name].tobytes() for drive in kept for name in sorted(drive)))
        parts = [part for drive in kept for part in _trajectories(self._arm, drive, self._study)]
        return BagData(path=path, fingerprint=content.hexdigest()[:16], trajectories=tuple(parts))


def _trajectories(arm: Arm, drive: Arrays, study: StudyConfig) -> Sequence[Trajectory]:
    """Bring one drive onto the grid, just as a bag is."""
    time, joints, sampling = drive["time"], drive["rows"][:, 12:], study.sampling
    return list(
        resample(
            arm,
            source="drive",
            time=time,
            q=drive["measured"][:, :7],
            v=drive["measured"][:, 7:],
            command_time=time,
            commands=drive["tau"],
            rows=reference_rows(arm, time, joints[:, :7], joints[:, 7:14], joints[:, 14:]),
            dt=sampling.dt,
            step=sampling.step,
            delay=sampling.delay,
        )
    )
