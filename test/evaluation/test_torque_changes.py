"""How fast torque changed, told from times of sending, stamps, and what solves tell: never faster than it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros import topics
from ttdm_ros.evaluation.limits import use_of_limits
from ttdm_ros.evaluation.torque_changes import changes_of_commands, changes_of_torque_asked
from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.systems.arm import Arm

START_NS = 1_700_000_000_000_000_000


def at(milliseconds: Any) -> np.ndarray:
    return START_NS + np.round(1e6 * np.asarray(milliseconds)).astype(np.int64)


def states(stamps: Any, sent: Any, torques: Any = 0.0) -> JointStates:
    """Joint states with the stamps and times of sending given [ms]; torques [N·m], the same at every joint."""
    count = len(stamps)
    tau = np.broadcast_to(np.asarray(torques, dtype=float), (count,))[:, None] * np.ones(7)
    return JointStates(
        topic="/joint_states", log_time_ns=at(sent), publish_time_ns=at(sent), sequence=np.arange(count),
        names=("a",) * 7, stamp_ns=at(stamps), q=np.zeros((count, 7)), v=np.zeros((count, 7)), tau=tau,
    )  # fmt: skip


def table(sent: Any, values: np.ndarray) -> Table:
    count = len(values)
    return Table(
        topic="/t", log_time_ns=at(sent), publish_time_ns=at(sent), sequence=np.arange(count), values=values
    )  # fmt: skip


def commands(sent: Any, torques: Any) -> Table:
    return table(sent, np.outer(torques, np.ones(7)))


def solves(sent: Any, stamps: Any) -> Table:
    rows = np.zeros((len(stamps), len(topics.TIMING_COLUMNS)))
    rows[:, topics.TIMING_COLUMNS.index("stamp")] = 1e-9 * at(stamps)
    return table(sent, rows)


def recorded(**series: Any) -> Recording:
    return Recording(path=Path("bag"), recorder={}, **series)


EVERY_2_MS = states([0, 2, 4, 6], [0.1, 2.1, 4.1, 6.1])


def test_between_two_solves_with_a_command_for_every_joint_state_each_answered_one() -> None:
    given = commands([0.5, 2.9, 4.15, 6.4], [0.0, 1.0, 3.0, 4.0])  # the answer to 2 ms is late, but is no other's
    changes = changes_of_commands(
        recorded(joint_states=EVERY_2_MS, commands=given, timing=solves([0.6, 6.5], [0.0, 6.0]))
    )
    assert changes is not None
    np.testing.assert_allclose(changes.seconds, [2e-3] * 3)
    np.testing.assert_allclose(changes.rates[:, 0], [500.0, 1000.0, 500.0])


def test_without_solves_each_change_took_as_long_as_it_can_have() -> None:
    given = commands([2.2, 4.15, 6.2], [0.0, 2.0, 5.0])
    changes = changes_of_commands(recorded(joint_states=EVERY_2_MS, commands=given))
    assert changes is not None
    # From 0 ms, as the state of 2 ms may still have been on its way, to 0.05 ms after that of 4 ms came, and so on.
    np.testing.assert_allclose(changes.seconds, [4.05e-3, 6.1e-3])


def test_with_a_command_too_few_between_two_solves_those_of_the_solves_are_known_and_bound_the_others() -> None:
    given = commands([0.5, 4.5, 6.4], [0.0, 1.0, 2.0])
    changes = changes_of_commands(
        recorded(joint_states=EVERY_2_MS, commands=given, timing=solves([0.6, 6.5], [0.0, 6.0]))
    )
    assert changes is not None
    np.testing.assert_allclose(changes.seconds, [4e-3, 4e-3])


def test_answers_that_went_out_late_are_no_violation(panda: Arm) -> None:
    stamps = np.arange(-4.0, 12.0, 2.0)
    given = commands([-1.6, 7.95, 8.2, 10.4], [0.0, 2.0, 8.0, 10.0])  # to the states of -2, 0, 6 and 8 ms
    limits = use_of_limits(recorded(joint_states=states(stamps, stamps + 0.1), commands=given), panda)
    assert panda.limits.effort_rate[0] == 1000.0
    assert limits.torque_rate_violations == 0
    assert limits.torque_rate_share is not None
    assert limits.torque_rate_share <= 1.0


@pytest.mark.parametrize("goes_on", [True, False])
def test_torque_that_goes_to_zero_while_no_joint_states_come_is_no_violation(panda: Arm, goes_on: bool) -> None:
    """Commands of the controller that answer silence have no joint state of their own."""
    there = states([0, 2, 4, 6, 60], [0.1, 2.1, 4.1, 6.1, 60.1])
    answers, silence = (
        [(0.5, 4.0), (2.5, 6.0), (4.5, 8.0), (6.5, 10.0)],
        [(36.5 + 2.1 * i, 8.0 - 2.0 * i) for i in range(5)],
    )
    sent, torques = zip(*answers, *silence, *([(60.5, 9.0)] if goes_on else []), strict=True)
    told = solves([0.6, 60.6], [0.0, 60.0]) if goes_on else solves([0.6], [0.0])
    recording = recorded(joint_states=there, commands=commands(sent, torques), timing=told)
    assert use_of_limits(recording, panda).torque_rate_violations == 0


def test_a_step_that_is_too_large_whatever_was_answered_is_a_violation(panda: Arm) -> None:
    given = commands([0.5, 2.5, 4.5], [0.0, 0.0, 8.0])
    limits = use_of_limits(recorded(joint_states=EVERY_2_MS, commands=given), panda)
    assert limits.torque_rate_violations == 1
    assert limits.torque_rate_share == pytest.approx(8.0 / 4.4)


def drive(random: np.random.Generator) -> tuple[Recording, np.ndarray, np.ndarray]:
    """A controller that answers the newest joint state it has heard of, with answers and messages that are held up.

    Every fifth answer comes of a solve, which some of them tell. Returns the recording, and stamps [ms] and torques
    [N·m] of the answers.
    """
    stamps = 2.0 * np.arange(200)
    sent = stamps + random.uniform(0.05, 0.3, 200)
    tells = random.random() < 0.7  # without solves, no more than one message is taken to be on its way
    held_up = random.uniform(0.0, 9.0, 200) * (random.random(200) < 0.05 * tells)
    heard = np.maximum.accumulate(sent + random.uniform(0.02, 0.25, 200) + held_up)
    now, newest = 0.0, -1
    answers: list[tuple[float, float]] = []  # stamp, time of sending
    while newest < 199:
        now = max(now, heard[newest + 1])
        newest = int(np.searchsorted(heard, now, side="right")) - 1
        now += random.uniform(0.2, 0.8) + random.uniform(2.0, 8.0) * (random.random() < 0.1)
        answers.append((stamps[newest], now))
    answered, out = np.array(answers).T
    torques = np.cumsum(random.uniform(-1.0, 1.0, len(out)) * np.append(1.0, np.diff(answered)))  # below 1000 N·m/s
    solved = slice(0, None, 5)
    recording = recorded(
        joint_states=states(stamps, sent),
        commands=commands(out, torques),
        timing=solves(out[solved] + 0.05, answered[solved]) if tells else None,
    )
    return recording, answered, torques


def test_no_change_within_the_limit_ever_looks_like_one_beyond_it(panda: Arm) -> None:
    random = np.random.default_rng(7)
    for _ in range(100):
        recording, answered, torques = drive(random)
        changes = changes_of_commands(recording)
        assert changes is not None
        assert (changes.seconds * 1e3 >= np.diff(answered) - 1e-6).all()
        assert (np.abs(changes.rates[:, 0]) <= np.abs(np.diff(torques) / np.diff(answered)) * 1e3 + 1e-6).all()
        assert use_of_limits(recording, panda).torque_rate_violations == 0


def test_the_peak_is_beyond_the_limit_exactly_where_a_sample_is(panda: Arm) -> None:
    random = np.random.default_rng(11)
    seen = set()
    for size in np.linspace(0.8, 1.6, 100):
        recording, _, torques = drive(random)
        assert recording.commands is not None
        given = commands((recording.commands.publish_time_ns - START_NS) * 1e-6, size * torques)
        limits = use_of_limits(
            recorded(joint_states=recording.joint_states, commands=given, timing=recording.timing), panda
        )
        assert limits.torque_rate_share is not None
        assert limits.torque_rate_violations is not None
        assert (limits.torque_rate_share > 1.0) == (limits.torque_rate_violations > 0)
        seen.add(limits.torque_rate_violations > 0)
    assert seen == {True, False}


def test_of_a_franka_arm_it_is_what_the_driver_asked_for_at_its_stamps(panda: Arm) -> None:
    """Commands that the driver passes over count for nothing."""
    desired = states([0, 2, 4, 6], [0.3, 2.9, 4.1, 6.1], [0.0, 1.0, 3.0, 12.0])
    recording = recorded(
        joint_states=EVERY_2_MS, commands=commands([0.2, 2.2, 4.2], [0.0, 80.0, 90.0]), franka_desired=desired
    )
    changes = changes_of_torque_asked(recording)
    assert changes is not None
    np.testing.assert_allclose(changes.rates[:, 0], [500.0, 1000.0, 4500.0])
    limits = use_of_limits(recording, panda)
    assert limits.torque_rate_violations == 1
    assert limits.torque_violations == 0
    assert limits.torque_share == pytest.approx(float(np.max(12.0 / panda.limits.effort)))
