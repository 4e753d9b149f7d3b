"""A solver or a model is tried before an arm depends on it."""

import dataclasses

import numpy as np
import pytest

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller, Solve
from ttdm_ros.control.rehearsal import check_robot, rehearse, try_model
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import BundleError, SolverError
from ttdm_ros.mpc.solver import MpcSolver, Plan
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.systems.arm import Arm, load_arm


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


@pytest.fixture(scope="module")
def model() -> PredictionModel:
    return load_model("nominal")


@pytest.fixture(scope="module")
def solver(arm: Arm, model: PredictionModel) -> MpcSolver:
    return MpcSolver(arm, model)


@pytest.fixture(scope="module")
def task(arm: Arm) -> Task:
    return Task(arm, load_task("circle"))


@pytest.fixture
def present(solver: MpcSolver, task: Task) -> Solve:
    """Return the last solve of a controller whose arm stands at home."""
    controller = Controller(solver, task, clock=lambda: 0.0)
    controller.activate()
    solves = [controller.on_state(i * 2_000_000, solver.arm.home, np.zeros(7)).solve for i in range(30)]
    return next(solve for solve in reversed(solves) if solve is not None)


def shifted(model: PredictionModel, acceleration: float) -> PredictionModel:
    """Return a model that predicts this much more acceleration at every joint [rad/s²]."""
    return dataclasses.replace(model, output_mean=model.output_mean + acceleration, name="shifted")


def test_a_model_for_another_robot_is_refused(arm: Arm, model: PredictionModel) -> None:
    check_robot(model, arm)
    check_robot(dataclasses.replace(model, robot="panda"), arm)
    with pytest.raises(BundleError, match="was made for fr3, not panda"):
        check_robot(dataclasses.replace(model, robot="fr3"), arm)


def test_a_solver_that_works_passes(solver: MpcSolver, task: Task) -> None:
    rehearse(solver, task, ControllerConfig())


def test_a_solver_that_fails_is_found_before_it_matters(
    solver: MpcSolver, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = MpcSolver.solve

    def fail(*arguments: object, **keywords: object) -> Plan:
        return dataclasses.replace(solve(*arguments, **keywords), status=4)

    monkeypatch.setattr(MpcSolver, "solve", fail)
    with pytest.raises(SolverError, match=r"fails at the arm's home posture: .*status 4"):
        rehearse(solver, task, ControllerConfig())


def test_the_present_model_may_follow_itself(
    solver: MpcSolver, model: PredictionModel, task: Task, present: Solve
) -> None:
    try_model(solver, model, task, present, share=1e-3)


def test_a_model_that_wants_another_torque_at_once_is_refused(
    solver: MpcSolver, model: PredictionModel, task: Task, present: Solve
) -> None:
    try_model(solver, shifted(model, 3.0), task, present, share=0.9)
    with pytest.raises(SolverError, match=r"'shifted' the torque of panda_joint\d would change by .* more than 0.01"):
        try_model(solver, shifted(model, 3.0), task, present, share=0.01)


def test_an_arm_that_rests_can_be_given_any_model_that_plans(
    solver: MpcSolver, model: PredictionModel, task: Task
) -> None:
    try_model(solver, shifted(model, 3.0), task, None, share=1e-6)


def test_a_model_without_a_plan_is_refused(solver: MpcSolver, model: PredictionModel, task: Task) -> None:
    with pytest.raises(SolverError, match="finds no plan from the present state"):
        try_model(solver, shifted(model, 1e200), task, None, share=1.0)
    solver.set_model(model)
