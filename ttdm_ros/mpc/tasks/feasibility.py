"""Whether an arm can follow a motion: the limits, checked before anything moves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import TaskError
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

POSITION_MARGIN = 0.05  # kept from the joint limits for the controller's errors [rad]
SHARE = 0.9  # of velocity, acceleration, torque and torque rate that a path may use; the rest is the controller's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What a motion asks of the joints in one quantity, and what it may ask."""

    quantity: str
    unit: str
    used: Array  # (n, 7)
    lower: Array  # (7,)
    upper: Array  # (7,)
    order: int  # the quantity grows with this power of speed; 0: it does not depend on it
    because: str  # in words, how the allowed value comes about


def check(arm: Arm, name: str, dt: float, q: Array, v: Array, a: Array, tau: Array) -> None:
    """Check a motion (n, 7) each of q, v, a and tau (without gravity) against the arm's limits.

    Raises:
        TaskError: names the limit that is exceeded most, the joint, the time, the excess, and what to do.
    """
    limits = arm.limits
    gravity = np.array([arm.gravity_torque(posture) for posture in q])
    share = f"{SHARE:.0%} of its limit"
    demands = [
        Demand(
            quantity="position",
            unit="rad",
            used=q,
            lower=limits.position_lower + POSITION_MARGIN,
            upper=limits.position_upper - POSITION_MARGIN,
            order=0,
            because=f"its limit less {POSITION_MARGIN} rad",
        ),
        _symmetric("velocity", "rad/s", v, limits.velocity, 1, share),
        _symmetric("acceleration", "rad/s²", a, limits.acceleration, 2, share),
        _symmetric("torque without gravity", "N·m", tau, limits.effort, 2, share),
        _symmetric("torque with gravity", "N·m", tau + gravity, limits.effort, 2, share),
    ]
    if len(q) > 1:
        demands.append(_symmetric("torque rate", "N·m/s", np.diff(tau, axis=0) / dt, limits.effort_rate, 3, share))
    for demand in demands:
        _refuse_excess(arm, name, dt, demand)


def check_floor(arm: Arm, name: str, dt: float, position: Array, floor: float | None) -> None:
    """Check that the tip (n, 3) stays above a height [m].

    Raises:
        TaskError: it does not.
    """
    if floor is None:
        return
    lowest = int(position[:, 2].argmin())
    height = position[lowest, 2]
    if height < floor - 1e-9:
        raise TaskError(
            f"the task '{name}' takes the tip of {arm.name} down to z = {height:.3f} m at t = {lowest * dt:.2f} s,"
            f" {floor - height:.3f} m below the floor at {floor:.3f} m of {arm.base_frame}; move the path up, or set"
            " the key 'floor' to a lower height or to null"
        )


def _symmetric(quantity: str, unit: str, used: Array, limit: Array, order: int, because: str) -> Demand:
    return Demand(
        quantity=quantity, unit=unit, used=used, lower=-SHARE * limit, upper=SHARE * limit, order=order, because=because
    )


def _refuse_excess(arm: Arm, name: str, dt: float, demand: Demand) -> None:
    excess = np.maximum(demand.used - demand.upper, demand.lower - demand.used)
    if np.all(excess <= 0.0):
        return
    # Joints differ in their limits, so the worst one is the one that is out by the largest share of its range.
    index, joint = np.unravel_index(int((excess / (demand.upper - demand.lower)).argmax()), excess.shape)
    value = float(demand.used[index, joint])
    allowed = float(demand.upper[joint] if value > demand.upper[joint] else demand.lower[joint])
    if demand.order == 0:
        remedy = "move the path away from there, or make it smaller"
    elif demand.order == 2 and abs(value) > 0.0 and "with gravity" in demand.quantity:
        remedy = "drive it slower, or closer to the base"
    else:
        slower = 0.99 * abs(allowed / value) ** (1.0 / demand.order)
        remedy = f"drive it at {slower:.0%} of its speed, or make it smaller"
    raise TaskError(
        f"the task '{name}' exceeds the {demand.quantity} limit of {arm.name}: {arm.joint_names[joint]} needs"
        f" {value:.3f} {demand.unit} at t = {index * dt:.2f} s, {float(excess[index, joint]):.3f} {demand.unit} beyond"
        f" the {allowed:.3f} {demand.unit} allowed ({demand.because}); {remedy}"
    )
