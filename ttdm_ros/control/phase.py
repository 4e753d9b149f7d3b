"""What the controller is doing, as numbers that go into a bag."""

from enum import IntEnum


class Phase(IntEnum):
    """Phase of the controller; the number is the last column of ``mpc_controller/timing``."""

    INACTIVE = 0
    """Configured; nothing is commanded."""
    WAITING = 1
    """Activated; waiting for the first joint state."""
    APPROACH = 2
    """Moving to the start of the task."""
    TRACKING = 3
    """Driving the task, or following a live target."""
    HOLDING = 4
    """The task is done; its last pose is held."""
    LEAVING = 5
    """Deactivation was asked for; coming to rest."""
    BRAKING = 6
    """A fault was found; coming to rest by damping."""
    STOPPED = 7
    """A fault was found and the arm rests; nothing is commanded until the next activation."""
