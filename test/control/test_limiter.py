"""Commands stay finite and within limits, whatever is wanted."""

import numpy as np
import pytest

from ttdm_ros.control.limiter import TorqueLimiter

EFFORT = np.array([87.0] * 4 + [12.0] * 3)
RATE = np.full(7, 1000.0)


def anything(random):
    """A torque of any size, now and then not a number at all."""
    torque = random.normal(size=7) * 10.0 ** random.uniform(-3, 6, 7)
    odd = random.uniform(size=7)
    torque[odd < 0.05] = np.nan
    torque[odd > 0.95] = random.choice([np.inf, -np.inf, 1e308, -1e308])
    return torque


@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_is_finite_and_within_torque_and_rate_limits(seed):
    random, limiter, before = np.random.default_rng(seed), TorqueLimiter(EFFORT, RATE), np.zeros(7)
    for _ in range(300):
        elapsed = random.choice([0.0, 1e-3, 2e-3, random.exponential(0.01), -1e-3])
        torque = limiter.apply(anything(random), elapsed)
        assert np.isfinite(torque).all()
        assert (np.abs(torque) <= EFFORT).all()
        assert (np.abs(torque - before) <= RATE * max(elapsed, 0.0) + 1e-9).all()
        before = torque


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_torque_that_is_allowed_is_commanded(seed):
    random, limiter, before = np.random.default_rng(seed), TorqueLimiter(EFFORT, RATE), np.zeros(7)
    for _ in range(100):
        wanted, elapsed = random.normal(0.0, 60.0, 7), random.exponential(0.02)
        torque = limiter.apply(wanted, elapsed)
        lower, upper = np.maximum(-EFFORT, before - RATE * elapsed), np.minimum(EFFORT, before + RATE * elapsed)
        for i in range(7):
            candidates = np.concatenate(
                (np.linspace(lower[i], upper[i], 1001), [np.clip(wanted[i], lower[i], upper[i])])
            )
            best = candidates[np.abs(candidates - wanted[i]).argmin()]
            assert torque[i] == pytest.approx(best, abs=1e-9)
        before = torque


def test_it_starts_from_zero_torque_and_again_after_a_reset():
    limiter = TorqueLimiter(EFFORT, RATE)
    np.testing.assert_allclose(limiter.apply(np.full(7, 50.0), 1e-3), np.ones(7))
    np.testing.assert_allclose(limiter.apply(np.full(7, 50.0), 1e-3), np.full(7, 2.0))
    limiter.reset()
    np.testing.assert_allclose(limiter.apply(np.full(7, -50.0), 1e-3), -np.ones(7))


def test_what_is_not_finite_changes_nothing_of_that_joint():
    limiter = TorqueLimiter(EFFORT, RATE)
    limiter.apply(np.full(7, 5.0), 1.0)
    wanted = np.full(7, 6.0)
    wanted[2] = np.nan
    np.testing.assert_allclose(limiter.apply(wanted, 1.0), [6.0, 6.0, 5.0, 6.0, 6.0, 6.0, 6.0])


def test_commands_that_the_rate_limit_changed_are_counted():
    limiter = TorqueLimiter(EFFORT, RATE)
    limiter.apply(np.full(7, 0.5), 1e-3)
    limiter.apply(np.full(7, 50.0), 1e-3)
    limiter.apply(np.full(7, 1000.0), 1.0)
    assert limiter.limited == 1


def test_the_command_is_the_callers_to_keep():
    limiter = TorqueLimiter(EFFORT, RATE)
    limiter.apply(np.ones(7), 1.0)[:] = 99.0
    np.testing.assert_array_equal(limiter.torque, np.ones(7))
