"""The law tau = u_ff + K (x_ref - x) as a trajectory_msgs/JointTrajectory.

Of the standard messages only this one has a stamp, names of joints, and torque along a reference, so that PlotJuggler,
Foxglove and ``ros2 topic echo`` show it as what it is. The stamp is when the first point holds. The points that have
positions are the reference: positions and velocities are x_ref, effort is u_ff, held until the next point; times are
equidistant. The 14 points after them have effort alone: the columns of K, torque per error of each joint's position
(first seven) and velocity, in the order of the joints; their time is that of the last point of the reference.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from ttdm_ros.errors import PlantError
from ttdm_ros.nodes.cdr import MessageTemplate
from ttdm_ros.plants.franka.law import Command

Array = NDArray[np.float64]

_COLUMNS = 14
_SECOND = 1_000_000_000


class LawTemplate:
    """Messages of one controller: the same joints and the same grid every time."""

    def __init__(self, joints: Sequence[str], count: int, step: float) -> None:
        """Take the names of the joints, how many points the reference has, and the time between two [s]."""
        message = JointTrajectory(joint_names=list(joints))
        for k in range(count + _COLUMNS):
            numbers = [0.0] * len(joints)
            point = JointTrajectoryPoint(effort=numbers)
            if k < count:
                point.positions, point.velocities = numbers, numbers
            point.time_from_start = Duration(nanoseconds=round(1e9 * min(k, count - 1) * step)).to_msg()
            message.points.append(point)
        self._template = MessageTemplate(message)

    def fill(self, begins_ns: int, q: Array, v: Array, torque: Array, gain: Array) -> bytes:
        """Return the serialised message.

        Args:
            begins_ns: when the first point holds [ns].
            q: (n, 7) [rad].
            v: (n, 7) [rad/s].
            torque: (n, 7) [N·m].
            gain: K (7, 14) [N·m/rad, N·m·s/rad].
        """
        reference = np.concatenate((q, v, torque), axis=1)
        return self._template.fill(begins_ns, np.concatenate((reference.ravel(), gain.T.ravel())))


def read_law(message: JointTrajectory, joints: Sequence[str], robot_time: Callable[[int], float]) -> Command:
    """Return what a message asks for.

    Args:
        message: from any publisher.
        joints: the arm's names, base to tip; the message may have them in another order.
        robot_time: of a stamp [ns], [s].

    Raises:
        PlantError: it is not such a message, or holds numbers that are not finite.
    """
    places = _places(list(message.joint_names), joints)
    points = message.points
    count = sum(1 for point in points if len(point.positions))
    if len(points) != count + _COLUMNS or any(len(point.positions) for point in points[count:]):
        raise PlantError(
            f"a law has points with positions and then {_COLUMNS} without, not {count} of {len(points)}; see "
            "ttdm_ros/nodes/law_message.py"
        )
    reference = [_rows([getattr(p, field) for p in points[:count]], field, places) for field in _FIELDS]
    columns = _rows([p.effort for p in points[count:]], "effort", places)
    stamp = message.header.stamp.sec * _SECOND + message.header.stamp.nanosec
    times = np.array([p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in points[:count]])
    step = float(times[1] - times[0]) if count > 1 else 0.0
    if count > 1 and np.abs(np.diff(times) - step).max() > 1e-6:
        raise PlantError("the points of a law must be equidistant in time")
    q, v, torque = reference
    gain = columns.T[:, [*places, *(len(joints) + i for i in places)]]
    return Command(begin=robot_time(stamp) + float(times[0]), step=step, torque=torque, q=q, v=v, gain=gain)


_FIELDS = ("positions", "velocities", "effort")


def _places(names: list[str], joints: Sequence[str]) -> list[int]:
    if names == list(joints):
        return list(range(len(names)))
    if sorted(names) != sorted(joints):
        raise PlantError(f"a law is for {', '.join(joints)}, not for {', '.join(names) or 'no joints'}")
    return [names.index(joint) for joint in joints]


def _rows(values: list[Sequence[float]], field: str, places: list[int]) -> Array:
    if not values:
        raise PlantError("a law has no points with positions; give it a reference")
    if any(len(row) != len(places) for row in values):
        raise PlantError(f"{field} of a law has {len(places)} numbers in every point")
    return np.array(values, dtype=np.float64)[:, places]
