"""The same solution and sensitivities as ``mpc.sensitivity``, the plain way: CasADi, SciPy's sparse LU, Python.

Newton's method on the whole KKT system, with the exact Hessian of the Lagrangian; no bounds. It is there to compare
with: for speed in ``ttdm benchmark sensitivities``, for numbers wherever someone doubts them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from ttdm_ros.dynamics.specification import NU, NX
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.library import tip_cost
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import rigid_body

Array = NDArray[np.float64]
NZ, POSE = NX + NU, 12


class PlainSensitivities:
    """Solves and differentiates the problem of the nominal arm without bounds."""

    def __init__(self, arm: Arm, config: MpcConfig) -> None:
        """Build CasADi's functions, each for all stages at once."""
        self._config, n, body = config, config.horizon, rigid_body(arm)
        self._dynamics = body.forward_dynamics_derivatives.map(n)
        self._curvature = body.forward_dynamics_hessian.map(n)
        self._tip = tip_cost(body).map(n + 1)
        self._weights = np.stack([config.stage_weights()] * n + [config.terminal_weights()])

    def solve(self, x0: Array, rows: Array, x: Array, u: Array, *, tolerance: float = 1e-9) -> tuple[Array, Array, Any]:
        """Solve from a guess; return states (N + 1, 14), torques (N, 7) and the factorised KKT matrix there."""
        n = self._config.horizon
        states, inputs, multipliers = (n + 1) * NX, n * NU, np.zeros((n + 1, NX))
        x, u = x.copy(), u.copy()
        for iteration in range(40):
            hessian, gradient, jacobian, gap = self._evaluate(x0, rows, x, u, multipliers if iteration else None)
            kkt = sparse.bmat([[hessian, jacobian.T], [jacobian, None]], format="csc")
            factor = splu(kkt)
            step = factor.solve(-np.concatenate([gradient, gap]))
            x += step[:states].reshape(-1, NX)
            u += step[states : states + inputs].reshape(-1, NU)
            multipliers = step[states + inputs :].reshape(-1, NX)
            if iteration and np.abs(step[: states + inputs]).max() < tolerance:
                break
        hessian, _, jacobian, _ = self._evaluate(x0, rows, x, u, multipliers)
        return x, u, splu(sparse.bmat([[hessian, jacobian.T], [jacobian, None]], format="csc"))

    def sensitivities(self, factor: Any, p: int) -> Array:
        """Return S_k = ∂u_0*/∂d_k (p, 7, 14) from the factor of the KKT matrix."""
        n = self._config.horizon
        size = (n + 1) * NX + n * NU
        right = np.zeros((size + (n + 1) * NX, p * NX))
        right[size + NX : size + NX + p * NX] = np.eye(p * NX)
        solved = factor.solve(right)[(n + 1) * NX : (n + 1) * NX + NU]
        return np.asarray(solved.reshape(NU, p, NX).transpose(1, 0, 2))

    def _evaluate(
        self, x0: Array, rows: Array, x: Array, u: Array, multipliers: Array | None
    ) -> tuple[Any, Array, Any, Array]:
        """Return the Hessian of the Lagrangian, the cost's gradient, the constraints' Jacobian and their values."""
        n, dt = self._config.horizon, self._config.dt
        half = 0.5 * dt * dt
        q, v = x[:-1, :7].T, x[:-1, 7:].T
        a, a_q, a_v, a_tau = (np.asarray(each) for each in self._dynamics(q, v, u.T))
        slope = np.stack([part.reshape(7, n, 7).transpose(1, 0, 2) for part in (a_q, a_v, a_tau)], axis=2)
        slope = slope.reshape(n, 7, NZ)
        after = v.T + dt * a.T
        following = np.concatenate([q.T + 0.5 * dt * (v.T + after), after], axis=1)
        gap = np.concatenate([(x[0] - x0)[None], x[1:] - following]).ravel()
        jacobians = np.concatenate([half * slope, dt * slope], axis=1)
        jacobians[:, :7, :7] += np.eye(7)
        jacobians[:, :7, 7:14] += dt * np.eye(7)
        jacobians[:, 7:, 7:14] += np.eye(7)
        by_state = sparse.block_diag([sparse.csr_matrix((NX, 0)), *jacobians[:, :, :NX]], format="csr")
        shifted = sparse.hstack([by_state, sparse.csr_matrix(((n + 1) * NX, NX))])
        by_input = sparse.block_diag([sparse.csr_matrix((NX, 0)), *jacobians[:, :, NX:]])
        jacobian = sparse.hstack([sparse.eye((n + 1) * NX) - shifted, -by_input])

        error = np.concatenate([x, np.concatenate([u, np.zeros((1, NU))])], axis=1) - rows[:, POSE:]
        tip = self._tip(x[:, :7].T, rows.T, self._weights.T)
        tip_gradient, tip_exact, tip_near = (np.asarray(each) for each in tip)
        bend = (tip_exact if multipliers is not None else tip_near).reshape(7, n + 1, 7).transpose(1, 0, 2)
        blocks = np.stack([np.diag(w) for w in self._weights[:, POSE:]])
        blocks[:, :7, :7] += bend
        if multipliers is not None:
            lam = -(half * multipliers[1:, :7] + dt * multipliers[1:, 7:])
            blocks[:-1] += np.asarray(self._curvature(q, v, u.T, lam.T)).reshape(NZ, n, NZ).transpose(1, 0, 2)
        slope_of_cost = self._weights[:, POSE:] * error
        slope_of_cost[:, :7] += tip_gradient.T
        gradient = np.concatenate([slope_of_cost[:, :NX].ravel(), slope_of_cost[:-1, NX:].ravel()])
        states = sparse.block_diag(blocks[:, :NX, :NX])
        mixed = sparse.vstack([sparse.block_diag(blocks[:-1, :NX, NX:]), sparse.csr_matrix((NX, n * NU))])
        hessian = sparse.bmat([[states, mixed], [mixed.T, sparse.block_diag(blocks[:-1, NX:, NX:])]])
        return hessian, gradient, jacobian, gap
