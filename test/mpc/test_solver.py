"""The compiled solver: its plans are optimal, its gains are derivatives, its bounds hold, and solvers keep apart."""

import gc

import numpy as np
import pytest

from ttdm_ros.mpc.solver import Plan

NEAR = 1e-3  # to a bound, at which an interior-point method never quite arrives [N·m]


def assert_stationary(case, plan, x0, rows, tolerance=1e-4):
    """No torque could be changed within its bounds so that the cost falls."""
    gradient = case.problem.gradient(x0, plan.u, rows)
    bound = case.problem.config.effort_share * case.problem.arm.limits.effort
    scale = case.problem.config.torque_weight * bound  # what leaving a torque at its bound costs by itself
    at_upper, at_lower = plan.u > bound - NEAR, plan.u < -bound + NEAR
    free = ~(at_upper | at_lower)
    assert (np.abs(gradient / scale)[free] < tolerance).all()
    assert ((gradient / scale)[at_upper] < tolerance).all()
    assert ((gradient / scale)[at_lower] > -tolerance).all()
    return at_upper | at_lower


def far(case, distance):
    """The reference, moved so that much more than a step is needed [rad]."""
    rows = case.rows.copy()
    rows[:, 12:19] += distance
    rows[:, :12] = [case.problem.y(row[12:26], row[26:])[:12] for row in rows]
    return rows


def test_a_motion_that_the_model_can_make_is_planned_exactly(case):
    plan = case.converge(case.x0)
    np.testing.assert_allclose(plan.u, case.u, atol=1e-5)
    np.testing.assert_allclose(plan.x, case.x, atol=1e-7)


@pytest.mark.parametrize("structure", ["residual", "full"])
def test_no_torque_makes_a_plan_better(new_case, new_model, structure):
    case = new_case(new_model(structure=structure), seed=3)
    rows = far(case, 0.02)
    at_bound = assert_stationary(case, case.converge(case.x0, rows), case.x0, rows)
    assert not at_bound.any()


def test_no_torque_within_its_bounds_makes_a_plan_better_that_asks_for_more_than_there_is(new_case):
    case = new_case(seed=5)
    rows = far(case, 0.4)
    at_bound = assert_stationary(case, case.converge(case.x0, rows, calls=200), case.x0, rows, tolerance=1e-2)
    assert 3 < at_bound.sum() < at_bound.size
    assert at_bound[1:].any()


def test_no_torque_makes_a_plan_better_that_has_to_leave_its_state_bounds(new_case):
    case = new_case(seed=3)
    rows = far(case, 0.4)
    plan = case.converge(case.x0, rows, calls=200)
    assert case.problem.violation(plan.x[1]).max() > 1e-4
    assert_stationary(case, plan, case.x0, rows, tolerance=1e-2)


def test_the_plan_is_that_of_ipopt(new_case):
    case = new_case(seed=4)
    rows = far(case, 0.1)
    plan = case.converge(case.x0, rows, calls=200)
    expected = by_ipopt(case, case.x0, rows)
    assert (np.abs(plan.u) > 0.94 * case.problem.arm.limits.effort).any()
    np.testing.assert_allclose(plan.u, expected, atol=2e-3)


def by_ipopt(case, x0, rows):
    """Torques (N, 7) that CasADi's interface to Ipopt finds for the same problem, with its own derivatives."""
    import casadi as ca

    from ttdm_ros.systems.rigid_body import rigid_body

    model, config = case.problem.model, case.problem.config
    body, limits, n = rigid_body(case.problem.arm), case.problem.arm.limits, config.horizon
    q, v, u = ca.SX.sym("q", 7), ca.SX.sym("v", 7), ca.SX.sym("u", 7)
    h = (ca.vertcat(q, v, u) - model.input_mean) / model.input_std
    for layer in model.layers[:-1]:
        h = ca.tanh(layer.weight @ h + layer.bias)
    h = model.output_mean + model.output_std * (model.layers[-1].weight @ h + model.layers[-1].bias)
    a = body.forward_dynamics(q, v, u) + h
    after = ca.vertcat(q + config.dt * (v + 0.5 * config.dt * a), v + config.dt * a)
    step = ca.Function("step", [ca.vertcat(q, v), u], [after])
    position, rotation = body.tip_pose(q)
    y = ca.Function("y", [ca.vertcat(q, v), u], [ca.vertcat(position, ca.vec(rotation), q, v, u)])

    opti = ca.Opti()
    torques, states = opti.variable(7, n), opti.variable(14, n + 1)
    speed = config.velocity_share * limits.velocity
    lower, upper = np.concatenate((limits.position_lower, -speed)), np.concatenate((limits.position_upper, speed))
    weights = (config.stage_weights(), config.terminal_weights())
    cost = 0.0
    opti.subject_to(states[:, 0] == x0)
    for k in range(n + 1):
        torque = torques[:, k] if k < n else np.zeros(7)
        error = y(states[:, k], torque) - rows[k]
        cost += 0.5 * ca.dot(weights[k == n] * error, error)
        if k < n:
            opti.subject_to(states[:, k + 1] == step(states[:, k], torque))
            bound = config.effort_share * limits.effort
            opti.subject_to(opti.bounded(-bound, torque, bound))
        if k > 0:
            out = ca.fmax(ca.fmax(lower - states[:, k], states[:, k] - upper), 0.0)
            cost += 0.5 * config.slack_quadratic * ca.dot(out, out)
    opti.minimize(cost)
    opti.set_initial(states, np.tile(x0, (n + 1, 1)).T)
    opti.solver("ipopt", {"print_time": False}, {"print_level": 0, "sb": "yes", "tol": 1e-9})
    return np.array(opti.solve().value(torques)).T


def differences(case, x0, rows, plan, step):
    """Change of the converged first torque by the first state, (7, 14)."""
    derivative = np.zeros((7, 14))
    for i in range(14):
        change = step * np.eye(14)[i]
        ends = [case.converge(x0 + s * change, rows, calls=200, guess=(plan.x, plan.u)).u[0] for s in (1.0, -1.0)]
        derivative[:, i] = (ends[0] - ends[1]) / (2.0 * step)
    return derivative


@pytest.mark.parametrize("structure", ["residual", "full"])
def test_the_gain_is_the_derivative_of_the_first_torque_by_the_first_state(new_case, new_model, structure):
    case = new_case(new_model(structure=structure), seed=6)
    plan = case.converge(case.x0)
    expected = differences(case, case.x0, case.rows, plan, 1e-5)
    np.testing.assert_allclose(plan.gain, expected, atol=1e-4 * np.abs(expected).max())


def dense_gain(case, plan, rows, held):
    """Change of the first torque by the first state, from one dense problem in all torques that are not held."""
    problem, n, step = case.problem, len(plan.u), 1e-6
    A, B, J = [], [], []
    for k in range(n + 1):
        torque = plan.u[k] if k < n else np.zeros(7)
        z = np.concatenate((plan.x[k], torque))
        changes = step * np.eye(21)
        after = [(problem.y((z + c)[:14], (z + c)[14:]), problem.y((z - c)[:14], (z - c)[14:])) for c in changes]
        J.append(np.array([(high - low) / (2 * step) for high, low in after]).T)
        if k < n:
            ends = [
                (problem.step((z + c)[:14], (z + c)[14:]) - problem.step((z - c)[:14], (z - c)[14:])) / (2 * step)
                for c in changes
            ]
            A.append(np.array(ends[:14]).T)
            B.append(np.array(ends[14:]).T)
    by_x0, by_u = np.eye(14), np.zeros((14, 7 * n))
    hessian, mixed = np.zeros((7 * n, 7 * n)), np.zeros((7 * n, 14))
    config = problem.config
    for k in range(n + 1):
        weights = config.terminal_weights() if k == n else config.stage_weights()
        own = np.zeros((7, 7 * n))
        if k < n:
            own[:, 7 * k : 7 * k + 7] = np.eye(7)
        y_u, y_x0 = J[k] @ np.vstack((by_u, own)), J[k] @ np.vstack((by_x0, np.zeros((7, 14))))
        hessian += y_u.T @ (weights[:, None] * y_u)
        mixed += y_u.T @ (weights[:, None] * y_x0)
        if k < n:
            by_u, by_x0 = A[k] @ by_u + B[k] @ own, A[k] @ by_x0
    free = ~held.ravel()
    gain = np.zeros((7 * n, 14))
    gain[free] = -np.linalg.solve(hessian[np.ix_(free, free)], mixed[free])
    return gain[:7]


def test_the_gain_lets_torques_at_their_bounds_rest(new_case):
    case = new_case(seed=6)
    rows = far(case, 0.4)
    plan = case.converge(case.x0, rows, calls=200)
    bound = 0.95 * case.problem.arm.limits.effort
    held = np.abs(plan.u) > bound - NEAR
    assert held[0].any()
    assert not held[0].all()
    assert held[1:].any()
    assert not np.abs(plan.gain[held[0]]).max() > 1e-6
    expected = dense_gain(case, plan, rows, held)
    np.testing.assert_allclose(plan.gain, expected, atol=1e-4 * np.abs(expected).max())


def test_a_start_outside_its_bounds_is_led_back_within_torque_bounds(new_case, panda):
    case, limits = new_case(horizon=20), panda.limits
    x = np.concatenate((panda.home, np.zeros(7)))
    x[3] = limits.position_upper[3] + 0.05
    x[5], x[12] = limits.position_lower[5] - 0.03, 1.3 * limits.velocity[5]
    rows = np.tile(case.problem.y(np.concatenate((panda.home, np.zeros(7))), np.zeros(7)), (21, 1))
    case.solver.initialise(np.tile(x, (21, 1)), np.zeros((20, 7)))
    assert case.problem.violation(x).any()
    for _ in range(150):
        plan = case.solver.solve(x, rows, share=0.5)
        assert plan.ok
        assert (np.abs(plan.u) <= limits.effort).all()
        x = case.problem.step(x, plan.u[0], 0.01)
    assert not case.problem.violation(x).any()


@pytest.mark.parametrize("seed", range(5))
def test_torques_keep_to_their_share_of_the_limits_whatever_is_asked(new_case, panda, seed):
    case, random = new_case(effort_share=0.6), np.random.default_rng(seed)
    for _ in range(20):
        x0 = case.x0 + random.normal(0.0, 1.0, 14) * np.repeat([0.3, 1.0], 7)
        plan = case.solver.solve(x0, far(case, random.normal(0.0, 0.5, 7)), share=0.5)
        if not plan.ok:
            case.solver.initialise_from(case.rows)
            continue
        assert (np.abs(plan.u) <= 0.6 * panda.limits.effort * (1.0 + 1e-6)).all()


def test_weights_exchanged_between_solves_act_as_in_a_fresh_solver(new_case, new_model):
    old, new = new_case(new_model(seed=2)), new_case(new_model(seed=9))
    old.converge(old.x0)
    old.solver.set_model(new.problem.model)
    rows = new.rows
    np.testing.assert_allclose(old.converge(new.x0, rows).u, new.converge(new.x0, rows).u, atol=1e-9)


def test_exchanged_costs_act_as_in_a_fresh_solver(new_case):
    old, new = new_case(), new_case(position_weight=1e2, posture_weight=50.0, terminal_factor=5.0)
    rows = far(old, 0.05)
    old.converge(old.x0, rows)
    config = new.problem.config
    old.solver.set_weights(config.stage_weights(), config.terminal_weights())
    np.testing.assert_allclose(old.converge(old.x0, rows).u, new.converge(old.x0, rows).u, atol=1e-7)


def test_solvers_of_one_library_do_not_influence_each_other(new_case, new_model):
    def alone(case):
        return case.converge(case.x0, far(case, 0.05)).u

    one, two = new_case(new_model(seed=2)), new_case(new_model(seed=9), dt=0.01, effort_share=0.5, seed=8)
    expected = alone(one), alone(two)
    for case in (one, two):
        case.solver.initialise(np.tile(case.x0, (6, 1)), np.zeros((5, 7)))
    for _ in range(80):
        plans = [case.solver.solve(case.x0, far(case, 0.05)) for case in (one, two)]
    for plan, torques in zip(plans, expected, strict=True):
        np.testing.assert_allclose(plan.u, torques, atol=1e-7)


def test_solvers_of_other_shapes_do_not_influence_each_other(new_case, new_model):
    cases = [
        new_case(new_model(structure="nominal", hidden=[])),
        new_case(new_model(structure="full")),
        new_case(horizon=20, torque=0.05),
    ]
    for _ in range(2):
        for case in cases:
            plan = case.converge(case.x0, guess=(case.x, 0.9 * case.u))
            np.testing.assert_allclose(plan.u, case.u, atol=1e-4)


def test_a_solver_that_is_gone_leaves_the_others_alone(new_case):
    case, other = new_case(), new_case()
    before = case.converge(case.x0).u
    del other
    gc.collect()
    np.testing.assert_array_equal(case.converge(case.x0).u, before)


def test_equal_questions_have_equal_answers(new_case):
    one, two = new_case(), new_case()
    for case in (one, two):
        case.solver.initialise_from(case.rows)
    for i in range(20):
        rows = far(one, 0.01 * i)
        first, second = (case.solver.solve(case.x0, rows, share=0.3) for case in (one, two))
        np.testing.assert_array_equal(first.u, second.u)
        np.testing.assert_array_equal(first.gain, second.gain)


@pytest.mark.parametrize("where", ["state", "reference"])
def test_nan_is_reported_and_forgotten_after_a_new_guess(case, where):
    x0, rows = case.x0.copy(), case.rows.copy()
    (x0 if where == "state" else rows[2])[3] = np.nan
    expected = case.converge(case.x0).u
    assert not case.solver.solve(x0, rows).ok
    np.testing.assert_allclose(case.converge(case.x0).u, expected, atol=1e-9)


def test_the_guess_is_moved_on_by_whole_steps_and_the_share_that_is_left(new_case, panda):
    """With a weight so large that the problem is almost linear, one iteration ends near the guess it began from."""
    case = new_case(torque_weight=1e9, position_weight=1e-9, posture_weight=1e-9, velocity_weight=1e-9)
    u = case.u
    for share, expected in (
        (1.0, np.concatenate((u[1:], u[-1:]))),
        (2.0, np.concatenate((u[2:], u[-1:], u[-1:]))),
        (0.25, np.concatenate((0.75 * u[:-1] + 0.25 * u[1:], u[-1:]))),
        (1.25, np.concatenate((0.75 * u[1:-1] + 0.25 * u[2:], u[-1:], u[-1:]))),
    ):
        case.solver.initialise(case.x, u)
        k, s = divmod(share, 1.0)
        beyond = [case.problem.step(case.x[-1], u[-1])]
        beyond += [case.problem.step(beyond[-1], u[-1]), case.problem.step(case.problem.step(beyond[-1], u[-1]), u[-1])]
        states = np.concatenate((case.x, beyond))[int(k) :]
        x0 = states[0] + s * (states[1] - states[0])
        rows = case.rows.copy()
        rows[:-1, 26:] = expected
        plan = case.solver.solve(x0, rows, share=share)
        np.testing.assert_allclose(plan.u, expected, atol=1e-4)


def test_reference_rows_are_read_in_place_from_a_window_of_any_stride(case):
    table = np.zeros((40, 33))
    table[3 : 3 + 5 * 6 : 5] = case.rows
    window = table[3 : 3 + 5 * 6 : 5]
    expected = case.converge(case.x0, case.rows).u
    np.testing.assert_array_equal(case.converge(case.x0, window).u, expected)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((5, 33)),
        np.zeros((6, 32)),
        np.zeros((6, 33), np.float32),
        np.zeros((33, 6)).T,
        np.zeros((6, 66))[:, ::2],
        np.zeros((6, 33), np.int64),
    ],
)
def test_rows_of_another_shape_or_type_are_refused(case, rows):
    with pytest.raises(ValueError, match=r"rows must be float64 of shape \(6, 33\)"):
        case.solver.solve(case.x0, rows)


def test_weights_of_another_shape_are_refused(case):
    with pytest.raises(ValueError, match=r"weights must have shape \(33,\)"):
        case.solver.set_weights(np.ones(32), np.ones(33))


def test_a_plan_stays_as_it_was_when_the_next_one_comes(case):
    plan = case.converge(case.x0)
    copies = plan.x.copy(), plan.u.copy(), plan.gain.copy()
    case.solver.solve(case.x0 + 0.1, far(case, 0.1))
    for now, then in zip((plan.x, plan.u, plan.gain), copies, strict=True):
        np.testing.assert_array_equal(now, then)


def make_plan(case, start=2.0):
    return Plan(
        start=start, dt=0.02, x=case.x, u=case.u, gain=np.zeros((7, 14)), status=0, iterations=1, solve_us=0, call_us=0
    )


def test_between_its_points_a_plan_is_the_euler_step_of_a_shorter_time(case):
    plan = make_plan(case)
    for k, share in ((0, 0.0), (0, 0.3), (2, 0.5), (4, 0.999)):
        state, torque = plan.at(2.0 + 0.02 * (k + share))
        np.testing.assert_allclose(state, case.problem.step(case.x[k], case.u[k], 0.02 * share or 1e-300), atol=1e-9)
        np.testing.assert_array_equal(torque, case.u[k])


def test_at_its_points_a_plan_has_its_states(case):
    plan = make_plan(case)
    for k in range(6):
        np.testing.assert_allclose(plan.at(2.0 + 0.02 * k)[0], case.x[k], atol=1e-9)


def test_before_and_after_its_ends_a_plan_rests_at_them(case):
    plan = make_plan(case)
    np.testing.assert_array_equal(plan.at(1.0)[0], case.x[0])
    np.testing.assert_array_equal(plan.at(1.0)[1], case.u[0])
    np.testing.assert_allclose(plan.at(99.0)[0], case.x[-1], atol=1e-15)
    np.testing.assert_array_equal(plan.at(99.0)[1], case.u[-1])
