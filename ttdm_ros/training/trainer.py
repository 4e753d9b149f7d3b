"""Training: a one-step checkpoint, then fine-tuning on weighted rollouts; many models of one shape side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.torch_form import NetworkStack, rollout
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.dataset import Windows
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.weightings import Context, Weighting

Array = NDArray[np.float64]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training is."""

    stage: str
    step: int
    steps: int
    training: tuple[float, ...]
    """Loss of each model over the last batches, relative to the checkpoint."""
    validation: tuple[float, ...]
    """Best validation loss of each model so far, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Losses over the steps, a column a model."""

    step: list[int] = field(default_factory=list)
    training: list[list[float]] = field(default_factory=list)
    validation: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """The outcome of a training."""

    models: list[PredictionModel]
    history: History
    best: list[float]
    """Best validation loss of each model, relative to the checkpoint's for fine-tuning [1], absolute otherwise."""


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
) -> Trained:
    """Train the one-step checkpoint of every seed: the mean squared error of the state after one step.

    With semi-implicit Euler that error is the acceleration's, times dt and dt²/2: a regression.
    """
    train = ~windows.validation
    target = windows.residual if config.specification.structure == "residual" else windows.residual + windows.nominal
    z = windows.z
    columns = config.specification.columns
    means = {
        "input_mean": z[train][:, columns].mean(axis=0),
        "input_std": np.maximum(z[train][:, columns].std(axis=0), 1e-3),
        "output_mean": target[train].mean(axis=0),
        "output_std": np.maximum(target[train].std(axis=0), 1e-6),
    }
    models = [_initial(config, seed, means, robot) for seed in seeds]
    networks = NetworkStack(models).to(device_of(config))
    scale = float(np.square(target[train] - means["output_mean"]).sum(axis=1).mean())
    inputs, outputs = _tensors(networks, z, target)

    def loss(index: Tensor, rows: Tensor) -> Tensor:
        error = networks(inputs[rows]) - outputs[rows]
        return error.square().sum(dim=-1).mean(dim=-1) / scale

    return _optimise(
        networks,
        loss,
        windows,
        stage="checkpoint",
        names=[f"seed_{seed}" for seed in seeds],
        steps=config.base_steps,
        rate=config.base_rate,
        batch=config.base_batch,
        config=config,
        on_progress=on_progress,
    )


def fine_tune(
    checkpoints: Sequence[PredictionModel],
    weightings: Sequence[Weighting],
    windows: Windows,
    sensitivities: SampleSensitivities | None,
    nominal: NominalBatch,
    config: TrainingConfig,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Fine-tune every checkpoint with every weighting, all together, on the same batches.

    Args:
        checkpoints: of one specification and normalisation.
        weightings: to tune with.
        windows: rollouts of at least ``config.p`` steps.
        sensitivities: of the same samples; None if no weighting needs them.
        nominal: acceleration of the arm.
        config: settings.
        on_progress: told now and then.

    Returns:
        Models in the order of weightings, within each in that of the checkpoints.
    """
    p, seeds = config.p, len(checkpoints)
    usable = np.ones(len(windows), dtype=bool) if sensitivities is None else sensitivities.good
    context = Context(
        x=windows.x[:, : p + 1],
        training=~windows.validation & usable,
        sensitivities=sensitivities,
        floor=config.floor,
        clip=config.clip,
    )
    networks = NetworkStack([checkpoint for _ in weightings for checkpoint in checkpoints]).to(device_of(config))
    factors = [_tensors(networks, weighting.factors(context))[0] for weighting in weightings]
    x, u, first = _tensors(networks, windows.x[:, : p + 1], windows.u[:, :p], windows.nominal)

    def loss(index: Tensor, rows: Tensor) -> Tensor:
        error = rollout(networks, x[rows, 0], u[rows], windows.dt, nominal, first[rows]) - x[rows, 1:]
        losses = []
        for i, (weighting, factor) in enumerate(zip(weightings, factors, strict=True)):
            own = error[i * seeds : (i + 1) * seeds]
            f = factor[rows] if len(factor) > 1 else factor
            weighted = torch.einsum("npri,mnpi->mnpr", f.expand(own.shape[1], *f.shape[1:]), own)
            if weighting.coupled:
                weighted = weighted.sum(dim=2, keepdim=True)
            losses.append(weighted.square().sum(dim=(2, 3)).mean(dim=1))
        return torch.cat(losses)

    with torch.no_grad():
        sample = _tensors_of_rows(np.flatnonzero(context.training), networks, most=4096, seed=config.seed)
        scale = loss(sample, sample).clamp_min(1e-300)
    names = [f"{weighting.name}_{i}" for weighting in weightings for i in range(seeds)]
    return _optimise(
        networks,
        lambda index, rows: loss(index, rows) / scale,
        windows,
        usable=usable,
        stage="fine-tuning",
        names=names,
        steps=config.steps,
        rate=config.rate,
        batch=config.batch,
        config=config,
        on_progress=on_progress,
    )


def _initial(config: TrainingConfig, seed: int, norms: dict[str, Array], robot: str) -> PredictionModel:
    random = PredictionModel.random(config.specification, seed)
    return PredictionModel(
        specification=config.specification, layers=random.layers, name=f"seed_{seed}", robot=robot, **norms
    )


def _optimise(
    networks: NetworkStack,
    loss: Loss,
    windows: Windows,
    *,
    stage: str,
    names: Sequence[str],
    steps: int,
    rate: float,
    batch: int,
    config: TrainingConfig,
    on_progress: Callable[[Progress], None],
    usable: NDArray[np.bool_] | None = None,
) -> Trained:
    """Adam with a cosine schedule; of every model the parameters with the best validation loss are kept."""
    usable = np.ones(len(windows), dtype=bool) if usable is None else usable
    training, validation = np.flatnonzero(~windows.validation & usable), np.flatnonzero(windows.validation & usable)
    generator = np.random.default_rng(config.seed)
    optimiser = torch.optim.AdamW(networks.parameters(), lr=rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    keeper = _Keeper(networks, len(names))
    history = History()
    held_out = _tensors_of_rows(validation, networks, most=2048, seed=config.seed)
    recent: list[Tensor] = []
    for step in range(steps + 1):
        if step % config.validate_every == 0 or step == steps:
            with torch.no_grad():
                keeper.look(loss(held_out, held_out))
            history.step.append(step)
            history.validation.append(keeper.last)
            history.training.append(torch.stack(recent).mean(dim=0).tolist() if recent else keeper.last)
            recent.clear()
            on_progress(
                Progress(
                    stage=stage,
                    step=step,
                    steps=steps,
                    training=tuple(history.training[-1]),
                    validation=tuple(keeper.best.tolist()),
                )
            )
            if keeper.patience_is_over(config.patience):
                break
        if step == steps:
            break
        rows = torch.from_numpy(generator.choice(training, min(batch, len(training)))).to(networks.input_mean.device)
        optimiser.zero_grad(set_to_none=True)
        losses = loss(rows, rows)
        losses.sum().backward()
        _clip(networks, config.gradient_clip)
        optimiser.step()
        schedule.step()
        recent.append(losses.detach())
    keeper.restore()
    models = [networks.model(i, name) for i, name in enumerate(names)]
    return Trained(models=models, history=history, best=keeper.best.tolist())


class _Keeper:
    """Remembers the best parameters of every model in a stack."""

    def __init__(self, networks: NetworkStack, count: int) -> None:
        self._networks = networks
        self.best = torch.full((count,), torch.inf, dtype=torch.float64)
        self.last: list[float] = []
        self._since = torch.zeros(count, dtype=torch.int64)
        self._parameters = [parameter.detach().clone() for parameter in networks.parameters()]

    def look(self, losses: Tensor) -> None:
        values = losses.detach().cpu().double()
        better = values < self.best * (1.0 - 1e-4)
        self.last = values.tolist()
        self.best = torch.where(better, values, self.best)
        self._since = torch.where(better, 0, self._since + 1)
        for kept, parameter in zip(self._parameters, self._networks.parameters(), strict=True):
            kept[better] = parameter.detach()[better.to(parameter.device)]

    def patience_is_over(self, patience: int) -> bool:
        return bool((self._since >= patience).all())

    def restore(self) -> None:
        with torch.no_grad():
            for kept, parameter in zip(self._parameters, self._networks.parameters(), strict=True):
                parameter.copy_(kept)


def _clip(networks: NetworkStack, longest: float) -> None:
    """Shorten the gradient of each model to at most ``longest``; what is not finite becomes zero."""
    gradients = [parameter.grad for parameter in networks.parameters() if parameter.grad is not None]
    squares = sum(gradient.square().flatten(1).sum(dim=1) for gradient in gradients)
    norm = torch.as_tensor(squares).sqrt()
    factor = torch.where(torch.isfinite(norm), (longest / norm.clamp_min(1e-300)).clamp_max(1.0), 0.0)
    for gradient in gradients:
        gradient.nan_to_num_(0.0, 0.0, 0.0).mul_(factor.reshape(-1, *[1] * (gradient.dim() - 1)))


def _tensors(networks: NetworkStack, *arrays: Array) -> list[Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)).to(networks.input_mean.device) for array in arrays]


def _tensors_of_rows(rows: NDArray[np.intp], networks: NetworkStack, *, most: int, seed: int) -> Tensor:
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return torch.from_numpy(rows).to(networks.input_mean.device)
