"""The controller against a simulated plant without ROS, synchronously and faster than real time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.rehearsal import check_robot
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.plants.config import PlantConfig, load_plant
from ttdm_ros.plants.mujoco_plant import MujocoPlant
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

STATE_RATE = 500  # joint states a second [Hz]
LATENCY = 0.001  # from a joint state to the arrival of the command that answers it [s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """One run, a row a joint state (n rows), from activation to the end of the task."""

    time: Array
    """Since activation (n,) [s]."""
    q: Array
    """True positions (n, 7) [rad]."""
    v: Array
    """True velocities (n, 7) [rad/s]."""
    measured: Array
    """Positions and velocities (n, 14) that the controller was told."""
    tau: Array
    """Commanded torques (n, 7) [N·m]."""
    rows: Array
    """Reference rows (n, 33) of the same times."""
    phase: NDArray[np.int64]
    """Phase of the controller (n,)."""
    position_error: Array
    """Of the tip (n, 3), along the base's axes [m]."""
    orientation_error: Array
    """Of the tip (n,) [rad]."""
    cost: Array
    """Stage cost of the true state and the command (n,)."""
    fault: str | None
    """Why the controller stopped, if it did."""
    figures: dict[str, float]
    """Summary over the task: ``rmse_mm``, ``max_mm``, ``rmse_deg``, ``cost``, ``solve_us_p50``, ``failed_solves``,
    ``limited_commands``, ``peak_torque_share``, ``peak_velocity_share``, ``completed``."""


def evaluate(
    *,
    arm: Arm,
    model: str,
    task: str,
    plant: str,
    mpc: MpcConfig | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> RunResult:
    """Run a task once; model, task and plant are names that ship, or paths.

    Without ``mpc`` the problem is the built-in one.

    Raises:
        TtdmError: one of them cannot be used together with the others.
    """
    prediction = load_model(model)
    check_robot(prediction, arm)
    # All else is checked before the solver, which may have to be compiled.
    resolved, simulated = _with_an_end(Task(arm, load_task(task))), load_plant(plant)
    return run(MpcSolver(arm, prediction, mpc), resolved, simulated, seed=seed, progress=progress)


def run(
    solver: MpcSolver,
    task: Task,
    plant: PlantConfig,
    *,
    config: ControllerConfig | None = None,
    seed: int = 0,
    model: PredictionModel | None = None,
    arm: Arm | None = None,
    state_rate: int = STATE_RATE,
    progress: Callable[[float], None] | None = None,
) -> RunResult:
    """Run a task once with a solver that is there already.

    Args:
        solver: of the arm; its model is exchanged for ``model`` if one is given.
        task: to drive; it needs an end.
        plant: what to drive it on.
        config: of the controller; defaults if left out.
        seed: of everything random in the plant.
        model: to predict with.
        arm: whose nominal gravity the plant compensates; the solver's if left out.
        state_rate: joint states a second [Hz].
        progress: told the share of the task that is done, now and then.

    Raises:
        TaskError: the task has no end.
        PlantError: the simulation diverged.
    """
    task = _with_an_end(task)
    if model is not None:
        solver.set_model(model)
    controller = Controller(solver, task, config, clock=lambda: 0.0)  # a result does not depend on the machine
    arm = arm or solver.arm
    simulated = MujocoPlant(arm, plant, seed=seed)
    weights = solver.config.stage_weights()
    period, latency = 1.0 / state_rate, LATENCY
    controller.activate()
    samples: list[tuple[float, Array, Array, Array, Array, Array, int]] = []
    solve_us: list[float] = []
    while controller.phase not in (Phase.HOLDING, Phase.STOPPED):
        measured = simulated.measure()
        q, v = simulated.q, simulated.v
        answer = controller.on_state(measured.time_ns, measured.q, measured.v)
        if answer.solve is not None:
            solve_us.append(answer.solve.plan.solve_us)
        simulated.advance(latency)
        if answer.tau is not None:
            simulated.command(answer.tau)
            now, rows = controller.reference_now()
            seen = np.concatenate((measured.q, measured.v))
            samples.append((now, q, v, seen, answer.tau, rows, int(controller.phase)))
            if progress is not None and len(samples) % state_rate == 0:
                progress(controller.progress)
        simulated.advance(period - latency)
    return _result(arm_pose=arm.tip_pose, samples=samples, weights=weights, controller=controller, solve_us=solve_us)


def _with_an_end(task: Task) -> Task:
    if task.is_live:
        raise TaskError(f"the task '{task.config.name}' follows a live target and has no end; choose one with a path")
    return task


def _result(
    *,
    arm_pose: Callable[[Array], tuple[Array, Array]],
    samples: list[tuple[float, Array, Array, Array, Array, Array, int]],
    weights: Array,
    controller: Controller,
    solve_us: list[float],
) -> RunResult:
    columns = list(zip(*samples, strict=True)) or [()] * 7
    time, phase = np.array(columns[0]), np.array(columns[6], dtype=np.int64)
    shapes = ((1, 7), (2, 7), (3, 14), (4, 7), (5, 33))
    q, v, measured, tau, rows = (np.array(columns[i]).reshape(len(time), width) for i, width in shapes)
    poses = [arm_pose(posture) for posture in q]
    position = np.array([pose[0] for pose in poses]).reshape(-1, 3)
    rotation = np.array([pose[1] for pose in poses]).reshape(-1, 3, 3)
    wanted = rows[:, 3:12].reshape(-1, 3, 3).transpose(0, 2, 1)
    trace = np.einsum("nij,nij->n", wanted, rotation)
    angle = np.arccos(np.clip(0.5 * (trace - 1.0), -1.0, 1.0))
    error = position - rows[:, :3]
    y = np.concatenate([position, rotation.transpose(0, 2, 1).reshape(-1, 9), q, v, tau], axis=1)
    cost = 0.5 * np.square(y - rows) @ weights
    driven = phase == Phase.TRACKING
    limits = controller.arm.limits

    def over_task(values: Array, reduce: Callable[[Array], float]) -> float:
        return float(reduce(values[driven])) if driven.any() else float("nan")

    distance = np.linalg.norm(error, axis=1)
    figures = {
        "rmse_mm": 1e3 * over_task(distance, _rms),
        "max_mm": 1e3 * over_task(distance, np.max),
        "rmse_deg": float(np.rad2deg(over_task(angle, _rms))),
        "cost": over_task(cost, np.mean),
        "solve_us_p50": float(np.median(solve_us)) if solve_us else float("nan"),
        "failed_solves": float(controller.failed),
        "limited_commands": float(controller.limited_commands),
        "peak_torque_share": over_task(np.abs(tau) / limits.effort, np.max),
        "peak_velocity_share": over_task(np.abs(v) / limits.velocity, np.max),
        "completed": float(controller.phase is Phase.HOLDING),
    }
    return RunResult(
        time=time,
        q=q,
        v=v,
        measured=measured,
        tau=tau,
        rows=rows,
        phase=phase,
        position_error=error,
        orientation_error=angle,
        cost=cost,
        fault=controller.fault,
        figures=figures,
    )


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
