"""The FR3 as franka-sim loads it: one of our arms with a plant's payload and friction, in MuJoCo's own format."""

from pathlib import Path

import numpy as np

from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.mujoco_model import build_model, describe
from ttdm_ros.systems.arm import Arm


def write_mjcf(arm: Arm, config: PlantConfig, path: Path) -> Path:
    """Write the arm into ``path`` and return it; lag, delay and noise of a plant are not in it.

    franka-sim compensates the weight of everything it loads; ``franka_sim_server.py`` takes the payload out of that.

    Raises:
        PlantError: MuJoCo refuses the arm.
    """
    build_model(arm, config, np.ones(7))  # says in words what is wrong, if it is
    spec = describe(arm, config)
    spec.compile()
    path.write_text(spec.to_xml(), encoding="utf-8")
    return path
