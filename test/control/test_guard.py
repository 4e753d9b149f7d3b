"""Joint states that must not be acted on are found, and all others let through."""

import numpy as np
import pytest

from ttdm_ros.control.guard import StateGuard

STALE = 0.03


@pytest.fixture
def guard(panda):
    return StateGuard(panda.joint_names, panda.limits, STALE)


@pytest.mark.parametrize("joint", [0, 3, 6])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["q", "v"])
def test_what_is_not_finite_is_named_by_joint(guard, panda, joint, value, where):
    q, v = panda.home.copy(), np.zeros(7)
    (q if where == "q" else v)[joint] = value
    assert f"{panda.joint_names[joint]} is not finite" in guard.fault(0.0, q, v)


def test_a_posture_far_beyond_its_limits_is_named_by_joint_and_angle(guard, panda):
    q = panda.home.copy()
    q[3] = panda.limits.position_upper[3] + 0.2
    assert guard.fault(0.0, q, np.zeros(7)).startswith(f"panda_joint4 is at {q[3]:.3f} rad, far beyond its limits")


def test_a_posture_just_beyond_its_limits_can_be_recovered_from(guard, panda):
    q = panda.limits.position_lower - 0.05
    assert guard.fault(0.0, q, np.zeros(7)) is None


def test_a_joint_that_is_much_too_fast_is_named_with_its_speed(guard, panda):
    v = np.zeros(7)
    v[5] = -2.0 * panda.limits.velocity[5]
    assert guard.fault(0.0, panda.home, v).startswith(f"panda_joint6 moves at {v[5]:.2f} rad/s, far beyond its limit")


def test_a_joint_that_is_a_little_too_fast_can_be_recovered_from(guard, panda):
    assert guard.fault(0.0, panda.home, 1.2 * panda.limits.velocity) is None


def test_positions_that_stand_still_under_speed_are_frozen(guard, panda):
    v = np.zeros(7)
    v[1] = 0.1
    found = [guard.fault(t, panda.home, v) for t in np.arange(0.0, 0.05, 0.002)]
    first = next(i for i, fault in enumerate(found) if fault)
    assert 0.002 * first == pytest.approx(STALE + 0.002)
    assert "have not changed for 32 ms although the arm says it moves" in found[first]


def test_an_arm_at_rest_is_not_frozen(guard, panda):
    random = np.random.default_rng(1)
    for t in np.arange(0.0, 0.5, 0.002):
        assert guard.fault(t, panda.home, random.normal(0.0, 1e-3, 7)) is None


def test_positions_that_change_now_and_then_are_not_frozen(guard, panda):
    v, q = np.full(7, 0.1), panda.home.copy()
    for i in range(250):
        if i % 10 == 0:
            q = q + 1e-6
        assert guard.fault(0.002 * i, q, v) is None


def test_a_state_that_is_no_newer_than_the_last_is_old(guard, panda):
    assert not guard.is_old(-5.0)
    guard.fault(1.0, panda.home, np.zeros(7))
    assert guard.is_old(0.9)
    assert guard.is_old(1.0)
    assert not guard.is_old(1.001)
    guard.reset()
    assert not guard.is_old(0.5)
