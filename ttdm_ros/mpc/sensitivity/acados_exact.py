"""Sensitivities by acados' own differentiation of its solutions, where the installed acados can; to compare with."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.compilation import locked
from ttdm_ros.dynamics import source as model_source
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import NU, NX, ModelSpecification
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc import acados, problem
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity import acados_problem
from ttdm_ros.mpc.sensitivity.exact import ExactSolver, Sensitivities, Solution, Status
from ttdm_ros.paths import cache_folder
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import rigid_body

Array = NDArray[np.float64]

NEAR = 1e-4  # [rad, rad/s, N·m] acados' solution is the one it was started from; interior points end within 1e-7


class AcadosExactSolver(ExactSolver):
    """The exact solver, with S_k = ∂u_0*/∂d_k by acados.

    acados is started at the solution found here, confirms it by its own criteria, factorises the quadratic problem with
    the exact Hessian and solves it for the adjoint of the first input. H, A_k and ∂V/∂x_k stay those found here.
    """

    def __init__(
        self,
        arm: Arm,
        model: PredictionModel,
        config: MpcConfig | None = None,
        *,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Generate and compile (or load) the solver.

        Args:
            arm: whose problem it is.
            model: to predict with.
            config: of the problem; defaults if left out.
            announce: told, in a sentence, when compiling starts.

        Raises:
            SolverError: this acados cannot differentiate its solutions, a compiler is missing, or compiling failed.
        """
        acados.require_differentiation()
        super().__init__(arm, model, config)
        horizon, specification, network = self.config.horizon, model.specification, self._weights
        if specification.structure == "residual" and not network.any():
            specification, network = ModelSpecification(structure="nominal", hidden=()), network[:0]
        self._acados = _load(arm, specification, horizon, announce)
        lower, upper, lowest, highest, penalty = self.config.bounds(arm.limits)
        for k in range(horizon):
            self._acados.constraints_set(k, "lbu", lowest)
            self._acados.constraints_set(k, "ubu", highest)
        for k in range(1, horizon + 1):
            for field, value in (("lbx", lower), ("ubx", upper)):
                self._acados.constraints_set(k, field, value)
            for field in ("Zl", "Zu"):
                self._acados.cost_set(k, field, penalty)
        self._stages = min(acados_problem.MOST_STAGES, horizon - 1)
        own = np.eye(horizon + 1, self._stages)
        weights = [*[self.config.stage_weights()] * horizon, self.config.terminal_weights()]
        self._fixed = [np.concatenate([each, [self.config.dt], own[k], network]) for k, each in enumerate(weights)]

    def solve(self, x0: Array, rows: Array, x: Array, u: Array, **options: Any) -> Solution:
        """Solve as ``ExactSolver.solve`` does, undisturbed and with the exact Hessian, and have acados confirm it.

        Returns:
            The solution; with the status ``NOT_CONFIRMED`` where acados ends without one, or at another.

        Raises:
            SolverError: a disturbance was given, or the Gauss-Newton Hessian asked for.
        """
        if options.get("disturbance") is not None or not options.get("exact", True):
            raise SolverError(
                "acados differentiates the undisturbed problem with its exact Hessian; leave out the disturbance and "
                "the Gauss-Newton Hessian, or acados' sensitivities"
            )
        solution = super().solve(x0, rows, x, u, **options)
        if solution.status is Status.SOLVED and not self._confirms(x0, rows, solution):
            return replace(solution, status=Status.NOT_CONFIRMED)
        return solution

    def sensitivities(self, p: int) -> Sensitivities:
        """Differentiate at the last solution, for the first ``p`` stages, 8 at most; S_k is acados'.

        Raises:
            SolverError: acados could not factorise the problem.
        """
        if p > self._stages:
            raise ValueError(f"p must be within 1 and {self._stages}, not {p}")
        ours = super().sensitivities(p)
        if status := self._acados.setup_qp_matrices_and_factorize():
            raise SolverError(
                f"acados could not factorise the problem (status {status}); use the exact solver's own S_k"
            )
        adjoint = self._acados.eval_adjoint_solution_sensitivity(None, [(0, np.eye(NU))])
        s = np.reshape(adjoint, (NU, self._stages, NX)).transpose(1, 0, 2)[:p]
        return replace(ours, s=np.ascontiguousarray(s))

    def _confirms(self, x0: Array, rows: Array, solution: Solution) -> bool:
        """Solve by acados from a solution, and tell whether it stays there."""
        solver, horizon = self._acados, self.config.horizon
        solver.reset()
        for k, fixed in enumerate(self._fixed):
            solver.set(k, "p", np.concatenate([rows[k], fixed]))
            solver.set(k, "x", solution.x[k])
            if k < horizon:
                solver.set(k, "u", solution.u[k])
        solver.set_p_global_and_precompute_dependencies(np.zeros(NX * self._stages))
        for field in ("lbx", "ubx"):
            solver.constraints_set(0, field, np.asarray(x0, dtype=np.float64))
        if solver.solve() != 0:
            return False
        gaps = [np.abs(solver.get(k, "x") - solution.x[k]).max() for k in range(horizon + 1)]
        gaps += [np.abs(solver.get(k, "u") - solution.u[k]).max() for k in range(horizon)]
        return bool(max(gaps) < NEAR)


def _load(arm: Arm, specification: ModelSpecification, horizon: int, announce: Callable[[str], None] | None) -> Any:
    """Return the ``AcadosOcpSolver``, compiled now if that was never done on this machine."""
    acados.load_libraries()
    modules = [Path(module.__file__ or "") for module in (problem, acados, acados_problem)]
    parts = [
        *model_source.key_parts(arm, specification),
        str(horizon),
        acados.find().identity,
        *model_source.texts([*modules, Path(__file__)]),
    ]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    folder = cache_folder() / "acados_exact" / name
    ocp = acados_problem.build(rigid_body(arm), specification, horizon)
    complete = folder / "complete"  # written last: a build that was killed is begun again
    with locked(folder):
        fresh = not complete.is_file()
        if fresh:
            if announce is not None:
                announce(
                    f"compiling acados' differentiable solver for {arm.name}, {horizon} stages; once, a few minutes"
                )
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        solver = acados.differentiable_solver(ocp, folder, build=fresh)
        if fresh:
            complete.touch()
    return solver
