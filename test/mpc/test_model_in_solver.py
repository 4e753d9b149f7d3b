"""The compiled prediction model, against pinocchio, a network in numpy, and differences."""

import numpy as np
import pytest

from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SolverError

STRUCTURES = [
    {"structure": "nominal", "hidden": []},
    {"structure": "residual"},
    {"structure": "residual", "hidden": []},
    {"structure": "residual", "hidden": [9], "inputs": ["q", "tau"]},
    {"structure": "residual", "hidden": [5, 16, 3]},
    {"structure": "full"},
    {"structure": "full", "hidden": [], "inputs": ["v", "tau"]},
]


@pytest.fixture(scope="module", params=STRUCTURES, ids=lambda keys: f"{keys['structure']}-{keys.get('hidden')}")
def case(request, new_case, new_model):
    return new_case(new_model(**request.param))


@pytest.fixture
def states(panda):
    """Random q, v and tau within the limits of the arm."""
    random, limits = np.random.default_rng(5), panda.limits
    q = random.uniform(limits.position_lower, limits.position_upper, (20, 7))
    v = random.uniform(-1.0, 1.0, (20, 7)) * limits.velocity
    tau = random.uniform(-1.0, 1.0, (20, 7)) * limits.effort
    return np.concatenate((q, v, tau), axis=1)


def test_the_acceleration_is_that_of_the_arm_and_the_network(case, states):
    for z in states:
        expected = case.problem.acceleration(z)
        actual, _ = case.solver.acceleration(z)
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_its_jacobian_is_that_of_differences(case, states):
    step = 1e-5
    for z in states[:6]:
        expected = np.zeros((7, 21))
        for i in range(21):
            change = step * np.eye(21)[i]
            expected[:, i] = (case.problem.acceleration(z + change) - case.problem.acceleration(z - change)) / (
                2 * step
            )
        _, actual = case.solver.acceleration(z)
        np.testing.assert_allclose(actual, expected, atol=1e-6 * max(np.abs(expected).max(), 1.0))


def test_a_step_keeps_the_acceleration_and_moves_with_the_mean_velocity(case):
    dt = 0.013
    a = case.problem.acceleration(np.concatenate((case.x0, case.u[0])))
    v = case.x0[7:] + dt * a
    expected = np.concatenate((case.x0[:7] + 0.5 * dt * (case.x0[7:] + v), v))
    np.testing.assert_allclose(case.solver.predict(case.x0, case.u[0], dt), expected, rtol=1e-12, atol=1e-12)


def test_a_prediction_in_several_steps_is_so_many_short_steps(case):
    expected = case.x0
    for _ in range(3):
        expected = case.problem.step(expected, case.u[0], 0.002)
    np.testing.assert_allclose(case.solver.predict(case.x0, case.u[0], 0.006, 3), expected, rtol=1e-12, atol=1e-12)


def test_a_prediction_over_no_time_is_the_state(case):
    np.testing.assert_array_equal(case.solver.predict(case.x0, case.u[0], 0.0), case.x0)
    np.testing.assert_array_equal(case.solver.predict(case.x0, case.u[0], 0.0, 0), case.x0)


def test_the_plan_obeys_the_model(case):
    plan = case.converge(case.x0)
    np.testing.assert_allclose(plan.x, case.problem.rollout(case.x0, plan.u), atol=1e-8)


def test_nan_stays_nan(case, states):
    states[0, 9] = np.nan
    if "v" in case.problem.model.specification.inputs or case.problem.model.specification.structure != "full":
        assert np.isnan(case.solver.acceleration(states[0])[0]).all()


def test_a_model_of_another_shape_is_refused_with_both_shapes(case, new_model):
    with pytest.raises(SolverError, match=r"residual with hidden layers \[2, 2\], the solver .*; make a solver for it"):
        case.solver.set_model(new_model(hidden=[2, 2]))


def test_a_full_model_is_refused_where_a_residual_one_was_even_if_its_sizes_fit(new_case, new_model):
    with pytest.raises(SolverError, match=r"structure full .* the solver residual"):
        new_case().solver.set_model(new_model(structure="full"))


def test_a_model_that_sees_less_fits_a_solver_of_its_layers(new_case, new_model):
    case, part = new_case(), new_model(inputs=["q", "v"])
    case.solver.set_model(part)
    case.problem.model = part
    z = np.concatenate((case.x0, case.u[0]))
    np.testing.assert_allclose(case.solver.acceleration(z)[0], case.problem.acceleration(z), rtol=1e-10)


def test_the_nominal_model_predicts_as_the_nominal_arm(new_case, panda):
    from ttdm_ros.dynamics.model import PredictionModel

    case = new_case(PredictionModel.nominal(ModelSpecification()))
    expected = panda.forward_dynamics(case.x0[:7], case.x0[7:], case.u[0])
    np.testing.assert_allclose(case.solver.acceleration(np.concatenate((case.x0, case.u[0])))[0], expected, rtol=1e-10)
