"""Solution and sensitivities against IPOPT, central differences, and costs evaluated numerically."""

from itertools import pairwise

import numpy as np
import pytest

from ttdm_ros.mpc.sensitivity.exact import Status, metric

pytestmark = pytest.mark.timeout(400)  # the first run on a machine compiles

ACTIVE = {"effort_share": 0.05}  # the reference asks for more than there is
P = 4


def differences(case, direction):
    """u_0 along a direction of the disturbance, by central differences with the step at which they settle.

    None where they do not, as a torque comes to its bound or leaves it there: no derivative exists.
    """
    found = []
    for size in (1e-3, 3e-4, 1e-4):
        ahead, behind = (case.first_torque(sign * size * direction) for sign in (1.0, -1.0))
        found.append((ahead - behind) / (2.0 * size))
    changes = [np.abs(b - a).max() for a, b in pairwise(found)]
    best = int(np.argmin(changes))
    return found[best + 1] if changes[best] < 1e-5 * np.abs(found[best]).max() else None


@pytest.mark.parametrize("settings", [{}, ACTIVE], ids=["free", "active"])
def test_the_solution_is_the_one_ipopt_finds(arm, new_case, settings):
    for seed in range(3):
        case = new_case(arm, seed, **settings)
        x, u = case.reference
        solution = case.exact.solve(case.sample.x0, case.sample.rows, *case.sample.guess)
        assert solution.status is Status.SOLVED
        assert solution.violated == 0
        assert np.abs(solution.u - u).max() < 1e-5
        assert np.abs(solution.x - x).max() < 1e-7
        assert (solution.active > 0) == (settings is ACTIVE)


@pytest.mark.parametrize(
    "settings", [{}, {"learned": False}, ACTIVE], ids=["learned", "nominal", "learned with active bounds"]
)
def test_sensitivities_are_ipopts_central_differences(arm, new_case, settings):
    random, settled = np.random.default_rng(3), 0
    for seed in range(2):
        case = new_case(arm, seed, **settings)
        assert case.solve().status is Status.SOLVED
        s = case.exact.sensitivities(P).s
        for k in range(P):
            direction = np.zeros((len(case.sample.guess[1]), 14))
            direction[k] = random.normal(size=14) * np.repeat([0.1, 1.0], 7)
            expected = differences(case, direction)
            if expected is not None:
                settled += 1
                assert np.abs(s[k] @ direction[k] - expected).max() < 1e-5 * np.abs(expected).max()
    assert settled >= 6


def test_a_torque_at_its_bound_does_not_react(arm, new_case):
    found = 0
    for seed in range(4):
        case = new_case(arm, seed, **ACTIVE)
        solution = case.solve()
        assert solution.status is Status.SOLVED
        sensitivities = case.exact.sensitivities(P)
        limit = case.exact.config.effort_share * arm.limits.effort
        held = np.abs(np.abs(solution.u[0]) - limit) < 1e-9
        found += held.sum()
        assert not sensitivities.s[:, held].any()
        assert not sensitivities.hessian[held].any()
        assert not sensitivities.hessian[:, held].any()
        assert (np.abs(solution.u) <= limit + 1e-9).all()
    assert found > 0


def test_the_hessian_is_the_curvature_of_the_optimal_cost_in_the_first_torque(arm, new_case):
    case = new_case(arm)
    _, u = case.reference
    case.solve()
    hessian = case.exact.sensitivities(P).hessian
    random = np.random.default_rng(0)
    for _ in range(3):
        direction, size = random.normal(size=7), 1e-2
        change = [cost_with_first_torque(case, u[0] + sign * size * direction) for sign in (1.0, 0.0, -1.0)]
        expected = (change[0] - 2.0 * change[1] + change[2]) / size**2
        assert direction @ hessian @ direction == pytest.approx(expected, rel=1e-4)


def cost_with_first_torque(case, torque):
    """Cost of applying a torque and going on optimally: the problem with the first torque's bounds closed."""
    ipopt = case.ipopt
    free = ipopt.upper.copy()
    states = 14 * (ipopt.config.horizon + 1)
    lower, upper = -free, free
    lower[states : states + 7] = upper[states : states + 7] = torque
    n = ipopt.config.horizon
    guess = np.concatenate([part.ravel() for part in case.reference])
    p = np.concatenate([case.sample.x0, case.sample.rows.ravel(), np.zeros(14 * n)])
    result = ipopt.solver(x0=guess, p=p, lbx=lower, ubx=upper, lbg=0.0, ubg=0.0)
    assert ipopt.solver.stats()["success"]
    return float(result["f"])


@pytest.mark.parametrize("settings", [{}, ACTIVE], ids=["free", "active"])
def test_the_metric_is_the_regret_of_planning_with_small_errors(arm, new_case, settings):
    """Plan with a model whose p-step rollouts err by ε, apply the first torque to the true arm, go on optimally."""
    case = new_case(arm, 1, **settings)
    solution = case.solve()
    sensitivities = case.exact.sensitivities(P)
    g, a = metric(sensitivities), sensitivities.a
    best = cost_with_first_torque(case, solution.u[0])
    random = np.random.default_rng(5)
    for _ in range(3):
        error = 1e-3 * random.normal(size=(P, 14)) * np.repeat([0.1, 1.0], 7)
        # Errors of a rollout are disturbances of its steps, carried on by the steps after them.
        disturbance = np.zeros((len(solution.u), 14))
        disturbance[:P] = error
        disturbance[1:P] -= np.einsum("kij,kj->ki", a[1:], error[:-1])
        wrong = case.solve(disturbance).u[0]
        regret = cost_with_first_torque(case, wrong) - best
        predicted = 0.5 * np.square(np.einsum("kij,kj->i", g, error)).sum()
        assert predicted == pytest.approx(regret, rel=0.03)


def test_the_value_gradient_is_the_slope_of_the_optimal_cost_by_a_disturbance(arm, new_case):
    case = new_case(arm, 2)
    case.solve()
    gradient = case.exact.sensitivities(P).value_gradient
    random, n = np.random.default_rng(0), case.ipopt.config.horizon
    for k in range(P):
        direction = np.zeros((n, 14))
        direction[k] = random.normal(size=14) * np.repeat([0.1, 1.0], 7)
        costs = []
        for size in (1e-4, -1e-4):
            solved = case.ipopt.solve(case.sample.x0, case.sample.rows, case.reference, size * direction)
            costs.append(case.ipopt.cost(*solved, case.sample.rows))
        assert gradient[k] @ direction[k] == pytest.approx((costs[0] - costs[1]) / 2e-4, rel=1e-4)


def test_gauss_newton_finds_the_same_solution(arm, new_case):
    case = new_case(arm)
    exact = case.solve()
    other = case.exact.solve(
        case.sample.x0, case.sample.rows, *case.sample.guess, exact=False, iterations=200, tolerance=1e-8
    )
    assert other.status is Status.SOLVED
    assert np.abs(other.u - exact.u).max() < 1e-5


def test_a_guess_too_far_away_is_told_by_its_status(arm, new_case):
    case = new_case(arm)
    few = case.exact.solve(case.sample.x0, case.sample.rows, *case.sample.guess, iterations=1)
    assert few.status is Status.TOO_MANY_ITERATIONS
    absent = case.sample.rows.copy()
    absent[:, 0] = np.nan
    assert case.exact.solve(case.sample.x0, absent, *case.sample.guess).status is not Status.SOLVED


def test_shapes_and_p_are_checked(arm, new_case):
    case = new_case(arm)
    with pytest.raises(ValueError, match="rows"):
        case.exact.solve(case.sample.x0, case.sample.rows[:-1], *case.sample.guess)
    with pytest.raises(ValueError, match="p must be"):
        case.exact.sensitivities(0)
