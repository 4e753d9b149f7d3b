"""Rollouts as errors about the record: equal to plain rollouts, and the linearised ones close to them."""

import numpy as np
import pytest
import torch

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.dynamics.torch_form import NetworkStack, rollout
from ttdm_ros.training.dataset import cut, spaced_starts
from ttdm_ros.training.rollouts import Rollouts

P = 8


@pytest.fixture(scope="module")
def windows(new_drive, panda):
    trajectories = [new_drive(lambda z: 1.0 * np.tanh(z[:, 7:14] / 0.1), count=300)]
    return cut(trajectories, spaced_starts(trajectories, P), P, nominal_batch(panda))


def networks(*, structure="residual", scale=1.0, dtype=torch.float64):
    specification = ModelSpecification(hidden=(16,), structure=structure)
    models = [PredictionModel.random(specification, seed=i, scale=scale) for i in range(2)]
    for model in models:
        model.input_std[:] = np.repeat([0.5, 1.0, 20.0], 7)
    return NetworkStack(models).to(dtype)


@pytest.mark.parametrize("structure", ["residual", "full"])
def test_exact_errors_are_predicted_minus_recorded_states(windows, panda, structure):
    stack, rows = networks(structure=structure), torch.arange(0, 200, 7)
    x, u = torch.from_numpy(windows.x[rows]), torch.from_numpy(windows.u[rows])
    expected = rollout(stack, x[:, 0], u, windows.dt, nominal_batch(panda)) - x[:, 1:]
    found = Rollouts(windows, stack, nominal_batch(panda), method="exact").errors(rows)
    np.testing.assert_allclose(found.detach(), expected.detach(), atol=1e-9)


def test_linearised_errors_are_exact_for_one_step_and_off_by_the_square_of_the_error_after(windows, panda):
    rows, nominal = torch.arange(len(windows)), nominal_batch(panda)
    for scale in (0.3, 1.0):
        stack = networks(scale=scale)
        exact, linear = (
            Rollouts(windows, stack, nominal, method=m).errors(rows).detach() for m in ("exact", "linearised")
        )
        np.testing.assert_allclose(linear[:, :, 0], exact[:, :, 0], atol=1e-12)
        for half in (slice(0, 7), slice(7, 14)):
            change = (linear - exact)[..., half].norm(dim=-1)
            size = exact[..., half].norm(dim=-1)
            assert change.square().mean().sqrt() < 0.05 * scale * size.square().mean().sqrt()


def test_gradients_of_both_agree(windows, panda):
    rows, gradients = torch.arange(0, len(windows), 5), []
    for method in ("exact", "linearised"):
        stack = networks()
        errors = Rollouts(windows, stack, nominal_batch(panda), method=method).errors(rows)
        errors.square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in stack.parameters()]))
    assert (gradients[0] - gradients[1]).norm() < 0.02 * gradients[0].norm()


def test_single_precision_is_plenty(windows, panda):
    rows, nominal = torch.arange(len(windows)), nominal_batch(panda)
    double, single = (
        Rollouts(windows, networks(dtype=dtype), nominal).errors(rows).detach().double()
        for dtype in (torch.float64, torch.float32)
    )
    assert (single - double).norm() < 1e-4 * double.norm()


def test_the_true_model_makes_no_error(windows, panda):
    specification = ModelSpecification(hidden=(7,), inputs=("v",))
    model = PredictionModel.nominal(specification)
    model.layers[0].weight[:], model.layers[1].weight[:] = np.eye(7), np.eye(7)
    model.input_std[:] = 0.1
    errors = Rollouts(windows, NetworkStack([model]), nominal_batch(panda)).errors(torch.arange(len(windows)))
    assert errors.abs().max() < 1e-9
