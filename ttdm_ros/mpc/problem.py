"""The optimal control problem, as acados takes it.

Cost and bounds are stated here, in CasADi; the dynamics is C of our own (``csrc/model.c``), because there the network's
weights are run-time data and its Jacobian costs a fraction of what a generated one does. A stage's parameters are the
reference row (33), the weights of its entries (33) and a pointer to the model's data, so that nothing but the number of
stages and the shape of the network is compiled in.
"""

from typing import Any

import casadi as ca
import numpy as np

from ttdm_ros.dynamics.specification import NU, NX
from ttdm_ros.mpc import acados
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS
from ttdm_ros.systems.rigid_body import RigidBody

PARAMETERS = 2 * TABLE_COLUMNS + 1
CONDENSED_STAGES = 5
QP_TOLERANCE = 1e-6  # of each real-time iteration's quadratic problem, of whose kind one follows the other anyway
NAME = "ttdm"  # of the symbols; each solver is a library of its own


def residual(body: RigidBody, x: ca.SX, u: ca.SX, row: ca.SX) -> ca.SX:
    """Return y(x, u) - y_ref (33), y = (tip position, tip rotation column by column, q, v, tau)."""
    position, rotation = body.tip_pose(x[:7])
    return ca.vertcat(position, ca.vec(rotation), x, u) - row


def gauss_newton(body: RigidBody, x: ca.SX, weight: ca.SX) -> ca.SX:
    """Return the Gauss-Newton Hessian JᵀWJ (21, 21) of the stage cost, in acados' order (u, x)."""
    _, _, position_q, rotation_q = body.tip_derivatives(x[:7])
    jacobian = ca.vertcat(position_q, rotation_q)
    hessian = ca.diag(ca.vertcat(weight[26:33], weight[12:26]))
    hessian[NU : NU + 7, NU : NU + 7] += jacobian.T @ ca.diag(weight[:12]) @ jacobian
    return hessian


def build(body: RigidBody, horizon: int) -> Any:
    """Return the ``AcadosOcp`` of an arm with ``horizon`` stages; its code is generated where ``callbacks.c`` lies."""
    ocp = acados.new_ocp(horizon)
    x, u, p = ca.SX.sym("x", NX), ca.SX.sym("u", NU), ca.SX.sym("p", PARAMETERS)
    row, weight = p[:TABLE_COLUMNS], p[TABLE_COLUMNS : 2 * TABLE_COLUMNS]
    model = ocp.model
    model.name, model.x, model.u, model.p = NAME, x, u, p
    ocp.parameter_values = np.zeros(PARAMETERS)

    model.disc_dyn_expr = x  # never used, but newer versions want one
    model.dyn_ext_fun_type = "generic"
    model.dyn_generic_source = "callbacks.c"  # relative: acados copies it from the current folder
    model.dyn_disc_fun = "ttdm_dynamics"
    model.dyn_disc_fun_jac = "ttdm_dynamics_jacobian"
    model.dyn_disc_fun_jac_hess = "ttdm_dynamics_hessian"

    set_cost_and_bounds(ocp, residual(body, x, u, row), weight)
    hessian = gauss_newton(body, x, weight)
    model.cost_expr_ext_cost_custom_hess = hessian
    model.cost_expr_ext_cost_custom_hess_e = hessian[NU:, NU:]

    options = {
        "nlp_solver_type": "SQP_RTI",
        "qp_solver": "PARTIAL_CONDENSING_HPIPM",
        "qp_solver_cond_N": min(CONDENSED_STAGES, horizon),
        "qp_solver_iter_max": 50,
        # A third faster than SPEED with its own tolerances, and within 0.03 N·m of it however far the state is off.
        "hpipm_mode": "SPEED_ABS",
        **dict.fromkeys((f"qp_solver_tol_{what}" for what in ("stat", "eq", "ineq", "comp")), QP_TOLERANCE),
        "hessian_approx": "GAUSS_NEWTON",
        "integrator_type": "DISCRETE",
        "print_level": 0,
        # Steps of 1 leave the cost unscaled; the true step is data of the dynamics.
        "tf": float(horizon),
    }
    for name, value in options.items():
        acados.set_option(ocp.solver_options, name, value)
    return ocp


def set_cost_and_bounds(ocp: Any, error: ca.SX, weight: ca.SX) -> None:
    """Give a problem the cost ½ Σ w e² and bounds on u and, softly, on x; all their values are set at run time."""
    model, states = ocp.model, slice(0, TABLE_COLUMNS - NU)
    ocp.cost.cost_type = ocp.cost.cost_type_e = "EXTERNAL"
    model.cost_expr_ext_cost = 0.5 * ca.dot(weight * error, error)
    model.cost_expr_ext_cost_e = 0.5 * ca.dot(weight[states] * error[states], error[states])
    bounds, zeros, ones = ocp.constraints, np.zeros(NX), np.ones(NX)
    bounds.x0 = zeros
    bounds.idxbu, bounds.lbu, bounds.ubu = np.arange(NU), -np.ones(NU), np.ones(NU)
    bounds.idxbx, bounds.lbx, bounds.ubx = np.arange(NX), -ones, ones
    bounds.idxbx_e, bounds.lbx_e, bounds.ubx_e = np.arange(NX), -ones, ones
    bounds.idxsbx = bounds.idxsbx_e = np.arange(NX)
    cost = ocp.cost
    cost.zl, cost.zu, cost.Zl, cost.Zu = zeros, zeros, ones, ones
    cost.zl_e, cost.zu_e, cost.Zl_e, cost.Zu_e = zeros, zeros, ones, ones
