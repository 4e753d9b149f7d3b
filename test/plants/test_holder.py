"""What a holder passes on, and how it brakes and holds an arm that does neither by itself."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest

from ttdm_ros.config import parse
from ttdm_ros.errors import PlantError
from ttdm_ros.plants.config import PlantConfig
from ttdm_ros.plants.holder import Holder, LoadObserver
from ttdm_ros.plants.mujoco_model import build_model
from ttdm_ros.systems.arm import Arm, load_arm

MS = 1_000_000
LOAD = {"payload": {"mass": 1.5, "com": [0.02, -0.015, 0.03]}}


@pytest.fixture(scope="module")
def arm() -> Arm:
    return load_arm("panda")


class Motors:
    """An arm whose motors hold the last torque for ever, and whose states the holder answers a moment later."""

    def __init__(self, arm: Arm, holder: Holder, *, delay: int = 2, **effects: Any) -> None:
        config = parse(effects, PlantConfig, "test")
        self._model = build_model(arm, config, np.ones(7))
        self.data = mujoco.MjData(self._model)
        self.data.qpos[:] = arm.home
        mujoco.mj_forward(self._model, self.data)
        first = holder.answer(1, arm.home, np.zeros(7))
        assert first is not None
        self._holder, self._queue = holder, [first] * (delay + 1)
        self.torques = [first]
        self._count = 0

    def step(self, command: np.ndarray | None = None) -> None:
        """Advance by 1 ms, with a new command or without."""
        self._count += 1
        if command is not None:
            self._holder.command(command)
        answer = self._holder.answer(1 + self._count * MS, self.data.qpos.copy(), self.data.qvel.copy())
        assert answer is not None
        self.torques.append(answer)
        self._queue.append(answer)
        self.data.qfrc_applied[:] = self._queue.pop(0)
        mujoco.mj_step(self._model, self.data)


@pytest.fixture
def make(arm: Arm) -> Callable[..., Motors]:
    def make(*, adds_gravity: bool = True, **effects: Any) -> Motors:
        return Motors(arm, Holder(arm, adds_gravity=adds_gravity), gravity_compensation=not adds_gravity, **effects)

    return make


def test_a_command_passes_unchanged_where_the_arm_carries_itself(arm: Arm) -> None:
    holder = Holder(arm, adds_gravity=False)
    holder.answer(1, arm.home, np.zeros(7))
    for k in range(1, 11):
        command = np.full(7, 0.1 * k)
        holder.command(command)
        np.testing.assert_array_equal(holder.answer(1 + k * MS, arm.home, np.zeros(7)), command)
    assert not holder.holding
    assert holder.limited == 0


def test_the_nominal_weight_is_added_where_the_arm_does_not_carry_it(arm: Arm) -> None:
    holder = Holder(arm, adds_gravity=True)
    np.testing.assert_allclose(holder.answer(1, arm.home, np.zeros(7)), arm.gravity_torque(arm.home), atol=1e-12)
    q = arm.home + 0.01
    command = np.full(7, 0.2)
    holder.command(command)
    np.testing.assert_allclose(holder.answer(1 + MS, q, np.zeros(7)), command + arm.gravity_torque(q), atol=1e-12)


def test_the_limits_count_the_weight_in(arm: Arm) -> None:
    holder = Holder(arm, adds_gravity=True)
    weight = arm.gravity_torque(arm.home)
    before = holder.answer(1, arm.home, np.zeros(7))
    assert np.abs(weight).max() > 15.0
    for k in range(1, 301):
        holder.command(np.full(7, -200.0))
        torque = holder.answer(1 + k * MS, arm.home, np.zeros(7))
        assert (np.abs(torque) <= arm.limits.effort).all()
        assert (np.abs(torque - before) <= 1e-3 * arm.limits.effort_rate + 1e-9).all()
        before = torque
    np.testing.assert_array_equal(before, -arm.limits.effort)
    assert holder.limited == 300


@pytest.mark.parametrize("elapsed_ms", [10, 500])
def test_a_gap_in_the_states_allows_no_jump(arm: Arm, elapsed_ms: int) -> None:
    holder = Holder(arm, adds_gravity=False)
    holder.answer(1, arm.home, np.zeros(7))
    holder.command(np.full(7, 80.0))
    torque = holder.answer(1 + elapsed_ms * MS, arm.home, np.zeros(7))
    np.testing.assert_allclose(torque, np.minimum(10.0, arm.limits.effort))


def test_without_commands_the_arm_does_not_drop(arm: Arm, make: Callable[..., Motors]) -> None:
    motors = make()
    for _ in range(2000):
        motors.step()
    np.testing.assert_allclose(motors.data.qpos, arm.home, atol=1e-6)


@pytest.mark.parametrize("adds_gravity", [True, False])
def test_a_load_that_nobody_knows_of_is_carried_after_a_moment(
    arm: Arm, make: Callable[..., Motors], adds_gravity: bool
) -> None:
    motors, lowest = make(adds_gravity=adds_gravity, **LOAD), 0.0
    for _ in range(4000):
        motors.step()
        lowest = max(lowest, np.abs(motors.data.qpos - arm.home).max())
    assert lowest < 0.15
    np.testing.assert_allclose(motors.data.qpos, arm.home, atol=2e-3)
    assert np.abs(motors.data.qvel).max() < 1e-2


@pytest.mark.parametrize("effects", [{}, LOAD], ids=["alone", "with a load"])
@pytest.mark.parametrize("adds_gravity", [True, False])
def test_when_commands_stop_a_moving_arm_is_braked_within_its_limits_and_held(
    arm: Arm, make: Callable[..., Motors], adds_gravity: bool, effects: dict[str, Any]
) -> None:
    motors = make(adds_gravity=adds_gravity, **effects)
    weight = np.zeros(7)
    if effects:
        position = np.array([0.02, -0.015, 0.03])
        for i, unit in enumerate(np.eye(7)):
            up, down = (arm.tip_pose(arm.home + sign * 1e-6 * unit) for sign in (1.0, -1.0))
            height = [(place + rotation @ position)[2] for place, rotation in (up, down)]
            weight[i] = 1.5 * 9.81 * (height[0] - height[1]) / 2e-6
    push = arm.limits.effort * np.array([0.02, 0.02, 0.02, 0.03, 0.02, 0.02, 0.02])
    for k in range(300):
        motors.step(weight + push * min(1.0, k / 50.0))
    assert np.abs(motors.data.qvel).max() > 0.5
    speeds = []
    for _ in range(4000):
        motors.step()
        speeds.append(np.abs(motors.data.qvel).max())
    assert max(speeds[:50]) < 2.5
    assert max(speeds[700:]) < 0.15
    assert max(speeds[-500:]) < 5e-3
    steps = np.diff(motors.torques, axis=0)
    assert (np.abs(steps) <= 1e-3 * arm.limits.effort_rate + 1e-9).all()
    assert (np.abs(motors.torques) <= arm.limits.effort).all()


def test_the_watchdog_counts_time_of_the_states_and_is_fed_by_new_commands_only(arm: Arm) -> None:
    holder, still = Holder(arm, adds_gravity=False, command_timeout=0.05), np.zeros(7)
    holder.answer(1, arm.home, still)
    assert holder.holding
    holder.command(np.zeros(7))
    holder.answer(1 + MS, arm.home, still)
    assert not holder.holding
    holder.answer(1 + 50 * MS, arm.home, still)
    assert not holder.holding
    holder.answer(1 + 51 * MS, arm.home, still)
    assert holder.holding
    holder.command(np.zeros(7))
    holder.answer(1 + 60 * MS, arm.home, still)
    assert not holder.holding


@pytest.mark.parametrize(
    ("command", "problem"),
    [(np.zeros(6), "7 torques"), (np.array([0.0] * 6 + [np.nan]), "finite"), (np.full(7, np.inf), "finite")],
)
def test_a_malformed_command_is_refused_and_does_not_feed_the_watchdog(
    arm: Arm, command: np.ndarray, problem: str
) -> None:
    holder = Holder(arm, adds_gravity=False)
    holder.answer(1, arm.home, np.zeros(7))
    with pytest.raises(PlantError, match=problem):
        holder.command(command)
    holder.answer(1 + MS, arm.home, np.zeros(7))
    assert holder.holding


def test_a_state_that_is_not_finite_is_refused_and_an_old_one_is_not_answered(arm: Arm) -> None:
    holder = Holder(arm, adds_gravity=True)
    holder.answer(5 * MS, arm.home, np.zeros(7))
    assert holder.answer(5 * MS, arm.home, np.zeros(7)) is None
    assert holder.answer(4 * MS, arm.home, np.zeros(7)) is None
    with pytest.raises(PlantError, match="not finite"):
        holder.answer(6 * MS, np.full(7, np.nan), np.zeros(7))


@pytest.mark.parametrize("adds_gravity", [False, True])
def test_while_no_state_comes_torque_leaves_at_its_rate_and_the_arm_is_held_where_it_is_seen_again(
    arm: Arm, adds_gravity: bool
) -> None:
    holder = Holder(arm, adds_gravity=adds_gravity)
    weight = arm.gravity_torque(arm.home) if adds_gravity else np.zeros(7)
    holder.answer(1, arm.home, np.zeros(7))
    for k in range(1, 11):
        holder.command(np.full(7, 8.0))
        before = holder.answer(1 + k * MS, arm.home, np.zeros(7))
    assert before is not None
    assert np.abs(before - weight).max() > 5.0
    for _ in range(20):
        holder.command(np.full(7, 8.0))  # of somebody who does not know; it is not followed, nor kept
        torque = holder.answer_silence(1e-3)
        assert (np.abs(torque - before) <= 1e-3 * arm.limits.effort_rate + 1e-9).all()
        before = torque
    np.testing.assert_allclose(before, weight, atol=1e-12)
    assert holder.holding
    elsewhere = arm.home + 0.1
    torque = holder.answer(1 + 5000 * MS, elsewhere, np.zeros(7))
    assert holder.holding
    # But for what it takes for a load, learnt of while 8 N·m moved nothing; a spring to the old place has 10 N·m.
    np.testing.assert_allclose(torque, arm.gravity_torque(elsewhere) if adds_gravity else np.zeros(7), atol=1.0)


def test_a_clock_that_is_set_back_stops_the_arm_and_not_the_answers(arm: Arm) -> None:
    holder, still = Holder(arm, adds_gravity=False, command_timeout=0.05), np.zeros(7)
    holder.answer(5000 * MS, arm.home, still)
    holder.command(np.full(7, 5.0))
    holder.answer(5001 * MS, arm.home, still)
    assert holder.answer(4960 * MS, arm.home, still) is None  # a state that came late
    assert not holder.holding
    assert holder.answer(300 * MS, arm.home, still) is not None
    assert holder.holding
    holder.command(np.full(7, 5.0))
    np.testing.assert_array_equal(holder.answer(301 * MS, arm.home, still)[:1], [1.0])  # within the rate limit
    assert not holder.holding


def test_a_new_command_releases_a_held_arm_without_a_step(arm: Arm, make: Callable[..., Motors]) -> None:
    motors = make(**LOAD)
    for _ in range(3000):
        motors.step()
    held = motors.torques[-1]
    for _ in range(3):
        motors.step(np.zeros(7))
    released = np.array(motors.torques[-3:])
    assert np.abs(released[0] - held).max() <= 1.0 + 1e-9
    assert np.abs(held - arm.gravity_torque(arm.home)).max() > 3.0  # it carried the load
    assert np.abs(released[2] - held).max() > 2.0  # and no longer does


def test_a_correction_is_made_within_the_limits_of_what_is_corrected(arm: Arm) -> None:
    seen = []

    def double(q: np.ndarray, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
        seen.append(tau)
        return 2.0 * tau

    holder = Holder(arm, adds_gravity=True, correction=double)
    holder.answer(1, arm.home, np.zeros(7))
    holder.command(np.full(7, 0.5))
    torque = holder.answer(1 + MS, arm.home, np.zeros(7))
    np.testing.assert_allclose(seen[-1], np.full(7, 0.5), atol=1e-12)
    np.testing.assert_allclose(torque, 1.0 + arm.gravity_torque(arm.home), atol=1e-12)


def test_the_observer_sees_the_weight_of_an_unknown_load(arm: Arm, make: Callable[..., Motors]) -> None:
    motors = make(**LOAD)
    observer = LoadObserver(arm)
    for _ in range(3000):
        motors.step()
        q, v = motors.data.qpos.copy(), motors.data.qvel.copy()
        seen = observer.update(q, v, 1e-3)
        observer.note(motors.torques[-1] - arm.gravity_torque(q))
    weight = motors.data.qfrc_bias - arm.gravity_torque(motors.data.qpos)
    assert np.abs(weight).max() > 5.0
    np.testing.assert_allclose(seen, -weight, atol=0.02 * np.abs(weight).max())


@pytest.mark.parametrize("period_ms", [1, 2, 10])
def test_a_load_is_carried_at_every_rate_of_joint_states(arm: Arm, period_ms: int) -> None:
    holder = Holder(arm, adds_gravity=True)
    model = build_model(arm, parse(LOAD | {"gravity_compensation": False}, PlantConfig, "test"), np.ones(7))
    data = mujoco.MjData(model)
    data.qpos[:] = arm.home
    for k in range(5000):
        if k % period_ms == 0:
            torque = holder.answer(1 + k * MS, data.qpos.copy(), data.qvel.copy())
            assert torque is not None
            data.qfrc_applied[:] = torque
        mujoco.mj_step(model, data)
    np.testing.assert_allclose(data.qpos, arm.home, atol=5e-3)
    assert np.abs(data.qvel).max() < 1e-2
