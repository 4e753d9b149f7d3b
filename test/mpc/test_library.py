"""The compiled solver in the cache: made once, and anew when something that matters changes."""

import dataclasses

import numpy as np
import pytest

from ttdm_ros import compilation
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc import acados, library
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import load_arm


def test_a_second_solver_compiles_nothing(new_case, new_model, monkeypatch):
    new_case()

    def refuse(*_arguments):
        raise AssertionError("it was compiled again")

    monkeypatch.setattr(compilation, "_build", refuse)
    told = []
    case = new_case(new_model(seed=5), dt=0.03, position_weight=1e3, effort_share=0.5)
    MpcSolver(case.problem.arm, case.problem.model, case.problem.config, announce=told.append)
    assert not told


def test_whoever_asks_first_is_told_what_is_compiled(panda, new_model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    class ToldError(Exception):
        pass

    def tell(text):
        raise ToldError(text)

    with pytest.raises(ToldError, match=r"compiling the solver for panda, residual \[32, 32\], 20 stages; once"):
        MpcSolver(panda, new_model(), announce=tell)


def test_everything_the_code_depends_on_changes_its_key(panda):
    specification = ModelSpecification()
    heavier = dataclasses.replace(panda, rotor_inertia=panda.rotor_inertia + 0.01)
    heavier.model  # noqa: B018
    keys = [
        library.key_parts(panda, specification, 20),
        library.key_parts(load_arm("fr3"), specification, 20),
        library.key_parts(heavier, specification, 20),
        library.key_parts(panda, specification, 21),
        library.key_parts(panda, ModelSpecification(structure="full"), 20),
        library.key_parts(panda, ModelSpecification(structure="nominal", hidden=[]), 20),
        library.key_parts(panda, ModelSpecification(hidden=[32]), 20),
        library.key_parts(panda, ModelSpecification(hidden=[32, 31]), 20),
    ]
    assert len({tuple(key) for key in keys}) == len(keys)


def test_what_is_only_data_leaves_the_key_as_it_is(panda):
    again = load_arm("panda")
    renamed = dataclasses.replace(again, name="another")
    key = library.key_parts(panda, ModelSpecification(), 20)
    assert library.key_parts(renamed, ModelSpecification(inputs=["q", "v"]), 20) == key


def test_another_acados_makes_another_key(panda, monkeypatch):
    before = library.key_parts(panda, ModelSpecification(), 20)
    monkeypatch.setattr(acados.Installation, "identity", "another")
    assert library.key_parts(panda, ModelSpecification(), 20) != before


def test_without_a_compiler_it_says_what_to_install(panda, new_model, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SolverError, match="no C compiler was found; install gcc"):
        MpcSolver(panda, new_model())


def test_a_solver_of_the_other_arm_that_ships_obeys_its_limits(new_model):
    fr3 = load_arm("fr3")
    from ttdm_ros.mpc.config import MpcConfig

    solver = MpcSolver(fr3, new_model(), MpcConfig(horizon=5))
    rows = np.zeros((6, 33))
    rows[:, 12:19] = fr3.limits.position_upper
    solver.initialise(np.tile(np.concatenate((fr3.home, np.zeros(7))), (6, 1)), np.zeros((5, 7)))
    plan = solver.solve(np.concatenate((fr3.home, np.zeros(7))), rows)
    assert plan.ok
    assert (np.abs(plan.u) <= 0.95 * fr3.limits.effort + 1e-6).all()
    assert (plan.u != 0.0).all()
