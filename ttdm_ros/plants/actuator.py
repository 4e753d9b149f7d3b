"""From commanded to applied torque: effort limit, dead time, first-order lag."""

from collections import deque

import numpy as np

from ttdm_ros.plants.bounds import clip
from ttdm_ros.plants.config import Actuator, PlantConfig


class TorqueActuator:
    """Seven motors that follow a command late and never beyond their limits.

    The order is clip, dead time, lag. The command is held constant between steps, so the lag is exact at the steps:
    after a step of the command by u at time zero, the torque t seconds after its dead time is u (1 - exp(-t/T)).
    """

    def __init__(self, config: PlantConfig, effort: np.ndarray) -> None:
        """Start at zero torque; ``effort`` is the limit of each joint [N·m], shape (7,)."""
        self._effort = effort
        self._gain = _lag_gain(config.actuator, config.step)
        self.delay_steps = config.steps(config.actuator.delay)
        """Dead time in steps."""
        self._pipe: deque[np.ndarray] = deque()
        self._torque = np.zeros(len(effort))
        self.reset(self._torque)

    def clip(self, command: np.ndarray) -> np.ndarray:
        """Return ``command`` within the effort limits [N·m]."""
        return clip(command, -self._effort, self._effort)

    def reset(self, torque: np.ndarray) -> None:
        """Forget commands on their way, and continue from ``torque`` [N·m]."""
        self._pipe = deque([torque.copy()] * self.delay_steps)
        self._torque = torque.copy()

    def continue_from(self, torque: np.ndarray) -> None:
        """Continue from ``torque`` [N·m] and keep the commands on their way."""
        self._torque = torque.copy()

    def step(self, command: np.ndarray) -> np.ndarray:
        """Return the torque during the next step [N·m], given the clipped command that is valid now."""
        if self.delay_steps:
            self._pipe.append(command)
            command = self._pipe.popleft()
        self._torque = self._torque + self._gain * (command - self._torque)
        return self._torque


def _lag_gain(actuator: Actuator, step: float) -> float:
    return float(-np.expm1(-step / actuator.lag)) if actuator.lag > 0.0 else 1.0
