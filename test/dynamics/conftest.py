"""Models to try."""

import dataclasses

import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification


def scaled(model: PredictionModel, seed: int) -> PredictionModel:
    """The model with normalisation that matters."""
    random, inputs = np.random.default_rng(seed), model.specification.layer_sizes[0]
    return dataclasses.replace(
        model,
        input_mean=random.normal(size=inputs),
        input_std=random.uniform(0.1, 5.0, inputs),
        output_mean=random.normal(size=7),
        output_std=random.uniform(0.1, 5.0, 7),
    )


@pytest.fixture(
    params=[
        {},
        {"structure": "full", "hidden": [11]},
        {"hidden": []},
        {"hidden": [4, 9, 6], "inputs": ["q", "tau"]},
        {"hidden": [3, 3, 3, 3], "inputs": ["v"]},
    ],
    ids=str,
)
def model(request: pytest.FixtureRequest) -> PredictionModel:
    """Random models of all kinds."""
    return scaled(PredictionModel.random(ModelSpecification(**request.param), seed=4), seed=5)


@pytest.fixture
def small() -> PredictionModel:
    """A random model, small enough to take apart."""
    return scaled(PredictionModel.random(ModelSpecification(hidden=[3]), seed=1, name="small"), seed=2)
