"""Live targets: followed within limits, refused when out of reach, blocked ways braked for."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.config import parse
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import TaskConfig, load_task
from ttdm_ros.mpc.tasks.live import LiveReference
from ttdm_ros.mpc.tasks.rotations import exponential

HORIZON = 0.02 * np.arange(21)


def run(live, start, seconds, period=0.01):
    """First rows of the windows asked for at a control rate."""
    times = start + period * np.arange(round(seconds / period))
    return np.array([live.window(t + HORIZON)[0] for t in times])


@pytest.fixture
def live(arm):
    return LiveReference(load_task("live"), arm)


def wide_task(**keys):
    """A live task whose workspace is no obstacle."""
    box = {"lower": [-2, -2, -2], "upper": [2, 2, 2]}
    return parse({"type": "live_target", "name": "wide", "workspace": box} | keys, TaskConfig, "test")


def test_without_targets_it_rests_at_home(arm, live):
    window = live.window(HORIZON)
    position, rotation = arm.tip_pose(arm.home)
    np.testing.assert_allclose(window[:, :3], np.tile(position, (21, 1)), atol=1e-9)
    np.testing.assert_allclose(window[:, 3:12], np.tile(rotation.T.ravel(), (21, 1)), atol=1e-9)
    np.testing.assert_allclose(window[:, 12:19], np.tile(arm.home, (21, 1)), atol=1e-7)
    np.testing.assert_allclose(window[:, 19:], 0.0, atol=1e-6)


def test_a_target_is_reached_and_the_posture_puts_the_tip_there(arm, live):
    home, down = arm.tip_pose(arm.home)
    goal, turned = home + np.array([0.15, 0.2, -0.15]), exponential(np.array([0.2, 0.1, 0.5])) @ down
    live.set_target(goal, turned)
    last = run(live, 0.0, 6.0)[-1]
    np.testing.assert_allclose(last[:3], goal, atol=1e-4)
    np.testing.assert_allclose(last[3:12].reshape(3, 3).T, turned, atol=1e-4)
    position, rotation = arm.tip_pose(last[12:19])
    np.testing.assert_allclose(position, last[:3], atol=1e-6)
    np.testing.assert_allclose(rotation, last[3:12].reshape(3, 3).T, atol=1e-6)


def test_streamed_targets_are_followed_within_the_limits_of_the_task(panda, random):
    task = load_task("live")
    live = LiveReference(task, panda)
    home, down = panda.tip_pose(panda.home)
    rows = []
    for k in range(300):
        if k % 7 == 0:
            offset = random.uniform([-0.03, -0.25, -0.25], [0.2, 0.25, 0.05])
            live.set_target(home + offset, exponential(random.uniform(-0.2, 0.2, 3)) @ down)
        rows.append(live.window(0.01 * k + HORIZON)[0])
    assert live.blocked is None
    rows = np.array(rows)
    velocity = np.diff(rows[:, :3], axis=0) / 0.01
    assert 0.1 < np.linalg.norm(velocity, axis=1).max() <= task.linear_speed * 1.001
    turned = Rotation.from_matrix(rows[:, 3:12].reshape(-1, 3, 3).transpose(0, 2, 1))
    angular = (turned[1:] * turned[:-1].inv()).magnitude() / 0.01
    assert angular.max() <= task.angular_speed * 1.001
    # Within 20 ms the interpolated acceleration may differ from the grid's, not by more than the jerk allows.
    assert np.linalg.norm(np.diff(velocity, axis=0) / 0.01, axis=1).max() <= 1.5 * task.linear_acceleration
    # Postures, velocities and the tip belong together.
    np.testing.assert_allclose(
        np.diff(rows[:, 12:19], axis=0) / 0.01, 0.5 * (rows[1:, 19:26] + rows[:-1, 19:26]), atol=0.02
    )
    tips = np.array([panda.tip_pose(q)[0] for q in rows[:, 12:19]])
    np.testing.assert_allclose(tips, rows[:, :3], atol=2e-5)


def test_what_a_window_says_of_the_present_holds_when_the_target_changes(panda):
    live = LiveReference(load_task("live"), panda)
    home, down = panda.tip_pose(panda.home)
    live.set_target(home + np.array([0.1, 0.2, 0.0]), down)
    live.window(HORIZON)
    before = live.window(0.5 + HORIZON)
    assert np.abs(before[2, :3] - before[0, :3]).max() > 1e-3
    live.set_target(home + np.array([0.1, -0.2, 0.0]), down)
    after = live.window(0.5 + HORIZON)
    np.testing.assert_allclose(after[:2], before[:2], atol=1e-12)
    assert np.abs(after[-1, :3] - before[-1, :3]).max() > 0.01


def test_targets_outside_the_workspace_are_refused_and_nothing_moves(panda):
    live = LiveReference(load_task("live"), panda)
    home, down = panda.tip_pose(panda.home)
    before = live.window(HORIZON)
    with pytest.raises(TaskError, match=r"0.200 m outside the workspace: y = 0.500 m must be within \[-0.300, 0.300\]"):
        live.set_target(home + np.array([0.0, 0.5, 0.0]), down)
    np.testing.assert_array_equal(live.window(HORIZON), before)


@pytest.mark.parametrize(
    ("offset", "complaint"),
    [
        ([1.5, 0.0, 0.0], "out of reach of panda"),
        ([-0.1, 0.0, -0.35], r"joint\d to .* beyond its limit"),
        ([0.1, 0.0, -0.6], "outside the workspace: z"),
    ],
)
def test_targets_that_cannot_be_reached_are_refused(panda, offset, complaint):
    live = LiveReference(wide_task(), panda)
    home, down = panda.tip_pose(panda.home)
    with pytest.raises(TaskError, match=complaint):
        live.set_target(home + offset, down)
    np.testing.assert_allclose(run(live, 0.0, 0.2)[:, :3], np.tile(home, (20, 1)), atol=1e-9)


@pytest.mark.parametrize(
    ("position", "rotation"),
    [
        ([np.nan, 0, 0], np.eye(3)),
        ([0, 0], np.eye(3)),
        ([0.3, 0, 0.5], 2 * np.eye(3)),
        ([0.3, 0, 0.5], np.diag([1.0, 1.0, -1.0])),
        ([0.3, 0, 0.5], np.full((3, 3), np.nan)),
    ],
)
def test_malformed_targets_are_refused(panda, position, rotation):
    with pytest.raises(TaskError, match=r"3 finite numbers|not a rotation"):
        LiveReference(wide_task(), panda).set_target(position, rotation)


def test_when_the_way_is_blocked_it_brakes_and_says_why(panda):
    # Both ends of the way are within reach; half way, at the robot's own axis, the arm would fold into itself.
    live = LiveReference(wide_task(linear_speed=0.5), panda)
    _, down = panda.tip_pose(panda.home)
    live.set_target(np.array([0.0, 0.45, 0.4]), down)
    run(live, 0.0, 6.0)
    assert live.blocked is None
    live.set_target(np.array([0.0, -0.45, 0.4]), down)
    rows = run(live, 6.0, 6.0)
    assert live.blocked is not None
    assert "the way to the target" in live.blocked
    assert np.linalg.norm(rows[-1, :3] - [0.0, -0.45, 0.4]) > 0.1
    np.testing.assert_allclose(rows[-1, 19:26], 0.0, atol=1e-3)
    assert np.all(rows[:, 12:19] > panda.limits.position_lower)
    assert np.all(rows[:, 12:19] < panda.limits.position_upper)
    assert np.all(np.abs(rows[:, 19:26]) < panda.limits.velocity)
    live.set_target(np.array([0.0, 0.45, 0.4]), down)
    np.testing.assert_allclose(run(live, 12.0, 6.0)[-1, :3], [0.0, 0.45, 0.4], atol=1e-3)


def test_a_workspace_without_the_home_posture_is_refused(panda):
    with pytest.raises(TaskError, match=r"home posture's tip .* outside the workspace"):
        LiveReference(wide_task(workspace={"lower": [0.1, -1, -1], "upper": [1, 1, 1]}), panda)


def test_time_must_not_go_back(panda):
    live = LiveReference(load_task("live"), panda)
    live.window(1.0 + HORIZON)
    with pytest.raises(ValueError, match="time goes back"):
        live.window(0.5 + HORIZON)


def test_the_clock_may_start_anywhere_and_a_long_gap_pauses_the_motion(panda):
    live = LiveReference(load_task("live"), panda)
    home, down = panda.tip_pose(panda.home)
    live.window(1.7e9 + HORIZON)
    live.set_target(home + np.array([0.1, 0.2, 0.0]), down)
    moving = run(live, 1.7e9, 0.5)[-1]
    later = live.window(1.7e9 + 3600.0 + HORIZON)[0]
    np.testing.assert_allclose(later[:3], moving[:3], atol=0.02 * 0.25)
