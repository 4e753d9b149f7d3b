"""From a task to the path of the tip in the base frame."""

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import (
    CircleTask,
    CommonTask,
    FixedOrientation,
    LiveTargetTask,
    RectangleTask,
    ShapeTask,
    SumOfSinesTask,
    TaskConfig,
    WaypointsTask,
)
from ttdm_ros.mpc.tasks.curves import CurvePath, SinesPath, plane_axes
from ttdm_ros.mpc.tasks.motion import Placed, Repeated, TipPath
from ttdm_ros.mpc.tasks.profiles import ArcLengthProfile
from ttdm_ros.mpc.tasks.shapes import Circle, Curve, Rectangle
from ttdm_ros.mpc.tasks.waypoints import WaypointPath

Array = NDArray[np.float64]


def tip_path(task: TaskConfig, home_position: Array, home_rotation: Array) -> TipPath:
    """Return the path of the tip in the base frame, repetitions and rests included.

    Args:
        task: any task with a path.
        home_position: (3,) of the tip at the arm's home posture, in the base frame [m].
        home_rotation: (3, 3) of the tip there.

    Raises:
        TaskError: the task has no path (``live_target``).
    """
    origin, orientation = task_frame(task, home_position, home_rotation)
    path: TipPath
    match task:
        case SumOfSinesTask():
            sines = task.sines if task.sines is not None else task.random.draw() if task.random is not None else None
            assert sines is not None  # the configuration allows no other case
            path = SinesPath(
                sines=sines,
                centre=np.array(task.centre),
                duration=task.duration,
                fade=task.fade,
                orientation=task.orientation,
            )
        case CircleTask():
            path = _along(Circle(task.radius, task.start_angle), task)
        case RectangleTask():
            path = _along(Rectangle(task.width, task.height, task.corner_radius), task)
        case WaypointsTask():
            path = WaypointPath.of(task, np.eye(3) if task.frame == "home" else home_rotation)
        case LiveTargetTask():
            raise TaskError(f"the task '{task.name}' has no path: it follows a live target; give it targets to follow")
    placed = Placed(path=path, origin=origin, orientation=orientation)
    return Repeated(path=placed, repeat=task.repeat, dwell_start=task.dwell_start, dwell_end=task.dwell_end)


def task_frame(task: CommonTask, home_position: Array, home_rotation: Array) -> tuple[Array, Array]:
    """Return origin (3,) [m] and the orientation (3, 3) that a task's orientations come on top of."""
    if task.frame == "home":
        return home_position, home_rotation
    # In the base frame orientations are absolute, except those that only deviate from the one at home.
    absolute = isinstance(task, WaypointsTask) or isinstance(getattr(task, "orientation", None), FixedOrientation)
    return np.zeros(3), np.eye(3) if absolute else home_rotation


def _along(curve: Curve, task: ShapeTask) -> CurvePath:
    return CurvePath(
        curve=curve,
        axes=plane_axes(task.plane),
        centre=np.array(task.centre),
        profile=ArcLengthProfile.of(curve.length * task.laps, task.speed, task.acceleration),
        orientation=task.orientation,
    )
