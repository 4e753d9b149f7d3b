"""The law called from Python, one cycle at a time: for arms without a compiled loop of their own, and for tests."""

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.law import BLOCK, JOINTS, MEMORY, LawStatus, compile_law

Array = NDArray[np.float64]

_OFFSETS = {"STATE_TIME": 0, "STATE_Q": 8, "STATE_V": 64, "STATE_TORQUE": 120, "PARAMS_CUSTOM": 0}


class LawStepper:
    """Memory and structures of the law, for one motion."""

    def __init__(self) -> None:
        """Begin a motion with the next step.

        Raises:
            SolverError: the law cannot be compiled.
        """
        self._law = compile_law(_OFFSETS).ttdm_franka_law
        self._state, self._memory = np.zeros(1 + 3 * JOINTS), np.zeros(MEMORY)
        self._tau, self._block = np.zeros(JOINTS), np.zeros(BLOCK)

    @property
    def status(self) -> LawStatus:
        """What the law does."""
        return LawStatus.of(self._memory)

    def step(self, block: Array, time: float, q: Array, v: Array, torque: Array) -> Array:
        """Return the torque (7,) [N·m] to command.

        Args:
            block: of parameters, from ``LawBlock``.
            time: robot time [s].
            q: positions (7,) [rad].
            v: velocities (7,) [rad/s].
            torque: that the robot applied last (7,) [N·m], without gravity.

        Raises:
            PlantError: the state is not finite, so that the motion must end.
        """
        self._block[:] = block
        self._state[:] = np.concatenate(((time,), q, v, torque))
        places = (self._state, self._block, self._memory, self._tau)
        if self._law(*(array.ctypes.data for array in places)):
            raise PlantError("the robot's state is not finite; the motion ends, check the robot")
        return self._tau.copy()
