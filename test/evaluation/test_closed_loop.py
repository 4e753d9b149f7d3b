"""The closed loop without ROS: tracks where it can, keeps limits where it cannot, and repeats itself."""

import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.errors import BundleError, ConfigError, TaskError
from ttdm_ros.evaluation.closed_loop import evaluate, run
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.config import TaskConfig
from ttdm_ros.plants.config import Actuator, PlantConfig, load_plant
from ttdm_ros.systems.arm import load_arm

CIRCLE = {"type": "circle", "name": "short", "radius": 0.04, "speed": 0.2, "acceleration": 2.0, "dwell_start": 0.05}


@pytest.fixture(scope="module")
def panda():
    return load_arm("panda")


@pytest.fixture(scope="module")
def solver(panda):
    return MpcSolver(panda, load_model("nominal"))


@pytest.fixture(scope="module")
def circle(panda):
    return Task(panda, parse(CIRCLE, TaskConfig, "test"))


@pytest.fixture(scope="module")
def ideal(panda):
    return evaluate(arm=panda, model="nominal", task="demo", plant="ideal")


def test_on_the_ideal_plant_the_nominal_model_tracks_the_demo(ideal):
    assert ideal.fault is None
    assert ideal.figures["completed"] == 1.0
    assert ideal.figures["rmse_mm"] < 0.3
    assert ideal.figures["failed_solves"] == 0.0


def test_the_figures_are_those_of_the_rows(ideal, panda):
    driven = ideal.phase == Phase.TRACKING
    tips = np.array([panda.tip_pose(q)[0] for q in ideal.q[driven]])
    distance = np.linalg.norm(tips - ideal.rows[driven, :3], axis=1)
    assert ideal.figures["rmse_mm"] == pytest.approx(1e3 * np.sqrt((distance**2).mean()))
    assert ideal.figures["max_mm"] == pytest.approx(1e3 * distance.max())
    peak = (np.abs(ideal.tau[driven]) / panda.limits.effort).max()
    assert ideal.figures["peak_torque_share"] == pytest.approx(peak)
    assert ideal.figures["cost"] == pytest.approx(ideal.cost[driven].mean())


def test_rows_are_at_the_joint_state_rate_from_activation_on(ideal):
    np.testing.assert_allclose(np.diff(ideal.time), 0.002, atol=1e-9)
    assert ideal.time[0] == 0.0
    assert (np.diff(ideal.phase) >= 0).all()
    for values, width in ((ideal.q, 7), (ideal.v, 7), (ideal.tau, 7), (ideal.rows, 33), (ideal.position_error, 3)):
        assert values.shape == (len(ideal.time), width)


def test_with_unknown_payload_and_friction_the_demo_is_completed_within_limits(panda):
    told = []
    result = evaluate(arm=panda, model="nominal", task="demo", plant="payload_friction", progress=told.append)
    assert result.figures["completed"] == 1.0
    assert result.fault is None
    limits = panda.limits
    assert (np.abs(result.tau) <= limits.effort).all()
    assert (np.abs(result.v) <= limits.velocity).all()
    assert ((result.q >= limits.position_lower) & (result.q <= limits.position_upper)).all()
    assert (np.abs(np.diff(result.tau, axis=0)) <= 0.002 * limits.effort_rate + 1e-9).all()
    assert 1.0 < result.figures["rmse_mm"] < 20.0
    assert told == sorted(told)
    assert len(told) > 10


def test_equal_seeds_have_equal_results_and_others_others(solver, circle):
    plant = load_plant("payload_friction")
    one, again, other = (run(solver, circle, plant, seed=seed) for seed in (3, 3, 4))
    for name in ("time", "q", "v", "tau", "cost"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert one.tau.shape != other.tau.shape or (one.tau != other.tau).any()


def test_a_known_delay_is_made_up_for(solver, circle):
    """The plant answers 20 ms late; a controller that knows it tracks as if it did not."""
    plant = PlantConfig(actuator=Actuator(delay=0.02))
    unaware = run(solver, circle, plant, config=ControllerConfig(delay=0.001))
    aware = run(solver, circle, plant, config=ControllerConfig(delay=0.021))
    assert aware.figures["completed"] == 1.0
    assert aware.figures["rmse_mm"] < 0.3
    assert unaware.fault is not None or unaware.figures["rmse_mm"] > 5.0 * aware.figures["rmse_mm"]


def test_a_model_can_be_given_for_one_run(solver, circle):
    import dataclasses

    nominal = load_model("nominal")
    wrong = dataclasses.replace(nominal, output_mean=np.full(7, 0.5), name="wrong")
    plant = load_plant("ideal")
    bad, good = (run(solver, circle, plant, model=model).figures["rmse_mm"] for model in (wrong, nominal))
    assert bad > 5.0 * good


def test_a_live_target_has_no_end_and_is_refused(panda):
    with pytest.raises(TaskError, match="'live' follows a live target and has no end; choose one with a path"):
        evaluate(arm=panda, model="nominal", task="live", plant="ideal")


def test_a_model_of_another_robot_is_refused(panda, tmp_path):
    import dataclasses

    from ttdm_ros.dynamics.bundle import save_model

    save_model(dataclasses.replace(load_model("nominal"), robot="fr3"), tmp_path / "mine")
    with pytest.raises(BundleError, match="'mine' was made for fr3, not panda"):
        evaluate(arm=panda, model=str(tmp_path / "mine"), task="demo", plant="ideal")


@pytest.mark.parametrize("key", ["task", "plant"])
def test_an_unknown_name_is_refused_with_those_that_ship(panda, key):
    names = {"model": "nominal", "task": "demo", "plant": "ideal"} | {key: "nonsense"}
    with pytest.raises(ConfigError, match=f"there is no {key} named 'nonsense'; known: "):
        evaluate(arm=panda, **names)
