"""Scalar profiles against differences, quadrature, and their own promises."""

import numpy as np
import pytest

from ttdm_ros.mpc.tasks.profiles import (
    MINIMUM_JERK_PEAK_ACCELERATION,
    MINIMUM_JERK_PEAK_SPEED,
    ArcLengthProfile,
    fade,
    minimum_jerk,
)


def assert_rates_are_derivatives(profile, times):
    h = 1e-5
    before, here, after = profile(times - h), profile(times), profile(times + h)
    np.testing.assert_allclose(here.rate, (after.value - before.value) / (2 * h), atol=1e-7)
    np.testing.assert_allclose(here.acceleration, (after.rate - before.rate) / (2 * h), atol=1e-6)


def test_minimum_jerk_goes_from_rest_to_rest():
    ends = minimum_jerk(np.array([0.0, 1.7]), 1.7)
    np.testing.assert_allclose(ends.value, [0.0, 1.0])
    np.testing.assert_allclose([ends.rate, ends.acceleration], 0.0, atol=1e-15)


def test_minimum_jerk_peaks_are_the_constants_named_for_them():
    unit = minimum_jerk(np.linspace(0.0, 1.0, 100001), 1.0)
    assert unit.rate.max() == pytest.approx(MINIMUM_JERK_PEAK_SPEED, rel=1e-9)
    assert np.abs(unit.acceleration).max() == pytest.approx(MINIMUM_JERK_PEAK_ACCELERATION, rel=1e-8)


def test_minimum_jerk_and_fade_rates_are_derivatives():
    times = np.linspace(0.01, 4.99, 97)
    assert_rates_are_derivatives(lambda t: minimum_jerk(t, 5.0), times)
    assert_rates_are_derivatives(lambda t: fade(t, 5.0, 1.5), times)


def test_fade_is_one_between_its_edges():
    between = fade(np.linspace(1.5, 3.5, 9), 5.0, 1.5)
    np.testing.assert_allclose(between.value, 1.0)
    np.testing.assert_allclose([between.rate, between.acceleration], 0.0, atol=1e-15)


@pytest.mark.parametrize("length", [2.0, 0.01])
def test_arc_length_profile_covers_its_length_from_rest_to_rest(length):
    profile = ArcLengthProfile.of(length, speed=0.3, acceleration=1.2)
    ends = profile.at(np.array([0.0, profile.duration]))
    np.testing.assert_allclose(ends.value, [0.0, length], atol=1e-12)
    np.testing.assert_allclose([ends.rate, ends.acceleration], 0.0, atol=1e-12)
    times = np.linspace(0.0, profile.duration, 20001)
    assert np.trapezoid(profile.at(times).rate, times) == pytest.approx(length, rel=1e-6)
    assert_rates_are_derivatives(profile.at, np.linspace(1e-3, profile.duration - 1e-3, 97))


def test_arc_length_profile_cruises_at_its_speed_and_starts_with_its_acceleration():
    profile = ArcLengthProfile.of(2.0, speed=0.3, acceleration=1.2)
    driven = profile.at(np.linspace(0.0, profile.duration, 20001))
    assert driven.rate.max() == pytest.approx(0.3)
    assert np.abs(driven.acceleration).max() == pytest.approx(1.2, rel=1e-5)
    middle = profile.at(np.array([0.5 * profile.duration]))
    assert middle.rate[0] == pytest.approx(0.3)
    assert middle.acceleration[0] == 0.0


def test_a_short_path_is_driven_slower_not_harder():
    profile = ArcLengthProfile.of(0.01, speed=0.3, acceleration=1.2)
    driven = profile.at(np.linspace(0.0, profile.duration, 20001))
    assert driven.rate.max() < 0.3
    assert np.abs(driven.acceleration).max() == pytest.approx(1.2, rel=1e-5)
