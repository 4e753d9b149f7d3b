"""Task files: those that ship load, malformed ones are refused by file, key and allowed values."""

import pytest

from ttdm_ros.errors import ConfigError
from ttdm_ros.mpc.tasks.config import RandomSines, load_task

SHIPPED = ["circle", "rectangle", "sines", "waypoints", "pick", "live", "demo"]

CIRCLE = "type: circle\nradius: 0.1\nspeed: 0.2\n"
RECTANGLE = "type: rectangle\nwidth: 0.2\nheight: 0.1\nspeed: 0.2\ncorner_radius: 0.02\n"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tasks_load_and_are_named_after_their_file(name):
    assert load_task(name).name == name


def test_an_unknown_task_is_refused_with_those_that_ship():
    with pytest.raises(ConfigError, match=r"no task named 'circel'.*circle.*demo"):
        load_task("circel")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("radius: 0.1", "key 'type' of a task must be one of sum_of_sines, circle, rectangle, waypoints, live_target"),
        ("type: circel", "key 'type' of a task must be one of"),
        ("type: circle\nradius: 0.1", "'circle.speed' is missing"),
        (CIRCLE + "radus: 0.1", r"'circle.radus' is not known \(did you mean 'radius'"),
        (CIRCLE + "radius: -0.1", "circle.radius.*greater than 0.*-0.1"),
        (CIRCLE + "radius: .inf", "circle.radius.*finite"),
        (CIRCLE + "frame: tip", "circle.frame.*'home' or 'base'.*'tip'"),
        (CIRCLE + "plane: zz", "circle.plane.*must be one of xy, xz, yz, iso"),
        (CIRCLE + "plane: [1, 2]", "circle.plane"),
        (CIRCLE + "orientation: {type: roll}", "'type' of an orientation must be one of hold, rpy, tilt"),
        (CIRCLE + "laps: 0", "circle.laps.*greater than 0"),
        (RECTANGLE + "corner_radius: 0.06", "corner_radius 0.06 m does not fit .* the largest is 0.02"),
        ("type: sum_of_sines\nduration: 5", "either the key 'sines' or the key 'random'"),
        ("type: sum_of_sines\nduration: 3\nrandom: {seed: 0}", "two fades of 2.0 s do not fit into duration 3.0 s"),
        (
            "type: sum_of_sines\nduration: 5\nrandom: {seed: 0, amplitude: [0.2, 0.1]}",
            "amplitude must be .lowest, highest. with 0 < lowest <= highest",
        ),
        ("type: waypoints\nwaypoints: []", "waypoints.waypoints.*at least 1"),
        (
            "type: live_target\nworkspace: {lower: [0, 0, 0], upper: [1, 0, 1]}",
            "must be below upper .* on every axis",
        ),
        ("", "is empty"),
        ("type: [", "line 1.*not valid YAML"),
    ],
)
def test_malformed_tasks_are_refused_by_file_key_and_allowed_values(tmp_path, text, complaint):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"mine.yaml.*{complaint}"):
        load_task(file)


def test_random_sines_repeat_with_their_seed_and_stay_within_bounds():
    drawn = RandomSines(seed=5, count=4, amplitude=(0.01, 0.02), frequency=(0.3, 0.4)).draw()
    assert drawn == RandomSines(seed=5, count=4, amplitude=(0.01, 0.02), frequency=(0.3, 0.4)).draw()
    assert drawn != RandomSines(seed=6, count=4, amplitude=(0.01, 0.02), frequency=(0.3, 0.4)).draw()
    for axis in (drawn.x, drawn.y, drawn.z):
        assert len(axis) == 4
        assert all(0.01 <= sine.amplitude <= 0.02 and 0.3 <= sine.frequency <= 0.4 for sine in axis)
