"""What the controller says to a joint state."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.control.planner import Solve

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a joint state led to."""

    tau: Array | None
    """Torque to command (7,) [N·m], without gravity; None: command nothing."""
    solve: Solve | None = None
    """The solve, if one was due."""


NOTHING = Answer(tau=None)
