"""Sensitivities of recorded samples: the problem solved and differentiated where the arm has been."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.acados_exact import AcadosExactSolver
from ttdm_ros.mpc.sensitivity.exact import ExactSolver, Solution, Status, metric
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.store import PART, pieces
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]
Hessian = Literal["exact", "gauss_newton"]
Method = Literal["own", "acados"]

FAR = 5.0  # [N·m] an acados step larger than this is worth another one before Newton's method takes over
MOST_ITERATIONS = 12  # of acados, from a cold start
GAUSS_NEWTON_ITERATIONS = 200  # it converges linearly
GAUSS_NEWTON_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSensitivities:
    """What errors of p-step rollouts from n samples cost; only rows with ``good`` hold numbers, the others zeros.

    All but ``good`` may lie on disk in single precision: what is worked out of them is worked out of a ``part``.
    """

    p: int
    g: NDArray[np.floating[Any]]
    """G_k (n, p, 7, 14): error ε costs ½ ‖Σ_k G_k ε_k‖²."""
    value_gradient: NDArray[np.floating[Any]]
    """∂V/∂x_k (n, p, 14), k = 1..p."""
    good: NDArray[np.bool_]
    """Whether the sample's problem was solved to a strict minimum (n,)."""
    reasons: dict[str, int]
    """How often each other end was met, by its name."""

    def part(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "SampleSensitivities":
        """Return some of the samples, in double precision; why others did not solve is left out."""
        g, gradient = (np.asarray(each[rows], dtype=np.float64) for each in (self.g, self.value_gradient))
        return SampleSensitivities(p=self.p, g=g, value_gradient=gradient, good=self.good[rows], reasons={})

    def parts(self) -> Iterator["SampleSensitivities"]:
        """Yield all samples in parts that fit into memory."""
        return (self.part(rows) for rows in pieces(len(self.good), PART))


class Differentiator:
    """Solves and differentiates the problem at one sample after another of a trajectory."""

    def __init__(
        self,
        arm: Arm,
        model: PredictionModel,
        config: MpcConfig | None = None,
        *,
        hessian: Hessian = "exact",
        method: Method = "own",
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare both solvers.

        Args:
            arm: whose problem it is.
            model: to predict with.
            config: of the problem; defaults if left out.
            hessian: ``exact``: of the Lagrangian; ``gauss_newton``: acados' own, always convex, but its derivatives
                neglect the curvature of the dynamics.
            method: what differentiates the solution: this package, or acados, where the installed one can.
            announce: told, in a sentence, when something has to be compiled.

        Raises:
            SolverError: acados or a compiler is missing, or acados cannot differentiate what is asked for.
        """
        if method == "acados" and hessian != "exact":
            raise SolverError("acados differentiates with the exact Hessian only; take that one, or the method 'own'")
        self.config = config or MpcConfig()
        self._options: dict[str, Any] = {}
        if hessian == "gauss_newton":
            self._options = {
                "exact": False,
                "iterations": GAUSS_NEWTON_ITERATIONS,
                "tolerance": GAUSS_NEWTON_TOLERANCE,
            }
        self._rough = MpcSolver(arm, model, self.config, announce=announce)
        self._exact = (
            AcadosExactSolver(arm, model, self.config, announce=announce)
            if method == "acados"
            else ExactSolver(arm, model, self.config)
        )

    def samples(self, trajectory: Trajectory, starts: NDArray[np.intp], p: int) -> SampleSensitivities:
        """Return the sensitivities at samples of a trajectory, for rollouts of ``p`` steps.

        Raises:
            SolverError: the trajectory has another step than the problem's grid.
        """
        if abs(trajectory.dt - self.config.dt) > 1e-9:
            raise SolverError(
                f"the samples have a step of {trajectory.dt} s and the problem's grid one of {self.config.dt} s; "
                "resample them to the same"
            )
        count, stages = len(starts), self.config.horizon
        g, gradient = np.zeros((count, p, 7, 14)), np.zeros((count, p, 14))
        good = np.zeros(count, dtype=bool)
        reasons: Counter[str] = Counter()
        warm = False
        for i, start in enumerate(starts.tolist()):
            shift = 0.0 if i == 0 else (start - int(starts[i - 1])) / trajectory.stride
            solution = self._solve(trajectory.x[start], trajectory.horizon(start, stages), shift if warm else None)
            warm = solution.status is Status.SOLVED and abs(shift) <= 5.0
            if solution.status is not Status.SOLVED:
                reasons[solution.status.name.lower()] += 1
                continue
            sensitivities = self._exact.sensitivities(p)
            g[i], gradient[i], good[i] = metric(sensitivities), sensitivities.value_gradient, True
        return SampleSensitivities(p=p, g=g, value_gradient=gradient, good=good, reasons=dict(reasons))

    def _solve(self, x0: Array, rows: Array, shift: float | None) -> Solution:
        """Lead acados near the solution, from the last one moved on by ``shift`` steps or from the reference."""
        if shift is None or shift < 0.0:
            self._rough.initialise_from(rows)
            shift = 0.0
        before: Array | None = None
        for _ in range(MOST_ITERATIONS):
            plan = self._rough.solve(x0, rows, share=shift)
            shift = 0.0
            if not plan.ok:
                self._rough.initialise_from(rows)
                break
            if before is not None and np.abs(plan.u - before).max() < FAR:
                break
            before = plan.u
        return self._exact.solve(x0, rows, plan.x, plan.u, **self._options)
