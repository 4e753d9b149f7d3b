"""The state at which a command will act, against the commands acting one after the other."""

import numpy as np
import pytest

from ttdm_ros.control.underway import CommandsUnderway
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import MpcSolver


@pytest.fixture(scope="module")
def solver(panda):
    return MpcSolver(
        panda, PredictionModel.nominal(ModelSpecification(structure="nominal", hidden=[])), MpcConfig(horizon=5)
    )


@pytest.fixture
def x(panda):
    return np.concatenate((panda.home, np.random.default_rng(0).normal(0.0, 0.3, 7)))


def steps(arm, x, *pieces):
    """Semi-implicit Euler through (torque, duration) pieces, with pinocchio's dynamics."""
    q, v = x[:7], x[7:]
    for tau, duration in pieces:
        after = v + duration * arm.forward_dynamics(q, v, tau)
        q, v = q + 0.5 * duration * (v + after), after
    return np.concatenate((q, v))


def test_before_any_command_no_torque_acts(panda, solver, x):
    actual = CommandsUnderway(0.004).foresee(solver, 0.0, x)
    np.testing.assert_allclose(actual, steps(panda, x, (np.zeros(7), 0.004)), rtol=1e-10)


def test_without_delay_the_state_is_that_of_now(solver, x):
    underway = CommandsUnderway(0.0)
    underway.send(0.0, np.ones(7))
    np.testing.assert_array_equal(underway.foresee(solver, 0.002, x), x)


def test_commands_act_one_after_the_other_each_after_the_delay(panda, solver, x):
    underway, torques = CommandsUnderway(0.005), np.random.default_rng(1).normal(0.0, 5.0, (4, 7))
    for i, tau in enumerate(torques):
        underway.send(0.002 * i, tau)
    # At 8 ms, the command of 2 ms acts since 7 ms; those of 4 and 6 ms follow at 9 and 11 ms.
    expected = steps(panda, x, (torques[1], 0.001), (torques[2], 0.002), (torques[3], 0.002))
    np.testing.assert_allclose(underway.foresee(solver, 0.008, x), expected, rtol=1e-10)


def test_a_command_acts_until_the_next_one_comes_however_long(panda, solver, x):
    underway = CommandsUnderway(0.004)
    underway.send(0.0, np.full(7, 2.0))
    np.testing.assert_allclose(underway.foresee(solver, 0.5, x), steps(panda, x, (np.full(7, 2.0), 0.004)), rtol=1e-10)


def test_a_reset_forgets_what_was_sent(panda, solver, x):
    underway = CommandsUnderway(0.004)
    underway.send(0.0, np.full(7, 2.0))
    underway.reset()
    np.testing.assert_allclose(underway.foresee(solver, 0.01, x), steps(panda, x, (np.zeros(7), 0.004)), rtol=1e-10)
