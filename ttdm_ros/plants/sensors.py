"""What the joint sensors report: the true state with white noise."""

import numpy as np

from ttdm_ros.plants.config import Sensor


class JointSensors:
    """Encoders and velocity estimates of seven joints; position and velocity noise have a stream each."""

    def __init__(
        self, config: Sensor, position_stream: np.random.Generator, velocity_stream: np.random.Generator
    ) -> None:
        self._config = config
        self._position_stream = position_stream
        self._velocity_stream = velocity_stream

    def read(self, q: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return one noisy sample of positions [rad] and velocities [rad/s], each (7,)."""
        return (
            _noisy(q, self._config.position_std, self._position_stream),
            _noisy(v, self._config.velocity_std, self._velocity_stream),
        )


def _noisy(value: np.ndarray, std: float, stream: np.random.Generator) -> np.ndarray:
    return value + std * stream.standard_normal(value.shape) if std > 0.0 else value.copy()
