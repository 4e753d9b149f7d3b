"""What a live target must be before an arm is led to it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import LiveTargetTask
from ttdm_ros.mpc.tasks.feasibility import POSITION_MARGIN, SHARE
from ttdm_ros.mpc.tasks.inverse_kinematics import InverseKinematics
from ttdm_ros.mpc.tasks.paths import task_frame
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]


class Target(NamedTuple):
    """A pose of the tip in the base frame that was checked: ``position`` (3,) [m], ``rotation`` (3, 3)."""

    position: Array
    rotation: Array


class TargetCheck:
    """The bounds of one task with a live target, for one arm.

    Whether a pose can be reached takes up to a tenth of a second to find out: not in a thread that commands an arm.
    """

    def __init__(self, task: LiveTargetTask, arm: Arm) -> None:
        """Take the task's workspace and the arm's limits.

        Raises:
            TaskError: the home posture is outside the workspace or beyond the joint limits.
        """
        self._task, self._arm = task, arm
        self._solver = InverseKinematics(arm)
        self._lower = arm.limits.position_lower + POSITION_MARGIN
        self._upper = arm.limits.position_upper - POSITION_MARGIN
        position, rotation = arm.tip_pose(arm.home)
        self._origin, _ = task_frame(task, position, rotation)
        self.workspace(position, "the home posture's tip")
        self.limits(arm.home, np.zeros(7), "the home posture")

    def target(self, position: Array, rotation: Array, q: Array) -> Target:
        """Return the pose (3,) [m], (3, 3) of the tip in the base frame as a target for an arm now at q (7,) [rad].

        Raises:
            TaskError: the pose is malformed, outside the workspace or out of reach.
        """
        position, rotation = np.array(position, dtype=float), np.array(rotation, dtype=float)
        if position.shape != (3,) or rotation.shape != (3, 3) or not np.isfinite(position).all():
            raise TaskError(
                "a live target must be a position of 3 finite numbers and a 3 x 3 rotation; check its sender"
            )
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(rotation) < 0.0:
            raise TaskError("a live target's orientation is not a rotation; send a unit quaternion")
        self.workspace(position, "the target")
        where = "the target at ({:.3f}, {:.3f}, {:.3f}) m".format(*position)
        if (there := self._solver.locate(position, rotation, q)) is None:
            raise TaskError(f"{where} is out of reach of {self._arm.name}; send one closer to its home posture")
        self.limits(there, np.zeros(7), where)
        return Target(position=position, rotation=rotation)

    def workspace(self, position: Array, what: str) -> None:
        """Raise TaskError if a position (3,) [m] is outside the workspace."""
        lower = self._origin + np.array(self._task.workspace.lower)
        upper = self._origin + np.array(self._task.workspace.upper)
        if self._task.floor is not None:
            lower = np.maximum(lower, [-np.inf, -np.inf, self._task.floor])
        excess = np.maximum(position - upper, lower - position)
        if excess.max() > 1e-9:
            axis = int(excess.argmax())
            raise TaskError(
                f"{what} of the task '{self._task.name}' is {excess[axis]:.3f} m outside the workspace: {'xyz'[axis]} ="
                f" {position[axis]:.3f} m must be within [{lower[axis]:.3f}, {upper[axis]:.3f}] m of"
                f" {self._arm.base_frame}; send one inside, or widen the key 'workspace'"
            )

    def limits(self, q: Array, v: Array, what: str) -> None:
        """Raise TaskError if a state (7,) [rad], (7,) [rad/s] is beyond the limits less their margins."""
        excess = np.maximum(q - self._upper, self._lower - q)
        if excess.max() > 0.0:
            joint = int(excess.argmax())
            raise TaskError(
                f"{what} takes {self._arm.joint_names[joint]} to {q[joint]:.3f} rad, {excess[joint]:.3f} rad beyond its"
                f" limit less {POSITION_MARGIN} rad; send a target closer to the home posture"
            )
        usage = np.abs(v) / (SHARE * self._arm.limits.velocity)
        if usage.max() > 1.0:
            joint = int(usage.argmax())
            raise TaskError(
                f"{what} needs {v[joint]:.3f} rad/s of {self._arm.joint_names[joint]}, {usage[joint]:.2f} times what is"
                f" allowed ({SHARE:.0%} of its limit); lower the task's speeds, or send a target closer to home"
            )
