"""Torch's form of the models: equal to the controller's compiled form and to numpy, and differentiable."""

import dataclasses

import numpy as np
import pytest
import torch

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch, nominal_batch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.dynamics.torch_form import NetworkStack, nominal_acceleration, rollout
from ttdm_ros.errors import BundleError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import Arm, load_arm

DT = 0.02


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


@pytest.fixture(scope="module")
def nominal(arm: Arm) -> NominalBatch:
    return nominal_batch(arm)


@pytest.fixture
def z(arm: Arm) -> np.ndarray:
    """Random (q, v, tau) within the limits."""
    random, limits = np.random.default_rng(0), arm.limits
    q = random.uniform(limits.position_lower, limits.position_upper, (10, 7))
    return np.concatenate([q, random.normal(size=(10, 7)), 0.2 * limits.effort * random.normal(size=(10, 7))], axis=1)


def stack_of(*models: PredictionModel) -> NetworkStack:
    return NetworkStack(models)


def several(count: int = 3, **keys) -> list[PredictionModel]:
    specification = ModelSpecification(**keys)
    return [PredictionModel.random(specification, seed=i, scale=2.0) for i in range(count)]


def test_networks_yield_what_numpy_does(model: PredictionModel, z: np.ndarray) -> None:
    found = stack_of(model)(torch.from_numpy(z)).detach().numpy()
    np.testing.assert_allclose(found[0], model.residual(z), rtol=1e-12, atol=1e-12)


def test_each_network_of_a_stack_is_its_own(z: np.ndarray) -> None:
    models = several()
    together = stack_of(*models)(torch.from_numpy(z)).detach().numpy()
    for model, found in zip(models, together, strict=True):
        np.testing.assert_allclose(found, model.residual(z), rtol=1e-12, atol=1e-12)


def test_value_and_jacobian_are_those_of_the_compiled_solver(arm: Arm, nominal: NominalBatch, z: np.ndarray) -> None:
    (model,) = several(1)
    solver, networks = MpcSolver(arm, model, MpcConfig(horizon=5)), stack_of(model)

    def acceleration(at: torch.Tensor) -> torch.Tensor:
        return networks(at[None])[0, 0] + nominal_acceleration(at, nominal)

    for row in z:
        value, jacobian = solver.acceleration(row)
        point = torch.from_numpy(row)
        np.testing.assert_allclose(acceleration(point).detach(), value, rtol=1e-10, atol=1e-10)
        found = torch.autograd.functional.jacobian(acceleration, point)
        np.testing.assert_allclose(found, jacobian, rtol=1e-10, atol=1e-9 * np.abs(jacobian).max())


def test_rollouts_are_the_solvers_predictions(arm: Arm, nominal: NominalBatch, z: np.ndarray) -> None:
    (model,) = several(1)
    solver, random = MpcSolver(arm, model, MpcConfig(horizon=5)), np.random.default_rng(1)
    torques = 0.05 * arm.limits.effort * random.normal(size=(len(z), 4, 7))
    states = rollout(stack_of(model), torch.from_numpy(z[:, :14]), torch.from_numpy(torques), DT, nominal)
    for i, row in enumerate(z):
        state = row[:14]
        for k in range(4):
            state = solver.predict(state, torques[i, k], DT)
            np.testing.assert_allclose(states[0, i, k].detach(), state, rtol=1e-9, atol=1e-9)


def test_a_full_model_rolls_out_without_the_nominal_arm(z: np.ndarray) -> None:
    (model,) = several(1, structure="full")

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    found = rollout(stack_of(model), torch.from_numpy(z[:, :14]), torch.from_numpy(z[:, None, 14:]), DT, never)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[0, :, 0, 7:].detach(), z[:, 7:14] + DT * model.residual(z), rtol=1e-12)


def test_the_nominal_acceleration_passes_gradcheck(nominal: NominalBatch, z: np.ndarray) -> None:
    point = torch.from_numpy(z[:2]).requires_grad_()
    assert torch.autograd.gradcheck(lambda at: nominal_acceleration(at, nominal), point, eps=1e-6, atol=1e-4, rtol=1e-5)


def test_rollouts_pass_gradcheck_in_states_and_weights(nominal: NominalBatch, z: np.ndarray) -> None:
    networks = stack_of(*several(2, hidden=(3,), inputs=("q", "v")))
    x = torch.from_numpy(z[:2, :14]).requires_grad_()
    u = torch.from_numpy(np.repeat(z[:2, None, 14:], 2, axis=1))

    class Rollout(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.networks = networks

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return rollout(self.networks, x, u, DT, nominal)

    module = Rollout()
    names = [name for name, _ in module.named_parameters()]

    def final(x: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (x,))

    weights = [parameter.detach().clone().requires_grad_() for parameter in networks.parameters()]
    assert torch.autograd.gradcheck(final, (x, *weights), eps=1e-6, atol=1e-4, rtol=1e-4)


def test_a_model_comes_out_of_a_stack_as_it_went_in(model: PredictionModel) -> None:
    assert stack_of(model).model(0, "again").fingerprint == model.fingerprint


def test_models_of_other_shape_or_normalisation_do_not_stack() -> None:
    first, second = several(2)
    with pytest.raises(BundleError, match="one specification"):
        stack_of(first, *several(1, hidden=(4,)))
    with pytest.raises(BundleError, match="one normalisation"):
        stack_of(first, dataclasses.replace(second, input_mean=np.ones(21)))
