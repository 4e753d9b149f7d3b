"""Many exchanges of the model on a controller that drives, and what else can be asked of it, with real processes.

`ttdm benchmark swap` is the long form of it, and measures.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lifecycle_msgs.msg import Transition
from safetensors.numpy import load_file, save_file

from ttdm_ros import topics
from ttdm_ros.dynamics.bundle import load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.paths import find_config
from ttdm_ros.recording.reader import Recording

SWAPS, PERIOD = 12, 0.6  # [s]
UNDER_WAY = ("approach", "tracking")
# A busy machine is no fault here.
PATIENCE = {"controller__missed": 1000, "controller__stale_periods": 100.0}
SHORT_CIRCLE = {
    "type": "circle", "radius": 0.05, "speed": 0.25, "acceleration": 2.0, "plane": "xy", "centre": [0.02, 0.0, -0.02],
}  # fmt: skip


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models a little beside the nominal one, one with NaN, one of another robot."""
    folder = tmp_path_factory.mktemp("models")
    specification = load_model("nominal").specification
    for seed in range(3):
        save_model(PredictionModel.random(specification, seed=seed, scale=0.3), folder / f"good_{seed}")
    stranger = PredictionModel.random(specification, seed=3, scale=0.3)
    save_model(replace(stranger, robot="fr3"), folder / "stranger")
    save_model(PredictionModel.random(specification, seed=4, scale=0.3), folder / "nan")
    weights = load_file(folder / "nan" / "weights.safetensors")
    save_file(weights | {"output_mean": np.full(7, np.nan)}, folder / "nan" / "weights.safetensors")
    return folder


@pytest.fixture(scope="module")
def many(world: Any, bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Drive for a while without exchanges and for as long with many, refused ones among them."""
    laps = yaml.safe_load(find_config("tasks", "demo").read_text(encoding="utf-8")) | {"laps": 40}
    task = tmp_path_factory.mktemp("task") / "laps.yaml"
    task.write_text(yaml.safe_dump(laps), encoding="utf-8")
    world.record()
    world.start("simulator", plant="payload_friction")
    world.start("mpc_controller", task=str(task), **PATIENCE)
    world.configure("bag")
    assert world.transit(Transition.TRANSITION_ACTIVATE)
    world.until_phase("tracking")
    found: dict[str, Any] = {"answers": [], "refusals": [], "seconds": [], "began": time.time_ns()}
    world.hear(round(10 * SWAPS * PERIOD))
    found["first"] = time.time_ns()
    for i in range(SWAPS):
        due = time.monotonic() + PERIOD
        asked = time.monotonic()
        found["answers"].append(world.set_model(str(bundles / f"good_{i % 3}")))
        found["seconds"].append(time.monotonic() - asked)
        if i % 5 == 4:
            bad = ("nan", "stranger")[i // 5 % 2]
            found["refusals"].append((bad, *world.set_model(str(bundles / bad))))
            world.hear(2)
            found["refusals"][-1] += (world.status["fingerprint"], load_model(bundles / f"good_{i % 3}").fingerprint)
        world.until(lambda due=due: time.monotonic() >= due)
    world.hear(5)
    found["status"] = dict(world.status)
    found["codes"] = {name: world.end(name) for name in ("mpc_controller", "simulator", "recorder")}
    yield found


@pytest.fixture(scope="module")
def recording(world: Any, many: dict[str, Any]) -> Recording:
    assert many["codes"] == {"mpc_controller": 0, "simulator": 0, "recorder": 0}
    return world.read()


def test_every_exchange_is_accepted_and_told(many: dict[str, Any], recording: Recording, bundles: Path) -> None:
    assert many["answers"] == [(True, "")] * SWAPS
    assert recording.active_model is not None
    told = [text.split() for text in recording.active_model.text]
    expected = [[f"good_{i % 3}", load_model(bundles / f"good_{i % 3}").fingerprint] for i in range(SWAPS)]
    assert told[0][0] == "nominal"
    assert told[1:] == expected


def test_what_is_refused_is_refused_with_the_reason_and_the_old_model_stays(many: dict[str, Any]) -> None:
    reasons = {"nan": "holds NaN or infinity", "stranger": "was made for fr3, not panda"}
    assert [bad for bad, *_ in many["refusals"]] == ["nan", "stranger"]
    for bad, accepted, answer, predicts, before in many["refusals"]:
        assert not accepted
        assert reasons[bad] in answer
        assert predicts == before


def test_no_torque_steps_further_than_the_rate_limit_allows(
    world: Any, recording: Recording, commands_allowed: Callable[[Recording, Any], int]
) -> None:
    assert commands_allowed(recording, world.arm) > 2000


def test_no_solve_fails_and_the_task_goes_on(many: dict[str, Any], recording: Recording) -> None:
    assert recording.timing is not None
    status = recording.timing.values[:, topics.TIMING_COLUMNS.index("status")]
    assert len(status) > 500
    assert not status.any()
    assert many["status"]["failed"] == "0"
    assert many["status"]["fault"] == ""
    assert many["status"]["phase"] == "tracking"


def test_late_solves_are_counted_with_and_without_exchanges(
    many: dict[str, Any], recording: Recording, record_property: Callable[[str, Any], None]
) -> None:
    """How many there are is the machine's affair; that each is in the bag and in the status is not."""
    assert recording.timing is not None
    sent = recording.timing.publish_time_ns
    late = recording.timing.values[:, topics.TIMING_COLUMNS.index("missed")] != 0.0
    without = (sent >= many["began"]) & (sent < many["first"])
    with_them = (sent >= many["first"]) & (sent < many["first"] + round(1e9 * SWAPS * PERIOD))
    assert late.sum() >= int(many["status"]["missed"])
    record_property("late without exchanges", int(late[without].sum()))
    record_property("late with exchanges", int(late[with_them].sum()))
    record_property("longest answer [ms]", round(1e3 * max(many["seconds"])))


@pytest.fixture(scope="module")
def short(world: Any, many: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A controller of a short task."""
    task = tmp_path_factory.mktemp("task") / "short.yaml"
    task.write_text(yaml.safe_dump(SHORT_CIRCLE), encoding="utf-8")
    world.events.clear()
    world.record("again")
    world.start("simulator", plant="payload_friction")
    world.start("mpc_controller", task=str(task), controller__exploration=0.02, **PATIENCE)
    world.configure("again")
    assert world.transit(Transition.TRANSITION_ACTIVATE)
    return world


def test_a_task_is_driven_again_once_it_is_done_and_not_before(short: Any) -> None:
    short.until_phase(*UNDER_WAY)
    done, answer = short.drive_again()
    assert not done
    assert "can be driven again once it is done" in answer
    for _ in range(2):
        short.until_phase("holding")
        assert short.drive_again() == (True, "driving the task again")
        short.until(lambda: short.phase in UNDER_WAY)
    short.until_phase("holding")
    assert short.status["fault"] == ""
    assert sum("approaching the start of" in event and event.endswith("again") for event in short.events) == 2


@pytest.mark.parametrize("share", [5, 0.3, -0.1, "much", float("nan")])
def test_a_share_of_exploration_out_of_range_is_refused_and_the_node_goes_on(short: Any, share: Any) -> None:
    done, answer = short.set_parameter("controller.exploration", share)
    assert not done
    assert "exploration" in answer
    short.hear(2)
    assert short.status["fault"] == ""


def test_exploration_ends_when_asked_to(short: Any) -> None:
    assert short.set_parameter("controller.exploration", 0.0) == (True, "")
    assert short.set_parameter("controller.rate", 50.0)[0] is False


def test_whatever_was_asked_every_command_was_allowed(
    short: Any, commands_allowed: Callable[[Recording, Any], int]
) -> None:
    assert [short.end(name) for name in ("mpc_controller", "simulator", "recorder")] == [0, 0, 0]
    assert commands_allowed(short.read("again"), short.arm) > 1000
