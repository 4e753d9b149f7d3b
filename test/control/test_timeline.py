"""References over the time since activation: continuous, at rest at both ends, slowed down along the path by a stop."""

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.control.timeline import Task
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import TaskConfig

POSITION, Q, V, TAU = slice(0, 3), slice(12, 19), slice(19, 26), slice(26, 33)


@pytest.fixture
def timeline(circle, panda):
    start = panda.home + np.array([0.1, -0.1, 0.05, 0.1, -0.2, 0.1, 0.3])
    return circle.timeline(start, np.zeros(7), 0.3)


@pytest.fixture(scope="module")
def away(panda):
    """A task that ends elsewhere than it begins."""
    positions = [[0.0, 0.0, 0.0], [0.1, -0.1, -0.05]]
    words = {"type": "waypoints", "name": "away", "waypoints": [{"position": position} for position in positions]}
    return Task(panda, parse(words, TaskConfig, "test"))


def fine(timeline, begin, end, step=1e-3):
    times = np.arange(begin, end, step)
    return times, timeline.rows(times)


def test_it_begins_at_rest_where_the_arm_is(timeline, panda):
    first = timeline.rows(np.array([0.0]))[0]
    np.testing.assert_allclose(first[Q], panda.home + np.array([0.1, -0.1, 0.05, 0.1, -0.2, 0.1, 0.3]), atol=1e-6)
    np.testing.assert_allclose(first[V], 0.0, atol=1e-6)


def test_it_begins_with_the_velocity_the_arm_has(circle, panda):
    v = np.linspace(-0.1, 0.1, 7)
    first = circle.timeline(panda.home, v, 0.3).rows(np.array([0.0]))[0]
    np.testing.assert_allclose(first[V], v, atol=1e-6)


def test_it_is_continuous_through_approach_task_and_end(timeline, panda):
    _, rows = fine(timeline, 0.0, timeline.task_ends + 0.5)
    jumps = np.abs(np.diff(rows, axis=0))
    assert (jumps[:, Q] <= 1e-3 * panda.limits.velocity + 1e-5).all()
    assert (jumps[:, V] <= 1e-3 * panda.limits.acceleration + 1e-5).all()
    assert (jumps[:, TAU] <= 1e-3 * panda.limits.effort_rate + 1e-3).all()


def test_velocities_are_the_derivatives_of_the_postures(timeline):
    times, rows = fine(timeline, 0.0, timeline.task_ends)
    between = np.diff(rows[:, Q], axis=0) / np.diff(times)[:, None]
    np.testing.assert_allclose(between, 0.5 * (rows[1:, V] + rows[:-1, V]), atol=2e-2)


def test_a_window_across_the_border_is_that_of_each_side(timeline):
    times = timeline.task_begins + np.linspace(-0.2, 0.2, 11) + 1e-6
    apart = np.concatenate([timeline.rows(times[i : i + 1]) for i in range(11)])
    np.testing.assert_array_equal(timeline.rows(times), apart)


def test_after_its_end_it_rests_at_the_last_pose(timeline):
    rows = timeline.rows(timeline.task_ends + np.array([0.0, 0.1, 100.0]))
    np.testing.assert_allclose(rows, np.tile(rows[-1], (3, 1)), atol=1e-9)
    np.testing.assert_allclose(rows[:, V], 0.0, atol=1e-12)
    np.testing.assert_allclose(rows[:, TAU], 0.0, atol=1e-9)


def test_progress_is_the_share_of_the_task(timeline):
    begin, end = timeline.task_begins, timeline.task_ends
    values = [timeline.progress(t) for t in (0.0, begin, 0.75 * begin + 0.25 * end, end, end + 9.0)]
    np.testing.assert_allclose(values, [0.0, 0.0, 0.25, 1.0, 1.0])


def stopped(circle, panda, begin_share, duration):
    """Two timelines of one task, the second of which stops on the way."""
    going, stopping = (circle.timeline(panda.home, np.zeros(7), 0.3) for _ in range(2))
    begin = going.task_begins + begin_share * (going.task_ends - going.task_begins)
    stopping.stop(begin, duration)
    return going, stopping, begin


def test_until_a_stop_nothing_changes(circle, panda):
    going, stopping, begin = stopped(circle, panda, 0.5, 0.4)
    times = np.linspace(0.0, begin, 50)
    np.testing.assert_allclose(stopping.rows(times), going.rows(times), atol=1e-12)


def test_a_stop_slows_down_along_the_path(circle, panda):
    going, stopping, begin = stopped(circle, panda, 0.5, 0.4)
    _, path = fine(going, begin - 0.1, begin + 0.6, 1e-4)
    _, rows = fine(stopping, begin, begin + 1.0, 0.02)
    for row in rows:
        assert np.linalg.norm(path[:, POSITION] - row[POSITION], axis=1).min() < 1e-4
        assert np.abs(path[:, Q] - row[Q]).max(axis=1).min() < 1e-4


@pytest.mark.parametrize("duration", [0.1, 0.4, 1.0])
def test_a_stop_brings_velocity_to_zero_in_its_time_without_a_jump(circle, panda, duration):
    going, stopping, begin = stopped(circle, panda, 0.5, duration)
    times, rows = fine(stopping, begin - 0.05, begin + duration + 0.2)
    between = np.diff(rows[:, Q], axis=0) / np.diff(times)[:, None]
    np.testing.assert_allclose(between, 0.5 * (rows[1:, V] + rows[:-1, V]), atol=5e-3)
    highest = np.abs(going.rows(np.array([begin]))[0, V]).max()
    assert np.abs(np.diff(rows[:, V], axis=0)).max() < 1e-3 * (2.0 * highest / duration + 8.0)
    after = rows[times >= begin + duration]
    np.testing.assert_allclose(after[:, V], 0.0, atol=1e-9)
    np.testing.assert_allclose(after[:, TAU], 0.0, atol=1e-9)
    np.testing.assert_array_equal(after[:, Q], np.tile(after[0, Q], (len(after), 1)))


def test_a_second_stop_changes_nothing(circle, panda):
    _, stopping, begin = stopped(circle, panda, 0.5, 0.4)
    times = np.linspace(begin, begin + 1.0, 20)
    before = stopping.rows(times)
    stopping.stop(begin + 0.2, 5.0)
    np.testing.assert_array_equal(stopping.rows(times), before)


def test_a_live_task_has_no_end_and_leads_to_its_target(live, panda):
    timeline = live.timeline(panda.home, np.zeros(7), 0.5)
    assert timeline.task_ends == np.inf
    assert timeline.blocked is None
    position, rotation = panda.tip_pose(panda.home)
    target = position + np.array([0.05, 0.02, -0.03])
    begin, window = timeline.task_begins, 0.02 * np.arange(6)
    timeline.rows(begin + window)
    timeline.set_target(live.target(target, rotation))
    for t in np.arange(begin, begin + 3.0, 0.01):
        rows = timeline.rows(t + window)
    np.testing.assert_allclose(rows[0, POSITION], target, atol=1e-4)
    assert timeline.progress(begin + 3.0) == 0.0


def test_before_a_live_task_begins_the_end_of_the_way_there_is_held(live, panda):
    start = panda.home + 0.1
    timeline = live.timeline(start, np.zeros(7), 0.5)
    begin = timeline.task_begins
    assert begin > 0.1
    rows = timeline.rows(begin - 0.05 + 0.02 * np.arange(6))
    np.testing.assert_allclose(rows[-1, Q], panda.home, atol=1e-3)
    np.testing.assert_allclose(rows[-1, V], 0.0, atol=1e-3)


@pytest.mark.parametrize("begin", [0.0, 3.7, 1234.5])
def test_begun_later_it_is_the_same_a_while_later(circle, panda, begin):
    at_once, later = (circle.timeline(panda.home + 0.05, np.zeros(7), 0.3) for _ in range(2))
    later.begin(begin)
    assert later.task_begins == pytest.approx(begin + at_once.task_begins)
    assert later.task_ends == pytest.approx(begin + at_once.task_ends)
    times = np.linspace(0.0, at_once.task_ends + 0.5, 200)
    np.testing.assert_allclose(later.rows(begin + times), at_once.rows(times), atol=1e-7)
    middle = 0.5 * (at_once.task_begins + at_once.task_ends)
    assert later.progress(begin + middle) == pytest.approx(0.5)


def test_before_its_beginning_it_rests_at_its_start(circle, panda):
    timeline = circle.timeline(panda.home + 0.05, np.zeros(7), 0.3)
    timeline.begin(5.0)
    rows = timeline.rows(np.array([0.0, 4.9, 5.0]))
    np.testing.assert_allclose(rows, np.tile(rows[-1], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(rows[0, Q], panda.home + 0.05, atol=1e-6)


@pytest.mark.parametrize("name", ["circle", "away"])
def test_once_more_goes_on_where_the_task_ended(circle, away, panda, name):
    """Across the border of both timelines everything is as continuous as within each of them."""
    task = {"circle": circle, "away": away}[name]
    first, second = task.timeline(panda.home, np.zeros(7), 0.3), task.once_more(0.3)
    begin = first.task_ends + 0.4
    second.begin(begin)
    _, before = fine(first, first.task_ends - 0.1, begin)
    _, after = fine(second, begin, second.task_ends + 0.2)
    jumps = np.abs(np.diff(np.concatenate((before, after)), axis=0))
    assert (jumps[:, Q] <= 1e-3 * panda.limits.velocity + 1e-5).all()
    assert (jumps[:, V] <= 1e-3 * panda.limits.acceleration + 1e-5).all()
    assert (jumps[:, TAU] <= 1e-3 * panda.limits.effort_rate + 1e-3).all()
    np.testing.assert_allclose(after[0, POSITION], before[-1, POSITION], atol=1e-4)


@pytest.mark.parametrize("name", ["circle", "away"])
def test_once_more_drives_the_same_path(circle, away, panda, name):
    task = {"circle": circle, "away": away}[name]
    first, second = task.timeline(panda.home, np.zeros(7), 0.3), task.once_more(0.3)
    along = np.linspace(0.0, first.task_ends - first.task_begins, 100)
    np.testing.assert_allclose(
        second.rows(second.task_begins + along), first.rows(first.task_begins + along), atol=1e-7
    )


def test_once_more_returns_from_an_end_that_is_not_the_start_within_the_speed_asked_for(away, panda):
    slow, fast = away.once_more(0.1), away.once_more(0.5)
    assert slow.task_begins > 2.0 * fast.task_begins
    _, rows = fine(slow, 0.0, slow.task_begins)
    assert (np.abs(rows[:, V]) <= 0.1 * panda.limits.velocity + 1e-6).all()


def test_a_live_task_has_no_end_to_drive_again_from(live):
    with pytest.raises(TaskError, match="follows a live target and has no end; send it targets"):
        live.once_more(0.3)
