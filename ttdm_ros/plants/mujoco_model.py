"""From an arm's URDF and a plant's configuration to a MuJoCo model."""

from xml.etree import ElementTree

import mujoco
import numpy as np

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.config import PAYLOAD, PlantConfig
from ttdm_ros.plants.friction import friction_torques
from ttdm_ros.systems.arm import Arm

# MuJoCo's dry friction is a soft constraint and creeps under load by about 1 mrad/s with its usual parameters. With
# the stiffest ones it allows, the creep is below 1 µrad/s; they stay stable because the joints are decoupled in it.
_STICK_SOLREF = (0.002, 1.0)
_STICK_SOLIMP = (0.9999, 0.9999, 0.001, 0.5, 2.0)


def build_model(arm: Arm, config: PlantConfig, mass_factors: np.ndarray) -> mujoco.MjModel:
    """Build the arm as MuJoCo simulates it.

    The bodies come from ``arm.urdf``, every joint that is not one of the arm's seven being fixed at zero. MuJoCo itself
    compensates the gravity of the *nominal* links, at the true posture, unless the plant shall not: the payload, and
    what ``mass_factors`` add, keep their weight. There are no contacts.

    Args:
        arm: the nominal arm.
        config: step, payload and viscous friction go into the model; what varies in time stays with the plant.
        mass_factors: true over nominal mass and inertia of the seven moving links, base to tip, shape (7,).

    Raises:
        PlantError: MuJoCo refuses the URDF, or does not find the arm in it.
    """
    spec = describe(arm, config)
    try:
        model = spec.compile()
    except ValueError as error:
        raise PlantError(
            f"MuJoCo cannot simulate the URDF of {arm.name}: {_one_line(error)}; correct its inertias and joints"
        ) from error
    names = tuple(model.joint(i).name for i in range(model.njnt))
    if names != arm.joint_names:
        raise PlantError(f"MuJoCo found the joints {names} in the URDF of {arm.name}, not {arm.joint_names}")
    if np.any(mass_factors != 1.0):
        _scale_links(model, mass_factors)
    return model


def describe(arm: Arm, config: PlantConfig) -> mujoco.MjSpec:
    """Return what ``build_model`` compiles, before masses are varied.

    Raises:
        PlantError: MuJoCo refuses the URDF.
    """
    try:
        spec = mujoco.MjSpec.from_string(bodies_only(arm))
    except ValueError as error:
        raise PlantError(f"MuJoCo cannot read the URDF of {arm.name}: {_one_line(error)}; correct the URDF") from error
    spec.compiler.fusestatic = False  # the tip frame must remain a body, however it is fixed
    for body in spec.bodies:
        body.gravcomp = float(config.gravity_compensation)
    _set_options(spec, arm, config)
    _set_joints(spec, arm, config)
    _add_payload(spec, arm, config)
    return spec


def bodies_only(arm: Arm) -> str:
    """Return the URDF without anything to look at or to collide with, and with all joints fixed but the arm's."""
    root = ElementTree.fromstring(arm.urdf)
    for element in list(root):
        if element.tag not in ("link", "joint"):
            root.remove(element)
    for link in root.findall("link"):
        for element in list(link):
            if element.tag != "inertial":
                link.remove(element)
    for joint in root.findall("joint"):
        moves = joint.get("name") in arm.joint_names
        if not moves:
            joint.set("type", "fixed")
        kept = {"origin", "parent", "child", "axis", "limit"} if moves else {"origin", "parent", "child"}
        for element in list(joint):
            if element.tag not in kept:
                joint.remove(element)
    return ElementTree.tostring(root, encoding="unicode")


def _set_options(spec: mujoco.MjSpec, arm: Arm, config: PlantConfig) -> None:
    spec.option.timestep = config.step
    spec.option.gravity = np.array(arm.model.gravity.linear)
    # At 1 ms and without friction 1e-12 rad from the true motion after a second, where the semi-implicit ones are off
    # by 5e-3; with friction 5e-4 against 3e-3, for 1.7 times the time.
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_RK4
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    # Without automatic resets a diverging simulation is seen, and not silently started again.
    off = mujoco.mjtDisableBit
    spec.option.disableflags = int(off.mjDSBL_CONTACT) | int(off.mjDSBL_AUTORESET)


def _set_joints(spec: mujoco.MjSpec, arm: Arm, config: PlantConfig) -> None:
    coulomb, viscous = friction_torques(arm, config)
    limits = arm.limits
    for i, name in enumerate(arm.joint_names):
        joint = spec.joint(name)
        if joint is None:
            raise PlantError(f"MuJoCo does not find the joint {name} in the URDF of {arm.name}")
        joint.limited = True
        joint.range = np.array([limits.position_lower[i], limits.position_upper[i]])
        joint.actfrclimited = False  # the plant clips torque where it has the lag and the delay in hand
        joint.armature = float(arm.rotor_inertia[i])
        joint.damping = np.array([viscous[i], 0.0, 0.0])
        joint.frictionloss = float(coulomb[i])
        joint.solref_friction = np.array(_STICK_SOLREF)
        joint.solimp_friction = np.array(_STICK_SOLIMP)


def _add_payload(spec: mujoco.MjSpec, arm: Arm, config: PlantConfig) -> None:
    if config.payload is None:
        return
    tip = spec.body(arm.tip_frame)
    if tip is None:
        raise PlantError(f"there is no link {arm.tip_frame} in the URDF of {arm.name} to fix the payload to")
    tip.add_body(
        name=PAYLOAD,
        ipos=np.array(config.payload.com),
        mass=config.payload.mass,
        inertia=np.array(config.payload.moments()),
        explicitinertial=True,
        gravcomp=0.0,
    )


def _scale_links(model: mujoco.MjModel, factors: np.ndarray) -> None:
    """Scale each moving link with all that is fixed to it, and keep the compensation at the nominal weight."""
    for body in range(model.nbody):
        link = model.body_weldid[body]
        if link == 0 or model.body(body).name == PAYLOAD:
            continue
        factor = factors[model.body_dofadr[link]]
        model.body_mass[body] *= factor
        model.body_inertia[body] *= factor
        model.body_gravcomp[body] /= factor
    mujoco.mj_setConst(model, mujoco.MjData(model))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
