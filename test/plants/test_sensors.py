"""Sensor noise has the statistics that were asked for, and repeats with its seed."""

import numpy as np

from ttdm_ros.plants.config import Sensor
from ttdm_ros.plants.sensors import JointSensors

Q, V = np.linspace(-1.0, 1.0, 7), np.linspace(2.0, -2.0, 7)
NOISY = Sensor(position_std=1e-3, velocity_std=2e-2)


def sensors(config: Sensor, seed: int = 0) -> JointSensors:
    return JointSensors(config, *map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2)))


def samples(config: Sensor, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    device = sensors(config, seed)
    pairs = [device.read(Q, V) for _ in range(count)]
    return np.array([q for q, _ in pairs]) - Q, np.array([v for _, v in pairs]) - V


def test_without_noise_the_state_is_reported_as_it_is() -> None:
    q, v = sensors(Sensor()).read(Q, V)
    np.testing.assert_array_equal(q, Q)
    np.testing.assert_array_equal(v, V)


def test_a_reading_is_a_copy() -> None:
    q, _ = sensors(Sensor()).read(Q, V)
    q[0] = 99.0
    assert Q[0] == -1.0


def test_noise_is_white_with_the_deviation_asked_for() -> None:
    count = 4000
    for noise, std in zip(samples(NOISY, count), (1e-3, 2e-2), strict=True):
        # Five standard errors of mean, deviation and correlation: the seed is fixed, the bounds are not tuned to it.
        assert np.abs(noise.mean(axis=0)).max() < 5.0 * std / np.sqrt(count)
        np.testing.assert_allclose(noise.std(axis=0), std, rtol=5.0 / np.sqrt(2.0 * count))
        between_joints = np.corrcoef(noise.T) - np.eye(7)
        in_time = [np.corrcoef(noise[1:, i], noise[:-1, i])[0, 1] for i in range(7)]
        assert np.abs(between_joints).max() < 5.0 / np.sqrt(count)
        assert np.abs(in_time).max() < 5.0 / np.sqrt(count)


def test_the_same_seed_gives_the_same_noise_and_another_does_not() -> None:
    first, again, other = samples(NOISY, 5, seed=1), samples(NOISY, 5, seed=1), samples(NOISY, 5, seed=2)
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


def test_switching_velocity_noise_off_leaves_position_noise_as_it_was() -> None:
    both, _ = samples(NOISY, 5)
    alone, none = samples(Sensor(position_std=1e-3), 5)
    np.testing.assert_array_equal(both, alone)
    assert not none.any()
