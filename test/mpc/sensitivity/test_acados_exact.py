"""acados' own sensitivities against those of the package, where the installed acados has them."""

from types import SimpleNamespace

import casadi as ca
import numpy as np
import pytest

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc import acados
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity import acados_exact, acados_problem
from ttdm_ros.mpc.sensitivity.acados_exact import AcadosExactSolver
from ttdm_ros.mpc.sensitivity.exact import Status
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.systems.rigid_body import rigid_body

pytestmark = pytest.mark.timeout(1500)  # the first run on a machine compiles

P = 4
BOUNDS = {"effort_share": 0.05}, {"velocity_share": 0.05}  # the reference asks for more than there is


@pytest.fixture(scope="module")
def panda():
    return load_arm("panda")


@pytest.fixture
def able():
    try:
        acados.require_differentiation()
    except SolverError as error:
        pytest.skip(str(error))


@pytest.fixture
def new_pair(panda, new_case):
    """A case of the package's solver, and acados' of the same problem."""

    def make(seed=0, **settings):
        case = new_case(panda, seed, **settings)
        return case, AcadosExactSolver(panda, case.exact.model, case.exact.config)

    return make


@pytest.mark.parametrize("learned", [True, False], ids=["learned", "nominal"])
@pytest.mark.parametrize("settings", [{}, *BOUNDS], ids=["free", "torques at bounds", "speeds over bounds"])
def test_acados_finds_the_same_sensitivities(able, new_pair, settings, learned):
    compared = 0
    for seed in range(4):
        case, solver = new_pair(seed, learned=learned, **settings)
        sample = case.sample
        solution = case.exact.solve(sample.x0, sample.rows, *sample.guess)
        if solution.status is not Status.SOLVED:
            continue
        assert solver.solve(sample.x0, sample.rows, *sample.guess).status is Status.SOLVED
        assert (solution.active > 0) == ("effort_share" in settings)
        assert (solution.violated > 0) == ("velocity_share" in settings)
        ours, theirs = case.exact.sensitivities(P), solver.sensitivities(P)
        assert theirs.s.shape == (P, 7, 14)
        np.testing.assert_allclose(theirs.s, ours.s, rtol=0.0, atol=2e-6 * np.abs(ours.s).max())
        for name in ("hessian", "a", "value_gradient"):
            np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
        compared += 1
    assert compared >= 3


def test_a_solution_that_acados_leaves_is_not_confirmed(able, new_pair):
    case, solver = new_pair()
    sample = case.sample
    for k in range(case.exact.config.horizon):
        solver._acados.constraints_set(k, "ubu", np.full(7, 1.0))
        solver._acados.constraints_set(k, "lbu", np.full(7, -1.0))
    assert solver.solve(sample.x0, sample.rows, *sample.guess).status is Status.NOT_CONFIRMED


def test_what_acados_does_not_offer_is_refused(able, new_pair):
    case, solver = new_pair()
    sample = case.sample
    for options in ({"exact": False}, {"disturbance": np.zeros((case.exact.config.horizon, 14))}):
        with pytest.raises(SolverError, match="undisturbed problem with its exact Hessian"):
            solver.solve(sample.x0, sample.rows, *sample.guess, **options)
    with pytest.raises(ValueError, match="p must be within 1 and 7, not 8"):
        solver.sensitivities(8)


def test_a_solve_that_failed_is_told_by_its_status(able, new_pair):
    case, solver = new_pair()
    sample = case.sample
    nowhere = np.full(14, np.nan), sample.rows, *sample.guess
    assert solver.solve(*nowhere).status is case.exact.solve(*nowhere).status is not Status.SOLVED


class OldSolver:
    """Of mid-2023."""


class NewSolver:
    setup_qp_matrices_and_factorize = eval_adjoint_solution_sensitivity = None


@pytest.mark.parametrize("solver", [OldSolver, NewSolver])
def test_an_acados_that_cannot_is_refused_in_a_sentence(panda, monkeypatch, solver):
    old = SimpleNamespace(AcadosOcpSolver=solver, AcadosOcp=lambda: SimpleNamespace())
    monkeypatch.setattr(acados, "template", lambda: old)
    with pytest.raises(SolverError, match=r"cannot differentiate its solutions; build v0.5.4 or later"):
        AcadosExactSolver(panda, PredictionModel.nominal(), MpcConfig(horizon=4))


def test_a_build_that_broke_off_is_begun_again(panda, monkeypatch, tmp_path):
    asked, announced = [], []

    def make(ocp, folder, *, build):
        asked.append(build)
        (folder / "half").touch()
        if len(asked) == 1:
            raise SolverError("killed")
        return ocp

    monkeypatch.setattr(acados_exact, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(acados_problem, "build", lambda *_: "solver")
    monkeypatch.setattr(acados, "differentiable_solver", make)
    specification = ModelSpecification(hidden=(8,))
    with pytest.raises(SolverError, match="killed"):
        acados_exact._load(panda, specification, 4, None)
    assert [acados_exact._load(panda, specification, 4, announced.append) for _ in range(2)] == ["solver"] * 2
    assert asked == [True, True, False]
    assert len(announced) == 1


@pytest.mark.parametrize("inputs", [("q", "v"), ("q", "v", "tau")])
@pytest.mark.parametrize("hidden", [(5,), (6, 4), ()], ids=str)
def test_the_model_in_casadi_predicts_as_its_numbers_say(panda, inputs, hidden):
    for structure in ("residual", "full"):
        specification = ModelSpecification(hidden=hidden, inputs=inputs, structure=structure)
        model, random = PredictionModel.random(specification, seed=1, scale=2.0), np.random.default_rng(0)
        symbols = [ca.SX.sym("x", 14), ca.SX.sym("u", 7), ca.SX.sym("w", specification.packed_size)]
        function = ca.Function("a", symbols, [acados_problem.acceleration(rigid_body(panda), specification, *symbols)])
        x, u = np.concatenate([panda.home, random.normal(size=7)]), random.normal(size=7)
        h = (np.concatenate([x, u])[specification.columns] - model.input_mean) / model.input_std
        for i, layer in enumerate(model.layers):
            h = layer.weight @ h + layer.bias
            h = np.tanh(h) if i + 1 < len(model.layers) else h
        expected = model.output_mean + model.output_std * h
        if structure == "residual":
            expected = expected + panda.forward_dynamics(x[:7], x[7:], u)
        np.testing.assert_allclose(function(x, u, model.packed()).full().ravel(), expected, rtol=1e-9, atol=1e-9)
