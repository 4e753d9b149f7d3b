"""Parameters of an arm: the files of ``config/robots/``, and what may be added to somebody's URDF."""

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from ttdm_ros.config import Config

JOINTS = 7

Vector3 = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Angles = Annotated[tuple[float, ...], Field(min_length=JOINTS, max_length=JOINTS)]
PositivePerJoint = Annotated[tuple[Positive, ...], Field(min_length=JOINTS, max_length=JOINTS)]
NotNegativePerJoint = Annotated[tuple[NotNegative, ...], Field(min_length=JOINTS, max_length=JOINTS)]

# Relative; published inertias are rounded, and a thin rod has one moment equal to the difference of the others.
_TRIANGLE_TOLERANCE = 1e-9


class Inertia(Config):
    """Of a link about its centre of mass, along the axes of the link frame [kg·m²]."""

    ixx: float
    ixy: float
    ixz: float
    iyy: float
    iyz: float
    izz: float

    @model_validator(mode="after")
    def _is_physical(self) -> Self:
        small, middle, large = np.linalg.eigvalsh(self.matrix())
        if small <= 0.0 or small + middle < large * (1.0 - _TRIANGLE_TOLERANCE):
            raise ValueError("inertia must be positive definite, and no moment larger than the sum of the other two")
        return self

    def matrix(self) -> np.ndarray:
        """Return the symmetric matrix (3, 3) [kg·m²]."""
        return np.array(
            [[self.ixx, self.ixy, self.ixz], [self.ixy, self.iyy, self.iyz], [self.ixz, self.iyz, self.izz]]
        )


class Placement(Config):
    """Where a frame lies in the one before it, as in URDF."""

    xyz: Vector3 = (0.0, 0.0, 0.0)
    """[m]"""
    rpy: Vector3 = (0.0, 0.0, 0.0)
    """Turns about the fixed axes x, y, z, in this order [rad]."""


class Shape(Placement):
    """A cylinder along its z axis or, without ``length``, a sphere: to look at and, on links, to collide with."""

    radius: float = Field(gt=0.0, le=1.0)
    """[m]"""
    length: float | None = Field(default=None, gt=0.0, le=2.0)
    """[m]"""


class Link(Config):
    """A rigid body of the arm."""

    name: str = Field(min_length=1)
    mass: float = Field(gt=0.0)
    """[kg]"""
    com: Vector3
    """Centre of mass in the link frame [m]."""
    inertia: Inertia
    shapes: tuple[Shape, ...] = ()


class Joint(Placement):
    """A revolute joint about its z axis; moves link i relative to link i - 1."""

    name: str = Field(min_length=1)


class Frame(Placement):
    """A massless frame fixed to a link or to another frame."""

    name: str = Field(min_length=1)
    parent: str
    shapes: tuple[Shape, ...] = ()


class Limits(Config):
    """What the robot allows, base to tip."""

    position_lower: Angles
    """[rad]"""
    position_upper: Angles
    """[rad]"""
    velocity: PositivePerJoint
    """[rad/s]"""
    acceleration: PositivePerJoint
    """[rad/s²]"""
    effort: PositivePerJoint
    """Torque, without gravity [N·m]."""
    effort_rate: PositivePerJoint
    """[N·m/s]"""

    @model_validator(mode="after")
    def _intervals_are_not_empty(self) -> Self:
        for i, (lower, upper) in enumerate(zip(self.position_lower, self.position_upper, strict=True), start=1):
            if lower >= upper:
                raise ValueError(f"position_lower of joint {i} ({lower}) must be below position_upper ({upper})")
        return self


class JointParameters(Config):
    """What the joints may do and what they add to the dynamics of the links, base to tip."""

    limits: Limits
    home: Angles
    """Posture at rest, where tasks start [rad]."""
    rotor_inertia: NotNegativePerJoint
    """Of the motors, seen at the joints [kg·m²]."""
    coulomb_friction: NotNegativePerJoint
    """[N·m]"""
    viscous_friction: NotNegativePerJoint
    """[N·m·s/rad]"""

    @model_validator(mode="after")
    def _home_is_allowed(self) -> Self:
        bounds = zip(self.limits.position_lower, self.home, self.limits.position_upper, strict=True)
        for i, (lower, q, upper) in enumerate(bounds, start=1):
            if not lower < q < upper:
                raise ValueError(f"home has joint {i} at {q} rad; choose an angle between {lower} and {upper}")
        return self


class RobotParameters(JointParameters):
    """An arm of seven revolute joints: a file of ``config/robots/``."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    base_frame: str
    tip_frame: str
    links: Annotated[tuple[Link, ...], Field(min_length=JOINTS + 1, max_length=JOINTS + 1)]
    """Base to tip; the first does not move."""
    joints: Annotated[tuple[Joint, ...], Field(min_length=JOINTS, max_length=JOINTS)]
    """Base to tip."""
    frames: tuple[Frame, ...] = ()
    """Each after its parent."""

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        known = [link.name for link in self.links]
        for frame in self.frames:
            if frame.parent not in known:
                raise ValueError(f"parent '{frame.parent}' of frame '{frame.name}' must be one of {', '.join(known)}")
            known.append(frame.name)
        for names in (known, [joint.name for joint in self.joints]):
            for one, other in pairwise(sorted(names)):
                if one == other:
                    raise ValueError(f"the name '{one}' is given twice; names of links, frames and joints are unique")
        for frame_name in (self.base_frame, self.tip_frame):
            if frame_name not in known:
                raise ValueError(f"the frame '{frame_name}' must be one of {', '.join(known)}")
        return self


class Companion(Config):
    """What a URDF cannot say: the optional file ``<stem>.ttdm.yaml`` beside ``<stem>.urdf``; base to tip."""

    home: Angles | None = None
    """[rad]"""
    acceleration: PositivePerJoint | None = None
    """[rad/s²]"""
    effort_rate: PositivePerJoint | None = None
    """[N·m/s]"""
    rotor_inertia: NotNegativePerJoint | None = None
    """[kg·m²]"""
    coulomb_friction: NotNegativePerJoint | None = None
    """[N·m]"""
    viscous_friction: NotNegativePerJoint | None = None
    """[N·m·s/rad]"""
