"""The nominal acceleration in batches, against pinocchio and differences."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.systems.arm import Arm, load_arm


@pytest.fixture(scope="module", params=["panda", "fr3"])
def arm(request: pytest.FixtureRequest) -> Arm:
    return load_arm(request.param)


def states(arm: Arm, count: int) -> np.ndarray:
    random, limits = np.random.default_rng(count), arm.limits
    q = random.uniform(limits.position_lower, limits.position_upper, (count, 7))
    v = 0.5 * limits.velocity * random.uniform(-1.0, 1.0, (count, 7))
    return np.concatenate([q, v, 0.5 * limits.effort * random.uniform(-1.0, 1.0, (count, 7))], axis=1)


@pytest.mark.parametrize("count", [0, 1, 63, 300])
@pytest.mark.parametrize("threads", [1, 3])
def test_accelerations_are_pinocchios(arm: Arm, count: int, threads: int) -> None:
    z = states(arm, count)
    found, none = NominalBatch(arm, threads=threads)(z, jacobian=False)
    assert none is None
    expected = np.array([arm.forward_dynamics(*np.split(row, 3)) for row in z]).reshape(-1, 7)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)


def test_jacobians_are_differences(arm: Arm) -> None:
    batch, step = NominalBatch(arm, threads=2), 1e-6
    for row in states(arm, 4):
        _, jacobian = batch(row[None])
        assert jacobian is not None
        around = row + step * np.concatenate([np.eye(21), -np.eye(21)])
        values, _ = batch(around, jacobian=False)
        expected = (values[:21] - values[21:]).T / (2.0 * step)
        np.testing.assert_allclose(jacobian[0], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_it_may_be_called_from_several_threads(arm: Arm) -> None:
    batch, z = NominalBatch(arm, threads=2), states(arm, 500)
    expected, _ = batch(z)
    with ThreadPoolExecutor(4) as pool:
        for found, _ in pool.map(lambda _: batch(z), range(20)):
            np.testing.assert_array_equal(found, expected)
