"""Paths of the tip: geometry in closed form, rest at both ends, derivatives against differences."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.config import parse
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import TaskConfig, load_task
from ttdm_ros.mpc.tasks.curves import plane_axes
from ttdm_ros.mpc.tasks.paths import tip_path

HOME = np.array([0.4, 0.1, 0.5])
DOWN = np.diag([1.0, -1.0, -1.0])
TILT = {"type": "tilt", "tilt": {"x": [{"amplitude": 0.3, "frequency": 0.5}]}, "fade": 1.0}


def path_of(**keys):
    return tip_path(parse(keys, TaskConfig, "test"), HOME, DOWN)


def circle(**keys):
    return path_of(**({"type": "circle", "radius": 0.1, "speed": 0.3, "dwell_start": 0.2, "dwell_end": 0.3} | keys))


@pytest.mark.parametrize("name", ["circle", "rectangle", "sines", "waypoints", "pick", "demo"])
def test_shipped_paths_start_and_end_at_rest_in_the_same_pose(name):
    path = tip_path(load_task(name), HOME, DOWN)
    ends = path.at(np.array([0.0, path.duration]))
    for still in (
        ends.linear_velocity, ends.linear_acceleration, ends.angular_velocity, ends.angular_acceleration
    ):  # fmt: skip
        np.testing.assert_allclose(still, 0.0, atol=1e-10)
    np.testing.assert_allclose(ends.position[0], ends.position[1], atol=1e-12)
    np.testing.assert_allclose(ends.rotation[0], ends.rotation[1], atol=1e-12)


@pytest.mark.parametrize("name", ["circle", "rectangle", "sines", "waypoints", "pick", "demo"])
def test_velocities_and_accelerations_are_derivatives_of_the_poses(name):
    path, h = tip_path(load_task(name), HOME, DOWN), 1e-5
    times = np.linspace(h, path.duration - h, 2003)
    before, here, after = path.at(times - h), path.at(times), path.at(times + h)
    np.testing.assert_allclose(here.linear_velocity, (after.position - before.position) / (2 * h), atol=1e-8)
    turned = Rotation.from_matrix(after.rotation) * Rotation.from_matrix(before.rotation).inv()
    np.testing.assert_allclose(here.angular_velocity, turned.as_rotvec() / (2 * h), atol=1e-7)
    # Where jerk jumps (a corner or a move begins) a central difference is off by half the jump times h.
    np.testing.assert_allclose(
        here.linear_acceleration, (after.linear_velocity - before.linear_velocity) / (2 * h), atol=2e-4
    )
    np.testing.assert_allclose(
        here.angular_acceleration, (after.angular_velocity - before.angular_velocity) / (2 * h), atol=2e-4
    )


def test_a_circle_has_its_radius_speed_and_centripetal_acceleration():
    path = circle(plane="xz", centre=[0.1, 0.0, 0.0], laps=3)
    cruise = path.at(np.linspace(0.2 + 1.0, path.duration - 0.3 - 1.0, 500))
    from_centre = cruise.position - (HOME + np.array([0.1, 0.0, 0.0]))
    np.testing.assert_allclose(np.linalg.norm(from_centre, axis=1), 0.1, atol=1e-12)
    np.testing.assert_allclose(from_centre[:, 1], 0.0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(cruise.linear_velocity, axis=1), 0.3, rtol=1e-12)
    np.testing.assert_allclose(cruise.linear_acceleration, -(0.3**2 / 0.1**2) * from_centre, atol=1e-10)


def test_laps_and_repetitions_take_the_time_their_lengths_ask_for():
    ramp = 15.0 / 8.0 * 0.3 / 1.0
    once = 3 * 2 * np.pi * 0.1 / 0.3 + ramp + 0.2 + 0.3
    assert circle(laps=3).duration == pytest.approx(once)
    assert circle(laps=3, repeat=2).duration == pytest.approx(2 * once)


def test_the_tip_rests_before_between_and_after_repetitions():
    path = circle(repeat=2)
    half = path.duration / 2
    rests = path.at(np.array([0.1, half - 0.15, half + 0.1, path.duration - 0.1, path.duration]))
    np.testing.assert_array_equal(rests.linear_velocity, 0.0)
    np.testing.assert_allclose(rests.position, HOME + [[0.1, 0.0, 0.0]] * 5, atol=1e-12)


def test_the_inclined_plane_holds_y_and_rises_at_45_degrees():
    np.testing.assert_allclose(np.cross(*plane_axes("iso")), [np.sqrt(0.5), 0.0, -np.sqrt(0.5)], atol=1e-15)


def test_a_plane_by_angles_is_the_xy_plane_turned():
    expected = Rotation.from_euler("xyz", [0.2, -0.5, 1.0]).apply([[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(plane_axes((0.2, -0.5, 1.0)), expected, atol=1e-15)


def test_the_base_frame_counts_from_the_base():
    here = circle(frame="base", centre=[0.5, 0.0, 0.3]).at(np.zeros(1))
    np.testing.assert_allclose(here.position, [[0.6, 0.0, 0.3]])
    np.testing.assert_allclose(here.rotation, [DOWN])


@pytest.mark.parametrize(("frame", "below"), [("home", DOWN), ("base", np.eye(3))])
def test_an_orientation_by_angles_is_on_top_of_home_or_absolute(frame, below):
    here = circle(frame=frame, orientation={"type": "rpy", "rpy": [0.1, 0.2, 0.3]}).at(np.zeros(1))
    expected = Rotation.from_euler("xyz", [0.1, 0.2, 0.3]).as_matrix() @ below
    np.testing.assert_allclose(here.rotation[0], expected, atol=1e-15)


def test_a_tilt_swings_about_the_axis_named():
    path = circle(orientation=TILT, laps=3)
    moved = path.at(np.linspace(0.0, path.duration, 2001))
    angles = Rotation.from_matrix(moved.rotation @ DOWN.T).as_rotvec()
    assert np.abs(angles[:, 0]).max() == pytest.approx(0.3, abs=1e-4)
    np.testing.assert_allclose(angles[:, 1:], 0.0, atol=1e-15)


def test_sines_between_the_fades_are_the_sums_they_are_given_as():
    sines = {"y": [{"amplitude": 0.1, "frequency": 0.5, "phase": 0.3}, {"amplitude": 0.02, "frequency": 2.0}]}
    path = path_of(type="sum_of_sines", duration=6.0, fade=1.0, sines=sines, dwell_start=0.0, dwell_end=0.0)
    t = np.linspace(1.0, 5.0, 50)
    moved = path.at(t).position - HOME
    expected = 0.1 * np.sin(np.pi * t + 0.3) + 0.02 * np.sin(4 * np.pi * t)
    np.testing.assert_allclose(moved, np.stack([0 * t, expected, 0 * t], -1), atol=1e-14)


def waypoints(*points, **keys):
    return path_of(type="waypoints", waypoints=list(points), dwell_start=0.0, dwell_end=0.0, **keys)


def test_waypoints_are_reached_on_time_and_held():
    path = waypoints(
        {"position": [0, 0, 0], "dwell": 0.5},
        {"position": [0.2, 0, 0], "duration": 1.0, "dwell": 0.4},
        {"position": [0, 0.1, 0], "relative": True, "duration": 2.0, "rpy": [0, 0, 0.5]},
    )
    assert path.duration == pytest.approx(3.9)
    moved = path.at(np.array([0.3, 1.0, 1.5, 1.9, 2.9, 3.9]))
    middle = [[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [0.2, 0, 0], [0.2, 0.05, 0], [0.2, 0.1, 0]]
    np.testing.assert_allclose(moved.position - HOME, middle, atol=1e-12)
    yaw = Rotation.from_matrix(moved.rotation @ DOWN.T).as_euler("xyz")[:, 2]
    np.testing.assert_allclose(yaw, [0, 0, 0, 0, 0.25, 0.5], atol=1e-12)


@pytest.mark.parametrize(
    ("move", "peak"), [({"position": [0.3, 0, 0]}, "linear"), ({"position": [0, 0, 0]}, "angular")]
)
def test_waypoints_without_duration_peak_at_the_speed_of_the_task(move, peak):
    path = waypoints({"position": [0, 0, 0]}, move | {"rpy": [0, 0, 0.1]}, speed=0.2, angular_speed=0.4)
    moved = path.at(np.linspace(0.0, path.duration, 2001))
    linear = np.linalg.norm(moved.linear_velocity, axis=1).max()
    angular = np.linalg.norm(moved.angular_velocity, axis=1).max()
    reached, other = (linear / 0.2, angular / 0.4) if peak == "linear" else (angular / 0.4, linear / 0.2)
    assert reached == pytest.approx(1.0, rel=1e-5)
    assert other < 1.0


def test_repeated_waypoints_close_with_a_move_back():
    path = waypoints({"position": [0, 0, 0]}, {"position": [0.2, 0, 0]}, repeat=2)
    times = np.linspace(0.0, path.duration, 5001)
    moved = path.at(times)
    assert np.abs(np.diff(moved.position, axis=0)).max() < 0.25 * 1.01 * (times[1] - times[0])
    np.testing.assert_allclose(moved.position[-1], HOME, atol=1e-12)


def test_a_single_waypoint_is_held():
    path = waypoints({"position": [0.1, 0, 0], "dwell": 1.0})
    assert path.duration == 1.0
    np.testing.assert_allclose(path.at(np.linspace(0, 1, 5)).position, HOME + [[0.1, 0, 0]] * 5)


def test_a_live_target_has_no_path():
    with pytest.raises(TaskError, match="'live' has no path"):
        tip_path(load_task("live"), HOME, DOWN)
