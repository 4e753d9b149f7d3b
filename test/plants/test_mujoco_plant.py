"""The simulated arm against closed forms, energy and pinocchio's forward dynamics integrated finely."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio as pin
import pytest
from scipy.integrate import solve_ivp

from ttdm_ros.config import parse
from ttdm_ros.errors import PlantError
from ttdm_ros.plants.config import PlantConfig, load_plant
from ttdm_ros.plants.mujoco_plant import MujocoPlant
from ttdm_ros.systems.arm import Arm, load_arm

# Only the first joint, whose axis is vertical, moves; dry friction keeps the others where they are.
FIRST_JOINT_ONLY = [0.0] + [80.0] * 6


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


@pytest.fixture
def make_plant(arm: Arm) -> Callable[..., MujocoPlant]:
    def make(*, seed: int = 0, q0: np.ndarray | None = None, **values: Any) -> MujocoPlant:
        return MujocoPlant(arm, parse(values, PlantConfig, "test"), seed=seed, q0=q0)

    return make


def drive(
    plant: MujocoPlant, torque: Callable[[float], np.ndarray], duration: float, every: float = 0.002
) -> np.ndarray:
    """Command ``torque(t)`` every few steps, and return the measured (q, v, tau) after each of them, (n, 3, 7)."""
    rows = []
    for k in range(round(duration / every)):
        plant.command(torque(k * every))
        plant.advance(every)
        measured = plant.measure()
        rows.append((measured.q, measured.v, measured.tau))
    return np.array(rows)


def constant(*torque: float) -> Callable[[float], np.ndarray]:
    return lambda _: np.array([*torque, *[0.0] * (7 - len(torque))])


def uncompensated_weight(arm: Arm, q: np.ndarray, mass: float, com: np.ndarray) -> np.ndarray:
    """Torque that a payload's weight asks for: the slope of its potential energy, by central differences."""

    def energy(posture: np.ndarray) -> float:
        position, rotation = arm.tip_pose(posture)
        return float(mass * 9.81 * (position + rotation @ com)[2])

    h = 1e-6
    return np.array([(energy(q + h * e) - energy(q - h * e)) / (2.0 * h) for e in np.eye(7)])


# Motion


def test_without_effects_it_moves_as_the_nominal_dynamics_says(
    arm: Arm, make_plant: Callable[..., MujocoPlant]
) -> None:
    def torque(t: float) -> np.ndarray:
        frequency = 0.8 + 0.1 * np.arange(7)
        return np.array([3.0, 4.0, -3.0, 3.0, 0.6, -0.5, 0.3]) * np.sin(2.0 * np.pi * frequency * t)

    got = drive(make_plant(), torque, 0.5)[-1]
    state = np.concatenate([arm.home, np.zeros(7)])
    data = arm.model.createData()
    for k in range(250):  # the command is constant for 2 ms at a time
        tau = torque(k * 0.002)

        def slope(_: float, x: np.ndarray, tau: np.ndarray = tau) -> np.ndarray:
            gravity = pin.computeGeneralizedGravity(arm.model, data, x[:7])
            return np.concatenate([x[7:], pin.aba(arm.model, data, x[:7], x[7:], tau + gravity)])

        state = solve_ivp(slope, (0.0, 0.002), state, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    assert np.abs(state[7:]).max() > 0.5  # it did move
    np.testing.assert_allclose(got[:2].ravel(), state, rtol=0.0, atol=1e-9)


def test_a_compensated_arm_stays_where_it_is_without_torque(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    q = drive(make_plant(), constant(0.0), 0.5)[-1, 0]
    np.testing.assert_allclose(q, arm.home, rtol=0.0, atol=1e-10)


def test_a_free_arm_keeps_its_kinetic_energy(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant()
    drive(plant, constant(4.0, -3.0, 3.0, 3.0, 0.3, 0.3, 0.2), 0.15)
    states = drive(plant, constant(0.0), 0.4)
    data = arm.model.createData()
    energy = []
    for q, v, _ in states:
        half = np.triu(pin.crba(arm.model, data, q))
        energy.append(v @ half @ v - 0.5 * v @ np.diag(np.diag(half)) @ v)
    assert np.abs(states[-1, 0] - states[0, 0]).max() > 0.1
    np.testing.assert_allclose(energy, energy[0], rtol=1e-6)


def test_time_is_the_number_of_steps(make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(step=0.0005)
    assert plant.time_ns == 0
    for _ in range(3):
        plant.advance(0.0015)
    assert plant.time_ns == 4_500_000


def test_the_joints_stop_at_their_limits(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant()
    drive(plant, constant(20.0), 2.0)
    assert abs(plant.q[0] - arm.limits.position_upper[0]) < 0.05


def test_a_push_at_the_tip_accelerates_the_arm_as_a_force_there_does(
    arm: Arm, make_plant: Callable[..., MujocoPlant]
) -> None:
    plant = make_plant()
    plant.command(np.zeros(7))
    force = np.array([3.0, -4.0, 5.0])
    plant.push(force, 0.001)
    plant.advance(0.001)
    h = 1e-6
    jacobian = np.array(
        [(arm.tip_pose(arm.home + h * e)[0] - arm.tip_pose(arm.home - h * e)[0]) / (2 * h) for e in np.eye(7)]
    )
    expected = 1e-3 * arm.forward_dynamics(arm.home, np.zeros(7), jacobian @ force)
    np.testing.assert_allclose(plant.v, expected, rtol=2e-2, atol=1e-5)
    free = plant.v
    plant.command(np.zeros(7))
    plant.advance(0.001)
    np.testing.assert_allclose(plant.v, free, rtol=1e-2, atol=1e-4)  # the push is over


# Payload


def test_the_torque_that_holds_still_is_the_payloads_weight(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    com = [0.03, -0.02, 0.05]
    plant = make_plant(payload={"mass": 1.5, "com": com})
    weight = uncompensated_weight(arm, arm.home, 1.5, np.array(com))
    np.testing.assert_allclose(plant.measure().tau, weight, rtol=0.0, atol=1e-7)
    q = drive(plant, lambda _: weight, 0.05)[-1, 0]
    np.testing.assert_allclose(q, arm.home, rtol=0.0, atol=1e-8)


def test_without_that_torque_the_payload_pulls_the_tip_down(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(payload={"mass": 1.5})
    start = plant.tip_pose()[0][2]
    drive(plant, constant(0.0), 0.3)
    assert plant.tip_pose()[0][2] < start - 0.05


# Friction


def test_dry_friction_holds_up_to_its_value_and_no_further(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    values = {"coulomb": [1.5, *FIRST_JOINT_ONLY[1:]]}
    assert np.abs(drive(make_plant(friction=values), constant(1.47), 0.5)[-1, 1]).max() < 1e-5
    assert drive(make_plant(friction=values), constant(1.53), 0.5)[-1, 1, 0] > 1e-3


def test_sliding_friction_is_subtracted_from_the_torque(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(friction={"coulomb": [1.5, *FIRST_JOINT_ONLY[1:]]})
    drive(plant, constant(4.0), 0.1)
    before = plant.v[0]
    drive(plant, constant(4.0), 0.2)
    inertia = pin.crba(arm.model, arm.model.createData(), arm.home)[0, 0]
    assert plant.v[0] - before == pytest.approx((4.0 - 1.5) * 0.2 / inertia, rel=1e-3)


def test_viscous_friction_gives_an_exponential_approach_to_its_speed(
    arm: Arm, make_plant: Callable[..., MujocoPlant]
) -> None:
    coefficient, torque = 10.0, 0.9  # below 1 N·m nothing holds the first command back
    plant = make_plant(friction={"coulomb": FIRST_JOINT_ONLY, "viscous": [coefficient, *[0.0] * 6]})
    v = drive(plant, constant(torque), 0.6)[:, 1, 0]
    inertia = pin.crba(arm.model, arm.model.createData(), arm.home)[0, 0]
    t = 0.002 * np.arange(1, len(v) + 1)
    np.testing.assert_allclose(
        v, torque / coefficient * (1.0 - np.exp(-t * coefficient / inertia)), rtol=2e-3, atol=1e-5
    )


def test_breakaway_needs_more_torque_than_sliding(make_plant: Callable[..., MujocoPlant]) -> None:
    friction = {"coulomb": [1.0, *FIRST_JOINT_ONLY[1:]], "stribeck": {"static_factor": 1.5, "velocity": 0.02}}
    plant = make_plant(friction=friction)
    assert abs(drive(plant, constant(1.4), 0.5)[-1, 1, 0]) < 1e-5
    assert drive(plant, constant(1.6), 0.5)[-1, 1, 0] > 0.05
    before = plant.v[0]
    assert drive(plant, constant(1.1), 0.3)[-1, 1, 0] > before  # it slides on below breakaway


# Actuators and sensors


def test_a_command_acts_after_the_dead_time_and_with_the_lag(make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(actuator={"delay": 0.003, "lag": 0.005})
    drive(plant, constant(0.0), 0.02, every=0.001)
    tau = drive(plant, constant(0.5), 0.02, every=0.001)[:, 2, 0]
    t = np.maximum(0.0, 1e-3 * np.arange(-2, 18))
    np.testing.assert_allclose(tau, 0.5 * (1.0 - np.exp(-t / 0.005)), rtol=1e-12, atol=1e-15)


def test_torque_beyond_the_effort_limits_is_cut_and_counted(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(friction={"coulomb": [300.0] * 7})
    drive(plant, constant(*[10.0] * 7), 0.05)
    assert plant.saturated_steps == 0
    drive(plant, lambda _: np.full(7, 500.0), 0.05)
    np.testing.assert_array_equal(plant.tau, arm.limits.effort)
    assert plant.saturated_steps == 50


def test_asking_twice_at_one_time_gives_the_same_sample(make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(sensor={"position_std": 1e-3, "velocity_std": 1e-2})
    first, second = plant.measure(), plant.measure()
    np.testing.assert_array_equal(first.q, second.q)
    plant.advance(0.001)
    assert not np.isclose(plant.measure().v, first.v, atol=1e-9).any()
    assert np.abs(first.q - plant.q).max() < 5e-3


def test_the_true_state_has_no_noise(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(sensor={"position_std": 1e-2})
    np.testing.assert_array_equal(plant.q, arm.home)
    np.testing.assert_array_equal(plant.tip_pose()[0], arm.tip_pose(arm.home)[0])


def test_the_same_seed_gives_the_same_run_and_another_does_not(arm: Arm) -> None:
    config = load_plant("payload_friction").model_copy(update={"mass_variation": 0.1})

    def run(seed: int) -> np.ndarray:
        return drive(MujocoPlant(arm, config, seed=seed), constant(0.0, 5.0, 2.0, 15.0), 0.2)

    np.testing.assert_array_equal(run(1), run(1))
    assert np.abs(run(1)[-1, 0] - run(2)[-1, 0]).max() > 1e-4


# Watchdog


@pytest.mark.parametrize("name", ["ideal", "payload_friction", "sloppy_actuators"])
def test_when_commands_stop_it_brakes_within_its_limits_and_holds(arm: Arm, name: str) -> None:
    plant = MujocoPlant(arm, load_plant(name))
    drive(plant, constant(8.0, 10.0, -6.0, 12.0, 2.0, -1.5, 1.0), 0.25)
    assert np.abs(plant.v).max() > 0.5
    assert not plant.holding
    plant.advance(0.048)
    assert not plant.holding  # the newest command is valid for exactly 50 ms, two of which had passed
    torque = [plant.tau]
    for _ in range(1000):
        plant.advance(0.001)
        torque.append(plant.tau)
    assert plant.holding
    assert (np.abs(np.diff(torque, axis=0)) <= 1e-3 * arm.limits.effort_rate + 1e-12).all()
    assert (np.abs(torque) <= arm.limits.effort).all()
    assert np.abs(plant.v).max() < 1e-6
    rest = plant.q
    plant.advance(5.0)
    np.testing.assert_allclose(plant.q, rest, rtol=0.0, atol=1e-6)


def test_the_watchdog_does_not_care_in_which_portions_time_passes(make_plant: Callable[..., MujocoPlant]) -> None:
    plants = [make_plant(command_timeout=0.01) for _ in range(2)]
    for plant in plants:
        plant.command(np.array([0.9, 0, 0, 0, 0, 0, 0]))
    plants[0].advance(0.1)
    for _ in range(100):
        plants[1].advance(0.001)
    np.testing.assert_array_equal(plants[0].q, plants[1].q)
    assert plants[0].holding


def test_it_holds_before_the_first_command(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(payload={"mass": 3.0})
    assert plant.holding
    plant.advance(2.0)
    assert plant.holding
    np.testing.assert_allclose(plant.q, arm.home, rtol=0.0, atol=1e-7)


def test_closed_brakes_resist_a_push(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant(payload={"mass": 1.5})
    plant.push(np.array([0.0, 30.0, -50.0]), 0.5)
    plant.advance(1.0)
    np.testing.assert_allclose(plant.q, arm.home, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("delay", [0.0, 0.004])
def test_a_new_command_releases_it_within_the_torque_rate_limit(
    arm: Arm, make_plant: Callable[..., MujocoPlant], delay: float
) -> None:
    plant = make_plant(payload={"mass": 3.0}, actuator={"delay": delay, "lag": 0.002})
    drive(plant, constant(0.0), 0.1)
    plant.advance(2.0)
    assert plant.holding
    wanted = np.array([5.0, -20.0, 3.0, 30.0, 0.5, 2.0, -1.0])
    torque = [plant.tau]
    for k in range(100):
        plant.command(wanted)
        plant.advance(0.001)
        assert plant.holding == (k < round(delay / 0.001))
        torque.append(plant.tau)
    assert (np.abs(np.diff(torque, axis=0)) <= 1e-3 * arm.limits.effort_rate + 1e-12).all()
    np.testing.assert_allclose(plant.tau, wanted, rtol=1e-6)


def test_once_caught_up_commands_are_not_held_back(make_plant: Callable[..., MujocoPlant]) -> None:
    plant = make_plant()
    drive(plant, constant(0.0), 0.01)
    plant.command(np.array([30.0, 0, 0, 0, 0, 0, 0]))
    plant.advance(0.001)
    assert plant.tau[0] == 30.0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (np.full(7, np.nan), "a command must be finite, not"),
        (np.array([0, 0, np.inf, 0, 0, 0, 0]), "a command must be finite, not"),
        (np.zeros(6), r"a command has 7 torques, not an array of shape \(6,\)"),
        (np.zeros((7, 1)), r"a command has 7 torques, not an array of shape \(7, 1\)"),
    ],
)
def test_a_malformed_command_is_refused_and_does_not_feed_the_watchdog(
    make_plant: Callable[..., MujocoPlant], command: np.ndarray, message: str
) -> None:
    plant = make_plant()
    drive(plant, constant(0.5), 0.02)
    for _ in range(60):
        with pytest.raises(PlantError, match=message):
            plant.command(command)
        if not plant.holding:
            assert plant.tau[0] == 0.5  # the command before it stays
        plant.advance(0.001)
    assert plant.holding


# Start


def test_after_a_reset_it_is_at_rest_at_its_start_and_time_goes_on(
    arm: Arm, make_plant: Callable[..., MujocoPlant]
) -> None:
    plant = make_plant(payload={"mass": 1.5})
    drive(plant, constant(5.0), 0.3)
    plant.reset()
    assert plant.holding
    assert plant.time_ns == 300_000_000
    plant.advance(0.1)
    np.testing.assert_allclose(plant.q, arm.home, rtol=0.0, atol=1e-7)


def test_a_start_outside_the_limits_is_refused(arm: Arm, make_plant: Callable[..., MujocoPlant]) -> None:
    q0 = arm.home.copy()
    q0[3] = 0.5
    with pytest.raises(
        PlantError, match=f"{arm.joint_names[3]} at 0.5000 rad; it must be within -3.0718 and -0.0698 rad"
    ):
        make_plant(q0=q0)
    with pytest.raises(PlantError, match="a start posture has 7 finite angles"):
        make_plant(q0=np.zeros(6))


def test_a_diverging_simulation_is_reported(
    make_plant: Callable[..., MujocoPlant], monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log in the working folder
    plant = make_plant(friction={"viscous": [1e6] * 7})
    with pytest.raises(PlantError, match="the simulation diverged before t = "):
        for _ in range(1000):
            plant.command(np.ones(7))
            plant.advance(0.001)


def test_a_duration_between_two_steps_is_refused(make_plant: Callable[..., MujocoPlant]) -> None:
    with pytest.raises(ValueError, match="not a multiple of the plant's step"):
        make_plant().advance(0.0015)
