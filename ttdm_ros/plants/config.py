"""What a simulated plant does that the nominal arm does not: the files of ``config/plants/``."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from ttdm_ros.config import Config, load
from ttdm_ros.paths import find_config

Vector3 = tuple[float, float, float]
NotNegative = Annotated[float, Field(ge=0.0)]
PerJoint = Annotated[tuple[NotNegative, ...], Field(min_length=7, max_length=7)]


PAYLOAD = "unmodelled_payload"
"""What the body of a payload is called in a simulated robot."""


class Payload(Config):
    """A rigid body fixed to the tip, which nothing but the plant knows of."""

    mass: float = Field(gt=0.0, le=30.0)
    """[kg]"""
    com: Vector3 = (0.0, 0.0, 0.0)
    """Centre of mass in the tip frame [m]."""
    radius: float = Field(default=0.05, gt=0.0, le=1.0)
    """Of a solid sphere, from which the inertia follows unless ``inertia`` is given [m]."""
    inertia: Vector3 | None = None
    """Moments about the centre of mass, along the axes of the tip frame [kg·m²]."""

    @model_validator(mode="after")
    def _inertia_is_physical(self) -> Self:
        if self.inertia is not None:
            small, middle, large = sorted(self.inertia)
            if small <= 0.0 or small + middle < large:
                raise ValueError("inertia must be positive, and no moment larger than the sum of the other two")
        return self

    def moments(self) -> Vector3:
        """Return the principal moments about the centre of mass [kg·m²]; 2/5 m r² for a solid sphere."""
        if self.inertia is not None:
            return self.inertia
        moment = 0.4 * self.mass * self.radius**2
        return moment, moment, moment


class Stribeck(Config):
    """How dry friction falls from its static to its sliding value: F(v) = F_c (1 + (s - 1) exp(-(v/v_s)²))."""

    static_factor: float = Field(ge=1.0, le=5.0)
    """s: breakaway torque over sliding torque."""
    velocity: float = Field(gt=0.0, le=10.0)
    """v_s: above it, friction is mostly the sliding value [rad/s]."""


class Friction(Config):
    """Joint friction; each part is a multiple of the robot's own parameters, or seven values given here."""

    coulomb_scale: float = Field(default=0.0, ge=0.0, le=100.0)
    """Multiple of the robot's ``coulomb_friction``."""
    viscous_scale: float = Field(default=0.0, ge=0.0, le=100.0)
    """Multiple of the robot's ``viscous_friction``."""
    coulomb: PerJoint | None = None
    """Sliding torque, base to tip [N·m]; excludes ``coulomb_scale``."""
    viscous: PerJoint | None = None
    """Base to tip [N·m·s/rad]; excludes ``viscous_scale``."""
    stribeck: Stribeck | None = None

    @model_validator(mode="after")
    def _one_source_each(self) -> Self:
        for name in ("coulomb", "viscous"):
            if {name, f"{name}_scale"} <= self.model_fields_set:
                raise ValueError(f"give {name}_scale or {name}, not both")
        return self


class Actuator(Config):
    """What lies between a command's arrival and the torque at the joint."""

    lag: float = Field(default=0.0, ge=0.0, le=1.0)
    """Time constant of a first-order lag [s]."""
    delay: float = Field(default=0.0, ge=0.0, le=0.2)
    """Dead time, a multiple of the plant's step [s]."""


class Sensor(Config):
    """White noise on what is measured, of these standard deviations."""

    position_std: float = Field(default=0.0, ge=0.0, le=0.1)
    """[rad]"""
    velocity_std: float = Field(default=0.0, ge=0.0, le=1.0)
    """[rad/s]"""


class PlantConfig(Config):
    """A plant: how it is simulated, and every effect that it adds to the nominal arm."""

    step: float = Field(default=1e-3, ge=1e-5, le=1e-3)
    """Time step of the simulation, a whole number of microseconds [s]."""
    command_timeout: float = Field(default=0.05, ge=1e-3, le=10.0)
    """Without a new command for this long the plant brakes and holds [s]."""
    gravity_compensation: bool = True
    """Whether the plant carries the nominal arm's weight by itself, as Franka arms do."""
    payload: Payload | None = None
    mass_variation: float = Field(default=0.0, ge=0.0, le=0.3)
    """Relative standard deviation of each link's mass and inertia around the nominal one, drawn once from the seed."""
    friction: Friction = Friction()
    actuator: Actuator = Actuator()
    sensor: Sensor = Sensor()

    @model_validator(mode="after")
    def _times_fit_the_step(self) -> Self:
        if not _is_multiple(self.step, 1e-6):
            raise ValueError(f"step must be a whole number of microseconds, not {self.step} s")
        if not _is_multiple(self.actuator.delay, self.step):
            raise ValueError(f"actuator.delay ({self.actuator.delay} s) must be a multiple of step ({self.step} s)")
        return self

    def steps(self, duration: float) -> int:
        """Return how many steps a duration [s] has.

        Raises:
            ValueError: ``duration`` is negative or not a multiple of the step.
        """
        if duration < 0.0 or not _is_multiple(duration, self.step):
            raise ValueError(f"a duration of {duration} s is not a multiple of the plant's step of {self.step} s")
        return round(duration / self.step)


def load_plant(name_or_path: str | Path) -> PlantConfig:
    """Read a plant that ships (``payload_friction``) or a YAML file.

    Raises:
        ConfigError: no such plant, malformed YAML, or a key or value that is not allowed.
    """
    return load(find_config("plants", name_or_path), PlantConfig)


def _is_multiple(value: float, unit: float) -> bool:
    return abs(value / unit - round(value / unit)) < 1e-6
