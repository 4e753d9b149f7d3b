"""Prediction models in torch: many networks of one shape side by side, and rollouts that differentiate through all.

A stack of M models evaluates as one batched product a layer, so that weightings and seeds train together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ttdm_ros.dynamics.model import Layer, PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.specification import JOINTS, NX, ModelSpecification
from ttdm_ros.errors import BundleError


class NetworkStack(nn.Module):  # type: ignore[misc]
    """M networks r_w of equal specification and normalisation.

    Attributes:
        specification: of each network.
        weights: a parameter (M, out, in) a layer.
        biases: a parameter (M, 1, out) a layer.
    """

    input_mean: Tensor
    input_std: Tensor
    output_mean: Tensor
    output_std: Tensor

    def __init__(self, models: Sequence[PredictionModel]) -> None:
        """Take the numbers of models that share specification and normalisation.

        Raises:
            BundleError: they do not.
        """
        super().__init__()
        first = models[0]
        self.specification: ModelSpecification = first.specification
        self.robot = first.robot
        for name in ("input_mean", "input_std", "output_mean", "output_std"):
            if any(not np.array_equal(getattr(model, name), getattr(first, name)) for model in models):
                raise BundleError("only models of one normalisation train side by side; start from one checkpoint")
            self.register_buffer(name, torch.tensor(getattr(first, name)))
        if any(model.specification != first.specification for model in models):
            raise BundleError("only models of one specification train side by side; give them the same layers")
        columns = first.specification.columns
        whole = columns == list(range(columns[0], columns[-1] + 1))
        self._columns = slice(columns[0], columns[-1] + 1) if whole else columns  # a slice copies nothing
        layers = range(len(first.layers))
        self.weights = nn.ParameterList(
            nn.Parameter(torch.tensor(np.stack([model.layers[i].weight for model in models]))) for i in layers
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.tensor(np.stack([model.layers[i].bias for model in models]))[:, None]) for i in layers
        )

    def __len__(self) -> int:
        """Number of models."""
        return len(self.weights[0])

    def forward(self, z: Tensor) -> Tensor:
        """Return r_w (M, n, 7) [rad/s²] at z = (q, v, tau), (M, n, 21) or (n, 21) for all."""
        h = (z[..., self._columns] - self.input_mean) / self.input_std
        if h.dim() == 2:
            h = h.expand(len(self), *h.shape)
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, h, weight.transpose(1, 2))
            if i < last:
                h = torch.tanh(h)
        return self.output_mean + self.output_std * h

    def model(self, index: int, name: str) -> PredictionModel:
        """Return one of the models as numbers."""
        layers = tuple(
            Layer(
                weight=w[index].detach().cpu().double().numpy().copy(),
                bias=b[index, 0].detach().cpu().double().numpy().copy(),
            )
            for w, b in zip(self.weights, self.biases, strict=True)
        )
        norms = {
            n: getattr(self, n).cpu().double().numpy() for n in ("input_mean", "input_std", "output_mean", "output_std")
        }
        return PredictionModel(specification=self.specification, layers=layers, name=name, robot=self.robot, **norms)


class _Nominal(torch.autograd.Function):  # type: ignore[misc]
    """a_nominal with its analytic Jacobian; computed on the CPU in double precision, whatever the tensor is."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, batch: NominalBatch) -> Tensor:
        flat = z.detach().reshape(-1, z.shape[-1]).cpu().double().numpy()
        value, slope = batch(flat, jacobian=ctx.needs_input_grad[0])
        if slope is not None:
            ctx.save_for_backward(torch.from_numpy(slope).to(z).reshape(*z.shape[:-1], JOINTS, z.shape[-1]))
        return torch.from_numpy(value).to(z).reshape(*z.shape[:-1], JOINTS)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return (gradients[0].unsqueeze(-2) @ slope).squeeze(-2), None


def nominal_acceleration(z: Tensor, batch: NominalBatch) -> Tensor:
    """Return a_nominal (..., 7) [rad/s²] at z = (q, v, tau) (..., 21), differentiable."""
    result: Tensor = _Nominal.apply(z, batch)
    return result


def rollout(
    networks: NetworkStack, x: Tensor, u: Tensor, dt: float, nominal: NominalBatch, first: Tensor | None = None
) -> Tensor:
    """Predict p steps along given torques with every model of a stack.

    Args:
        networks: M networks.
        x: first states (n, 14): q [rad], v [rad/s].
        u: torques (n, p, 7), each held for one step [N·m].
        dt: step [s].
        nominal: nominal acceleration of the arm; not called for structure ``full``.
        first: nominal acceleration (n, 7) at the first states, if it is known already.

    Returns:
        States after each step, (M, n, p, 14).
    """
    full = networks.specification.structure == "full"
    count, p = u.shape[:2]
    state = x.expand(len(networks), count, NX)
    states = []
    for k in range(p):
        torque = u[:, k].expand(len(networks), count, JOINTS)
        z = torch.cat((state, torque), dim=-1)
        acceleration = networks(z)
        if not full:
            known = k == 0 and first is not None
            acceleration = acceleration + (first if known else nominal_acceleration(z, nominal))
        q, v = state[..., :JOINTS], state[..., JOINTS:]
        following = v + dt * acceleration
        state = torch.cat((q + 0.5 * dt * (v + following), following), dim=-1)
        states.append(state)
    return torch.stack(states, dim=2)
