"""Inverse kinematics of a seven-joint arm along a path.

Of all postures q that put the tip where it shall be, the one nearest to the home posture is taken: the minimum of
½‖q - q_home‖² + (penalty near the joint limits) subject to tip(q) = pose. That makes the posture a function of the pose
alone, so a closed path ends in the posture it began with, and q(t) is as smooth as the path. Each Newton step has a
part that moves the tip, J⁺e (damped by the error, Sugihara 2011), and a part within the null space of J that lowers the
cost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.motion import TipMotion
from ttdm_ros.mpc.tasks.rotations import exponential, logarithm
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

TIP_TOLERANCE = 1e-8  # on the norm of position [m] and orientation [rad] error
POSTURE_TOLERANCE = 1e-9  # on the step within the null space [rad]
REACHED = 1e-6  # a pose missed by more than this is out of reach
LARGEST_STEP = 0.3  # of a joint in one iteration [rad]
LIMIT_ZONE = 0.5  # distance from a joint limit at which its penalty starts [rad]
LIMIT_WEIGHT = 8.0  # of the penalty against the pull home
DAMPING_CAP = 1e-3  # on the squared damping

_IDENTITY_6, _IDENTITY_7 = np.eye(6), np.eye(7)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointMotion:
    """Joint positions [rad], velocities [rad/s] and accelerations [rad/s²], each (n, 7)."""

    q: Array
    v: Array
    a: Array


class InverseKinematics:
    """Postures nearest to home for the poses of one arm's tip."""

    def __init__(self, arm: Arm) -> None:
        """Prepare for an arm; its joint limits bound the zone in which the penalty acts."""
        self._arm = arm
        self._lower = arm.limits.position_lower + LIMIT_ZONE
        self._upper = arm.limits.position_upper - LIMIT_ZONE

    def solve(self, position: Array, rotation: Array, start: Array, *, posture_tolerance: float = 1e-6) -> Array | None:
        """Return the posture (7,) for one pose, from a start (7,) near it, or None when it is not reached."""
        q, left = self.solve_all(
            position[None], rotation[None], start[None], sweeps=100, posture_tolerance=posture_tolerance
        )
        return q[0] if left[0] < REACHED else None

    def locate(self, position: Array, rotation: Array, start: Array) -> Array | None:
        """Return the posture (7,) for a pose that may be far from ``start``: straight on, else along small steps."""
        direct = self.solve(position, rotation, start)
        if direct is not None and self._inside(direct):
            return direct
        from_position, from_rotation = self._arm.tip_pose(start)
        turn = logarithm(rotation @ from_rotation.T)
        q = np.array(start, dtype=float)
        for share in np.linspace(0.0, 1.0, 26)[1:]:
            closer = self.solve(
                from_position + share * (position - from_position), exponential(share * turn) @ from_rotation, q
            )
            if closer is None:
                return direct
            q = closer
        return q

    def _inside(self, q: Array) -> bool:
        limits = self._arm.limits
        return bool(np.all(q >= limits.position_lower) and np.all(q <= limits.position_upper))

    def solve_all(
        self,
        position: Array,
        rotation: Array,
        start: Array,
        *,
        sweeps: int = 12,
        posture_tolerance: float = POSTURE_TOLERANCE,
    ) -> tuple[Array, Array]:
        """Solve for n poses at once, each from its own start.

        Args:
            position: (n, 3) wanted of the tip [m].
            rotation: (n, 3, 3) wanted of the tip.
            start: (n, 7) postures near the solutions [rad].
            sweeps: Newton steps at most.
            posture_tolerance: on the steps within the null space [rad].

        Returns:
            Postures (n, 7) [rad], and the norm (n,) of the tip error that is left.
        """
        q = np.array(start, dtype=float)
        left = np.full(len(q), np.inf)
        unsolved = np.arange(len(q))
        for sweep in range(sweeps):
            error, jacobian = self.linearise(q[unsolved], position[unsolved], rotation[unsolved])
            task, posture = self._steps(q[unsolved], error, jacobian)
            left[unsolved] = np.sqrt(np.einsum("ni,ni->n", error, error))
            off = (left[unsolved] >= TIP_TOLERANCE) | (np.abs(posture).max(1) >= posture_tolerance)
            unsolved = unsolved[off]
            if len(unsolved) == 0:
                break
            # Near a limit the cost bends more than its diagonal says: shorter steps are what converges then.
            step = (task + posture / (1 + sweep // 8))[off]
            q[unsolved] += step * np.minimum(1.0, LARGEST_STEP / np.maximum(np.abs(step).max(1, keepdims=True), 1e-12))
        return q, left

    def linearise(self, q: Array, position: Array, rotation: Array) -> tuple[Array, Array]:
        """Return tip errors (n, 6) to n poses, and Jacobians (n, 6, 7)."""
        jacobian = np.empty((len(q), 6, 7))
        error = np.empty((len(q), 6))
        turned = np.empty((len(q), 3, 3))
        for index, posture in enumerate(q):
            error[index, :3], turned[index] = self._arm.tip_pose(posture)
            jacobian[index] = self._arm.tip_jacobian(posture)
        error[:, :3] = position - error[:, :3]
        error[:, 3:] = logarithm(rotation @ turned.transpose(0, 2, 1))
        return error, jacobian

    def _steps(self, q: Array, error: Array, jacobian: Array) -> tuple[Array, Array]:
        """Return the steps (n, 7) that move the tip, and those within the null space that improve the posture."""
        inverse = damped_inverse(jacobian, np.minimum(DAMPING_CAP, np.einsum("ni,ni->n", error, error)))
        task = np.einsum("nij,nj->ni", inverse, error)
        projector = _IDENTITY_7 - inverse @ jacobian
        beyond = np.clip(q - self._upper, 0.0, LIMIT_ZONE) + np.clip(q - self._lower, -LIMIT_ZONE, 0.0)
        # The penalty grows with the fourth power, so that velocity and acceleration stay smooth where it begins.
        gradient = q - self._arm.home + LIMIT_WEIGHT * beyond**3 / LIMIT_ZONE**2
        steepness = 3.0 * LIMIT_WEIGHT * beyond**2 / LIMIT_ZONE**2
        # The null space has one dimension, so the cost's curvature along it is a trace over the projector.
        diagonal = np.maximum(np.einsum("nii->ni", projector), 0.0)
        curvature = 1.0 + np.sum(diagonal * steepness, 1) / np.maximum(diagonal.sum(1), 1e-9)
        posture = -np.einsum("nij,nj->ni", projector, gradient) / curvature[:, None]
        return task, posture


def damped_inverse(jacobian: Array, damping: Array | float) -> Array:
    """Return Jᵀ(JJᵀ + λ²I)⁻¹ (n, 7, 6) of Jacobians (n, 6, 7); ``damping`` is λ², (n,) or a number."""
    transposed = jacobian.transpose(0, 2, 1)
    gram = jacobian @ transposed + (np.asarray(damping) + 1e-12)[..., None, None] * _IDENTITY_6
    return transposed @ np.linalg.inv(gram)


def resolve(arm: Arm, motion: TipMotion, times: Array, start: Array, name: str) -> JointMotion:
    """Resolve a motion of the tip into joint motion on a uniform time grid.

    Postures are found one after another at coarse samples, joined by a spline, then polished all at once. Velocities
    are J⁺ times the tip's twist, plus what the spline moves within the null space; accelerations are the derivative of
    a spline through the velocities.

    Args:
        arm: the arm.
        motion: of the tip, n samples from rest to rest.
        times: (n,) of the samples [s].
        start: (7,) posture from which the first one is sought [rad].
        name: of the task, for errors.

    Raises:
        TaskError: a pose is out of the arm's reach.
    """
    solver = InverseKinematics(arm)
    if len(times) == 1:
        q = solver.locate(motion.position[0], motion.rotation[0], start)
        if q is None:
            raise _out_of_reach(arm, motion, 0, times, start, name)
        still = np.zeros((1, 7))
        return JointMotion(q=q[None], v=still, a=still)

    knots = _coarse(motion, times)
    postures = np.empty((len(knots), 7))
    for order, index in enumerate(knots):
        position, rotation = motion.position[index], motion.rotation[index]
        if order == 0:
            found = solver.locate(position, rotation, start)
        else:
            guess = postures[order - 1]
            if order > 1:
                ahead = (times[index] - times[knots[order - 1]]) / (times[knots[order - 1]] - times[knots[order - 2]])
                guess = guess + np.clip(ahead * (guess - postures[order - 2]), -0.1, 0.1)
            found = solver.solve(position, rotation, guess)
        if found is None:
            raise _out_of_reach(arm, motion, index, times, postures[order - 1] if order else start, name)
        postures[order] = found
    joined = CubicSpline(times[knots], postures, bc_type="clamped")(times)
    q, left = solver.solve_all(motion.position, motion.rotation, joined)
    if left.max() > REACHED:
        worst = int(left.argmax())
        raise _out_of_reach(arm, motion, worst, times, q[worst], name)

    _, jacobian = solver.linearise(q, motion.position, motion.rotation)
    inverse = damped_inverse(jacobian, 0.0)
    twist = np.concatenate([motion.linear_velocity, motion.angular_velocity], axis=1)
    drift = CubicSpline(times, q, bc_type="clamped")(times, 1)
    v = drift + np.einsum("nij,nj->ni", inverse, twist - np.einsum("nij,nj->ni", jacobian, drift))
    a = CubicSpline(times, v, bc_type="clamped")(times, 1)
    return JointMotion(q=q, v=v, a=a)


def _coarse(motion: TipMotion, times: Array) -> NDArray[np.intp]:
    """Indices of samples no further apart than 20 ms, 20 mm and 0.05 rad, where the grid allows; with both ends."""
    step = times[1] - times[0]
    moved = np.linalg.norm(np.diff(motion.position, axis=0), axis=1) / 0.02
    turned = np.linalg.norm(motion.angular_velocity[1:], axis=1) * step / 0.05
    progress = np.cumsum(np.maximum(np.maximum(moved, turned), step / 0.02))
    first_of_each = np.flatnonzero(np.diff(np.floor(np.concatenate([[0.0], progress]) + 1e-9), prepend=-1.0))
    return np.union1d(first_of_each, [len(times) - 1])


def _out_of_reach(arm: Arm, motion: TipMotion, index: int, times: Array, q: Array, name: str) -> TaskError:
    x, y, z = motion.position[index]
    return TaskError(
        f"the task '{name}' leaves the workspace of {arm.name} at t = {times[index]:.2f} s: no posture puts the tip at"
        f" ({x:.3f}, {y:.3f}, {z:.3f}) m of {arm.base_frame} with the orientation asked for; move the path closer to"
        " the home posture, or make it smaller"
    )
