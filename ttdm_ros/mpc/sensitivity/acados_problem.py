"""The optimal control problem as acados takes it to differentiate its solution: all in CasADi, with exact Hessians.

The same problem as ``mpc/problem.py`` states, whose dynamics in C has no second derivatives. The additive disturbances
d_k of the first stages are global parameters, by which acados differentiates; a stage's parameters are the reference
row (33), the weights of its entries (33), the step of the grid, which of the disturbances is its own (a one among
zeros, or zeros), and the packed network.
"""

from itertools import pairwise
from typing import Any

import casadi as ca
import numpy as np

from ttdm_ros.dynamics.specification import JOINTS, NU, NX, ModelSpecification
from ttdm_ros.mpc import acados
from ttdm_ros.mpc.problem import residual, set_cost_and_bounds
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS
from ttdm_ros.systems.rigid_body import RigidBody

NAME = "ttdm_exact"
MOST_STAGES = 8  # whose disturbances are differentiated by: the longest rollout there is
LEAST_SLACK = 1e-9  # distances to bounds and multipliers are held above while factorising
TOLERANCE = 1e-10


def build(body: RigidBody, specification: ModelSpecification, horizon: int) -> Any:
    """Return the ``AcadosOcp`` of an arm and networks of one shape; bounds, penalties and parameters are run-time data.

    Raises:
        SolverError: this acados lacks an option that is needed.
    """
    ocp = acados.new_ocp(horizon)
    stages, size = min(MOST_STAGES, horizon - 1), specification.packed_size
    x, u, d = ca.SX.sym("x", NX), ca.SX.sym("u", NU), ca.SX.sym("d", NX * stages)
    parts = [ca.SX.sym(*each) for each in (("row", TABLE_COLUMNS), ("weight", TABLE_COLUMNS), ("dt", 1))]
    parts += [ca.SX.sym("own", stages), ca.SX.sym("network", size)]
    row, weight, dt, own, packed = parts
    model = ocp.model
    model.name, model.x, model.u, model.p, model.p_global = NAME, x, u, ca.vertcat(*parts), d
    ocp.parameter_values, ocp.p_global_values = np.zeros(model.p.numel()), np.zeros(NX * stages)

    velocity = x[JOINTS:]
    after = velocity + dt * acceleration(body, specification, x, u, packed)
    following = ca.vertcat(x[:JOINTS] + 0.5 * dt * (velocity + after), after)
    model.disc_dyn_expr = following + ca.reshape(d, NX, stages) @ own

    set_cost_and_bounds(ocp, residual(body, x, u, row), weight)
    options = {
        "nlp_solver_type": "SQP",
        "nlp_solver_max_iter": 20,
        **dict.fromkeys((f"nlp_solver_tol_{what}" for what in ("eq", "ineq", "comp")), TOLERANCE),
        "nlp_solver_tol_stat": 1e-7,  # of a gradient whose weights reach 1e5
        # Neither condensed nor by square roots: the Hessian of the Lagrangian need only be positive where it counts.
        "qp_solver": "PARTIAL_CONDENSING_HPIPM",
        "qp_solver_cond_N": horizon,
        "qp_solver_ric_alg": 0,
        "qp_solver_iter_max": 100,
        **dict.fromkeys((f"qp_solver_tol_{what}" for what in ("stat", "eq", "ineq", "comp")), TOLERANCE),
        "hpipm_mode": "BALANCE",
        "hessian_approx": "EXACT",
        "solution_sens_qp_t_lam_min": LEAST_SLACK,
        "integrator_type": "DISCRETE",
        "print_level": 0,
        "tf": float(horizon),  # steps of 1 leave the cost unscaled
    }
    for name, value in options.items():
        acados.set_option(ocp.solver_options, name, value)
    return ocp


def acceleration(body: RigidBody, specification: ModelSpecification, x: ca.SX, u: ca.SX, packed: ca.SX) -> ca.SX:
    """Return what the model predicts (7) [rad/s²]; ``packed`` is the network as ``PredictionModel.packed`` has it."""
    total = ca.SX(JOINTS, 1)
    if specification.structure != "full":
        total += body.forward_dynamics(x[:JOINTS], x[JOINTS:], u)
    if sizes := specification.packed_sizes:
        h, offset = ca.vertcat(x, u), 0
        for i, (before, count) in enumerate(pairwise(sizes)):
            weight = ca.reshape(packed[offset : offset + before * count], before, count).T  # row by row
            offset += before * count
            h = weight @ h + packed[offset : offset + count]
            offset += count
            h = ca.tanh(h) if i < len(sizes) - 2 else h
        total += h
    return total
