"""Torques that carry the arm's weight are refused; payload, friction, noise, offsets and little motion never are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.errors import BagError
from ttdm_ros.plants.config import PlantConfig, load_plant
from ttdm_ros.plants.mujoco_plant import MujocoPlant
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.bag_data import read_bag_data
from ttdm_ros.training.carried_weight import carries_weight
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.trajectory import Trajectory, resample

STIFFNESS = np.array([400.0, 400.0, 400.0, 400.0, 60.0, 60.0, 20.0])
RATE = 500
Driven = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def drive(arm: Arm, plant: PlantConfig, *, size: float = 0.15, seconds: float = 8.0) -> Driven:
    """Drive a plant along sines about home by springs and dampers; times, measured states and commands."""
    simulated, random = MujocoPlant(arm, plant, seed=0), np.random.default_rng(1)
    speed, shift = random.uniform(0.8, 2.0, 7), random.uniform(-np.pi, np.pi, 7)
    rows = []
    for i in range(int(seconds * RATE)):
        at = i / RATE
        q = arm.home + size * min(1.0, at) * (np.sin(speed * at + shift) - np.sin(shift))
        state = simulated.measure()
        tau = STIFFNESS * (q - state.q) - 0.2 * STIFFNESS * state.v
        tau = np.clip(tau, -0.9 * arm.limits.effort, 0.9 * arm.limits.effort)
        simulated.command(tau)
        simulated.advance(1.0 / RATE)
        rows.append((at, state.q, state.v, tau))
    time, q, v, tau = (np.array(each) for each in zip(*rows, strict=True))
    return time, q, v, tau


def on_grid(arm: Arm, driven: Driven, extra: Any = 0.0) -> list[Trajectory]:
    time, q, v, tau = driven
    return resample(
        arm,
        source="driven",
        time=time,
        q=q,
        v=v,
        command_time=time,
        commands=tau + extra,
        rows=lambda at: np.zeros((len(at), 33)),
        dt=0.02,
        step=0.004,
        delay=0.001,
    )


def gravity(arm: Arm, driven: Driven) -> np.ndarray:
    return np.array([arm.gravity_torque(q) for q in driven[1]])


def heavy(mass: float) -> PlantConfig:
    plant = load_plant("payload_friction")
    assert plant.payload is not None
    return plant.model_copy(update={"payload": plant.payload.model_copy(update={"mass": mass})})


@pytest.mark.parametrize("plant", ["ideal", "payload_friction", "other_masses", "sloppy_actuators"])
def test_the_weight_is_found_in_every_plant_and_only_where_it_is(panda: Arm, plant: str) -> None:
    driven = drive(panda, load_plant(plant))
    assert not carries_weight(panda, on_grid(panda, driven))
    assert carries_weight(panda, on_grid(panda, driven, gravity(panda, driven)))


@pytest.mark.parametrize("mass", [3.0, 9.0])
def test_a_payload_that_nobody_knows_is_not_taken_for_it(panda: Arm, mass: float) -> None:
    driven = drive(panda, heavy(mass), size=0.3)
    assert not carries_weight(panda, on_grid(panda, driven))


def test_nor_is_the_payload_that_is_the_most_like_it(panda: Arm) -> None:
    driven = drive(panda, load_plant("ideal"), size=0.3)
    up = np.array([0.0, 0.0, 9.81])
    columns = []  # of a mass at the tip, and of mass times distance along the axes of the tip
    for q in driven[1]:
        jacobian, (_, rotation) = panda.tip_jacobian(q), panda.tip_pose(q)
        columns.append([jacobian[:3].T @ up, *(jacobian[3:].T @ np.cross(axis, up) for axis in rotation.T)])
    payload, weight = np.array(columns), gravity(panda, driven)
    basis = np.moveaxis(payload - payload.mean(axis=0), 1, -1).reshape(-1, 4)
    mass = np.linalg.lstsq(basis, (weight - weight.mean(axis=0)).ravel())[0]
    alike = np.einsum("nij,i->nj", payload, mass)
    assert (weight - alike).var(axis=0).sum() < 0.3 * weight.var(axis=0).sum()
    assert not carries_weight(panda, on_grid(panda, driven, alike))


def test_nor_is_much_friction(panda: Arm) -> None:
    assert not carries_weight(panda, on_grid(panda, drive(panda, load_plant("friction"))))


@pytest.mark.parametrize("seed", range(4))
def test_nor_are_offsets_and_noise_of_the_torques(panda: Arm, seed: int) -> None:
    random, driven = np.random.default_rng(seed), drive(panda, load_plant("payload_friction"))
    offset = random.normal(0.0, 0.05, 7) * panda.limits.effort
    noise = random.normal(0.0, 0.02, driven[3].shape) * panda.limits.effort
    assert not carries_weight(panda, on_grid(panda, driven, offset + noise))


def test_nor_is_the_weight_at_a_mean_posture_which_may_be_an_offset(panda: Arm) -> None:
    driven = drive(panda, load_plant("payload_friction"))
    assert not carries_weight(panda, on_grid(panda, driven, panda.gravity_torque(panda.home)))


@pytest.mark.parametrize(("size", "seconds"), [(0.15, 3.0), (0.0, 8.0)])
def test_of_little_motion_nothing_is_said(panda: Arm, size: float, seconds: float) -> None:
    driven = drive(panda, load_plant("payload_friction"), size=size, seconds=seconds)
    assert not carries_weight(panda, on_grid(panda, driven, gravity(panda, driven)))
    assert not carries_weight(panda, [])


def test_a_bag_of_such_torques_is_refused_in_a_sentence(
    panda: Arm, mcap: Callable[..., Path], rows_of: Callable[..., list[tuple[str, bytes, int]]]
) -> None:
    driven = drive(panda, load_plant("payload_friction"))
    time, q, v, tau = driven
    read_bag_data(mcap(rows_of(time, q, v, tau), "without"), panda)
    with pytest.raises(BagError, match=r"with carry the arm's weight.*; give --gravity included"):
        read_bag_data(mcap(rows_of(time, q, v, tau + gravity(panda, driven)), "with"), panda)


def test_the_weight_is_taken_away_where_it_is_told_and_never_twice(
    panda: Arm, mcap: Callable[..., Path], rows_of: Callable[..., list[tuple[str, bytes, int]]]
) -> None:
    driven, included = drive(panda, load_plant("payload_friction")), SamplingConfig(gravity="included")
    time, q, v, tau = driven
    without = mcap(rows_of(time, q, v, tau), "without")
    carried = mcap(rows_of(time, q, v, tau + gravity(panda, driven)), "carried")
    (wanted,) = read_bag_data(without, panda).trajectories
    (found,) = read_bag_data(carried, panda, included).trajectories
    np.testing.assert_allclose(found.u, wanted.u, atol=0.02)
    np.testing.assert_array_equal(found.x, wanted.x)
    with pytest.raises(BagError, match=r"without do not carry the arm's weight; leave out --gravity included"):
        read_bag_data(without, panda, included)
