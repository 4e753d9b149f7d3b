"""From bags to models in one call: data, sensitivities, checkpoints, fine-tuning, measures, bundles."""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttdm_ros import __version__
from ttdm_ros.dynamics.bundle import DESCRIPTION, load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch, nominal_batch
from ttdm_ros.errors import BundleError
from ttdm_ros.training.bag_data import BagData, read_bags
from ttdm_ros.training.dataset import Windows, cut
from ttdm_ros.training.export import ExportProgress, ExportSettings, export
from ttdm_ros.training.job import TrainingJob
from ttdm_ros.training.metrics import PredictionMetrics, measure, measure_nominal
from ttdm_ros.training.optimiser import Progress
from ttdm_ros.training.resume import ResumeFile
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.store import Store
from ttdm_ros.training.trainer import Trained, fine_tune, train_base


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelOutcome:
    """One model and its measures."""

    weighting: str
    """``one_step`` for a checkpoint."""
    seed: int
    folder: Path
    model: PredictionModel
    metrics: PredictionMetrics


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingOutcome:
    """Everything a training yields; its models are in their folders already."""

    job: TrainingJob
    bags: tuple[BagData, ...]
    windows: Windows
    sensitivities: SampleSensitivities | None
    base: Trained
    tuned: Trained
    nominal: PredictionMetrics
    checkpoints: list[ModelOutcome]
    models: list[ModelOutcome]
    """In the order of weightings, within each in that of seeds."""

    @property
    def bundles(self) -> list[Path]:
        """Folders of the models."""
        return [outcome.folder for outcome in self.models]


def train_from_bags(
    job: TrainingJob,
    *,
    on_export: Callable[[ExportProgress], None] = lambda progress: None,
    on_training: Callable[[Progress], None] = lambda progress: None,
    on_outcome: Callable[[TrainingOutcome], None] = lambda outcome: None,
    announce: Callable[[str], None] | None = None,
) -> TrainingOutcome:
    """Train models and write a bundle for each.

    A training that was interrupted goes on where it was when the same job is started again, also if it was while its
    bundles were written.

    Args:
        job: what is to be trained.
        on_export: told how far the sensitivities are.
        on_training: told how far the training is.
        on_outcome: given the outcome when all bundles are written, to report it; if this fails, the training counts as
            interrupted.
        announce: told, in a sentence, when something has to be compiled, and of bags that are left out as copies.

    Raises:
        BagError: a bag cannot be used, or the bags hold too little.
        BundleError: a bundle of that name is there already.
        ConfigError: a weighting is not known or named twice, or the specification has no network.
        SensitivityError: the sensitivities given are of something else.
        SolverError: acados or a compiler is missing.
        StorageError: there is no room for the data set, which is kept on disk beside ``job.out``.
    """
    weightings = job.check()
    if job.config.threads:
        torch.set_num_threads(job.config.threads)
    store = Store(job.out)
    bags = read_bags(job.bags, job.arm, job.sampling, namespace=job.namespace, store=store, announce=announce)
    trajectories = [trajectory for bag in bags for trajectory in bag.trajectories]
    settings = ExportSettings(
        arm=job.arm,
        model=job.model,
        p=job.config.p,
        sampling=job.sampling,
        mpc=job.mpc,
        hessian=job.hessian,
        method=job.method,
    )
    key = _key(job, bags, settings)
    base_state, tuned_state = (ResumeFile(path, key) for path in job.states)
    if base_state.read() is None:  # bundles that are there are not of this training
        job.check_folders()
    nominal = nominal_batch(job.arm)
    config = job.config
    windows = cut(
        trajectories,
        settings.starts(trajectories),
        config.p,
        nominal,
        validation_share=config.validation_share,
        seed=config.seed,
        store=store,
    )
    sensitivities = None
    if any(weighting.needs_sensitivities for weighting in weightings):
        folder = job.sensitivities or job.out / "sensitivities"
        sensitivities = export(
            bags,
            settings,
            folder,
            jobs=job.jobs,
            executor=job.executor,
            on_progress=on_export,
            announce=announce,
            store=store,
        )
    _make_folder(job.out)
    base = train_base(
        windows, config, job.seeds, robot=job.arm.name, on_progress=on_training, resume=base_state, store=store
    )
    tuned = fine_tune(
        base.models,
        weightings,
        windows,
        sensitivities,
        nominal,
        config,
        seeds=job.seeds,
        on_progress=on_training,
        resume=tuned_state,
        store=store,
    )
    outcome = _outcome(job, bags, windows, sensitivities, base, tuned, nominal)
    _save(outcome)
    on_outcome(outcome)
    for state in (base_state, tuned_state):
        state.remove()
    return outcome


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"the folder {folder} cannot be made ({error.strerror}); choose another one") from error


def _key(job: TrainingJob, bags: Sequence[BagData], settings: ExportSettings) -> str:
    content = [
        settings.manifest.model_dump_json(),
        *(bag.fingerprint for bag in bags),
        job.config.model_dump_json(exclude={"threads"}),
        json.dumps([job.weightings, job.seeds]),
    ]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _outcome(
    job: TrainingJob,
    bags: tuple[BagData, ...],
    windows: Windows,
    sensitivities: SampleSensitivities | None,
    base: Trained,
    tuned: Trained,
    nominal: NominalBatch,
) -> TrainingOutcome:
    measured = measure([*base.models, *tuned.models], windows, nominal, sensitivities)
    seeds = len(job.seeds)

    def entry(index: int, weighting: str, folder: Path, model: PredictionModel) -> ModelOutcome:
        return ModelOutcome(
            weighting=weighting,
            seed=job.seeds[index % seeds],
            folder=folder,
            model=model,
            metrics=measured[index],
        )

    checkpoints = [entry(i, "one_step", job.checkpoint(s), base.models[i]) for i, s in enumerate(job.seeds)]
    pairs = [(weighting, seed) for weighting in job.weightings for seed in job.seeds]
    models = [
        entry(seeds + i, weighting, job.bundle(weighting, seed), tuned.models[i])
        for i, (weighting, seed) in enumerate(pairs)
    ]
    return TrainingOutcome(
        job=job,
        bags=bags,
        windows=windows,
        sensitivities=sensitivities,
        base=base,
        tuned=tuned,
        nominal=measure_nominal(windows, nominal, sensitivities),
        checkpoints=checkpoints,
        models=models,
    )


def _save(outcome: TrainingOutcome) -> None:
    best = [*outcome.base.best, *outcome.tuned.best]
    for each, loss in zip([*outcome.checkpoints, *outcome.models], best, strict=True):
        if (each.folder / DESCRIPTION).exists() and load_model(each.folder).fingerprint == each.model.fingerprint:
            continue  # written before this training was interrupted
        metrics = {
            **each.metrics.plain(),
            "best_validation_loss": float(f"{loss:.6g}"),
            "nominal": outcome.nominal.plain(),
        }
        save_model(each.model, each.folder, provenance=_provenance(outcome, each), metrics=metrics)


def _provenance(outcome: TrainingOutcome, of: ModelOutcome) -> dict[str, Any]:
    job, sensitivities = outcome.job, outcome.sensitivities
    content: dict[str, Any] = {
        "weighting": of.weighting,
        "p": 1 if of.weighting == "one_step" else job.config.p,
        "seed": of.seed,
        "bags": [{"name": bag.path.name, "fingerprint": bag.fingerprint} for bag in outcome.bags],
        "arm": job.arm.fingerprint,
        "samples": {
            "training": int(outcome.windows.training.sum()),
            "validation": int(outcome.windows.validation.sum()),
        },
        "sampling": job.sampling.model_dump(mode="json"),
        "training": job.config.model_dump(mode="json", exclude={"specification", "p", "device", "threads"}),
        "versions": {
            "ttdm_ros": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    if of.weighting != "one_step" and sensitivities is not None:
        content["sensitivities"] = {
            "model": job.model.name,
            "model_fingerprint": job.model.fingerprint,
            "hessian": job.hessian,
            "method": job.method,
            "solved": int(sensitivities.good.sum()),
            "not_solved": dict(sensitivities.reasons),
            "mpc": job.mpc.model_dump(mode="json"),
        }
    return content
