"""A metric that is learned, after TaskMet (Bansal, Chen, Mukadam, Amos, NeurIPS 2023), to compare with.

Two levels. The inner one trains a model, θ(φ), to predict under the metric Λ_k = diag(exp φ_k); the outer one chooses φ
such that the errors of that model cost the closed loop least:

    min_φ L(θ(φ)),   θ(φ) = argmin_θ ℓ(θ, φ) / ℓ(θ_0, φ) + ½ λ ‖θ - θ_0‖²,
    ℓ = mean of Σ_k ‖Λ_k ε_k‖²,   L = mean of ½ ‖Σ_k G_k ε_k‖²

with θ_0 the checkpoint. The division makes the scale of Λ meaningless, as it is to the fine-tuning. λ stands in for the
weight decay and the early end of the fine-tuning; as part of the problem it is part of its implicit gradient too.
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.errors import ConfigError
from ttdm_ros.training.context import Context
from ttdm_ros.training.implicit_gradient import implicit_gradient
from ttdm_ros.training.optimiser import Progress, some_rows
from ttdm_ros.training.rollouts import Rollouts
from ttdm_ros.training.tuning import Tuning
from ttdm_ros.training.weightings import Factors, Weighting

Array = NDArray[np.float64]

MOST_ROWS = 1024  # of each purpose: the metric is a few dozen numbers
DAMPING = 1e-3  # λ
RATE = 0.1  # of φ: a weight changes by a tenth a step, at most
INNER_RATE = 2e-3
FIRST = 10  # so many times the inner steps before the first outer one


class LearnedMetric(Weighting):
    """Σ_k Σ_i (exp(φ_k,i) ε_k,i)², φ such that a model trained so costs the closed loop least; after TaskMet."""

    name = "learned_metric"

    def __init__(self, diagonal: Array | None = None) -> None:
        """Take exp φ (p, 14); if it is left out, ``prepare`` learns it."""
        self.diagonal = diagonal

    def prepare(self, tuning: Tuning) -> "LearnedMetric":
        """Return the same with a metric, learned unless there is one.

        Raises:
            ConfigError: there are no sensitivities, or none at samples for training or for validation.
        """
        return self if self.diagonal is not None else learn_metric(tuning)

    def factors(self, context: Context) -> Factors:
        """The metric, the same for all samples.

        Raises:
            ConfigError: there are no sensitivities, or the metric was not learned, or for rollouts of another length.
        """
        if self.diagonal is None:
            _ = context.known  # raises if there are none
            raise ConfigError(f"the weighting '{self.name}' is not learned yet; call its `prepare` first")
        if self.diagonal.shape != (context.p, 14):
            raise ConfigError(
                f"the metric was learned for rollouts of {len(self.diagonal)} steps, and these have {context.p}; learn "
                "it again"
            )
        return Factors(diagonal=self.diagonal[None])


def learn_metric(tuning: Tuning) -> LearnedMetric:
    """Learn the metric: ``config.metric_steps`` outer steps, ``config.metric_inner_steps`` inner ones before each.

    At most ``MOST_ROWS`` samples are used for either purpose, all of them in every step. The inner problem is solved by
    AdamW from where the last one ended; the outer gradient is implicit. φ begins where every state and step weighs the
    same at the checkpoint, and the one whose model costs least on the validation samples is taken. The result depends
    on data, settings and seed alone.

    Raises:
        ConfigError: there are no sensitivities, or none at samples for training or for validation.
    """
    config, context = tuning.config, tuning.context
    known = context.known.good
    networks: NetworkStack = copy.deepcopy(tuning.networks)
    training = _Samples(tuning, networks, tuning.windows.training & known, "training")
    validation = _Samples(tuning, networks, tuning.windows.validation & known, "validation")
    inner = _Inner(networks, training)
    with torch.no_grad():
        at_checkpoint = validation.cost(validation.errors()).clamp_min(1e-30)
    phi = inner.balanced.requires_grad_()
    outer = torch.optim.Adam([phi], lr=RATE)
    best, least = phi.detach().clone(), torch.inf
    for step in range(config.metric_steps + 1):
        loss = inner.train(phi.detach(), config.metric_inner_steps * (1 if step else FIRST))
        with torch.no_grad():
            cost = float(validation.cost(validation.errors()) / at_checkpoint)
        if cost < least:
            best, least = phi.detach().clone(), cost
        tuning.on_progress(
            Progress(
                stage="metric",
                step=step,
                steps=config.metric_steps,
                names=(LearnedMetric.name,),
                training=(loss,),
                validation=(least,),
            )
        )
        if step < config.metric_steps:
            phi.grad = inner.gradient(phi)
            if not bool(torch.isfinite(phi.grad).all()):
                break
            outer.step()
    return LearnedMetric(best.double().exp().cpu().numpy())


class _Samples:
    """Rollouts and what their errors cost, at samples of one purpose."""

    def __init__(self, tuning: Tuning, networks: NetworkStack, usable: NDArray[np.bool_], purpose: str) -> None:
        if not usable.any():
            raise ConfigError(f"no sample for {purpose} has sensitivities to learn a metric from; record for longer")
        rows = some_rows(np.flatnonzero(usable), MOST_ROWS, tuning.config.seed)
        # Linearised whatever the settings say: the exact arm has no second derivatives here.
        self._rollouts = Rollouts(tuning.windows.part(rows), networks, tuning.nominal)
        like = networks.weights[0]
        self._g = torch.from_numpy(tuning.context.whole.part(rows).g).to(like)
        self._all = torch.arange(len(rows), device=like.device)

    def errors(self) -> Tensor:
        """Return ε (n, p, 14)."""
        return self._rollouts.errors(self._all)[0]

    def cost(self, errors: Tensor) -> Tensor:
        """Return L."""
        return 0.5 * torch.einsum("npri,npi->nr", self._g, errors).square().sum(dim=1).mean()


class _Inner:
    """The inner problem: a model, trained under one metric after another."""

    def __init__(self, networks: NetworkStack, samples: _Samples) -> None:
        self._networks, self._samples = networks, samples
        self._parameters = list(networks.parameters())
        self._checkpoint = [parameter.detach().clone() for parameter in self._parameters]
        # No decay towards zero: the pull towards the checkpoint is in the objective, where the gradient sees it.
        self._optimiser = torch.optim.AdamW(self._parameters, lr=INNER_RATE, weight_decay=0.0, foreach=True)
        with torch.no_grad():
            self._squares = samples.errors().square().mean(dim=0).clamp_min(1e-30)

    @property
    def balanced(self) -> Tensor:
        """φ (p, 14) with which every step and state has the same share of the checkpoint's loss."""
        return -0.5 * self._squares.log()

    def train(self, phi: Tensor, steps: int) -> float:
        """Take steps towards θ(φ), and return the objective before the last."""
        objective = torch.zeros(())
        for _ in range(steps):
            self._optimiser.zero_grad(set_to_none=True)
            away = [(p - p0).square().sum() for p, p0 in zip(self._parameters, self._checkpoint, strict=True)]
            loss = self._loss(self._samples.errors(), phi) + 0.5 * DAMPING * torch.stack(away).sum()
            loss.backward()
            self._optimiser.step()
            objective = loss.detach()
        return float(objective)

    def gradient(self, phi: Tensor) -> Tensor:
        """Return dL/dφ (p, 14) where the model is now."""
        errors = self._samples.errors()
        return implicit_gradient(
            self._loss(errors, phi), self._samples.cost(errors), self._parameters, phi, damping=DAMPING
        )

    def _loss(self, errors: Tensor, phi: Tensor) -> Tensor:
        """Return ℓ(θ, φ) / ℓ(θ_0, φ)."""
        weights = (2.0 * phi).exp()
        return (weights * errors.square().mean(dim=0)).sum() / (weights * self._squares).sum()
