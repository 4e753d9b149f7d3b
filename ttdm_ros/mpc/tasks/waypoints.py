"""Straight moves between poses: minimum-jerk in position and, about one axis a move, in orientation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.mpc.tasks.config import Waypoint, WaypointsTask
from ttdm_ros.mpc.tasks.motion import TipMotion
from ttdm_ros.mpc.tasks.profiles import MINIMUM_JERK_PEAK_SPEED, minimum_jerk
from ttdm_ros.mpc.tasks.rotations import exponential, from_rpy, logarithm

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WaypointPath:
    """Moves between K poses; move i takes ``move_time[i]`` and starts at ``departure[i]``."""

    position: Array  # (K, 3) [m]
    rotation: Array  # (K, 3, 3)
    departure: Array  # (K - 1,) time the move from pose i to i + 1 starts [s]
    move_time: Array  # (K - 1,) [s]
    duration: float  # with the dwell at the last pose [s]

    @classmethod
    def of(cls, task: WaypointsTask, start: Array) -> Self:
        """Resolve relative poses and durations; ``start`` (3, 3) is the orientation before the first waypoint."""
        waypoints: Sequence[Waypoint] = task.waypoints
        positions: list[Array] = []
        rotations: list[Array] = []
        for waypoint in waypoints:
            before = positions[-1] if positions else np.zeros(3)
            turned = rotations[-1] if rotations else start
            own = turned if waypoint.rpy is None else from_rpy(np.array(waypoint.rpy))
            positions.append(np.array(waypoint.position) + (before if waypoint.relative else 0.0))
            rotations.append(own @ turned if waypoint.relative and waypoint.rpy is not None else own)
        if task.repeat > 1:
            waypoints = (*waypoints, waypoints[0].model_copy(update={"dwell": 0.0}))
            positions.append(positions[0])
            rotations.append(rotations[0])

        departure, move_time = [], []
        now = waypoints[0].dwell
        for index, waypoint in enumerate(waypoints[1:], start=1):
            departure.append(now)
            move_time.append(
                _move_time(
                    waypoint,
                    float(np.linalg.norm(positions[index] - positions[index - 1])),
                    float(np.linalg.norm(logarithm(rotations[index] @ rotations[index - 1].T))),
                    task,
                )
            )
            now += move_time[-1] + waypoint.dwell
        return cls(
            position=np.array(positions),
            rotation=np.array(rotations),
            departure=np.array(departure),
            move_time=np.array(move_time),
            duration=now,
        )

    def at(self, times: Array) -> TipMotion:
        """The tip at the times (n,) [s]."""
        if len(self.departure) == 0:
            return _resting(self.position[0], self.rotation[0], len(times))
        move = np.clip(np.searchsorted(self.departure, times, side="right") - 1, 0, None)
        span = self.position[move + 1] - self.position[move]
        turn = logarithm(self.rotation[1:] @ self.rotation[:-1].transpose(0, 2, 1))[move]
        length = np.maximum(self.move_time[move], 1e-9)  # a move to the same pose takes no time
        unit = minimum_jerk((times - self.departure[move]) / length, 1.0)
        value, rate, acceleration = unit.value, unit.rate / length, unit.acceleration / length**2
        return TipMotion(
            position=self.position[move] + span * value[:, None],
            linear_velocity=span * rate[:, None],
            linear_acceleration=span * acceleration[:, None],
            rotation=exponential(turn * value[:, None]) @ self.rotation[move],
            angular_velocity=turn * rate[:, None],
            angular_acceleration=turn * acceleration[:, None],
        )


def _move_time(waypoint: Waypoint, distance: float, angle: float, task: WaypointsTask) -> float:
    """Time of a move: as given, or such that its peak speeds are the task's [s]."""
    if waypoint.duration is not None:
        return waypoint.duration
    return MINIMUM_JERK_PEAK_SPEED * max(distance / task.speed, angle / task.angular_speed)


def _resting(position: Array, rotation: Array, count: int) -> TipMotion:
    still = np.zeros((count, 3))
    return TipMotion(
        position=np.broadcast_to(position, (count, 3)),
        linear_velocity=still,
        linear_acceleration=still,
        rotation=np.broadcast_to(rotation, (count, 3, 3)),
        angular_velocity=still,
        angular_acceleration=still,
    )
