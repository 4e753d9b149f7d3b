"""Task files: what the tip shall do, as immutable objects. ``config/tasks/*.yaml`` are the examples.

Lengths in [m], angles in [rad] (roll, pitch, yaw about the fixed x, y, z axes), times in [s], frequencies in [Hz].
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag, field_validator, model_validator

from ttdm_ros.config import Config, load
from ttdm_ros.paths import find_config

Vector = tuple[float, float, float]
Span = tuple[float, float]
NonNegative = Annotated[float, Field(ge=0.0)]

PLANES = ("xy", "xz", "yz", "iso")


class Sine(Config):
    """One component ``amplitude * sin(2 pi frequency t + phase)``."""

    amplitude: float
    frequency: PositiveFloat
    phase: float = 0.0


class Sines(Config):
    """Components along (or, for a tilt, about) each axis."""

    x: tuple[Sine, ...] = ()
    y: tuple[Sine, ...] = ()
    z: tuple[Sine, ...] = ()


class RandomSines(Config):
    """Components drawn uniformly within bounds; equal seeds give equal motions."""

    seed: int = Field(ge=0)
    count: PositiveInt = 3
    """Components an axis."""
    amplitude: Span = (0.01, 0.03)
    frequency: Span = (0.1, 0.5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for key, (low, high) in (("amplitude", self.amplitude), ("frequency", self.frequency)):
            if not 0.0 < low <= high:
                raise ValueError(f"{key} must be [lowest, highest] with 0 < lowest <= highest, not [{low}, {high}]")
        return self

    def draw(self) -> Sines:
        """Draw the components of the three axes."""
        random = np.random.default_rng(self.seed)

        def axis() -> tuple[Sine, ...]:
            return tuple(
                Sine(
                    amplitude=random.uniform(*self.amplitude),
                    frequency=random.uniform(*self.frequency),
                    phase=random.uniform(-np.pi, np.pi),
                )
                for _ in range(self.count)
            )

        return Sines(x=axis(), y=axis(), z=axis())


class HoldOrientation(Config):
    """The tip keeps the orientation it has at the arm's home posture."""

    type: Literal["hold"] = "hold"


class FixedOrientation(Config):
    """A constant orientation: of the task's frame for ``frame: base``, on top of the home orientation for ``home``."""

    type: Literal["rpy"]
    rpy: Vector


class TiltOrientation(Config):
    """The tip tilts about the base axes by sums of sines, starting and ending upright and at rest."""

    type: Literal["tilt"]
    tilt: Sines
    fade: PositiveFloat = 2.0
    """Time in which the tilt grows from, and shrinks to, zero [s]."""


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", None)


def _one_of(what: str, names: tuple[str, ...]) -> Discriminator:
    return Discriminator(
        _type_of,
        custom_error_type="unknown_type",
        custom_error_message=f"key 'type' of {what} must be one of {', '.join(names)}",
    )


Orientation = Annotated[
    Annotated[HoldOrientation, Tag("hold")]
    | Annotated[FixedOrientation, Tag("rpy")]
    | Annotated[TiltOrientation, Tag("tilt")],
    _one_of("an orientation", ("hold", "rpy", "tilt")),
]


class CommonTask(Config):
    """Keys every task has."""

    name: str = ""
    """Shown to people; the file's name if it is left out."""
    frame: Literal["home", "base"] = "home"
    """``home``: positions are offsets, along the base axes, from where the tip is at the arm's home posture, so that
    one file serves several arms; ``base``: coordinates in the base frame."""
    floor: float | None = 0.0
    """Lowest height the tip may have in the base frame [m]; null for none."""


class PathTask(CommonTask):
    """Keys of every task that is a path known beforehand."""

    repeat: PositiveInt = 1
    """Times the path is driven."""
    dwell_start: NonNegative = 0.5
    """Rest before each repetition [s]."""
    dwell_end: NonNegative = 0.5
    """Rest after each repetition [s]."""


class SumOfSinesTask(PathTask):
    """Sums of sines along the axes, faded in and out so that they start and end at rest at the centre."""

    type: Literal["sum_of_sines"]
    duration: PositiveFloat
    """Time of one repetition, fades included [s]."""
    fade: PositiveFloat = 2.0
    """Time in which the amplitudes grow from, and shrink to, zero [s]."""
    centre: Vector = (0.0, 0.0, 0.0)
    sines: Sines | None = None
    random: RandomSines | None = None
    orientation: Orientation = HoldOrientation()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.sines is None) == (self.random is None):
            raise ValueError("give either the key 'sines' or the key 'random', not both and not neither")
        if 2.0 * self.fade > self.duration:
            raise ValueError(f"the two fades of {self.fade} s do not fit into duration {self.duration} s")
        return self


class ShapeTask(PathTask):
    """Keys of the closed plane curves; tested as in ISO 9283, which puts them into a plane of its test cube."""

    plane: Literal["xy", "xz", "yz", "iso"] | Vector = "xy"
    """A plane of the base axes; ``iso``: spanned by y and x + z, the cube's inclined plane; or its rpy angles, which
    turn the xy plane into it."""
    centre: Vector = (0.0, 0.0, 0.0)
    speed: PositiveFloat
    """Speed along the path [m/s]."""
    acceleration: PositiveFloat = 1.0
    """Highest acceleration along the path, while starting and stopping [m/s²]."""
    laps: PositiveInt = 1
    """Rounds driven without stopping."""
    orientation: Orientation = HoldOrientation()

    @field_validator("plane", mode="before")
    @classmethod
    def _plane_known(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) and value not in PLANES:
            raise ValueError(f"must be one of {', '.join(PLANES)}, or three rpy angles [rad] (got {value!r})")
        return value


class CircleTask(ShapeTask):
    """The circle of ISO 9283."""

    type: Literal["circle"]
    radius: PositiveFloat
    start_angle: float = 0.0
    """Where on the circle the path starts, from the plane's first axis [rad]."""


class RectangleTask(ShapeTask):
    """The rectangle of ISO 9283 with rounded corners; it starts in the middle of a side along the first axis."""

    type: Literal["rectangle"]
    width: PositiveFloat
    """Along the plane's first axis [m]."""
    height: PositiveFloat
    """Along the plane's second axis [m]."""
    corner_radius: PositiveFloat
    """Smallest radius of curvature, reached in the middle of a corner; the curvature grows linearly up to it, so that
    the acceleration never jumps [m]."""

    @model_validator(mode="after")
    def _corners_fit(self) -> Self:
        from ttdm_ros.mpc.tasks.shapes import CORNER_EXTENT

        largest = min(self.width, self.height) / (2.0 * CORNER_EXTENT)
        if self.corner_radius > largest:
            raise ValueError(
                f"corner_radius {self.corner_radius} m does not fit a rectangle of {self.width} m x {self.height} m;"
                f" the largest is {largest:.4f} m"
            )
        return self


class Waypoint(Config):
    """A pose the tip stops at."""

    position: Vector
    rpy: Vector | None = None
    """Orientation; that of the waypoint before (at first: of the home posture) if it is left out."""
    relative: bool = False
    """True: an offset from the waypoint before it, along the axes of the frame."""
    duration: PositiveFloat | None = None
    """Time of the move to this waypoint [s]; from the task's speeds if it is left out."""
    dwell: NonNegative = 0.0
    """Rest at this waypoint [s]."""


class WaypointsTask(PathTask):
    """Straight minimum-jerk moves between poses; repetitions close with a move back to the first."""

    type: Literal["waypoints"]
    waypoints: Annotated[tuple[Waypoint, ...], Field(min_length=1)]
    speed: PositiveFloat = 0.25
    """Highest speed of a move without a duration [m/s]."""
    angular_speed: PositiveFloat = 0.5
    """Highest angular speed of a move without a duration [rad/s]."""


class Box(Config):
    """An axis-aligned box."""

    lower: Vector
    upper: Vector

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if any(low >= high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError(f"lower {list(self.lower)} must be below upper {list(self.upper)} on every axis")
        return self


class LiveTargetTask(CommonTask):
    """No path: the tip follows poses that arrive while it moves, within these limits."""

    type: Literal["live_target"]
    workspace: Box
    """Targets outside this box are refused; in the task's frame."""
    linear_speed: PositiveFloat = 0.25
    angular_speed: PositiveFloat = 0.8
    linear_acceleration: PositiveFloat = 1.0
    angular_acceleration: PositiveFloat = 3.0
    smoothing: Annotated[float, Field(ge=0.01, le=1.0)] = 0.02
    """Time in which the acceleration follows what is asked of it; bounds the jerk to 2 accelerations a time [s]."""


TASK_TYPES = ("sum_of_sines", "circle", "rectangle", "waypoints", "live_target")

TaskConfig = Annotated[
    Annotated[SumOfSinesTask, Tag("sum_of_sines")]
    | Annotated[CircleTask, Tag("circle")]
    | Annotated[RectangleTask, Tag("rectangle")]
    | Annotated[WaypointsTask, Tag("waypoints")]
    | Annotated[LiveTargetTask, Tag("live_target")],
    _one_of("a task", TASK_TYPES),
]


def load_task(name_or_path: str | Path) -> TaskConfig:
    """Read a task by the name of a file in ``config/tasks``, or by a path.

    Raises:
        ConfigError: no such file, or one that is malformed; the message names file, key and allowed values.
    """
    path = find_config("tasks", name_or_path)
    task: TaskConfig = load(path, TaskConfig)  # type: ignore[arg-type]  # a union is not a class, but pydantic takes it
    return task if task.name else task.model_copy(update={"name": path.stem})
