"""What stops the arm when commands stop, and holds it: a controlled stop by the motors, then closed brakes."""

import numpy as np

from ttdm_ros.plants.bounds import clip
from ttdm_ros.systems.arm import JointLimits

_RATE = 20.0  # velocity falls by this share of itself a second [1/s], within the acceleration limits
_STANDSTILL = 0.01  # when all joints are slower than this, the brakes close [rad/s]


class Brake:
    """Brings the arm to rest, and keeps it there.

    First the motors decelerate every joint: the plant turns the accelerations wanted here into torque with its true
    inertia and the true weight that nothing compensates, and applies them within torque and torque-rate limits. A rate
    limit makes fast feedback oscillate, so the feedback is slow: with k the rate of decay, the torque of a joint of
    inertia M falls by M k² v a second, which stays below 1000 N·m/s for the heaviest joint (M ≈ 2 kg·m²) up to
    1.25 rad/s; above that the acceleration limit comes first.

    At standstill the brakes close: dry friction of the size of the effort limit in every joint, which a push has to
    overcome before anything moves. The motors go on carrying the weight, so that nothing drops when the brakes open.
    """

    def __init__(self, limits: JointLimits) -> None:
        self._acceleration = limits.acceleration
        self.closed = True
        """Whether the arm stands and the brakes hold it."""

    def engage(self, *, closed: bool = False) -> None:
        """Stop the arm from now on; ``closed`` if it stands already."""
        self.closed = closed

    def acceleration(self, v: np.ndarray) -> np.ndarray:
        """Return the accelerations wanted from the motors [rad/s²] at the velocities ``v`` [rad/s], each (7,)."""
        self.closed = self.closed or bool(np.abs(v).max() < _STANDSTILL)
        if self.closed:
            return np.zeros_like(v)
        return clip(-_RATE * v, -self._acceleration, self._acceleration)
