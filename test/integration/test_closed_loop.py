"""Twenty seconds of control with real processes over DDS; one recorder sees all of it, another one is killed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition

from ttdm_ros.evaluation.run_metrics import measure_run
from ttdm_ros.recording.reader import Recording, inspect
from ttdm_ros.recording.salvage import salvage


@pytest.fixture(scope="module")
def run(world: Any) -> Iterator[dict[str, Any]]:
    """Drive the demo's path to its end, then end every node; kill the second recorder half way."""
    found: dict[str, Any] = {}
    world.record("killed")
    world.processes["killed recorder"] = world.processes.pop("recorder")
    world.record("bag")
    world.start("simulator", plant="payload_friction")
    # A busy machine is no fault here.
    patience = {"controller__missed": 1000, "controller__stale_periods": 100.0}
    world.start("mpc_controller", task="demo", **patience)
    world.configure("bag")
    assert world.transit(Transition.TRANSITION_ACTIVATE)
    world.until(lambda: world.phase == "tracking" and float(world.status["progress"]) > 0.4)
    found["killed_ns"] = time.time_ns()
    world.kill("killed recorder")
    world.until_phase("holding")
    found["status"] = dict(world.status)
    found["codes"] = {name: world.end(name) for name in ("mpc_controller", "simulator", "recorder")}
    yield found


@pytest.fixture(scope="module")
def recording(world: Any, run: dict[str, Any]) -> Recording:
    return world.read()


def test_every_node_ends_cleanly_on_sigint(world: Any, run: dict[str, Any]) -> None:
    assert run["codes"] == {"mpc_controller": 0, "simulator": 0, "recorder": 0}
    assert "Traceback" not in "".join(world.log(name) for name in run["codes"])


def test_the_bag_is_complete(recording: Recording) -> None:
    states = recording.joint_states
    assert states is not None
    numbers = states.sequence
    np.testing.assert_array_equal(numbers, np.arange(numbers[0], numbers[0] + len(numbers)))
    assert len(np.unique(states.stamp_ns)) == len(numbers)
    for series in (recording.commands, recording.reference, recording.timing):
        assert series is not None
        np.testing.assert_array_equal(series.sequence, np.arange(1, len(series) + 1))
    assert recording.prediction is not None


def test_the_arm_follows_its_path_within_its_limits(world: Any, run: dict[str, Any], recording: Recording) -> None:
    metrics = measure_run(recording, world.arm, inspect(world.folder / "bag"))
    assert metrics.tracking is not None
    assert metrics.tracking.duration_s > 15.0
    assert metrics.tracking.rmse_mm < 40.0  # with 1.5 kg and friction that the nominal model knows nothing of
    assert metrics.limits.torque_violations == 0
    assert metrics.limits.velocity_violations == 0
    assert metrics.limits.position_violations == 0
    assert run["status"]["fault"] == ""
    assert run["status"]["failed"] == "0"
    assert float(run["status"]["progress"]) == 1.0


def test_every_command_is_allowed(
    world: Any, recording: Recording, commands_allowed: Callable[[Recording, Any], int]
) -> None:
    assert commands_allowed(recording, world.arm) > 2000


def test_the_bag_tells_what_happened_and_which_model_ran(recording: Recording) -> None:
    assert recording.events is not None
    assert recording.active_model is not None
    story = " / ".join(recording.events.text)
    order = ["configured", "activated", "approaching", "driving 'demo'", "is done", "deactivating", "the arm rests"]
    places = [story.index(word) for word in order]
    assert places == sorted(places)
    assert [text.split()[0] for text in recording.active_model.text] == ["nominal"]


def test_of_a_killed_recorder_at_most_half_a_second_is_lost(
    world: Any, run: dict[str, Any], recording: Recording
) -> None:
    report = salvage(world.folder / "killed")
    assert report.output is not None
    saved = world.read(report.output.name)
    assert saved.joint_states is not None
    assert recording.joint_states is not None
    sent, numbers = recording.joint_states.publish_time_ns, recording.joint_states.sequence
    found = saved.joint_states.sequence
    wanted = numbers[(sent < run["killed_ns"] - 500_000_000) & (numbers >= found[0])]  # a late start is another matter
    assert len(wanted) > 1000
    assert np.isin(wanted, found).all()
