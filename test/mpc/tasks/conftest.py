"""Arms the tasks are tried on."""

import numpy as np
import pytest

from ttdm_ros.systems.arm import Arm, load_arm


@pytest.fixture(scope="session")
def panda() -> Arm:
    """The Panda that ships."""
    return load_arm("panda")


@pytest.fixture(scope="session", params=["panda", "fr3"])
def arm(request: pytest.FixtureRequest) -> Arm:
    """Each arm that ships, one after the other."""
    return load_arm(request.param)


@pytest.fixture
def random() -> np.random.Generator:
    """A seeded source of random numbers."""
    return np.random.default_rng(3)
