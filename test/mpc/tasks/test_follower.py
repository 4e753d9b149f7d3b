"""A pose that follows a jumping target within its limits."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.mpc.tasks.config import Box, LiveTargetTask
from ttdm_ros.mpc.tasks.follower import FollowerState, PoseFollower

TASK = LiveTargetTask(
    type="live_target",
    workspace=Box(lower=(-1, -1, -1), upper=(1, 1, 1)),
    linear_speed=0.3,
    angular_speed=0.7,
    linear_acceleration=1.5,
    angular_acceleration=4.0,
)
DT = 0.01


def follow(targets, steps):
    """States when each target is held for ``steps`` steps."""
    follower, state = PoseFollower(TASK), FollowerState.resting(np.zeros(3), np.eye(3))
    states = [state]
    for target in targets:
        for _ in range(steps):
            state = follower.advance(state, target, DT)
            states.append(state)
    return states


def random_targets(random, count):
    for _ in range(count):
        yield random.uniform(-0.5, 0.5, 3), Rotation.from_rotvec(random.uniform(-1, 1, 3)).as_matrix()


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_speed_acceleration_and_jerk_stay_within_limits_however_the_target_jumps(random, steps):
    states = follow(random_targets(random, 1200 // steps), steps)
    position = np.array([s.position for s in states])
    rotation = Rotation.from_matrix(np.array([s.rotation for s in states]))
    linear = np.diff(position, axis=0) / DT
    angular = (rotation[1:] * rotation[:-1].inv()).as_rotvec() / DT
    for velocity, speed, acceleration in ((linear, 0.3, 1.5), (angular, 0.7, 4.0)):
        assert np.linalg.norm(velocity, axis=1).max() <= speed * (1 + 1e-6)
        change = np.diff(velocity, axis=0) / DT
        assert np.linalg.norm(change, axis=1).max() <= acceleration * (1 + 1e-6)
        jerk = np.diff(change, axis=0) / DT
        assert np.linalg.norm(jerk, axis=1).max() <= 2.0 * acceleration / TASK.smoothing


def test_a_target_is_reached_at_rest_without_overshoot():
    target = np.array([0.4, -0.2, 0.1]), Rotation.from_rotvec([0.5, 0.2, -0.8]).as_matrix()
    states = follow([target], 600)
    np.testing.assert_allclose(states[-1].position, target[0], atol=1e-4)
    np.testing.assert_allclose(states[-1].rotation, target[1], atol=1e-4)
    np.testing.assert_allclose(states[-1].velocity, 0.0, atol=1e-3)
    along = np.array([s.position for s in states]) @ target[0] / np.linalg.norm(target[0])
    assert along.max() <= np.linalg.norm(target[0]) + 1e-4


def test_a_far_target_is_approached_at_full_speed():
    states = follow([(np.array([0.9, 0.0, 0.0]), np.eye(3))], 150)
    assert max(np.linalg.norm(s.velocity[0]) for s in states) == pytest.approx(0.3, rel=1e-3)


def test_without_a_target_it_brakes_within_the_stopping_time():
    follower = PoseFollower(TASK)
    moving = follow([(np.array([0.9, 0.0, 0.0]), np.eye(3))], 100)[-1]
    assert np.linalg.norm(moving.velocity[0]) > 0.25
    stopped = follower.advance(moving, None, follower.stopping_time)
    assert np.linalg.norm(stopped.velocity[0]) < 0.01
