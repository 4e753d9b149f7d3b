"""What a URDF does not say of an arm: from ``<stem>.ttdm.yaml`` beside ``<stem>.urdf``, or else on the safe side."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from ttdm_ros.config import load, parse
from ttdm_ros.systems.chain import Chain
from ttdm_ros.systems.parameters import JOINTS, Companion, JointParameters

CONTINUOUS = 2.0 * np.pi
"""How far a joint without position limits may turn either way [rad]."""
ACCELERATION = 5.0
"""[rad/s²]"""
EFFORT_RATE = 5.0
"""Of the effort limit, a second [1/s]."""
ROTOR_INERTIA = 0.002
"""Of the effort limit [s²]. Not zero: without it, light wrists become unstable under digital control."""
ROTOR_INERTIA_RANGE = (0.02, 0.3)
"""[kg·m²]"""
BEND = 0.8
"""How far home is bent from the middle of the limits at most, and by a sixth of the joint's range at most [rad]."""


def complete(chain: Chain, model: pin.Model, companion_file: Path) -> JointParameters:
    """Return what the joints of a URDF may do.

    Position, velocity and effort limits are the URDF's. The rest comes from the companion file, or else from the
    constants above; friction is zero, and home the least singular of the middle of the limits and of the postures bent
    from it in joints 2, 4 and 6.

    Raises:
        ConfigError: the companion file is not as :class:`Companion` says, or its home is beyond the limits.
    """
    there = companion_file.is_file()
    given = load(companion_file, Companion).model_dump(exclude_none=True) if there else {}
    lower, upper = chain.position_limit("lower", -CONTINUOUS), chain.position_limit("upper", CONTINUOUS)
    effort = chain.limit("effort")
    values = {
        "acceleration": np.full(JOINTS, ACCELERATION),
        "effort_rate": EFFORT_RATE * effort,
        "rotor_inertia": np.clip(ROTOR_INERTIA * effort, *ROTOR_INERTIA_RANGE),
        "coulomb_friction": np.zeros(JOINTS),
        "viscous_friction": np.zeros(JOINTS),
        **given,
    }
    values.setdefault("home", _home(model, chain.tip_frame, lower, upper))
    limits = {"position_lower": lower, "position_upper": upper, "velocity": chain.limit("velocity"), "effort": effort}
    limits |= {key: values.pop(key) for key in ("acceleration", "effort_rate")}
    data: dict[str, Any] = {"limits": {key: tuple(value) for key, value in limits.items()}}
    data |= {key: tuple(value) for key, value in values.items()}
    return parse(data, JointParameters, str(companion_file) if there else chain.source)


def _home(model: pin.Model, tip_frame: str, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    data, tip = model.createData(), model.getFrameId(tip_frame, pin.FrameType.BODY)
    middle, bend = (lower + upper) / 2.0, np.minimum((upper - lower) / 6.0, BEND)
    signs = [np.array([0.0, a, 0.0, b, 0.0, c, 0.0]) for a, b, c in product((1.0, -1.0), repeat=3)]

    def smallest_singular_value(q: np.ndarray) -> float:
        jacobian = pin.computeFrameJacobian(model, data, q, tip, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
        # Rounded, so that of postures that mirror each other always the first is taken.
        return round(float(np.linalg.svd(jacobian)[1][-1]), 6)

    return max([middle, *(middle + bend * sign for sign in signs)], key=smallest_singular_value)
