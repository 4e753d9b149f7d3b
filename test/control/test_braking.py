"""Braking without the solver, against the arm's dynamics in pinocchio."""

import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.control.braking import Braking


@pytest.fixture
def braking(panda):
    braking = Braking(panda)
    braking.begin(1.0)
    return braking


def accelerations(arm, q, v, tau):
    model = arm.model.copy()
    model.gravity = pin.Motion.Zero()
    return pin.aba(model, model.createData(), q, v, tau)


def test_a_slow_joint_decelerates_in_proportion_to_its_velocity(braking, panda):
    v = np.random.default_rng(0).uniform(-0.2, 0.2, 7)
    a = accelerations(panda, panda.home, v, braking.torque(panda.home, v))
    np.testing.assert_allclose(a / v, (a / v)[0], rtol=1e-9)
    assert (a / v < -5.0).all()


def test_a_fast_joint_decelerates_within_its_acceleration_limits(braking, panda):
    v = panda.limits.velocity * np.array([1, -1, 1, -1, 1, -1, 1])
    a = accelerations(panda, panda.home, v, braking.torque(panda.home, v))
    np.testing.assert_array_less(np.abs(a), panda.limits.acceleration + 1e-9)
    assert (a * v < 0.0).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_arm_comes_to_rest_from_any_velocity_within_a_second(braking, panda, seed):
    random, dt = np.random.default_rng(seed), 1e-3
    q, v = panda.home.copy(), random.uniform(-1.0, 1.0, 7) * panda.limits.velocity
    for i in range(1000):
        tau = braking.torque(q, v)
        if braking.done(1.0 + i * dt, v, tau, known=True):
            break
        v = v + dt * accelerations(panda, q, v, tau)
        q = q + dt * v
    assert np.abs(v).max() < 0.02
    assert i < 999


def test_it_is_done_after_two_seconds_even_if_the_arm_still_moves(braking):
    moving = np.full(7, 0.1)
    assert not braking.done(2.9, moving, np.zeros(7), known=True)
    assert braking.done(3.1, moving, np.zeros(7), known=True)


def test_of_an_arm_of_which_nothing_is_known_it_is_done_when_torque_is_zero(braking):
    assert not braking.done(9.0, np.zeros(7), np.full(7, 1e-3), known=False)
    assert braking.done(1.0, np.full(7, 5.0), np.zeros(7), known=False)
