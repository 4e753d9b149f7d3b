"""Small random torques that make recorded motion tell more than the controller alone would let it."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Exploration:
    """An Ornstein-Uhlenbeck process a joint: coloured noise of a given size and bandwidth, equal for equal seeds.

    Under feedback alone torque is a function of the state, so that data cannot tell what either does to the
    acceleration; a little noise on the torque separates them.
    """

    def __init__(self, effort: Array, share: float, bandwidth: float, seed: int) -> None:
        """Prepare.

        Args:
            effort: torque limits (7,) [N·m].
            share: standard deviation as a share of the limits; 0 for none.
            bandwidth: above it the noise falls off [Hz].
            seed: of the random numbers.
        """
        self._effort, self._rate = effort, 2.0 * math.pi * bandwidth
        self._seed = seed
        self.set_share(share)
        self.reset()

    def set_share(self, share: float) -> None:
        """Choose another standard deviation, as a share of the torque limits."""
        self._size = share * self._effort

    def reset(self) -> None:
        """Begin again with the same numbers."""
        self._random = np.random.default_rng(self._seed)
        self._torque = np.zeros(len(self._size))

    def next(self, elapsed: float) -> Array:
        """Return the torque (7,) [N·m] to add, ``elapsed`` [s] after the one before."""
        if not self._size.any():
            self._torque = np.zeros(len(self._size))
            return self._torque
        keep = math.exp(-self._rate * elapsed)
        noise = self._random.standard_normal(len(self._size))
        self._torque = keep * self._torque + math.sqrt(1.0 - keep * keep) * self._size * noise
        return self._torque
