"""Training: a one-step checkpoint, then fine-tuning on weighted rollouts; many models of one shape side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.errors import ConfigError
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.context import Context
from ttdm_ros.training.dataset import Mask, Windows
from ttdm_ros.training.first_steps import FirstSteps
from ttdm_ros.training.optimiser import History, Progress, Schedule, optimise, validation_rows
from ttdm_ros.training.resume import ResumeFile
from ttdm_ros.training.rollouts import Rollouts
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.store import Column, Store
from ttdm_ros.training.tuning import Tuning
from ttdm_ros.training.weightings import Weighting

Array = NDArray[np.float64]

_FACTORS = ("full", "diagonal")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The outcome of a training."""

    models: list[PredictionModel]
    history: History
    best: list[float]
    """Best validation loss of each model: relative to the checkpoint's for fine-tuning, and to the variance of what is
    to be explained for the checkpoint itself."""


def device_of(config: TrainingConfig) -> torch.device:
    """Return where to train."""
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(config.device)


def train_base(
    windows: Windows,
    config: TrainingConfig,
    seeds: Sequence[int],
    *,
    robot: str = "",
    on_progress: Callable[[Progress], None] = lambda progress: None,
    resume: ResumeFile | None = None,
    store: Store | None = None,
) -> Trained:
    """Train the one-step checkpoint of every seed: the mean squared error of the state after one step.

    With semi-implicit Euler that error is the acceleration's, times dt and dt²/2: a regression.

    Args:
        windows: rollouts, of which the first steps are used.
        config: settings.
        seeds: of the initial weights, one a model.
        robot: name of the robot the models are for.
        on_progress: told now and then.
        resume: where the state is kept.
        store: where what is worked out of the data set is kept; the system's folder for temporary files if left out.
    """
    data = FirstSteps(windows, config.specification.structure, store or Store())
    columns = config.specification.columns
    norms = {
        "input_mean": data.z_mean[columns],
        "input_std": np.maximum(data.z_deviation[columns], 1e-3),
        "output_mean": data.target_mean,
        "output_std": np.maximum(data.target_deviation, 1e-6),
    }
    networks = _stack([_initial(config, seed, norms, robot) for seed in seeds], config)
    scale = max(float(np.square(data.target_deviation).sum()), 1e-300)

    def loss(rows: Tensor) -> Tensor:
        chosen = rows.cpu().numpy()
        error = networks(_tensor(networks, data.z[chosen])) - _tensor(networks, data.target[chosen])
        return error.square().sum(dim=-1).mean(dim=-1) / scale

    names = [f"one_step_{seed}" for seed in seeds]
    schedule = _schedule(config, "checkpoint", config.base_steps, config.base_rate, config.base_batch)
    rows = np.flatnonzero(windows.training), np.flatnonzero(windows.validation)
    history, best = optimise(networks, loss, rows, names, schedule, on_progress=on_progress, resume=resume)
    return Trained(models=[networks.model(i, name) for i, name in enumerate(names)], history=history, best=best)


def fine_tune(
    checkpoints: Sequence[PredictionModel],
    weightings: Sequence[Weighting],
    windows: Windows,
    sensitivities: SampleSensitivities | None,
    nominal: NominalBatch,
    config: TrainingConfig,
    *,
    seeds: Sequence[int] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    resume: ResumeFile | None = None,
    store: Store | None = None,
) -> Trained:
    """Fine-tune every checkpoint with every weighting, all together, on the same batches.

    Args:
        checkpoints: of one specification and normalisation.
        weightings: to tune with.
        windows: rollouts of ``config.p`` steps.
        sensitivities: of the same samples; None if no weighting needs them.
        nominal: acceleration of the arm.
        config: settings.
        seeds: of the checkpoints, for the models' names; counted from 0 if left out.
        on_progress: told now and then.
        resume: where the state is kept.
        store: where what is worked out of the data set is kept; the system's folder for temporary files if left out.

    Returns:
        Models in the order of weightings, within each in that of the checkpoints. Losses are relative to those of the
        checkpoint on the validation data.

    Raises:
        ConfigError: a weighting needs sensitivities, and there are none, or none at samples for training or for
            validation; or what the errors of the checkpoints cost is no finite number.
    """
    training, validation = _usable(windows, sensitivities)
    context = Context(x=windows.x, training=training, sensitivities=sensitivities, floor=config.floor, clip=config.clip)
    tuning = Tuning(
        networks=_stack(checkpoints[:1], config),
        windows=windows,
        context=context,
        nominal=nominal,
        config=config,
        on_progress=on_progress,
    )
    weightings = [weighting.prepare(tuning) for weighting in weightings]
    networks = _stack([checkpoint for _ in weightings for checkpoint in checkpoints], config)
    rollouts = Rollouts(windows, networks, nominal, method=config.nominal)
    weigh = [_Weighed(weighting, context, networks, store or Store()) for weighting in weightings]
    groups = len(weightings), len(checkpoints)

    def loss(rows: Tensor) -> Tensor:
        errors = rollouts.errors(rows).unflatten(0, groups)
        return torch.cat([each(own, rows) for each, own in zip(weigh, errors, strict=True)])

    with torch.no_grad():
        scale = loss(validation_rows(np.flatnonzero(validation), networks, config.seed)).clamp_min(1e-30)
    names = [f"{weighting.name}_{seed}" for weighting in weightings for seed in seeds or range(len(checkpoints))]
    _check_finite(scale, names)
    history, best = optimise(
        networks,
        lambda rows: loss(rows) / scale,
        (np.flatnonzero(training), np.flatnonzero(validation)),
        names,
        _schedule(config, "fine-tuning", config.steps, config.rate, config.batch),
        on_progress=on_progress,
        resume=resume,
    )
    return Trained(models=[networks.model(i, name) for i, name in enumerate(names)], history=history, best=best)


def _usable(windows: Windows, sensitivities: SampleSensitivities | None) -> tuple[Mask, Mask]:
    """Return which samples are trained on and validated with: where there are sensitivities, those that have them."""
    if sensitivities is None:
        return windows.training, windows.validation
    training, validation = windows.training & sensitivities.good, windows.validation & sensitivities.good
    for purpose, mask in (("training", training), ("validation", validation)):
        if not mask.any():
            raise ConfigError(
                f"no sample for {purpose} has sensitivities (of all {len(windows)} samples, "
                f"{int(sensitivities.good.sum())} have); record for longer, or take those of the nominal model"
            )
    return training, validation


def _check_finite(scale: Tensor, names: Sequence[str]) -> None:
    wrong = [name for name, finite in zip(names, torch.isfinite(scale).tolist(), strict=True) if not finite]
    if wrong:
        raise ConfigError(
            f"what the errors of the checkpoint cost is no finite number for {wrong[0]}; lower base_rate, or set "
            "precision to double"
        )


class _Weighed:
    """The loss of one weighting."""

    def __init__(self, weighting: Weighting, context: Context, networks: NetworkStack, store: Store) -> None:
        self._coupled, self._networks = weighting.coupled, networks
        dtype = str(networks.weights[0].dtype).removeprefix("torch.")
        self._full, self._diagonal = _factors(weighting, context, dtype, store)

    def __call__(self, errors: Tensor, rows: Tensor) -> Tensor:
        """Return the mean loss (M,) of errors (M, n, p, 14) at the samples ``rows`` (n,)."""
        total = errors.new_zeros(len(errors))
        if self._full is not None:
            weighted = (self._of(self._full, rows) @ errors.unsqueeze(-1)).squeeze(-1)
            if self._coupled:
                weighted = weighted.sum(dim=2)
            total = total + weighted.square().flatten(2).sum(dim=2).mean(dim=1)
        if self._diagonal is not None:
            total = total + (errors * self._of(self._diagonal, rows)).square().sum(dim=(2, 3)).mean(dim=1)
        return total

    def _of(self, factor: NDArray[Any], rows: Tensor) -> Tensor:
        return _tensor(self._networks, factor[rows.cpu().numpy()] if len(factor) > 1 else factor)


def _factors(weighting: Weighting, context: Context, dtype: DTypeLike, store: Store) -> list[NDArray[Any] | None]:
    """Return F and d of all samples, worked out part by part; one row where they are the same for each."""
    columns: dict[str, Column] = {}
    alike: set[str] = set()
    for part in context.parts():
        factors = weighting.factors(part)
        for name in _FACTORS:
            value = getattr(factors, name)
            if value is None or name in alike:
                continue
            if name not in columns:
                columns[name] = store.column(*value.shape[1:], dtype=dtype)
                alike |= {name} if len(value) == 1 else set()
            columns[name].append(value)
        if alike == columns.keys():
            break
    arrays = {name: column.finish() for name, column in columns.items()}
    return [arrays.get(name) for name in _FACTORS]


def _initial(config: TrainingConfig, seed: int, norms: dict[str, Array], robot: str) -> PredictionModel:
    random = PredictionModel.random(config.specification, seed)
    return PredictionModel(
        specification=config.specification, layers=random.layers, name=f"one_step_{seed}", robot=robot, **norms
    )


def _schedule(config: TrainingConfig, stage: str, steps: int, rate: float, batch: int) -> Schedule:
    return Schedule(
        stage=stage,
        steps=steps,
        rate=rate,
        batch=batch,
        weight_decay=config.weight_decay,
        gradient_clip=config.gradient_clip,
        validate_every=config.validate_every,
        patience=config.patience,
        seed=config.seed,
    )


def _stack(models: Sequence[PredictionModel], config: TrainingConfig) -> NetworkStack:
    dtype = torch.float32 if config.precision == "single" else torch.float64
    stack: NetworkStack = NetworkStack(models).to(device=device_of(config), dtype=dtype)
    return stack


def _tensor(networks: NetworkStack, array: NDArray[Any]) -> Tensor:
    like = networks.weights[0]
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device=like.device, dtype=like.dtype)
