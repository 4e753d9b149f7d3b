"""The cost that acados is given, against pinocchio, and its derivatives against differences."""

import casadi as ca
import numpy as np
import pytest

from ttdm_ros.mpc import problem
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.systems.rigid_body import rigid_body


@pytest.fixture(scope="module")
def ocp(panda):
    return problem.build(rigid_body(panda), 4)


@pytest.fixture
def stage(panda, case, random):
    """State, torque and a reference row nearby, all random."""
    x, u = case.x0, 5.0 * random.normal(size=7)
    row = case.problem.y(x + 0.1 * random.normal(size=14), random.normal(size=7))
    return x, u, row


def function_of(ocp, expression):
    model = ocp.model
    return ca.Function("f", [model.x, model.u, model.p], [expression])


def parameters(row, weights):
    return np.concatenate((row, weights, [0.0]))


def test_the_stage_cost_is_the_weighted_square_of_the_residual(ocp, case, stage):
    x, u, row = stage
    actual = function_of(ocp, ocp.model.cost_expr_ext_cost)(x, u, parameters(row, MpcConfig().stage_weights()))
    assert float(actual) == pytest.approx(case.problem.stage_cost(x, u, row), rel=1e-12)


def test_the_terminal_cost_has_no_torque_and_counts_as_often_as_configured(ocp, case, stage):
    x, u, row = stage
    actual = function_of(ocp, ocp.model.cost_expr_ext_cost_e)(x, u, parameters(row, MpcConfig().terminal_weights()))
    assert float(actual) == pytest.approx(case.problem.stage_cost(x, u, row, last=True), rel=1e-12)
    without_torque = case.problem.stage_cost(x, row[26:], row)
    assert float(actual) == pytest.approx(MpcConfig().terminal_factor * without_torque, rel=1e-12)


def test_half_the_squared_angle_is_what_a_small_rotation_costs(ocp, panda):
    from scipy.spatial.transform import Rotation

    x, angle, weight = np.concatenate((panda.home, np.zeros(7))), 1e-3, 700.0
    position, rotation = panda.tip_pose(panda.home)
    turned = Rotation.from_rotvec([0.0, angle, 0.0]).as_matrix() @ rotation
    row = np.concatenate((position, turned.T.ravel(), x, np.zeros(7)))
    weights = MpcConfig(orientation_weight=weight).stage_weights()
    actual = function_of(ocp, ocp.model.cost_expr_ext_cost)(x, np.zeros(7), parameters(row, weights))
    assert float(actual) == pytest.approx(0.5 * weight * angle**2, rel=1e-5)


def test_the_hessian_is_gauss_newton_with_the_jacobian_of_the_residual(ocp, case, stage):
    x, u, row = stage
    weights = MpcConfig().stage_weights()
    ux, step = np.concatenate((u, x)), 1e-6
    jacobian = np.zeros((33, 21))
    for i in range(21):
        change = np.zeros(21)
        change[i] = step
        after, before = ux + change, ux - change
        jacobian[:, i] = (case.problem.y(after[7:], after[:7]) - case.problem.y(before[7:], before[:7])) / (2 * step)
    expected = jacobian.T @ np.diag(weights) @ jacobian
    actual = np.array(function_of(ocp, ocp.model.cost_expr_ext_cost_custom_hess)(x, u, parameters(row, weights)))
    np.testing.assert_allclose(actual, expected, atol=1e-6 * np.abs(expected).max())
    terminal = np.array(function_of(ocp, ocp.model.cost_expr_ext_cost_custom_hess_e)(x, u, parameters(row, weights)))
    np.testing.assert_allclose(terminal, expected[7:, 7:], atol=1e-6 * np.abs(expected).max())


def test_neither_cost_nor_hessian_depends_on_where_the_model_lies(ocp):
    for expression in (ocp.model.cost_expr_ext_cost, ocp.model.cost_expr_ext_cost_custom_hess):
        model_pointer = ocp.model.p[problem.PARAMETERS - 1]
        assert not ca.depends_on(expression, model_pointer)


def test_condensing_never_has_more_stages_than_the_problem():
    from ttdm_ros.systems.arm import load_arm

    assert problem.build(rigid_body(load_arm("panda")), 2).solver_options.qp_solver_cond_N == 2
