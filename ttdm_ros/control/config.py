"""Settings of the controller; parameters of the node ``mpc_controller`` and of the closed loop without ROS."""

from typing import Literal

from pydantic import Field

from ttdm_ros.config import Config


class ControllerConfig(Config):
    """When to solve, how to follow the plan in between, and when to stop."""

    rate: float = Field(default=100.0, ge=10.0, le=500.0)
    """Solves a second [Hz]; never more than there are joint states."""
    between: Literal["feedback", "plan"] = "feedback"
    """What is commanded at joint states between two solves: ``feedback``: u + K (x - x_plan); ``plan``: u alone."""
    delay: float = Field(default=0.002, ge=0.0, le=0.1)
    """From a joint state's stamp to the moment at which the command that answers it acts; the plan starts there [s]."""
    approach_speed: float = Field(default=0.25, gt=0.0, le=1.0)
    """Share of the velocity and acceleration limits used on the way to the start of the task."""
    ramp_time: float = Field(default=0.3, ge=0.0, le=5.0)
    """Time in which torque grows from zero after activation [s]."""
    stop_time: float = Field(default=0.5, ge=0.05, le=5.0)
    """Time in which the arm is brought to rest along its path on deactivation [s]."""
    stale_periods: float = Field(default=3.0, ge=1.0, le=100.0)
    """Without a new joint state for this many control periods the arm is stopped."""
    failures: int = Field(default=3, ge=0, le=100)
    """Failed solves in a row through which the last plan is followed."""
    missed: int = Field(default=10, ge=1, le=1000)
    """Solves in a row that come after their deadline until the arm is stopped."""

    exploration: float = Field(default=0.0, ge=0.0, le=0.2)
    """Standard deviation of random torques added while driving, as a share of the torque limits; for recording."""
    exploration_bandwidth: float = Field(default=3.0, gt=0.0, le=50.0)
    """Above it the random torques fall off [Hz]."""
    exploration_seed: int = Field(default=0, ge=0, le=2**31)

    @property
    def period(self) -> float:
        """Time between two solves [s]."""
        return 1.0 / self.rate

    @property
    def stale_after(self) -> float:
        """Time without a new joint state after which the arm is stopped [s]."""
        return self.stale_periods * self.period
