"""Trying out a solver or a model before an arm depends on it."""

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller, Solve
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import BundleError, SolverError
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_STATES, _STATE_PERIOD_NS = 30, 2_000_000
_ITERATIONS = 5


def check_robot(model: PredictionModel, arm: Arm) -> None:
    """Refuse a model that was made for another robot.

    Raises:
        BundleError: it was.
    """
    if model.robot and model.robot != arm.name:
        raise BundleError(
            f"the model '{model.name}' was made for {model.robot}, not {arm.name}; choose one for this robot"
        )


def rehearse(solver: MpcSolver, task: Task, config: ControllerConfig) -> None:
    """Drive an arm that stands still in its home posture for a moment, so that the first real solve is a fast one.

    Raises:
        SolverError: the controller would stop there.
    """
    controller = Controller(solver, task, config, clock=lambda: 0.0)
    controller.activate()
    home, still = solver.arm.home.copy(), np.zeros(7)
    for i in range(_STATES):
        controller.on_state(i * _STATE_PERIOD_NS, home, still)
    if controller.failed or controller.fault is not None:
        reason = controller.fault or f"{controller.failed} solves failed"
        raise SolverError(f"the controller fails at the arm's home posture: {reason}; check the model and the weights")


def try_model(solver: MpcSolver, model: PredictionModel, task: Task, now: Solve | None, *, share: float) -> None:
    """Solve with a model from where the arm is now, and refuse it if the plan cannot be followed.

    Args:
        solver: one that commands nothing; it keeps the model.
        model: to try, of the solver's shape.
        task: that is driven.
        now: the last solve of the controller; None: the arm rests, and its home posture is taken.
        share: of the torque limits by which the first torque may differ from the present one.

    Raises:
        SolverError: no plan, one that is not finite, or a torque too far from the present one.
    """
    solver.set_model(model)
    if now is None:
        stages = solver.config.dt * np.arange(solver.config.horizon + 1)
        x0 = np.concatenate((solver.arm.home, np.zeros(7)))
        rows = task.timeline(x0[:7], x0[7:], 1.0).rows(np.asarray(stages, dtype=np.float64))
        solver.initialise_from(rows)
    else:
        x0, rows = now.plan.x[0].copy(), now.rows
        solver.initialise(now.plan.x, now.plan.u)
    for _ in range(_ITERATIONS):
        plan = solver.solve(x0, rows)
        if not plan.ok or not np.isfinite(plan.u).all() or not np.isfinite(plan.x).all():
            raise SolverError(
                f"with the model '{model.name}' the solver finds no plan from the present state (status "
                f"{plan.status}); train it on data like these"
            )
    if now is not None:
        step = np.abs(plan.u[0] - now.plan.u[0])
        excess = step / (share * solver.arm.limits.effort)
        if excess.max() > 1.0:
            joint = int(excess.argmax())
            raise SolverError(
                f"with the model '{model.name}' the torque of {solver.arm.joint_names[joint]} would change by "
                f"{step[joint]:.1f} N·m at once, more than {share:g} of its limit; check the model, or allow more"
            )
