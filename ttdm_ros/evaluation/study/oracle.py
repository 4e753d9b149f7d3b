"""An arm that knows its plant: what the best possible model would predict, and therefore the measure of all others."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property

import casadi as ca
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.systems import recursions
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

SMOOTHING = 0.05
"""Velocity within which dry friction changes its sign in the prediction [rad/s]; a plan needs a derivative there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InformedArm(Arm):
    """An arm whose dynamics holds a payload and friction that the plant has, and which the plant does not compensate.

    ``model`` has the payload in its last body. Methods by pinocchio (``forward_dynamics``, ``inverse_dynamics``) are
    those of the rigid bodies; the prediction model, made of :class:`ttdm_ros.systems.rigid_body.RigidBody`, has all.
    """

    nominal: Arm
    """What the plant takes the arm for when it compensates gravity."""
    coulomb: Array
    """Sliding friction (7,) [N·m]."""
    viscous: Array
    """(7,) [N·m·s/rad]."""

    def further_torque(self, q: ca.SX, v: ca.SX) -> ca.SX:
        """Friction, and the gravity of what is not compensated."""
        still = ca.SX(7, 1)
        whole, known = (
            recursions.inverse_dynamics(recursions.bodies(arm), q, still, still, gravity=True)
            for arm in (self, self.nominal)
        )
        return whole - known + ca.DM(self.viscous) * v + ca.DM(self.coulomb) * ca.tanh(v / SMOOTHING)

    @cached_property
    def fingerprint(self) -> str:
        """Of the arm, its payload and its friction."""
        text = f"{super().fingerprint} {self.nominal.fingerprint} {SMOOTHING}"
        numbers = np.concatenate([self.coulomb, self.viscous]).astype("<f8").tobytes()
        return hashlib.sha256(text.encode() + numbers).hexdigest()[:16]


def informed_arm(arm: Arm, plant: PlantConfig) -> InformedArm:
    """Return the arm with what a plant adds to it.

    Lag, delay, noise and the fall of dry friction with speed are left out: no prediction by rigid bodies holds them.
    """
    model = pin.Model(arm.model)
    if plant.payload is not None:
        body = pin.Inertia(plant.payload.mass, np.array(plant.payload.com), np.diag(plant.payload.moments()))
        model.inertias[7] = model.inertias[7] + arm.tip_placement.act(body)
    coulomb, viscous = friction_torques(arm, plant)
    parts = {field.name: getattr(arm, field.name) for field in fields(Arm)} | {"model": model}
    return InformedArm(nominal=arm, coulomb=coulomb, viscous=viscous, **parts)
