"""References: a task resolved for an arm, sampled on a uniform time grid, checked against every limit."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks import feasibility
from ttdm_ros.mpc.tasks.config import LiveTargetTask, TaskConfig, load_task
from ttdm_ros.mpc.tasks.inverse_kinematics import resolve
from ttdm_ros.mpc.tasks.motion import TipMotion
from ttdm_ros.mpc.tasks.paths import tip_path
from ttdm_ros.mpc.tasks.profiles import MINIMUM_JERK_PEAK_ACCELERATION, MINIMUM_JERK_PEAK_SPEED
from ttdm_ros.systems.arm import Arm

__all__ = ["TABLE_COLUMNS", "Reference", "approach", "load_task", "plan", "table_rows"]

Array = NDArray[np.float64]

TABLE_COLUMNS = 33  # position 3, rotation by columns 9, q 7, v 7, tau 7
SHORTEST_APPROACH = 0.1  # [s]


def table_rows(position: Array, rotation: Array, q: Array, v: Array, tau: Array) -> Array:
    """Put n samples into the OCP's reference rows (n, 33): position, rotation column by column, q, v, tau."""
    columns = rotation.transpose(0, 2, 1).reshape(-1, 9)
    return np.ascontiguousarray(np.concatenate([position, columns, q, v, tau], axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What the tip and the joints shall do, sampled on a uniform time grid of n points from rest to rest."""

    dt: float  # grid step [s]
    position: Array  # (n, 3) of the tip in the base frame [m]
    rotation: Array  # (n, 3, 3) of the tip
    linear_velocity: Array  # (n, 3) [m/s]
    angular_velocity: Array  # (n, 3) base axes [rad/s]
    q: Array  # (n, 7) [rad]
    v: Array  # (n, 7) [rad/s]
    a: Array  # (n, 7) [rad/s²]
    tau: Array  # (n, 7) nominal inverse dynamics without gravity [N·m]
    table: Array = field(init=False)  # (n, 33) the OCP's reference rows, see table_rows

    def __post_init__(self) -> None:
        """Lay the samples out once in the order the solver reads them."""
        object.__setattr__(self, "table", table_rows(self.position, self.rotation, self.q, self.v, self.tau))

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.table)

    @property
    def duration(self) -> float:
        """Time from the first to the last sample [s]."""
        return (len(self.table) - 1) * self.dt

    def fill_window(self, out: Array, index: int, stride: int) -> None:
        """Write the rows index, index + stride, ... into ``out`` (count, 33); the last row holds after the end."""
        table, count = self.table, len(out)
        if index >= 0 and index + stride * (count - 1) < len(table):
            out[:] = table[index : index + stride * count : stride]
        else:
            rows = index + stride * np.arange(count)
            np.take(table, rows, axis=0, out=out, mode="clip")

    def window(self, index: int, stride: int, count: int) -> Array:
        """Return the rows (count, 33) index, index + stride, ...; the last holds after the end.

        A view of the table, as long as the window does not pass its end.
        """
        if index >= 0 and index + stride * (count - 1) < len(self.table):
            return self.table[index : index + stride * count : stride]
        out = np.empty((count, TABLE_COLUMNS))
        self.fill_window(out, index, stride)
        return out


def plan(task: TaskConfig, arm: Arm, *, dt: float = 0.002, q_start: Array | None = None) -> Reference:
    """Resolve a task for an arm, and check it before anything moves.

    Args:
        task: what to do; a live target yields the single pose at home, from which it starts.
        arm: who is to do it.
        dt: step of the time grid [s].
        q_start: (7,) posture from which the first one is sought; the home posture if it is left out [rad].

    Raises:
        TaskError: the path leaves the workspace, or exceeds limits of position, velocity, acceleration, torque or
            torque rate; the message says which joint, when, by how much, and what to do.
    """
    home_position, home_rotation = arm.tip_pose(arm.home)
    if isinstance(task, LiveTargetTask):
        times: Array = np.zeros(1)
        motion = _resting(home_position, home_rotation)
    else:
        path = tip_path(task, home_position, home_rotation)
        times = dt * np.arange(int(np.ceil(path.duration / dt - 1e-6)) + 1, dtype=float)
        motion = path.at(np.minimum(times, path.duration))
    feasibility.check_floor(arm, task.name, dt, motion.position, task.floor)
    joints = resolve(arm, motion, times, arm.home if q_start is None else np.asarray(q_start, dtype=float), task.name)
    tau = _torques(arm, joints.q, joints.v, joints.a)
    feasibility.check(arm, task.name, dt, joints.q, joints.v, joints.a, tau)
    return Reference(
        dt=dt,
        position=motion.position,
        rotation=motion.rotation,
        linear_velocity=motion.linear_velocity,
        angular_velocity=motion.angular_velocity,
        q=joints.q,
        v=joints.v,
        a=joints.a,
        tau=tau,
    )


def approach(
    arm: Arm,
    q_from: Array,
    reference: Reference,
    *,
    dt: float | None = None,
    speed: float = 0.2,
    v_from: Array | None = None,
) -> Reference:
    """Lead the arm from where it is to the first posture of a reference, straight in joint space.

    A quintic in time a joint, minimum-jerk when it starts at rest; as short as ``speed`` times the velocity and
    acceleration limits allow.

    Args:
        arm: the arm.
        q_from: (7,) present joint positions; where they are outside the limits, the approach leads back inside [rad].
        reference: what is to begin afterwards.
        dt: step of the time grid [s]; that of ``reference`` if it is left out.
        speed: share of the limits to use, in (0, 1].
        v_from: (7,) present joint velocities; at rest if left out [rad/s].

    Raises:
        TaskError: the positions or velocities are not finite, or the arm moves so fast that it would leave its position
            limits on the way.
        ValueError: ``speed`` is outside (0, 1].
    """
    if not 0.0 < speed <= 1.0:
        raise ValueError(f"the speed of an approach is a share of the limits in (0, 1], not {speed}")
    dt = reference.dt if dt is None else dt
    q_from = np.asarray(q_from, dtype=float)
    v_from = np.zeros(7) if v_from is None else np.asarray(v_from, dtype=float)
    if not (q_from.shape == v_from.shape == (7,) and np.isfinite(q_from).all() and np.isfinite(v_from).all()):
        raise TaskError(
            "the arm's present joint positions and velocities must be 7 finite numbers each; check its sensors"
        )
    q, v, a = _quintic(arm, q_from, v_from, reference.q[0], dt, speed)

    limits = arm.limits
    lower = np.minimum(limits.position_lower, np.minimum(q_from, reference.q[0]))
    upper = np.maximum(limits.position_upper, np.maximum(q_from, reference.q[0]))
    excess = np.maximum(q - upper, lower - q)
    if excess.max() > 1e-9:
        index, joint = np.unravel_index(int(excess.argmax()), excess.shape)
        raise TaskError(
            f"the approach would take {arm.joint_names[joint]} {excess[index, joint]:.3f} rad beyond its position limit"
            f" at t = {index * dt:.2f} s, as it moves at {v_from[joint]:.2f} rad/s now; let the arm come to rest first"
        )
    poses = [arm.tip_pose(posture) for posture in q]
    twist = np.array([arm.tip_jacobian(posture) @ rate for posture, rate in zip(q, v, strict=True)])
    return Reference(
        dt=dt,
        position=np.array([pose[0] for pose in poses]),
        rotation=np.array([pose[1] for pose in poses]),
        linear_velocity=twist[:, :3],
        angular_velocity=twist[:, 3:],
        q=q,
        v=v,
        a=a,
        tau=_torques(arm, q, v, a),
    )


def _quintic(
    arm: Arm, q_from: Array, v_from: Array, q_to: Array, dt: float, speed: float
) -> tuple[Array, Array, Array]:
    """Return q, v, a (n, 7) of the quintic from (q_from, v_from, 0) to (q_to, 0, 0), within ``speed`` of the limits."""
    velocity, acceleration = speed * arm.limits.velocity, speed * arm.limits.acceleration
    way = np.abs(q_to - q_from)
    duration = max(
        float(np.max(MINIMUM_JERK_PEAK_SPEED * way / velocity)),
        float(np.max(np.sqrt(MINIMUM_JERK_PEAK_ACCELERATION * way / acceleration))),
        float(np.max(np.abs(v_from) / acceleration)),
        SHORTEST_APPROACH,
    )
    # At rest the closed form above is exact. An initial velocity is only worth a few trials: it is small.
    allowed_velocity = np.maximum(velocity, np.abs(v_from)) * (1.0 + 1e-9)
    for _ in range(20):
        steps = int(np.ceil(duration / dt))
        time = steps * dt
        x = np.linspace(0.0, 1.0, steps + 1)[:, None]
        s, ds, dds = x**3 * (10 - 15 * x + 6 * x**2), 30 * x**2 * (1 - x) ** 2, 60 * x * (1 - x) * (1 - 2 * x)
        b = x - 6 * x**3 + 8 * x**4 - 3 * x**5  # starts with slope 1, ends at rest, no acceleration at either end
        db, ddb = 1 - 18 * x**2 + 32 * x**3 - 15 * x**4, -36 * x + 96 * x**2 - 60 * x**3
        way_signed, push = q_to - q_from, v_from * time
        q = q_from + way_signed * s + push * b
        v = (way_signed * ds + push * db) / time
        a = (way_signed * dds + push * ddb) / time**2
        if np.all(np.abs(v) <= allowed_velocity) and np.all(np.abs(a) <= acceleration * (1.0 + 1e-9)):
            break
        duration *= 1.2
    return q, v, a


def _torques(arm: Arm, q: Array, v: Array, a: Array) -> Array:
    """Nominal inverse dynamics without gravity of n samples (n, 7) [N·m]."""
    return np.array([arm.inverse_dynamics(*sample) for sample in zip(q, v, a, strict=True)])


def _resting(position: Array, rotation: Array) -> TipMotion:
    still = np.zeros((1, 3))
    return TipMotion(
        position=position[None],
        linear_velocity=still,
        linear_acceleration=still,
        rotation=rotation[None],
        angular_velocity=still,
        angular_acceleration=still,
    )
