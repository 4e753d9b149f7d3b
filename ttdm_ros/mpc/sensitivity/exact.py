"""The optimal control problem solved to machine precision and differentiated.

acados' real-time iteration gives the neighbourhood, Newton steps on the KKT conditions with the exact Hessian of the
Lagrangian the solution, and the implicit function theorem the derivatives: all by Riccati recursions in compiled code.
"""

import ctypes
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import NU, NX
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.library import kkt_library
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_POINTER, _DOUBLE, _LONG, _INT = ctypes.c_void_p, ctypes.c_double, ctypes.c_long, ctypes.c_int


class Status(IntEnum):
    """How a solve ended."""

    SOLVED = 0
    TOO_MANY_ITERATIONS = 1
    """Newton's method did not converge."""
    NOT_CONVEX = 2
    """The reduced Hessian is not positive definite: no strict minimum."""
    NOT_FINITE = 3
    """A step was not finite."""
    NOT_CONFIRMED = 4
    """acados, asked for its own sensitivities, does not end at the solution; see ``AcadosExactSolver``."""


class _Report(ctypes.Structure):
    _fields_ = [
        ("status", _INT),
        ("iterations", _INT),
        ("active", _INT),
        ("violated", _INT),
        ("step", _DOUBLE),
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A solve; ``x`` (N + 1, 14) and ``u`` (N, 7) are a solution if ``status`` is SOLVED."""

    x: Array
    u: Array
    status: Status
    iterations: int
    """Newton steps."""
    active: int
    """Inputs at a bound, over all stages."""
    violated: int
    """State bounds violated, over all stages."""
    step: float
    """Largest change in the last step [rad, rad/s, N·m]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivities:
    """Derivatives at a solution, for p stages."""

    s: Array
    """S_k = ∂u_0*/∂d_k (p, 7, 14), k = 0..p-1, of an additive disturbance d_k of stage k."""
    hessian: Array
    """H (7, 7): Hessian of the optimal cost by u_0; zero rows and columns where an input is at its bound."""
    a: Array
    """A_k = ∂f/∂x (p, 14, 14) at stage k."""
    value_gradient: Array
    """∂V/∂x_k (p, 14), k = 1..p, along the plan."""


class ExactSolver:
    """Solves and differentiates the problem of an arm; not safe for use from several threads at once."""

    def __init__(self, arm: Arm, model: PredictionModel, config: MpcConfig | None = None) -> None:
        """Compile (or load) the solver.

        Raises:
            SolverError: a compiler is missing, or compiling failed.
        """
        self.arm, self.model, self.config = arm, model, config or MpcConfig()
        library = kkt_library(arm, model.specification, self.config.horizon)
        library.ttdm_kkt_create.restype = _POINTER
        library.ttdm_kkt_free.argtypes, library.ttdm_kkt_free.restype = [_POINTER], None
        library.ttdm_kkt_set.argtypes = [_POINTER, _POINTER, _DOUBLE, *[_POINTER] * 7]
        library.ttdm_kkt_set.restype = None
        library.ttdm_kkt_solve.argtypes = [_POINTER] * 3 + [_LONG] + [_POINTER] * 3 + [_INT, _INT, _DOUBLE, _POINTER]
        library.ttdm_kkt_solve.restype = None
        library.ttdm_kkt_sensitivities.argtypes = [_POINTER, _INT, *[_POINTER] * 4]
        library.ttdm_kkt_sensitivities.restype = None
        self._library = library
        self._solver: int | None = library.ttdm_kkt_create()
        if not self._solver:
            raise SolverError("there is not enough memory for the exact solver; free some")
        settings = self.config
        self._weights = np.ascontiguousarray(model.packed())
        vectors = (settings.stage_weights(), settings.terminal_weights(), *settings.bounds(arm.limits))
        addresses = [vector.ctypes.data for vector in vectors]
        library.ttdm_kkt_set(self._solver, self._weights.ctypes.data, settings.dt, *addresses)

    def __del__(self) -> None:
        """Free its memory."""
        if getattr(self, "_solver", None):
            self._library.ttdm_kkt_free(self._solver)
            self._solver = None

    def solve(
        self,
        x0: Array,
        rows: Array,
        x: Array,
        u: Array,
        *,
        disturbance: Array | None = None,
        exact: bool = True,
        iterations: int = 40,
        tolerance: float = 1e-9,
    ) -> Solution:
        """Solve from a guess.

        Args:
            x0: first state (14,).
            rows: reference rows (N + 1, 33); any stride between rows.
            x: guess of the states (N + 1, 14).
            u: guess of the inputs (N, 7).
            disturbance: d_k (N, 14) added to each following state; none if left out.
            exact: whether to use the exact Hessian; False: Gauss-Newton's, as acados does.
            iterations: Newton steps at most.
            tolerance: on the last step [rad, rad/s, N·m]; as convergence is quadratic, the error is far smaller.
        """
        horizon = self.config.horizon
        solution_x, solution_u = np.array(x, dtype=np.float64, order="C"), np.array(u, dtype=np.float64, order="C")
        start = np.ascontiguousarray(x0, dtype=np.float64)
        if rows.strides[1] != rows.itemsize or rows.dtype != np.float64:
            rows = np.ascontiguousarray(rows, dtype=np.float64)
        if (solution_x.shape, solution_u.shape, len(rows)) != ((horizon + 1, NX), (horizon, NU), horizon + 1):
            raise ValueError(f"x, u and rows must have {horizon + 1}, {horizon} and {horizon + 1} rows")
        added = None if disturbance is None else np.ascontiguousarray(disturbance, dtype=np.float64)
        report = _Report()
        self._library.ttdm_kkt_solve(
            self._solver,
            start.ctypes.data,
            rows.ctypes.data,
            rows.strides[0] // rows.itemsize,
            None if added is None else added.ctypes.data,
            solution_x.ctypes.data,
            solution_u.ctypes.data,
            int(exact),
            iterations,
            tolerance,
            ctypes.addressof(report),
        )
        return Solution(
            x=solution_x,
            u=solution_u,
            status=Status(report.status),
            iterations=report.iterations,
            active=report.active,
            violated=report.violated,
            step=report.step,
        )

    def sensitivities(self, p: int) -> Sensitivities:
        """Differentiate at the last solution, for the first ``p`` stages."""
        if not 1 <= p <= self.config.horizon - 1:
            raise ValueError(f"p must be within 1 and {self.config.horizon - 1}, not {p}")
        s, hessian = np.empty((p, NU, NX)), np.empty((NU, NU))
        a, value_gradient = np.empty((p, NX, NX)), np.empty((p, NX))
        self._library.ttdm_kkt_sensitivities(
            self._solver, p, s.ctypes.data, hessian.ctypes.data, a.ctypes.data, value_gradient.ctypes.data
        )
        return Sensitivities(s=s, hessian=hessian, a=a, value_gradient=value_gradient)


def metric(sensitivities: Sensitivities) -> Array:
    """Return G_k (p, 7, 14), k = 1..p: the error ε_k of the p-step rollout costs ½ ‖Σ_k G_k ε_k‖² in the closed loop.

    G_k = H^½ G̃_k with G̃_k = S_{k-1} - S_k A_k for k < p and G̃_p = S_{p-1}: an error ε_k of the predicted state is a
    disturbance d_{k-1} = ε_k - A_{k-1} ε_{k-1}, summed over the stages.
    """
    s, a = sensitivities.s, sensitivities.a
    effect = s.copy()
    effect[:-1] -= s[1:] @ a[1:]
    values, vectors = np.linalg.eigh(sensitivities.hessian)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return np.asarray(root @ effect)
