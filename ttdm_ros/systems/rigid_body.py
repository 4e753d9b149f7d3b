"""The nominal dynamics and kinematics of an arm as CasADi functions, with exact derivatives.

Torques exclude gravity, as everywhere in this package. With ID(q, v, a) the inverse dynamics, the acceleration a solves
ID(q, v, a) = tau, and the implicit function theorem gives its derivatives far shorter than differentiating the solver:
∂a/∂tau = M⁻¹, ∂a/∂q = -M⁻¹ ∂ID/∂q, ∂a/∂v = -M⁻¹ ∂ID/∂v (Carpentier and Mansard, RSS 2018).
"""

from functools import cached_property, lru_cache

import casadi as ca

from ttdm_ros.systems import ldl, recursions
from ttdm_ros.systems.arm import Arm


class RigidBody:
    """CasADi functions of one arm; each is built when it is first asked for.

    All are of SX symbols, without branches. Vectors are columns of seven numbers: q [rad], v [rad/s], a [rad/s²],
    tau and gravity torque [N·m]. Jacobians have an output's entry a row and an input's entry a column.
    """

    def __init__(self, arm: Arm) -> None:
        """Take the constants of ``arm``; they must not change afterwards."""
        self._arm, self._bodies = arm, recursions.bodies(arm)
        self._q, self._v, self._a, self._tau = (ca.SX.sym(name, 7) for name in ("q", "v", "a", "tau"))

    @cached_property
    def inverse_dynamics(self) -> ca.Function:
        """``(q, v, a) -> tau``: the torque, rotor inertia included."""
        tau = self._torque(self._q, self._v, self._a)
        return _function("inverse_dynamics", {"q": self._q, "v": self._v, "a": self._a}, {"tau": tau})

    @cached_property
    def gravity_torque(self) -> ca.Function:
        """``(q) -> tau``: what holds the arm against gravity."""
        still = ca.SX(7, 1)
        tau = recursions.inverse_dynamics(self._bodies, self._q, still, still, gravity=True)
        return _function("gravity_torque", {"q": self._q}, {"tau": tau})

    @cached_property
    def mass_matrix(self) -> ca.Function:
        """``(q) -> M``: (7, 7) [kg·m²], symmetric, rotor inertia included."""
        return _function("mass_matrix", {"q": self._q}, {"M": recursions.mass_matrix(self._bodies, self._q)})

    @cached_property
    def forward_dynamics(self) -> ca.Function:
        """``(q, v, tau) -> a``."""
        a = ldl.solve(*ldl.factorise(recursions.mass_matrix(self._bodies, self._q)), self._tau - self._bias())
        return _function("forward_dynamics", self._state_and_input(), {"a": a})

    @cached_property
    def forward_dynamics_derivatives(self) -> ca.Function:
        """``(q, v, tau) -> a, a_q, a_v, a_tau``: the acceleration and its Jacobians, each (7, 7)."""
        a, a_q, a_v, a_tau = self._acceleration_and_jacobians()
        outputs = {"a": a, "a_q": a_q, "a_v": a_v, "a_tau": a_tau}
        return _function("forward_dynamics_derivatives", self._state_and_input(), outputs)

    @cached_property
    def forward_dynamics_hessian(self) -> ca.Function:
        """``(q, v, tau, lam) -> H``: the Hessian (21, 21) of lamᵀ a with respect to (q, v, tau), symmetric.

        With mu = -M⁻¹ lam it is that of muᵀ ID(q, v, a) with respect to (q, v, a), taken along (q, v, a(q, v, tau));
        muᵀ ID is linear in a and has no term in both v and a.
        """
        lam, mu = ca.SX.sym("lam", 7), ca.SX.sym("mu", 7)
        a, a_q, a_v, a_tau = self._acceleration_and_jacobians()
        arguments = ca.vertcat(self._q, self._v, self._a)
        torque = self._torque(self._q, self._v, self._a)
        curvature, _ = ca.hessian(ca.dot(mu, torque), arguments)
        inner = ca.Function("inner", [self._q, self._v, self._a, mu], [curvature])(self._q, self._v, a, -a_tau @ lam)
        mixed = inner[:7, 14:] @ ca.horzcat(a_q, a_v, a_tau)
        half = ca.vertcat(mixed, ca.SX(14, 21))
        hessian = ca.diagcat(inner[:14, :14], ca.SX(7, 7)) + half + half.T
        # Mirrored, so that it is symmetric to the last bit, and what only the other half needs is not computed.
        mirrored = ca.triu2symm(ca.triu(ca.densify(hessian)))
        return _function("forward_dynamics_hessian", {**self._state_and_input(), "lam": lam}, {"H": mirrored})

    @cached_property
    def tip_pose(self) -> ca.Function:
        """``(q) -> position, rotation``: (3, 1) [m] and (3, 3) of the tip in the base frame."""
        position, rotation, _ = recursions.tip_kinematics(self._bodies, self._q)
        return _function("tip_pose", {"q": self._q}, {"position": position, "rotation": rotation})

    @cached_property
    def tip_jacobian(self) -> ca.Function:
        """``(q) -> J``: (6, 7), linear over angular velocity of the tip by joint velocity, along the base's axes."""
        return _function("tip_jacobian", {"q": self._q}, {"J": recursions.tip_kinematics(self._bodies, self._q)[2]})

    @cached_property
    def tip_derivatives(self) -> ca.Function:
        """``(q) -> position, rotation, position_q, rotation_q``: with ∂position/∂q (3, 7) and ∂vec(rotation)/∂q (9, 7).

        vec stacks the columns of the rotation.
        """
        position, rotation, jacobian = recursions.tip_kinematics(self._bodies, self._q)
        turned = [ca.vec(ca.skew(jacobian[3:, i]) @ rotation) for i in range(7)]
        outputs = {
            "position": position,
            "rotation": rotation,
            "position_q": jacobian[:3, :],
            "rotation_q": ca.horzcat(*turned),
        }
        return _function("tip_derivatives", {"q": self._q}, outputs)

    def _state_and_input(self) -> dict[str, ca.SX]:
        return {"q": self._q, "v": self._v, "tau": self._tau}

    def _bias(self) -> ca.SX:
        """Torque without acceleration: Coriolis and centrifugal."""
        return self._torque(self._q, self._v, ca.SX(7, 1))

    def _torque(self, q: ca.SX, v: ca.SX, a: ca.SX) -> ca.SX:
        """Inverse dynamics ID(q, v, a), with whatever the arm adds to its rigid bodies."""
        return recursions.inverse_dynamics(self._bodies, q, v, a) + self._arm.further_torque(q, v)

    def _acceleration_and_jacobians(self) -> tuple[ca.SX, ca.SX, ca.SX, ca.SX]:
        inverse_mass = ldl.invert(*ldl.factorise(recursions.mass_matrix(self._bodies, self._q)))
        a = inverse_mass @ (self._tau - self._bias())
        torque = self._torque(self._q, self._v, self._a)
        # With respect to all 21, though 14 are wanted: CasADi then chooses the reverse mode, a quarter shorter.
        jacobian = ca.jacobian(torque, ca.vertcat(self._q, self._v, self._a))[:, :14]
        at_solution = ca.Function("inner", [self._q, self._v, self._a], [jacobian])(self._q, self._v, a)
        by_state = -inverse_mass @ at_solution
        return a, by_state[:, :7], by_state[:, 7:], inverse_mass


@lru_cache(maxsize=8)
def rigid_body(arm: Arm) -> RigidBody:
    """Return the functions of an arm; asking again for the same object gives the same functions."""
    return RigidBody(arm)


def _function(name: str, inputs: dict[str, ca.SX], outputs: dict[str, ca.SX]) -> ca.Function:
    # Dense outputs: whoever reads the arrays of generated code need not know which entries are always zero.
    dense = [ca.densify(output) for output in ca.cse(list(outputs.values()))]
    return ca.Function(name, list(inputs.values()), dense, list(inputs), list(outputs))
