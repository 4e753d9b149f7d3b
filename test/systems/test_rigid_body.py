"""The CasADi functions of the nominal arm against pinocchio, at a thousand states of each arm."""

from typing import Any

import casadi as ca
import numpy as np
import pinocchio as pin
import pytest

from ttdm_ros.systems import ldl
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.systems.rigid_body import RigidBody, rigid_body

TOLERANCE = 1e-10


@pytest.fixture(scope="module")
def body(arm: Arm) -> RigidBody:
    return rigid_body(arm)


def assert_close(actual: Any, expected: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """Equal, to ``tolerance`` of the largest entry."""
    actual = np.array(actual).reshape(expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=tolerance * np.abs(expected).max())


def symmetric(upper: np.ndarray) -> np.ndarray:
    return np.triu(upper) + np.triu(upper, 1).T


def test_inverse_dynamics_is_pinocchios_without_gravity(body: RigidBody, weightless: pin.Model, states: list) -> None:
    data = weightless.createData()
    for q, v, a, _ in states:
        assert_close(body.inverse_dynamics(q, v, a), pin.rnea(weightless, data, q, v, a))


def test_gravity_torque_is_pinocchios(arm: Arm, body: RigidBody, states: list) -> None:
    data = arm.model.createData()
    for state in states:
        assert_close(body.gravity_torque(state.q), pin.computeGeneralizedGravity(arm.model, data, state.q))


def test_mass_matrix_is_pinocchios_with_rotor_inertia(arm: Arm, body: RigidBody, states: list) -> None:
    data = arm.model.createData()
    for state in states:
        assert_close(body.mass_matrix(state.q), symmetric(pin.crba(arm.model, data, state.q)))


def test_forward_dynamics_is_pinocchios_without_gravity(body: RigidBody, weightless: pin.Model, states: list) -> None:
    data = weightless.createData()
    for q, v, _, tau in states:
        assert_close(body.forward_dynamics(q, v, tau), pin.aba(weightless, data, q, v, tau))


def test_derivatives_of_forward_dynamics_are_pinocchios(body: RigidBody, weightless: pin.Model, states: list) -> None:
    data = weightless.createData()
    for q, v, _, tau in states:
        a, a_q, a_v, a_tau = body.forward_dynamics_derivatives(q, v, tau)
        pin.computeABADerivatives(weightless, data, q, v, tau)
        assert_close(a, data.ddq)
        assert_close(a_q, data.ddq_dq)
        assert_close(a_v, data.ddq_dv)
        assert_close(a_tau, symmetric(data.Minv))


def test_hessian_is_that_of_finite_differences_of_pinocchios_derivatives(
    body: RigidBody, weightless: pin.Model, states: list
) -> None:
    random, data = np.random.default_rng(3), weightless.createData()

    def gradient(x: np.ndarray, lam: np.ndarray) -> np.ndarray:
        pin.computeABADerivatives(weightless, data, x[:7], x[7:14], x[14:])
        return lam @ np.hstack([data.ddq_dq, data.ddq_dv, symmetric(data.Minv)])

    step = 1e-3 * np.eye(21)
    for q, v, _, tau in states[:50]:
        x, lam = np.concatenate([q, v, tau]), random.uniform(-1.0, 1.0, 7)
        # Central differences of sixth order: errors of 1e-18 relative to the seventh derivative, and 1e-12 of rounding.
        expected = np.array(
            [
                sum(w * (gradient(x + k * h, lam) - gradient(x - k * h, lam)) for k, w in ((1, 45), (2, -9), (3, 1)))
                for h in step
            ]
        ) / (60 * 1e-3)
        actual = np.array(body.forward_dynamics_hessian(q, v, tau, lam))
        assert_close(actual, expected, 1e-8)
        np.testing.assert_array_equal(actual, actual.T)


def test_tip_pose_and_its_derivatives_are_pinocchios(arm: Arm, body: RigidBody, states: list) -> None:
    model, data = arm.model, arm.model.createData()
    base, tip = (model.getFrameId(name, pin.FrameType.BODY) for name in (arm.base_frame, arm.tip_frame))
    for state in states:
        pin.computeJointJacobians(model, data, state.q)
        pin.updateFramePlacements(model, data)
        pose, to_base = data.oMf[base].actInv(data.oMf[tip]), data.oMf[base].rotation.T
        along_root = pin.getFrameJacobian(model, data, tip, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        jacobian = np.vstack([to_base @ along_root[:3], to_base @ along_root[3:]])
        turned = np.array([(pin.skew(w) @ pose.rotation).ravel(order="F") for w in jacobian[3:].T]).T
        position, rotation, position_q, rotation_q = body.tip_derivatives(state.q)
        assert_close(position, pose.translation)
        assert_close(rotation, pose.rotation)
        assert_close(position_q, jacobian[:3])
        assert_close(rotation_q, turned)
        assert_close(body.tip_jacobian(state.q), jacobian)
        for actual, expected in zip(body.tip_pose(state.q), (position, rotation), strict=True):
            np.testing.assert_array_equal(np.array(actual), np.array(expected))


def test_functions_name_what_goes_in_and_out(body: RigidBody) -> None:
    signatures = {
        "inverse_dynamics": "q v a -> tau",
        "gravity_torque": "q -> tau",
        "mass_matrix": "q -> M",
        "forward_dynamics": "q v tau -> a",
        "forward_dynamics_derivatives": "q v tau -> a a_q a_v a_tau",
        "forward_dynamics_hessian": "q v tau lam -> H",
        "tip_pose": "q -> position rotation",
        "tip_jacobian": "q -> J",
        "tip_derivatives": "q -> position rotation position_q rotation_q",
    }
    for name, signature in signatures.items():
        function = getattr(body, name)
        assert " ".join(function.name_in()) + " -> " + " ".join(function.name_out()) == signature
        assert all(function.sparsity_out(i).is_dense() for i in range(function.n_out())), name


@pytest.mark.parametrize("name", ["panda", "fr3"])
def test_derivatives_stay_short_enough_for_a_real_time_solver(name: str) -> None:
    functions = rigid_body(load_arm(name))
    assert functions.forward_dynamics_derivatives.n_instructions() < 10_000
    assert functions.forward_dynamics_hessian.n_instructions() < 31_000


def test_functions_of_one_arm_are_built_once(arm: Arm) -> None:
    assert rigid_body(arm) is rigid_body(arm)


def test_symbolic_factorisation_solves_and_inverts_what_numpy_does() -> None:
    random = np.random.default_rng(5)
    root = random.standard_normal((5, 5))
    matrix, right = root @ root.T + np.eye(5), random.standard_normal(5)
    symbols = ca.SX.sym("A", 5, 5)
    lower, diagonal = ldl.factorise(symbols)
    function = ca.Function(
        "f", [symbols], [ldl.solve(lower, diagonal, ca.SX(ca.DM(right))), ldl.invert(lower, diagonal)]
    )
    solution, inverse = function(matrix)
    assert_close(solution, np.linalg.solve(matrix, right))
    assert_close(inverse, np.linalg.inv(matrix))
