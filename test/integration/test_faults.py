"""What can go wrong while the arm moves, with real processes: each ends in a controlled stop that names its cause."""

import dataclasses
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from safetensors.numpy import load_file, save_file

from ttdm_ros.dynamics.bundle import load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.recording.reader import Recording

UNDER_WAY = ("approach", "tracking", "holding")
# A busy machine is no fault here.
CONTROLLER = {"task": "circle", "controller__missed": 1000, "controller__stale_periods": 10.0}


@pytest.fixture(scope="module")
def arm(world: Any) -> Iterator[Any]:
    """A recorder, a simulator that can be told to spoil its states, and a controller that is configured."""
    world.record()
    world.start("simulator", "faulty_simulator.py", plant="payload_friction")
    world.start("mpc_controller", "faulty_controller.py", **CONTROLLER)
    world.configure("bag")
    yield world


@pytest.fixture
def moving(arm: Any) -> Any:
    """The arm, driven by the controller."""
    arm.spoil("none")
    if arm.phase != "inactive" and arm.lifecycle == "active":
        assert arm.transit(Transition.TRANSITION_DEACTIVATE)
    arm.activate()
    return arm


def check_stopped(world: Any, cause: str) -> None:
    """Check that the controller stops, says why, and does not go on by itself."""
    world.until_phase("stopped")
    assert cause in world.status["fault"]
    assert world.message == world.status["fault"]
    assert any(f"fault: {world.status['fault']}" in event for event in world.events)
    world.until(lambda: world.lifecycle == "inactive")
    world.spoil("none")
    world.hear(5)
    assert world.phase == "stopped"
    world.simulator = {}
    world.until(lambda: world.simulator.get("holding") == "true")


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("nan", "the joint state of panda_joint4 is not finite"),
        ("same stamp", "those that come have stamps that stand still or go back"),
        ("stuck", "its state is frozen"),
        ("missing", "joint states lack panda_joint7"),
    ],
)
def test_a_spoilt_state_stops_the_arm(moving: Any, kind: str, cause: str) -> None:
    moving.spoil(kind)
    check_stopped(moving, cause)


def test_joints_in_another_order_and_a_further_one_change_nothing(moving: Any) -> None:
    moving.spoil("another order")
    moving.hear(10)
    assert moving.phase in UNDER_WAY
    assert moving.status["fault"] == ""
    assert float(moving.status["tracking_error_mm"]) < 60.0
    assert moving.transit(Transition.TRANSITION_DEACTIVATE)
    moving.until_phase("inactive")


def test_a_simulator_that_stands_still_stops_it(moving: Any) -> None:
    moving.processes["simulator"].send_signal(signal.SIGSTOP)
    moving.until_phase("stopped")
    moving.processes["simulator"].send_signal(signal.SIGCONT)
    check_stopped(moving, "no joint state came for")


def test_a_controller_that_stands_still_stops_itself_and_says_so(moving: Any) -> None:
    moving.processes["mpc_controller"].send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    moving.processes["mpc_controller"].send_signal(signal.SIGCONT)
    moving.until_phase("stopped")
    check_stopped(moving, "this process itself was not run for")


def test_a_solver_that_fails_stops_it_after_some_failures(moving: Any) -> None:
    moving.processes["mpc_controller"].send_signal(signal.SIGUSR1)
    moving.until_phase("stopped")
    moving.processes["mpc_controller"].send_signal(signal.SIGUSR1)
    check_stopped(moving, "the solver failed 4 times in a row (status 4)")


def test_a_simulator_that_is_killed_stops_it_and_a_new_one_needs_an_activation(moving: Any) -> None:
    moving.kill("simulator")
    moving.until_phase("stopped")
    assert "no joint state came for" in moving.status["fault"]
    moving.start("simulator", "faulty_simulator.py", plant="payload_friction")
    check_stopped(moving, "no joint state came for")
    moving.activate()
    assert moving.status["fault"] == ""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: a good one, one with other layers, one with NaN, one for another robot."""
    folder = tmp_path_factory.mktemp("models")
    nominal = load_model("nominal")
    good = dataclasses.replace(nominal, output_mean=nominal.output_mean + 0.01)
    save_model(good, folder / "good")
    save_model(dataclasses.replace(nominal, robot="fr3"), folder / "stranger")
    other_shape = ModelSpecification(structure="residual", hidden=(8,))
    save_model(PredictionModel.random(other_shape, seed=0, scale=0.01), folder / "other_shape")
    save_model(good, folder / "nan")
    weights = load_file(folder / "nan" / "weights.safetensors")
    save_file(weights | {"output_mean": np.full(7, np.nan)}, folder / "nan" / "weights.safetensors")
    return folder


def test_a_model_is_exchanged_while_the_arm_moves_and_a_bad_one_is_refused(moving: Any, bundles: Path) -> None:
    assert moving.set_model(str(bundles / "good")) == (True, "")
    good = load_model(bundles / "good")
    moving.until(lambda: moving.models[-1] == f"good {good.fingerprint}")
    moving.until(lambda: moving.status.get("fingerprint") == good.fingerprint)
    for name, reason in (
        ("nan", "holds NaN or infinity"),
        ("stranger", "was made for fr3, not panda"),
        ("none", "no model"),
    ):
        successful, text = moving.set_model(str(bundles / name))
        assert not successful
        assert reason in text
    moving.hear(5)
    assert moving.status["fingerprint"] == good.fingerprint
    assert moving.phase in UNDER_WAY
    assert moving.status["fault"] == ""


def test_a_model_of_another_shape_gets_a_solver_of_its_own_while_the_arm_moves(moving: Any, bundles: Path) -> None:
    assert moving.set_model(str(bundles / "other_shape")) == (True, "")
    fingerprint = load_model(bundles / "other_shape").fingerprint
    moving.until(lambda: moving.status.get("fingerprint") == fingerprint)
    moving.hear(5)
    assert moving.status["fault"] == ""
    assert moving.set_model("nominal") == (True, "")
    moving.until(lambda: moving.models[-1].startswith("nominal"))
    assert moving.phase in UNDER_WAY


def test_a_controller_that_is_killed_leaves_an_arm_that_holds(moving: Any) -> None:
    moving.kill("mpc_controller")
    moving.simulator = {}
    moving.until(lambda: moving.simulator.get("holding") == "true")
    received = json.loads(moving.simulator["received"])
    moving.simulator = {}
    moving.until(lambda: moving.simulator)
    assert moving.simulator["holding"] == "true"
    assert json.loads(moving.simulator["received"]) == received


def test_whatever_happened_every_command_was_allowed_and_every_node_ends_cleanly(
    arm: Any, commands_allowed: Callable[[Recording, Any], int]
) -> None:
    assert [arm.end(name) for name in ("simulator", "recorder")] == [0, 0]
    assert commands_allowed(arm.read(), arm.arm) > 1000
