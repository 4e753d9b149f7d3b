"""Rotor inertia in an engine that has none: as inertia of the links, and the torque that makes up for the difference.

SDF and DART know no rotor inertia, and without it a light joint cannot be controlled at any sampling rate. Each link
that a joint turns is therefore given the joint's rotor inertia D about the joint's axis z. Gazebo refuses a moment of
inertia larger than the sum of the other two, so as much is added across the axis as that takes.

A rotor behind a gear turns with its joint alone; a link turns with all joints before it. So the mass matrix of these
links, M_links(q), has the right terms for every joint by itself, and others for several at once. ``RotorCorrection``
turns a torque meant for the arm with rotors into the one that accelerates the links alike:

    tau_links = ID_links(q, v, FD(q, v, tau - f)) + f,    f: dry and viscous friction.
"""

import numpy as np
import pinocchio as pin

from ttdm_ros.plants.bounds import clip
from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.systems.arm import Arm

_MARGIN = 1e-3  # by which the triangle inequality holds, relative
_STANDSTILL = 1e-3  # below it dry friction takes what torque there is, up to its size [rad/s]
_SWEEPS = 4  # of finding the dry friction of joints that stand; more change nothing that matters


def with_rotor(inertia: np.ndarray, axis: np.ndarray, rotor: float) -> np.ndarray:
    """Return a link's inertia (3, 3) with a rotor's about ``axis`` (3,), and what Gazebo needs across it [kg·m²].

    Args:
        inertia: about the centre of mass, along any axes [kg·m²].
        axis: unit vector of the joint, along the same axes.
        rotor: rotor inertia as seen at the joint [kg·m²].
    """
    if rotor == 0.0:
        return inertia
    along = np.outer(axis, axis)
    about = inertia + rotor * along
    lower, upper = 0.0, 2.0 * rotor + float(np.trace(inertia))
    for _ in range(60):  # the smallest share across the axis that makes the moments possible
        middle = 0.5 * (lower + upper)
        lower, upper = (lower, middle) if _is_possible(about + middle * (np.eye(3) - along)) else (middle, upper)
    across = 0.0 if _is_possible(about) else upper
    total: np.ndarray = about + across * (np.eye(3) - along)
    return total


class RotorCorrection:
    """From the torque for the arm with rotors to the one for links that carry the rotors' inertia."""

    def __init__(self, arm: Arm, links: pin.Model, config: PlantConfig) -> None:
        """Take the nominal arm, its model without rotors but with their inertia in the links, and the plant's effects.

        Args:
            arm: the nominal arm.
            links: of the same joints, as ``ttdm_ros.plants.gazebo.robot.links_model`` gives it.
            config: payload and friction count.
        """
        self._rotors, self._links = arm.model.copy(), links.copy()
        if config.payload is not None:
            load = pin.Inertia(config.payload.mass, np.array(config.payload.com), np.diag(config.payload.moments()))
            for model in (self._rotors, self._links):
                model.appendBodyToJoint(7, load, arm.tip_placement)
        self._rotors_data, self._links_data = self._rotors.createData(), self._links.createData()
        self._gravity = arm.gravity_torque
        self._coulomb, self._viscous = friction_torques(arm, config)

    def apply(self, q: np.ndarray, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """Return the torque (7,) [N·m] for ``tau``; both without the gravity of the nominal arm.

        Args:
            q: positions (7,) [rad].
            v: velocities (7,) [rad/s].
            tau: torque meant for the arm with rotors (7,) [N·m].
        """
        weight = self._gravity(q)
        viscous = self._viscous * v
        stands = np.abs(v) < _STANDSTILL
        bias = pin.rnea(self._rotors, self._rotors_data, q, v, np.zeros(7)) - weight + viscous
        dry = np.where(stands, clip(tau - bias, -self._coulomb, self._coulomb), self._coulomb * np.sign(v))
        a = self._acceleration(q, v, tau - viscous - dry + weight)
        if stands.any() and self._coulomb.any():
            # Dry friction takes what would move a joint that stands, up to its size: one joint after the other.
            own = np.diag(pin.crba(self._rotors, self._rotors_data, q)).copy()
            for _ in range(_SWEEPS):
                dry = np.where(stands, clip(dry + own * a, -self._coulomb, self._coulomb), dry)
                a = self._acceleration(q, v, tau - viscous - dry + weight)
        torque: np.ndarray = pin.rnea(self._links, self._links_data, q, v, a) - weight + viscous + dry
        return torque

    def _acceleration(self, q: np.ndarray, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
        a: np.ndarray = pin.aba(self._rotors, self._rotors_data, q, v, tau).copy()
        return a


def _is_possible(inertia: np.ndarray) -> bool:
    small, middle, large = np.linalg.eigvalsh(inertia)
    return bool(small + middle >= large * (1.0 + _MARGIN))
