"""What every plant takes for a command."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttdm_ros.errors import PlantError

_JOINTS = 7


def torque_command(tau: ArrayLike) -> NDArray[np.float64]:
    """Return a command of joint torques without gravity (7,) [N·m].

    Raises:
        PlantError: not seven finite numbers.
    """
    wanted = np.asarray(tau, dtype=np.float64)
    if wanted.shape != (_JOINTS,):
        raise PlantError(f"a command has {_JOINTS} torques, not an array of shape {wanted.shape}")
    if not np.isfinite(wanted).all():
        raise PlantError(f"a command must be finite, not {wanted.tolist()}")
    return wanted
