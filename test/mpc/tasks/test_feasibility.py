"""Limits are checked one by one, and the worst is named."""

import dataclasses

import numpy as np
import pytest

from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.feasibility import check, check_floor

STILL = np.zeros((5, 7))


def at_home(arm):
    return np.tile(arm.home, (5, 1))


def one(index, joint, value):
    out = STILL.copy()
    out[index, joint] = value
    return out


def test_rest_at_home_is_feasible(arm):
    check(arm, "rest", 0.01, at_home(arm), STILL, STILL, STILL)


@pytest.mark.parametrize(
    ("quantity", "argument", "limit", "joint"),
    [
        ("velocity", "v", "velocity", 2),
        ("acceleration", "a", "acceleration", 4),
        ("torque without gravity", "tau", "effort", 6),
    ],
)
def test_the_joint_time_and_excess_of_a_limit_are_named(panda, quantity, argument, limit, joint):
    bound = getattr(panda.limits, limit)[joint]
    motion = {"q": at_home(panda), "v": STILL, "a": STILL, "tau": STILL}
    motion[argument] = one(3, joint, -1.5 * bound)
    with pytest.raises(TaskError) as caught:
        check(panda, "mine", 0.01, **motion)
    message = str(caught.value)
    assert f"the task 'mine' exceeds the {quantity} limit of panda: {panda.joint_names[joint]}" in message
    assert "at t = 0.03 s" in message
    assert f"{0.6 * bound:.3f}" in message
    assert "slower" in message or "of its speed" in message


def test_a_joint_position_at_its_limit_is_too_far(panda):
    q = at_home(panda)
    q[2, 1] = panda.limits.position_upper[1]
    with pytest.raises(
        TaskError, match=r"position limit of panda: \w*joint2 .* 0.050 rad beyond .*its limit less 0.05"
    ):
        check(panda, "mine", 0.01, q, STILL, STILL, STILL)


def test_gravity_counts_towards_the_torque(panda):
    gravity = panda.gravity_torque(panda.home)
    joint = int(np.abs(gravity).argmax())
    effort = panda.limits.effort.copy()
    tau = one(0, joint, np.sign(gravity[joint]) * (0.9 * effort[joint] - 1.0))
    tau[:] = tau[0]
    with pytest.raises(TaskError, match="torque with gravity"):
        check(panda, "mine", 0.01, at_home(panda), STILL, STILL, tau)
    check(panda, "mine", 0.01, at_home(panda), STILL, STILL, -tau)


def test_a_torque_that_changes_too_fast_is_named(panda):
    with pytest.raises(TaskError, match="torque rate limit"):
        check(panda, "mine", 0.001, at_home(panda), STILL, STILL, one(2, 0, 5.0))


def test_the_limit_exceeded_is_the_arms_own(panda):
    limits = dataclasses.replace(panda.limits, velocity=0.1 * panda.limits.velocity)
    v = one(1, 0, 0.5)
    check(panda, "mine", 0.01, at_home(panda), v, STILL, STILL)
    weak = _Weaker(panda, limits)
    with pytest.raises(TaskError, match="velocity limit"):
        check(weak, "mine", 0.01, at_home(panda), v, STILL, STILL)


class _Weaker:
    """An arm with other limits."""

    def __init__(self, arm, limits):
        self._arm, self.limits = arm, limits

    def __getattr__(self, name):
        return getattr(self._arm, name)


def test_the_floor_is_checked_unless_there_is_none(panda):
    low = np.array([[0.3, 0.0, 0.2], [0.3, 0.0, -0.05]])
    check_floor(panda, "mine", 0.01, low, None)
    check_floor(panda, "mine", 0.01, low, -0.1)
    with pytest.raises(TaskError, match=r"z = -0.050 m at t = 0.01 s, 0.050 m below the floor"):
        check_floor(panda, "mine", 0.01, low, 0.0)
