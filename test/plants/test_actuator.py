"""Torque at the joint against the closed forms of dead time and first-order lag."""

import numpy as np
import pytest

from ttdm_ros.plants.actuator import TorqueActuator
from ttdm_ros.plants.config import Actuator, PlantConfig

EFFORT = np.array([87.0] * 4 + [12.0] * 3)
STEP = np.array([1.0, -2.0, 3.0, 4.0, 5.0, -6.0, 7.0])


def response(actuator: TorqueActuator, command: np.ndarray, steps: int) -> np.ndarray:
    return np.array([actuator.step(command) for _ in range(steps)])


def test_without_lag_and_delay_the_torque_is_the_command() -> None:
    np.testing.assert_array_equal(response(TorqueActuator(PlantConfig(), EFFORT), STEP, 1), [STEP])


@pytest.mark.parametrize("step", [1e-3, 2.5e-4])
def test_the_lag_is_one_minus_exp_at_every_step(step: float) -> None:
    lag = 0.007
    torque = response(TorqueActuator(PlantConfig(step=step, actuator=Actuator(lag=lag)), EFFORT), STEP, 40)
    t = step * np.arange(1, 41)
    np.testing.assert_allclose(torque, (1.0 - np.exp(-t / lag))[:, None] * STEP, rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_the_dead_time_is_exact_in_steps(steps: int) -> None:
    torque = response(TorqueActuator(PlantConfig(actuator=Actuator(delay=steps * 1e-3)), EFFORT), STEP, steps + 2)
    assert not torque[:steps].any()
    np.testing.assert_array_equal(torque[steps:], [STEP, STEP])


def test_the_lag_follows_the_dead_time() -> None:
    actuator = TorqueActuator(PlantConfig(actuator=Actuator(delay=0.002, lag=0.004)), EFFORT)
    torque = response(actuator, STEP, 5)
    expected = np.concatenate([np.zeros(2), 1.0 - np.exp(-np.array([1.0, 2.0, 3.0]) / 4.0)])
    np.testing.assert_allclose(torque, expected[:, None] * STEP, rtol=1e-12)


def test_a_command_is_cut_to_the_effort_limits() -> None:
    actuator = TorqueActuator(PlantConfig(), EFFORT)
    np.testing.assert_array_equal(actuator.clip(np.full(7, 50.0)), [50.0] * 4 + [12.0] * 3)
    np.testing.assert_array_equal(actuator.clip(np.full(7, -100.0)), -EFFORT)


def test_after_a_reset_nothing_of_the_past_arrives() -> None:
    actuator = TorqueActuator(PlantConfig(actuator=Actuator(delay=0.003, lag=0.002)), EFFORT)
    response(actuator, STEP, 10)
    actuator.reset(np.zeros(7))
    assert not response(actuator, np.zeros(7), 10).any()


def test_continuing_from_another_torque_keeps_the_commands_on_their_way() -> None:
    actuator = TorqueActuator(PlantConfig(actuator=Actuator(delay=0.001)), EFFORT)
    actuator.step(STEP)
    actuator.continue_from(np.full(7, 2.0))
    np.testing.assert_array_equal(actuator.step(np.zeros(7)), STEP)
