"""Models: what they predict against torch, and what they refuse to be made of."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from ttdm_ros.dynamics.model import Layer, PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import BundleError

Z = np.random.default_rng(8).normal(scale=3.0, size=(4, 25, 21))


def by_torch(model, z):
    """The network of a model as torch runs it, in double precision."""
    modules = []
    for layer in model.layers:
        linear = torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight))
            linear.bias.copy_(torch.tensor(layer.bias))
        modules += [linear, torch.nn.Tanh()]
    network = torch.nn.Sequential(*modules[:-1])
    parts = dict(zip(("q", "v", "tau"), np.split(z, 3, axis=-1), strict=True))
    seen = torch.tensor(np.concatenate([parts[name] for name in model.specification.inputs], axis=-1))
    mean, std, out_mean, out_std = map(
        torch.tensor, (model.input_mean, model.input_std, model.output_mean, model.output_std)
    )
    with torch.no_grad():
        return (out_mean + out_std * network((seen - mean) / std)).numpy()


def by_packed_numbers(sizes, numbers, z):
    """Read the packed layout as documented: a layer's weight row by row, then its bias; tanh between layers."""
    numbers = list(numbers)

    def take(count):
        taken, numbers[:count] = numbers[:count], []
        return taken

    h = list(z)
    for i, (before, after) in enumerate(pairwise(sizes)):
        rows = [take(before) for _ in range(after)]
        bias = take(after)
        h = [sum(w * x for w, x in zip(row, h, strict=True)) + b for row, b in zip(rows, bias, strict=True)]
        if i < len(sizes) - 2:
            h = [float(np.tanh(x)) for x in h]
    assert not numbers
    return h


def test_the_residual_is_what_torch_computes(model):
    np.testing.assert_allclose(model.residual(Z), by_torch(model, Z), rtol=1e-12, atol=1e-12)


def test_the_packed_numbers_mean_the_same_network(model):
    for z in Z[0, :5]:
        expected = by_torch(model, z)
        actual = by_packed_numbers(model.specification.packed_sizes, model.packed(), z)
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


def test_there_are_as_many_packed_numbers_as_the_specification_says(model):
    assert model.packed().shape == (model.specification.packed_size,)


def test_the_nominal_model_adds_nothing_to_the_nominal_arm():
    assert not PredictionModel.nominal().residual(Z).any()
    assert not PredictionModel.nominal().packed().any()


def test_a_model_without_network_adds_nothing_and_has_no_numbers():
    model = PredictionModel.nominal(ModelSpecification(structure="nominal", hidden=[]))
    np.testing.assert_array_equal(model.residual(Z), np.zeros((4, 25, 7)))
    assert model.packed().shape == (0,)


def test_a_full_model_has_no_nominal_part_to_fall_back_to():
    with pytest.raises(BundleError, match="structure 'full' has no nominal part; choose structure 'residual'"):
        PredictionModel.nominal(ModelSpecification(structure="full"))


def test_random_models_repeat_with_their_seed_and_scale_in_proportion():
    specification = ModelSpecification()
    one, again = (PredictionModel.random(specification, seed=3) for _ in range(2))
    other = PredictionModel.random(specification, seed=4)
    tenfold = PredictionModel.random(specification, seed=3, scale=10.0)
    np.testing.assert_array_equal(one.packed(), again.packed())
    assert (one.packed() != other.packed()).any()
    np.testing.assert_allclose(tenfold.residual(Z), 10.0 * one.residual(Z), rtol=1e-13)


def test_equal_numbers_have_equal_fingerprints_whatever_the_name(small):
    assert dataclasses.replace(small, name="other", robot="panda").fingerprint == small.fingerprint


def test_any_changed_number_changes_the_fingerprint(small):
    prints = {small.fingerprint}
    for name in ("input_mean", "input_std", "output_mean", "output_std"):
        changed = getattr(small, name).copy()
        changed[2] += 1e-9
        prints.add(dataclasses.replace(small, **{name: changed}).fingerprint)
    for i, layer in enumerate(small.layers):
        bias = layer.bias.copy()
        bias[0] += 1e-9
        layers = list(small.layers)
        layers[i] = Layer(weight=layer.weight, bias=bias)
        prints.add(dataclasses.replace(small, layers=tuple(layers)).fingerprint)
    assert len(prints) == 7


def test_residual_and_full_models_of_equal_numbers_differ_in_their_fingerprint(small):
    full = dataclasses.replace(small, specification=ModelSpecification(structure="full", hidden=[3]))
    assert full.fingerprint != small.fingerprint


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("input_mean", np.zeros(20), r"input_mean of the model 'small' has shape \(20,\) where \(21,\) is needed"),
        ("input_std", np.zeros(21), "input_std of the model 'small' must be positive"),
        ("input_std", np.full(21, np.nan), "input_std of the model 'small' holds NaN or infinity"),
        ("output_mean", np.full(7, np.inf), "output_mean of the model 'small' holds NaN or infinity"),
        ("output_std", -np.ones(7), "output_std of the model 'small' must be positive"),
        ("output_std", np.ones((7, 1)), r"output_std of the model 'small' has shape \(7, 1\)"),
        ("layers", (), "has 0 layers where its specification asks for 2"),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_name(small, name, value, complaint):
    with pytest.raises(BundleError, match=complaint):
        dataclasses.replace(small, **{name: value})


@pytest.mark.parametrize(
    ("weight", "bias", "complaint"),
    [
        (np.zeros((3, 7)), np.zeros(7), r"layers.1.weight of the model 'small' has shape \(3, 7\) where \(7, 3\)"),
        (np.zeros((7, 3)), np.zeros(3), r"layers.1.bias of the model 'small' has shape \(3,\) where \(7,\)"),
        (np.full((7, 3), np.nan), np.zeros(7), "layers.1.weight of the model 'small' holds NaN"),
    ],
)
def test_a_layer_that_does_not_fit_is_refused_by_name(small, weight, bias, complaint):
    with pytest.raises(BundleError, match=complaint):
        dataclasses.replace(small, layers=(small.layers[0], Layer(weight=weight, bias=bias)))
