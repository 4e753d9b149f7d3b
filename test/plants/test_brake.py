"""The stop is within the acceleration limits, and the brakes close only at standstill."""

from types import SimpleNamespace

import numpy as np
import pytest

from ttdm_ros.plants.brake import Brake

ACCELERATION = np.array([15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0])


@pytest.fixture
def brake() -> Brake:
    return Brake(SimpleNamespace(acceleration=ACCELERATION))  # type: ignore[arg-type]


def test_a_fast_joint_is_decelerated_at_its_limit(brake: Brake) -> None:
    brake.engage()
    np.testing.assert_array_equal(brake.acceleration(np.full(7, 2.0)), -ACCELERATION)
    np.testing.assert_array_equal(brake.acceleration(np.full(7, -2.0)), ACCELERATION)


def test_braking_ends_at_standstill_and_never_reverses(brake: Brake) -> None:
    brake.engage()
    v = np.array([2.0, -2.0, 1.0, 0.5, -0.1, 2.6, 0.0])
    for _ in range(1000):
        after = v + 1e-3 * brake.acceleration(v)
        assert (after * v >= 0.0).all()
        v = after
    assert np.abs(v).max() < 0.011
    assert brake.closed


def test_one_joint_that_moves_keeps_the_brakes_open(brake: Brake) -> None:
    brake.engage()
    brake.acceleration(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]))
    assert not brake.closed


def test_closed_brakes_stay_closed_when_something_shakes_the_arm(brake: Brake) -> None:
    brake.engage(closed=True)
    assert not brake.acceleration(np.full(7, 0.5)).any()
    assert brake.closed
