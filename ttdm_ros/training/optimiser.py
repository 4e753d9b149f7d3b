"""The loop of the optimiser: many models of one shape, of each the best parameters kept, resumable at every look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import cos, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.training.resume import ResumeFile

Rows = NDArray[np.intp]
Loss = Callable[[Tensor], Tensor]

MOST_VALIDATION_ROWS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training is."""

    stage: str
    step: int
    steps: int
    names: tuple[str, ...]
    """Of the models."""
    training: tuple[float, ...]
    """Loss of each model over the last batches; relative to the checkpoint when fine-tuning."""
    validation: tuple[float, ...]
    """Best validation loss of each model so far, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Losses over the steps: of each look a number a model."""

    step: list[int] = field(default_factory=list)
    training: list[list[float]] = field(default_factory=list)
    validation: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long, how fast, how often to look."""

    stage: str
    steps: int
    rate: float
    batch: int
    weight_decay: float
    gradient_clip: float
    validate_every: int
    patience: int
    seed: int


def optimise(
    networks: NetworkStack,
    loss: Loss,
    rows: tuple[Rows, Rows],
    names: Sequence[str],
    schedule: Schedule,
    *,
    on_progress: Callable[[Progress], None],
    resume: ResumeFile | None = None,
) -> tuple[History, list[float]]:
    """Minimise by AdamW with a cosine schedule; afterwards ``networks`` hold the best parameters that were seen.

    Which samples are in a batch depends on seed and step alone, so that a training that was interrupted ends like one
    that was not.

    Args:
        networks: M models.
        loss: of each model (M,), over the samples whose rows it is given.
        rows: samples for training, and for validation.
        names: of the models.
        schedule: settings.
        on_progress: told at every look at the validation data.
        resume: where the state is kept.

    Returns:
        Losses over the steps, and the best validation loss of each model.
    """
    training, validation = rows
    device = networks.weights[0].device
    parameters = list(networks.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=schedule.rate, weight_decay=schedule.weight_decay, foreach=True)
    keeper, history, first = _Keeper(networks), History(), 0
    if resume is not None and (state := resume.read()) is not None:
        _restore(state.tensors, parameters, optimiser, keeper)
        first, losses = state.step, state.losses
        history.step.extend(losses["step"])
        history.training.extend(losses["training"])
        history.validation.extend(losses["validation"])
    held_out = validation_rows(validation, networks, schedule.seed)
    recent: list[Tensor] = []
    for step in range(first, schedule.steps + 1):
        if (step % schedule.validate_every == 0 or step == schedule.steps) and not (step == first and history.step):
            with torch.no_grad():
                keeper.look(loss(held_out))
                if not recent:  # before the first step: of the batch that it takes
                    recent.append(loss(_batch(training, schedule, step).to(device)))
            history.step.append(step)
            history.validation.append(keeper.last)
            history.training.append(torch.stack(recent).mean(dim=0).tolist())
            recent.clear()
            on_progress(_progress(schedule, step, names, history, keeper))
            over = step == schedule.steps or keeper.patience_is_over(schedule.patience)
            if resume is not None and not over:
                resume.write(step, _state(parameters, optimiser, keeper), history)
            if over:
                break
        optimiser.param_groups[0]["lr"] = 0.5 * schedule.rate * (1.0 + cos(pi * step / max(schedule.steps, 1)))
        optimiser.zero_grad(set_to_none=True)
        losses_now = loss(_batch(training, schedule, step).to(device))
        losses_now.sum().backward()
        _clip(parameters, schedule.gradient_clip)
        optimiser.step()
        recent.append(losses_now.detach())
    keeper.restore()
    return history, keeper.best.tolist()


def _batch(rows: Rows, schedule: Schedule, step: int) -> Tensor:
    chosen = np.random.default_rng((schedule.seed, step)).choice(rows, min(schedule.batch, len(rows)))
    return torch.from_numpy(chosen)


def some_rows(rows: Rows, most: int, seed: int) -> Rows:
    """Return the rows, ``most`` of them at most, chosen by ``seed``, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def validation_rows(rows: Rows, networks: NetworkStack, seed: int) -> Tensor:
    """Return the samples that are looked at, ``MOST_VALIDATION_ROWS`` at most, chosen by ``seed``."""
    return torch.from_numpy(some_rows(rows, MOST_VALIDATION_ROWS, seed)).to(networks.weights[0].device)


class _Keeper:
    """Remembers the best parameters of every model in a stack."""

    def __init__(self, networks: NetworkStack) -> None:
        self._networks, count = networks, len(networks)
        self.best = torch.full((count,), torch.inf, dtype=torch.float64)
        self.last: list[float] = []
        self.since = torch.zeros(count, dtype=torch.int64)
        self.parameters = [parameter.detach().clone() for parameter in networks.parameters()]

    def look(self, losses: Tensor) -> None:
        values = losses.detach().cpu().double()
        better = values < self.best * (1.0 - 1e-4)
        self.last = values.tolist()
        self.best = torch.where(better, values, self.best)
        self.since = torch.where(better, 0, self.since + 1)
        for kept, parameter in zip(self.parameters, self._networks.parameters(), strict=True):
            chosen = better.to(parameter.device)
            kept[chosen] = parameter.detach()[chosen]

    def patience_is_over(self, patience: int) -> bool:
        return bool((self.since >= patience).all())

    def restore(self) -> None:
        with torch.no_grad():
            for kept, parameter in zip(self.parameters, self._networks.parameters(), strict=True):
                parameter.copy_(kept)


def _progress(schedule: Schedule, step: int, names: Sequence[str], history: History, keeper: _Keeper) -> Progress:
    return Progress(
        stage=schedule.stage,
        step=step,
        steps=schedule.steps,
        names=tuple(names),
        training=tuple(history.training[-1]),
        validation=tuple(keeper.best.tolist()),
    )


def _clip(parameters: Sequence[Tensor], longest: float) -> None:
    """Shorten the gradient of each model to at most ``longest``; a gradient that is not finite becomes zero."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    squares = torch.stack([gradient.square().flatten(1).sum(dim=1) for gradient in gradients]).sum(dim=0)
    norm = squares.sqrt()
    finite = torch.isfinite(norm)
    factor = torch.where(finite, (longest / norm.clamp_min(1e-30)).clamp_max(1.0), 0.0)
    if not bool(finite.all()):
        for gradient in gradients:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
    for gradient in gradients:
        gradient.mul_(factor.reshape(-1, *[1] * (gradient.dim() - 1)))


def _state(parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer, keeper: _Keeper) -> dict[str, Tensor]:
    tensors = {"best": keeper.best, "since": keeper.since}
    for i, (parameter, kept) in enumerate(zip(parameters, keeper.parameters, strict=True)):
        tensors |= {f"parameter.{i}": parameter.detach(), f"kept.{i}": kept}
        tensors |= {f"{name}.{i}": value for name, value in optimiser.state[parameter].items()}
    return tensors


def _restore(
    tensors: dict[str, Tensor], parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer, keeper: _Keeper
) -> None:
    keeper.best, keeper.since = tensors["best"], tensors["since"]
    with torch.no_grad():
        for i, (parameter, kept) in enumerate(zip(parameters, keeper.parameters, strict=True)):
            parameter.copy_(tensors[f"parameter.{i}"])
            kept.copy_(tensors[f"kept.{i}"])
            names = ("step", "exp_avg", "exp_avg_sq")
            known = {name: tensors[f"{name}.{i}"] for name in names if f"{name}.{i}" in tensors}
            if known:
                optimiser.state[parameter] = {
                    name: value if name == "step" else value.to(parameter) for name, value in known.items()
                }
