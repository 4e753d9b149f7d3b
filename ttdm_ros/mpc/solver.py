"""The real-time solver: one call into compiled code a control period."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import NU, NX
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.library import solver_library
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_POINTER, _DOUBLE, _LONG, _INT = ctypes.c_void_p, ctypes.c_double, ctypes.c_long, ctypes.c_int
_SIGNATURES: dict[str, tuple[type | None, list[Any]]] = {
    "ttdm_create": (_POINTER, []),
    "ttdm_free": (None, [_POINTER]),
    "ttdm_set_weights": (None, [_POINTER, _POINTER]),
    "ttdm_set_grid": (None, [_POINTER, _DOUBLE]),
    "ttdm_set_cost": (None, [_POINTER] * 3),
    "ttdm_set_bounds": (None, [_POINTER] * 6),
    "ttdm_initialise": (None, [_POINTER] * 3),
    "ttdm_tick": (_INT, [_POINTER] * 3 + [_LONG, _DOUBLE] + [_POINTER] * 4),
    "ttdm_predict": (None, [_POINTER] * 3 + [_DOUBLE, _INT, _POINTER]),
    "ttdm_predict_along": (None, [_POINTER] * 4 + [_INT, _POINTER]),
    "ttdm_evaluate": (None, [_POINTER] * 4),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What one solve decided."""

    start: float
    """Time at which the first state holds [s]."""
    dt: float
    """Step of the grid [s]."""
    x: Array
    """States (N + 1, 14): q [rad], v [rad/s]."""
    u: Array
    """Torques (N, 7), each held for one step [N·m]."""
    gain: Array
    """Feedback of the first torque on the first state, (7, 14)."""
    status: int
    """acados' status; 0 is success."""
    iterations: int
    """Of the interior-point method."""
    solve_us: float
    """Time in acados [µs]."""
    call_us: float
    """Time in compiled code [µs]."""
    gain_us: float = 0.0
    """Of it, for the gain [µs]."""

    @property
    def ok(self) -> bool:
        """Whether the plan can be followed."""
        return self.status == 0

    def at(self, time: float) -> tuple[Array, Array]:
        """Return state (14,) and torque (7,) planned for a time [s]; those of the ends before and after the plan.

        Within a step acceleration is constant, as the semi-implicit Euler step has it.
        """
        share = (time - self.start) / self.dt
        k = min(max(int(share), 0), len(self.u) - 1)
        s = min(max(share - k, 0.0), 1.0)
        before, after = self.x[k], self.x[k + 1]
        q, v, change = before[:7], before[7:], after[7:] - before[7:]
        return np.concatenate((q + (s * self.dt) * (v + (0.5 * s) * change), v + s * change)), self.u[k]


class MpcSolver:
    """An optimal control problem with all its run-time data; each instance is independent of the others.

    Not safe for use from several threads at once.
    """

    def __init__(
        self,
        arm: Arm,
        model: PredictionModel,
        config: MpcConfig | None = None,
        *,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Compile (or load) the solver and give it bounds, weights and a model.

        Args:
            arm: whose limits and kinematics hold.
            model: to predict with; models of equal specification can be exchanged later.
            config: settings; defaults if left out.
            announce: told, in a sentence, when something has to be compiled.

        Raises:
            SolverError: acados or a compiler is missing, or compiling failed.
        """
        self.arm = arm
        self.config = config or MpcConfig()
        self.specification = model.specification
        horizon = self.config.horizon
        library = solver_library(arm, model.specification, horizon, announce=announce)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._library = library
        self._solver: int | None = library.ttdm_create()
        if not self._solver:
            raise SolverError("acados could not create the solver; is there memory left?")
        self._x, self._u = np.zeros((horizon + 1, NX)), np.zeros((horizon, NU))
        self._gain, self._times = np.zeros((NU, NX)), np.zeros(4)
        self._x0, self._following = np.zeros(NX), np.zeros(NX)
        self._results = tuple(a.ctypes.data for a in (self._x, self._u, self._gain, self._times))
        self._x0_address, self._following_address = self._x0.ctypes.data, self._following.ctypes.data
        library.ttdm_set_grid(self._solver, self.config.dt)
        self.set_weights(self.config.stage_weights(), self.config.terminal_weights())
        self._set_bounds()
        self.set_model(model)

    def __del__(self) -> None:
        """Free the memory that acados took."""
        if getattr(self, "_solver", None):
            self._library.ttdm_free(self._solver)
            self._solver = None

    def takes(self, model: PredictionModel) -> bool:
        """Whether a model has the shape that this solver was compiled for."""
        return (model.specification.structure, model.specification.packed_sizes) == (
            self.specification.structure,
            self.specification.packed_sizes,
        )

    def set_model(self, model: PredictionModel) -> None:
        """Predict with another model from the next solve on.

        Raises:
            SolverError: its network has another shape, so it needs another solver.
        """
        if not self.takes(model):
            raise SolverError(
                f"the model '{model.name}' has structure {model.specification.structure} with hidden layers "
                f"{list(model.specification.hidden)}, the solver {self.specification.structure} with "
                f"{list(self.specification.hidden)}; make a solver for it"
            )
        weights = np.ascontiguousarray(model.packed())
        self._library.ttdm_set_weights(self._solver, weights.ctypes.data)
        self._weights = weights  # the solver reads them where they are
        self.model = model

    def set_weights(self, stage: Array, terminal: Array) -> None:
        """Weigh the 33 entries of a stage's residual anew; see ``MpcConfig.stage_weights``.

        Raises:
            ValueError: an array has another shape than (33,).
        """
        both = [np.ascontiguousarray(weights, dtype=np.float64) for weights in (stage, terminal)]
        if any(weights.shape != (TABLE_COLUMNS,) for weights in both):
            raise ValueError(f"weights must have shape ({TABLE_COLUMNS},)")
        self._library.ttdm_set_cost(self._solver, *(weights.ctypes.data for weights in both))

    def initialise(self, x: Array, u: Array) -> None:
        """Guess states (N + 1, 14) and torques (N, 7), and forget everything from earlier solves."""
        self._x[:], self._u[:] = x, u
        self._library.ttdm_initialise(self._solver, self._results[0], self._results[1])

    def initialise_from(self, rows: Array) -> None:
        """Guess that the arm follows the reference rows (N + 1, 33) exactly."""
        self.initialise(rows[:, 12:26], rows[:-1, 26:33])

    def solve(self, x0: Array, rows: Array, *, share: float = 0.0, start: float = 0.0) -> Plan:
        """Do one real-time iteration.

        Args:
            x0: state (14,) when the plan begins.
            rows: reference rows (N + 1, 33) of the stages; a view with any stride between rows is read in place.
            share: how far the plan before it is moved on before it is the guess, in steps of the grid.
            start: time at which the plan begins [s]; only noted in it.

        Returns:
            The plan; look at ``ok`` before following it.

        Raises:
            ValueError: ``rows`` has another shape or type.
        """
        shape = (self.config.horizon + 1, TABLE_COLUMNS)
        if rows.shape != shape or rows.dtype != np.float64 or rows.strides[1] != 8 or rows.strides[0] % 8:
            raise ValueError(f"rows must be float64 of shape {shape}, the numbers of a row side by side")
        self._x0[:] = x0
        status = self._library.ttdm_tick(
            self._solver,
            self._x0_address,
            rows.__array_interface__["data"][0],
            rows.strides[0] // 8,
            share,
            *self._results,
        )
        times = self._times.tolist()
        return Plan(
            start=start,
            dt=self.config.dt,
            x=self._x.copy(),
            u=self._u.copy(),
            gain=self._gain.copy(),
            status=status,
            iterations=int(times[3]),
            solve_us=1e6 * times[1],
            call_us=1e6 * times[0],
            gain_us=1e6 * times[2],
        )

    def predict(self, x: Array, u: Array, duration: float, steps: int = 1) -> Array:
        """Return the state (14,) after ``duration`` [s] with the torque ``u`` (7,), in that many model steps."""
        x, u = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(u, dtype=np.float64)
        self._library.ttdm_predict(self._solver, x.ctypes.data, u.ctypes.data, duration, steps, self._following_address)
        return self._following.copy()

    def predict_along(self, x: Array, u: Array, durations: Array) -> Array:
        """Return the state (14,) after the torques ``u`` (n, 7), each held for its duration (n,) [s], a step each."""
        x, u = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(u, dtype=np.float64)
        addresses = (array.ctypes.data for array in (x, u, np.ascontiguousarray(durations, dtype=np.float64)))
        self._library.ttdm_predict_along(self._solver, *addresses, len(u), self._following_address)
        return self._following.copy()

    def acceleration(self, z: Array) -> tuple[Array, Array]:
        """Return acceleration (7,) [rad/s²] and its Jacobian (7, 21) at z = (q, v, tau), as the solver sees them."""
        z = np.ascontiguousarray(z, dtype=np.float64)
        value, jacobian = np.zeros(7), np.zeros((7, 21))
        self._library.ttdm_evaluate(self._solver, z.ctypes.data, value.ctypes.data, jacobian.ctypes.data)
        return value, jacobian

    def _set_bounds(self) -> None:
        vectors = self.config.bounds(self.arm.limits)
        self._library.ttdm_set_bounds(self._solver, *(vector.ctypes.data for vector in vectors))
