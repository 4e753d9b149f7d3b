"""Joint friction of a plant, in numbers."""

import numpy as np

from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.systems.arm import Arm


def friction_torques(arm: Arm, config: PlantConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return sliding torque [N·m] and viscous coefficient [N·m·s/rad] of the joints, each of shape (7,)."""
    friction = config.friction
    coulomb = friction.coulomb_scale * arm.coulomb_friction if friction.coulomb is None else np.array(friction.coulomb)
    viscous = friction.viscous_scale * arm.viscous_friction if friction.viscous is None else np.array(friction.viscous)
    return coulomb, viscous
