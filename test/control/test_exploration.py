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


def test_the_variance_grows_from_zero_as_that_of_a_process_that_starts_at_rest():
    """Var x(t) = σ² (1 - exp(-2 ω t)), over 4000 seeds."""
    count, elapsed = 25, 0.004
    torques = np.array([series(count, elapsed, seed=seed)[:, 0] for seed in range(4000)])
    t = elapsed * np.arange(1, count + 1)
    expected = (0.02 * EFFORT[0]) ** 2 * (1.0 - np.exp(-2.0 * 2.0 * np.pi * 3.0 * t))
    np.testing.assert_allclose(torques.var(0), expected, rtol=0.12)
    assert np.abs(torques.mean(0)).max() < 5.0 * np.sqrt(expected.max() / 4000)


@pytest.mark.parametrize("bandwidth", [1.0, 10.0])
def test_at_its_bandwidth_the_power_has_fallen_to_half(bandwidth):
    """The spectrum is that of 1 / (1 + (f / bandwidth)²): half at the bandwidth, a fifth at twice it."""
    elapsed, pieces, length = 0.2 / (20.0 * bandwidth), 200, 2000  # each 20 time units of 1 / bandwidth long
    torque = series(pieces * length, elapsed, bandwidth=bandwidth)[:, 0].reshape(pieces, length)
    power = (np.abs(np.fft.rfft(torque * np.hanning(length), axis=1)) ** 2).mean(0)
    frequency = np.fft.rfftfreq(length, elapsed)

    def around(f):
        return power[(frequency > 0.85 * f) & (frequency < 1.15 * f)].mean()

    low = power[(frequency > 0.0) & (frequency < 0.15 * bandwidth)][1:].mean()
    np.testing.assert_allclose(around(bandwidth) / low, 0.5, rtol=0.15)
    np.testing.assert_allclose(around(2.0 * bandwidth) / low, 0.2, rtol=0.15)


def test_joints_are_independent_of_one_another():
    torque = series(60_000, 0.01)[2000:]
    np.testing.assert_allclose(np.corrcoef(torque.T), np.eye(7), atol=0.05)


def test_irregular_steps_make_the_same_process():
    """The correlation follows the time between, however it is divided into steps."""
    exploration, random = Exploration(EFFORT, 0.02, 3.0, 0), np.random.default_rng(1)
    pairs = []
    for _ in range(40_000):
        before = exploration.next(0.1).copy()
        first = random.uniform(0.0, 0.03)
        exploration.next(first)
        pairs.append((before[0], exploration.next(0.03 - first)[0]))
    before, after = np.array(pairs).T
    np.testing.assert_allclose((before * after).mean() / before.var(), np.exp(-2.0 * np.pi * 3.0 * 0.03), atol=0.03)


def test_another_share_is_reached_with_the_time_constant_and_without_a_jump():
    exploration = Exploration(EFFORT, 0.02, 3.0, 0)
    before = [exploration.next(0.002).copy() for _ in range(2000)][-1]
    exploration.set_share(0.04)
    following = exploration.next(1e-9)
    np.testing.assert_allclose(following, before, atol=1e-3)
    torque = np.array([exploration.next(0.01).copy() for _ in range(60_000)])
    np.testing.assert_allclose(torque.std(0) / EFFORT, 0.04, rtol=0.1)


def test_a_share_of_none_ends_it_and_later_it_begins_from_zero():
    exploration = Exploration(EFFORT, 0.02, 3.0, 0)
    for _ in range(100):
        exploration.next(0.002)
    exploration.set_share(0.0)
    assert not exploration.next(0.002).any()
    exploration.set_share(0.02)
    keep = np.exp(-2.0 * np.pi * 3.0 * 0.002)
    assert (np.abs(exploration.next(0.002)) < 6.0 * np.sqrt(1.0 - keep**2) * 0.02 * EFFORT).all()


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
