"""Rigid-body recursions over a serial chain in CasADi symbols, in the frames of the bodies.

After Featherstone, Rigid Body Dynamics Algorithms (2008), chapters 5 and 6. Every body frame is turned so that its
joint turns about z, whatever axis the URDF names; entries of placements that are 0 or ±1 vanish from the expressions.
"""

from dataclasses import dataclass

import casadi as ca
import numpy as np
import pinocchio as pin

from ttdm_ros.systems.arm import Arm, joint_axes

_Z = np.array([0.0, 0.0, 1.0])
# Entries this close to a whole number are taken for it: the rounding of cos(π/2) and the like.
_SNAP = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """Constants of one moving body; its frame turns about its z axis with the joint that moves it."""

    rotation: ca.DM
    """Of the frame at q = 0 in the frame of the body before, (3, 3)."""
    position: ca.DM
    """Of the frame in the frame of the body before, (3, 1) [m]."""
    mass: float
    """[kg]"""
    moment: ca.DM
    """Mass times centre of mass, (3, 1) [kg·m]."""
    inertia: ca.DM
    """About the frame's origin, (3, 3) [kg·m²]."""
    rotor_inertia: float
    """[kg·m²]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bodies:
    """Constants of a serial chain."""

    moving: tuple[Body, ...]
    """Base to tip."""
    gravity: ca.DM
    """Acceleration by gravity in the root frame, (3, 1) [m/s²]."""
    base: tuple[ca.DM, ca.DM]
    """Rotation (3, 3) and position (3, 1) of the root frame in the base frame."""
    tip: tuple[ca.DM, ca.DM]
    """Rotation (3, 3) and position (3, 1) of the tip frame in the frame of the last body."""


def bodies(arm: Arm) -> Bodies:
    """Collect the constants of an arm, with all joint axes turned to z."""
    model = arm.model
    turns = [pin.SE3.Identity(), *(pin.SE3(_turn_z_to(axis), np.zeros(3)) for axis in joint_axes(model))]
    moving = []
    for i, turn in enumerate(turns[1:], start=1):
        rotation, position = _constants(turns[i - 1].actInv(model.jointPlacements[i].act(turn)))
        body = turn.actInv(model.inertias[i])
        lever = body.lever
        about_origin = body.inertia + body.mass * (lever @ lever * np.eye(3) - np.outer(lever, lever))
        moving.append(
            Body(
                rotation=rotation,
                position=position,
                mass=body.mass,
                moment=ca.DM(body.mass * lever),
                inertia=ca.DM(about_origin),
                rotor_inertia=float(model.armature[i - 1]),
            )
        )
    return Bodies(
        moving=tuple(moving),
        gravity=ca.DM(model.gravity.linear),
        base=_constants(arm.base_placement.inverse()),
        tip=_constants(turns[-1].actInv(arm.tip_placement)),
    )


def inverse_dynamics(chain: Bodies, q: ca.SX, v: ca.SX, a: ca.SX, gravity: bool = False) -> ca.SX:
    """Return the joint torques, by the recursive Newton-Euler algorithm; gravity acts only if asked for.

    Args:
        chain: its constants.
        q: joint positions [rad], (n, 1).
        v: joint velocities [rad/s], (n, 1).
        a: joint accelerations [rad/s²], (n, 1).
        gravity: whether the torque is to carry the weight of the bodies too.
    """
    rotations = _rotations(chain, q)
    omega = alpha = ca.SX(3, 1)
    linear = -ca.SX(chain.gravity) if gravity else ca.SX(3, 1)
    forces, torques = [], []
    for i, body in enumerate(chain.moving):
        back = rotations[i].T
        linear = back @ (linear + ca.cross(alpha, body.position) + ca.cross(omega, ca.cross(omega, body.position)))
        carried = back @ omega
        alpha = back @ alpha + ca.vertcat(carried[1] * v[i], -carried[0] * v[i], a[i])
        omega = carried + _about_z(v[i])
        forces.append(body.mass * linear + ca.cross(alpha, body.moment) + ca.cross(omega, ca.cross(omega, body.moment)))
        spin = body.inertia @ omega
        torques.append(body.inertia @ alpha + ca.cross(omega, spin) + ca.cross(body.moment, linear))
    tau = ca.SX(len(chain.moving), 1)
    force = torque = ca.SX(3, 1)
    for i, body in reversed(list(enumerate(chain.moving))):
        force, torque = forces[i] + force, torques[i] + torque
        tau[i] = torque[2] + body.rotor_inertia * a[i]
        force, torque = _to_parent(rotations[i], body.position, force, torque)
    return tau


def mass_matrix(chain: Bodies, q: ca.SX) -> ca.SX:
    """Return the joint-space mass matrix (n, n) with rotor inertia, by the composite-rigid-body algorithm."""
    rotations, n = _rotations(chain, q), len(chain.moving)
    matrix = ca.SX(n, n)
    mass, moment, inertia = 0.0, ca.SX(3, 1), ca.SX(3, 3)
    for i, body in reversed(list(enumerate(chain.moving))):
        mass, moment, inertia = mass + body.mass, moment + body.moment, inertia + body.inertia
        matrix[i, i] = inertia[2, 2] + body.rotor_inertia
        # What it takes to accelerate joint i alone by 1 rad/s², carried down to the base.
        force, torque = ca.vertcat(-moment[1], moment[0], 0.0), inertia[:, 2]
        for j in range(i, 0, -1):
            force, torque = _to_parent(rotations[j], chain.moving[j].position, force, torque)
            matrix[i, j - 1] = matrix[j - 1, i] = torque[2]
        moment = rotations[i] @ moment
        cross = ca.skew(body.position)
        coupling = cross @ ca.skew(moment)
        inertia = rotations[i] @ inertia @ rotations[i].T - coupling - coupling.T - mass * (cross @ cross)
        moment = moment + mass * body.position
    return matrix


def tip_kinematics(chain: Bodies, q: ca.SX) -> tuple[ca.SX, ca.SX, ca.SX]:
    """Return position (3, 1) [m], rotation (3, 3) and Jacobian (6, n) of the tip, along the axes of the base frame."""
    rotation, position = map(ca.SX, chain.base)
    origins, axes = [], []
    for turn, body in zip(_rotations(chain, q), chain.moving, strict=True):
        position = position + rotation @ body.position
        rotation = rotation @ turn
        origins.append(position)
        axes.append(rotation[:, 2])
    position = position + rotation @ chain.tip[1]
    columns = [ca.vertcat(ca.cross(z, position - origin), z) for origin, z in zip(origins, axes, strict=True)]
    return position, rotation @ chain.tip[0], ca.horzcat(*columns)


def _rotations(chain: Bodies, q: ca.SX) -> list[ca.SX]:
    """Return the rotation of each body's frame in the one before, (3, 3)."""
    rotations = []
    for i, body in enumerate(chain.moving):
        turn = ca.SX(3, 3)
        turn[0, 0] = turn[1, 1] = ca.cos(q[i])
        turn[1, 0] = ca.sin(q[i])
        turn[0, 1] = -turn[1, 0]
        turn[2, 2] = 1.0
        rotations.append(ca.SX(body.rotation) @ turn)
    return rotations


def _to_parent(rotation: ca.SX, position: ca.DM, force: ca.SX, torque: ca.SX) -> tuple[ca.SX, ca.SX]:
    turned = rotation @ force
    return turned, rotation @ torque + ca.cross(position, turned)


def _about_z(rate: ca.SX) -> ca.SX:
    return ca.vertcat(ca.SX(2, 1), rate)


def _turn_z_to(axis: np.ndarray) -> np.ndarray:
    """Return a rotation (3, 3) that takes z to ``axis``, one that permutes the axes if possible."""
    if axis[2] >= 1.0 - 1e-12:
        return np.eye(3)
    first = np.cross(axis, _Z)
    first = np.array([1.0, 0.0, 0.0]) if np.linalg.norm(first) < 1e-6 else first / np.linalg.norm(first)
    return np.column_stack([first, np.cross(axis, first), axis])


def _constants(placement: pin.SE3) -> tuple[ca.DM, ca.DM]:
    return ca.sparsify(ca.DM(_snapped(placement.rotation))), ca.sparsify(ca.DM(_snapped(placement.translation)))


def _snapped(values: np.ndarray) -> np.ndarray:
    whole = np.round(values)
    return np.where(np.abs(values - whole) < _SNAP, whole, values)
