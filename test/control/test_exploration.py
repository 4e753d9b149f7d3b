"""Random torques have the size and bandwidth they should have, and repeat with their seed."""

import numpy as np
import pytest

from ttdm_ros.control.exploration import Exploration

EFFORT = np.array([87.0] * 4 + [12.0] * 3)


def series(count, elapsed, **keys):
    exploration = Exploration(EFFORT, **({"share": 0.02, "bandwidth": 3.0, "seed": 0} | keys))
    return np.array([exploration.next(elapsed).copy() for _ in range(count)])


@pytest.mark.parametrize("elapsed", [0.001, 0.01])
def test_the_torque_has_the_standard_deviation_asked_for_at_any_rate(elapsed):
    torque = series(60_000, elapsed)[2000:]
    np.testing.assert_allclose(torque.std(0) / EFFORT, 0.02, rtol=0.2)


def test_the_torque_forgets_itself_with_the_time_constant_of_its_bandwidth():
    torque, lag = series(80_000, 0.01)[2000:], 5
    correlation = (torque[lag:] * torque[:-lag]).mean(0) / torque.var(0)
    np.testing.assert_allclose(correlation, np.exp(-2.0 * np.pi * 3.0 * 0.01 * lag), atol=0.06)


def test_equal_seeds_have_equal_torques_and_others_others():
    np.testing.assert_array_equal(series(10, 0.002), series(10, 0.002))
    assert (series(10, 0.002) != series(10, 0.002, seed=1)).all()


def test_a_reset_begins_with_the_same_torques_from_zero():
    exploration = Exploration(EFFORT, 0.02, 3.0, 5)
    first = [exploration.next(0.002).copy() for _ in range(5)]
    exploration.reset()
    np.testing.assert_array_equal([exploration.next(0.002) for _ in range(5)], first)


def test_without_a_share_there_is_no_torque():
    assert not series(10, 0.002, share=0.0).any()
