"""What a Franka arm is told at the start, and how the driver guards it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ttdm_ros.config import Config

Positive = Annotated[float, Field(gt=0.0)]
PerJoint = Annotated[tuple[Positive, ...], Field(min_length=7, max_length=7)]
PerAxis = Annotated[tuple[Positive, ...], Field(min_length=6, max_length=6)]


class Collision(Config):
    """Thresholds of the robot's own collision detection; above the upper ones it stops by a reflex."""

    lower_torque: PerJoint = (20.0, 20.0, 18.0, 18.0, 16.0, 14.0, 12.0)
    """Contact, base to tip [N·m]."""
    upper_torque: PerJoint = (20.0, 20.0, 18.0, 18.0, 16.0, 14.0, 12.0)
    """Collision, base to tip [N·m]."""
    lower_force: PerAxis = (20.0, 20.0, 20.0, 25.0, 25.0, 25.0)
    """Contact: x, y, z [N], then about them [N·m]."""
    upper_force: PerAxis = (20.0, 20.0, 20.0, 25.0, 25.0, 25.0)
    """Collision: x, y, z [N], then about them [N·m]."""

    @model_validator(mode="after")
    def _lower_is_not_above_upper(self) -> Self:
        for kind in ("torque", "force"):
            lower, upper = getattr(self, f"lower_{kind}"), getattr(self, f"upper_{kind}")
            if any(a > b for a, b in zip(lower, upper, strict=True)):
                raise ValueError(f"no value of lower_{kind} may be above the one of upper_{kind}")
        return self


class Load(Config):
    """What the robot is told that it carries, beyond the end effector that is set in Desk."""

    mass: float = Field(default=0.0, ge=0.0, le=5.0)
    """[kg]"""
    com: Annotated[tuple[float, ...], Field(min_length=3, max_length=3)] = (0.0, 0.0, 0.0)
    """Centre of mass in the flange frame [m]."""
    inertia: Annotated[tuple[float, ...], Field(min_length=9, max_length=9)] = (0.0,) * 9
    """About the centre of mass, along the axes of the flange, column by column [kg·m²]."""

    @model_validator(mode="after")
    def _a_mass_has_an_inertia(self) -> Self:
        i = self.inertia
        if (i[1], i[2], i[5]) != (i[3], i[6], i[7]):
            raise ValueError("inertia must be symmetric")
        if self.mass > 0.0 and min(i[0], i[4], i[8]) <= 0.0:
            raise ValueError("a mass needs an inertia, or the robot refuses it; 2/5 m r² on the diagonal for a ball")
        return self


class Guard(Config):
    """When commands count, and what the arm does without them."""

    timeout: float = Field(default=0.05, ge=0.005, le=0.5)
    """Without a new command for this long the arm is braked and held; a law that is over for longer is refused [s]."""
    pause: float = Field(default=0.1, ge=0.02, le=5.0)
    """When a motion begins, and after a stop, commands are refused until none has come for this long [s]."""
    first_torque: float = Field(default=2.0, ge=0.1, le=10.0)
    """A motion begins only with a command whose every torque is smaller than this [N·m]."""
    torque_rate: float = Field(default=1000.0, ge=10.0, le=1000.0)
    """Commanded torque changes by no more than this [N·m/s]; what brakes and holds the arm may use the 1000, beyond
    which the robot stops."""
    torque_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the arm's torque limits that is let through."""
    deceleration: PerJoint = (5.0, 5.0, 5.0, 5.0, 7.0, 7.0, 7.0)
    """With which the arm is braked, base to tip [rad/s²]."""
    stiffness: PerJoint = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
    """Of the spring that brakes and holds, base to tip [N·m/rad]."""
    damping: PerJoint = (50.0, 50.0, 50.0, 50.0, 30.0, 25.0, 15.0)
    """Of the damper beside it, base to tip [N·m·s/rad]."""

    @model_validator(mode="after")
    def _the_pause_is_longer(self) -> Self:
        if self.pause <= self.timeout:
            raise ValueError(f"pause ({self.pause} s) must be longer than timeout ({self.timeout} s)")
        return self


class FrankaSettings(Config):
    """Everything a link to the arm needs."""

    address: str = "172.16.0.2"
    """Of the robot's controller box."""
    connect_timeout: float = Field(default=5.0, ge=0.5, le=60.0)
    """For the robot to take the connection [s]."""
    realtime_priority: int = Field(default=80, ge=0, le=99)
    """Of the control loop's thread under SCHED_FIFO; 0 for none."""
    collision: Collision = Collision()
    load: Load = Load()
    guard: Guard = Guard()
