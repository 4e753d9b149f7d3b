"""Specifications: what can be built is accepted, anything else is refused by key and allowed values."""

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.dynamics.specification import ModelSpecification, step
from ttdm_ros.errors import ConfigError


def specification(**keys):
    return parse(keys, ModelSpecification, "model.yaml")


def test_the_default_is_the_residual_network_of_the_paper():
    assert specification().layer_sizes == (21, 32, 32, 7)


@pytest.mark.parametrize(
    ("keys", "layer_sizes", "packed_sizes", "packed_size"),
    [
        ({"structure": "nominal", "hidden": []}, (), (), 0),
        ({"hidden": []}, (21, 7), (21, 7), 22 * 7),
        ({"hidden": [5], "inputs": ["q"]}, (7, 5, 7), (21, 5, 7), 22 * 5 + 6 * 7),
        ({"structure": "full"}, (21, 32, 32, 7), (21, 32, 32, 7), 1991),
        ({"hidden": [1, 512, 2, 3], "inputs": ["v", "tau"]}, (14, 1, 512, 2, 3, 7), (21, 1, 512, 2, 3, 7), 2109),
    ],
)
def test_layer_sizes_follow_from_the_keys(keys, layer_sizes, packed_sizes, packed_size):
    made = specification(**keys)
    assert (made.layer_sizes, made.packed_sizes, made.packed_size) == (layer_sizes, packed_sizes, packed_size)


def test_the_network_sees_the_columns_of_its_inputs():
    assert specification(inputs=["q", "tau"]).columns == [*range(7), *range(14, 21)]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"structure": "residuals"}, "'structure'.*'nominal', 'residual' or 'full'.*'residuals'"),
        ({"structure": "nominal"}, "'nominal' has no hidden layers; set hidden: "),
        ({"hidden": [0]}, "'hidden.0'.*greater than or equal to 1"),
        ({"hidden": [513]}, "'hidden.0'.*less than or equal to 512"),
        ({"hidden": [8] * 5}, "'hidden'.*at most 4"),
        ({"hidden": 32}, "'hidden'.*tuple"),
        ({"inputs": []}, "'inputs'.*at least 1"),
        ({"inputs": ["v", "q"]}, "inputs must be some of q, v, tau in this order, each once"),
        ({"inputs": ["q", "q"]}, "inputs must be some of q, v, tau in this order, each once"),
        ({"inputs": ["a"]}, "'inputs.0'.*'q', 'v' or 'tau'"),
        ({"activation": "relu"}, "'activation'.*'tanh'"),
        ({"hiden": [8]}, r"'hiden' is not known \(did you mean 'hidden'"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(keys, complaint):
    with pytest.raises(ConfigError, match=complaint):
        specification(**keys)


def test_a_step_is_exact_under_constant_acceleration():
    random = np.random.default_rng(0)
    q, v, a = random.normal(size=(3, 5, 7))
    dt = 0.3
    q_next, v_next = step(q, v, a, dt)
    np.testing.assert_allclose(q_next, q + v * dt + 0.5 * a * dt**2, rtol=1e-13)
    np.testing.assert_allclose(v_next, v + a * dt, rtol=1e-13)
