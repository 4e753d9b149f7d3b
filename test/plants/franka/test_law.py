"""The compiled law, stepped as the robot's loop steps it: feedback, limits, guard, and how motions begin."""

import numpy as np
import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.config import Guard
from ttdm_ros.plants.franka.law import Command, LawBlock, LawPhase, StopCause
from ttdm_ros.plants.franka.stepper import LawStepper

EFFORT = np.array([87.0] * 4 + [12.0] * 3)
INERTIA = np.array([2.0, 2.0, 1.5, 1.5, 0.3, 0.3, 0.1])
MS = 1e-3
PAUSE = 105  # steps after which commands are accepted


class Robot:
    """Seven joints without coupling, and the law as their controller."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.block = LawBlock(guard or Guard(), EFFORT)
        self.stepper = LawStepper()
        self.time = 0.0
        self.q, self.v, self.tau = np.zeros(7), np.zeros(7), np.zeros(7)
        self.load = np.zeros(7)
        self.values = self.block.values
        self.history: list[np.ndarray] = []

    def step(self, command: Command | None = None, *, count: int = 1, every: int = 0) -> None:
        """Make steps of 1 ms; the command is given before the first, and again every so many steps."""
        for k in range(count):
            if command is not None and (k == 0 or (every and k % every == 0)):
                self.values = self.block.follow(command)
            self.time += MS
            self.tau = self.stepper.step(self.values, self.time, self.q, self.v, self.tau)
            self.v = self.v + MS * (self.tau - self.load) / INERTIA
            self.q = self.q + MS * self.v
            self.history.append(self.tau)

    @property
    def phase(self) -> LawPhase:
        return self.stepper.status.phase


def torque(*values: float) -> Command:
    return Command.of_torque(np.array([*values, *[0.0] * (7 - len(values))]))


@pytest.fixture
def robot() -> Robot:
    robot = Robot()
    robot.step(count=PAUSE)
    return robot


@pytest.fixture
def driven(robot: Robot) -> Robot:
    robot.step(torque(1.0))
    assert robot.phase is LawPhase.FOLLOWING
    return robot


def test_a_motion_begins_held_at_zero_torque() -> None:
    robot = Robot()
    robot.q = np.linspace(-1.0, 1.0, 7)
    robot.step()
    assert robot.phase is LawPhase.HOLDING
    np.testing.assert_array_equal(robot.tau, np.zeros(7))


def test_a_small_first_command_is_followed(robot: Robot) -> None:
    robot.step(torque(0.5, -0.5), count=2)
    assert robot.phase is LawPhase.FOLLOWING
    np.testing.assert_allclose(robot.tau, [0.5, -0.5, 0, 0, 0, 0, 0])


def test_a_large_first_command_is_refused_until_commands_pause_and_begin_small(robot: Robot) -> None:
    robot.step(torque(10.0), count=50, every=1)
    assert robot.phase is LawPhase.HOLDING
    assert robot.stepper.status.refused == 50
    np.testing.assert_array_equal(robot.tau, np.zeros(7))
    robot.step(torque(0.5), count=50, every=1)  # small now, but whoever sends it never paused
    assert robot.phase is LawPhase.HOLDING
    robot.step(count=101)
    robot.step(torque(0.5))
    assert robot.phase is LawPhase.FOLLOWING


def test_torque_changes_by_at_most_a_newton_metre_a_millisecond(driven: Robot) -> None:
    driven.step(torque(60.0, -60.0, 3.5), count=40, every=10)
    changes = np.abs(np.diff(driven.history, axis=0))
    assert changes.max() <= 1.0
    assert changes.max() > 0.99999
    assert driven.phase is LawPhase.FOLLOWING
    np.testing.assert_allclose(driven.tau[2], 3.5)


def test_a_step_back_is_no_larger_where_the_robots_state_does_not_hold_the_last_command_yet() -> None:
    robot, sent = Robot(), [np.zeros(7), np.zeros(7)]

    def step(command: Command | None, count: int) -> None:
        for k in range(count):
            robot.tau = sent[-2]  # what the state says was applied: not the newest command, but that before it
            robot.step(command if k % 10 == 0 else None)
            sent.append(robot.tau)

    step(None, PAUSE)
    step(torque(1.0), 10)
    assert robot.phase is LawPhase.FOLLOWING
    for wanted in (20.0, -20.0, 3.0, 20.0, -20.0):
        step(torque(wanted, -wanted), 15)
        changes = np.abs(np.diff(sent, axis=0))
        assert changes.max() <= 1.0  # if it came
        assert np.abs(np.array(sent[2:]) - sent[:-2]).max() <= 1.0  # if the one before it was lost
    assert robot.phase is LawPhase.FOLLOWING
    assert np.ptp(sent, axis=0)[0] > 8.0


def test_a_lower_rate_can_be_asked_for() -> None:
    robot = Robot(Guard(torque_rate=100.0))
    robot.step(count=PAUSE)
    robot.step(torque(1.0), count=1)
    robot.step(torque(60.0), count=20, every=5)
    assert np.abs(np.diff(robot.history, axis=0)).max() <= 0.1


@pytest.mark.parametrize("speed", [0.0, 2.0])
@pytest.mark.parametrize("rate", [10.0, 100.0, 1000.0])
def test_a_lower_rate_weakens_neither_the_brake_nor_the_hold(rate: float, speed: float) -> None:
    robot = Robot(Guard(torque_rate=rate))
    robot.step(count=PAUSE)
    robot.step(torque(1.0))
    assert robot.phase is LawPhase.FOLLOWING
    robot.v[0], robot.load[0] = speed, 15.0
    robot.step(count=60)
    assert robot.phase is LawPhase.BRAKING
    robot.step(count=3000)
    assert robot.phase is LawPhase.HOLDING
    assert np.abs(robot.v).max() < 0.01
    assert abs(robot.tau[0] - 15.0) < 0.1
    assert np.abs(np.diff(robot.history, axis=0)).max() <= 1.0


def test_from_the_hold_to_commands_and_back_torque_makes_no_step_whatever_the_rate() -> None:
    """Where the robot's state says what was applied a millisecond later, too."""
    robot, sent = Robot(Guard(torque_rate=10.0)), [np.zeros(7), np.zeros(7)]
    robot.load[0] = 15.0

    def step(command: Command | None, count: int) -> None:
        for k in range(count):
            robot.tau = sent[-2]
            robot.step(command if k % 10 == 0 else None)
            sent.append(robot.tau)

    step(None, 3000)
    assert abs(robot.tau[0] - 15.0) < 1.0
    begun = len(sent)
    step(torque(1.0), 20)
    assert robot.phase is LawPhase.FOLLOWING
    changes = np.abs(np.diff(sent[begun + 2 :], axis=0))
    assert changes.max() <= 0.01
    robot.v[0] = -2.0
    step(None, 100)
    assert robot.phase is LawPhase.BRAKING
    assert np.abs(np.diff(sent, axis=0)).max() <= 1.0
    assert np.abs(np.array(sent[2:]) - sent[:-2]).max() <= 1.0


def test_torque_stays_within_the_limits_of_the_joints() -> None:
    robot = Robot(Guard(torque_share=0.5, timeout=0.4, pause=0.5))
    robot.step(count=5 * PAUSE)
    robot.step(torque(1.0))
    robot.step(torque(500.0, 0, 0, 0, -500.0), count=60)
    assert robot.tau[0] == 43.5
    assert robot.tau[4] == -6.0


def test_without_commands_for_50_ms_the_arm_is_braked_to_rest_and_held(driven: Robot) -> None:
    driven.step(torque(15.0), count=200, every=5)
    speed = driven.v[0]
    assert speed > 0.5
    driven.step(count=45)
    assert driven.phase is LawPhase.FOLLOWING
    driven.step(count=10)
    assert driven.phase is LawPhase.BRAKING
    assert driven.stepper.status.cause is StopCause.SILENCE
    driven.step(count=1500)
    assert driven.phase is LawPhase.HOLDING
    assert np.abs(driven.v).max() < 0.01
    rest = driven.q.copy()
    driven.step(count=1000)
    np.testing.assert_allclose(driven.q, rest, atol=1e-3)
    assert np.abs(np.diff(driven.history, axis=0)).max() <= 1.0


def test_a_controller_that_stalled_and_goes_on_is_refused_until_it_starts_again(driven: Robot) -> None:
    driven.step(torque(5.0), count=100, every=2)
    driven.step(count=60)
    driven.step(torque(5.0), count=200, every=2)
    assert driven.phase is not LawPhase.FOLLOWING
    assert driven.stepper.status.refused == 100
    driven.step(torque(0.0), count=20, every=2)
    assert driven.stepper.status.locked
    driven.step(count=1500)
    driven.step(torque(0.0))
    assert driven.phase is LawPhase.FOLLOWING
    assert driven.stepper.status.cause is StopCause.NONE


@pytest.mark.parametrize(("silence", "phase"), [(49, LawPhase.FOLLOWING), (51, LawPhase.BRAKING)])
def test_the_guard_waits_for_50_ms_unless_it_is_told_otherwise(driven: Robot, silence: int, phase: LawPhase) -> None:
    driven.step(count=silence)
    assert driven.phase is phase


def test_commands_of_before_a_motion_are_refused_until_they_pause() -> None:
    robot = Robot()
    robot.step(torque(0.5), count=300, every=5)  # small, but whoever sends it was not there when the arm stopped
    assert robot.phase is LawPhase.HOLDING
    assert robot.stepper.status.refused == 59  # the very first came before the motion
    np.testing.assert_array_equal(robot.history, np.zeros((300, 7)))
    robot.step(count=PAUSE)
    robot.step(torque(0.5))
    assert robot.phase is LawPhase.FOLLOWING


def test_an_unknown_load_is_held_at_a_small_distance(driven: Robot) -> None:
    driven.load[1] = 12.0
    driven.step(count=1500)
    assert driven.phase is LawPhase.HOLDING
    assert abs(driven.tau[1] - 12.0) < 0.1
    assert abs(driven.q[1]) < 0.05


def test_asked_to_hold_it_brakes_and_refuses_who_goes_on(driven: Robot) -> None:
    driven.step(torque(10.0), count=100, every=2)
    driven.values = driven.block.hold()
    driven.step()
    assert driven.phase is LawPhase.BRAKING
    assert driven.stepper.status.cause is StopCause.ASKED
    driven.step(torque(10.0), count=400, every=2)
    assert driven.phase is not LawPhase.FOLLOWING
    assert driven.stepper.status.refused == 200


def test_a_command_that_takes_the_place_of_a_stop_before_the_law_runs_does_not_undo_it(driven: Robot) -> None:
    driven.step(torque(10.0), count=100, every=5)
    driven.block.hold()
    driven.step(torque(10.0))
    assert driven.phase is LawPhase.BRAKING
    assert driven.stepper.status.held


def test_a_stop_outlasts_every_pause_until_it_is_released(driven: Robot) -> None:
    driven.values = driven.block.hold()
    driven.step(count=6000)
    driven.step(torque(0.0), count=20, every=5)
    assert driven.phase is LawPhase.HOLDING
    assert driven.stepper.status.locked
    driven.step(count=2 * PAUSE)
    driven.values = driven.block.release()
    driven.step(torque(0.0), count=300, every=5)  # the pause begins with the release
    assert driven.phase is LawPhase.HOLDING
    assert not driven.stepper.status.held
    assert driven.stepper.status.cause is StopCause.NONE
    driven.step(count=PAUSE)
    driven.step(torque(0.0))
    assert driven.phase is LawPhase.FOLLOWING


@pytest.mark.parametrize("before", [0, PAUSE], ids=["at the first cycle", "ready for commands"])
def test_an_arm_that_is_held_already_can_be_stopped_too(before: int) -> None:
    robot = Robot()
    robot.step(count=before)
    robot.values = robot.block.hold()
    robot.step(count=2 * PAUSE)
    robot.step(torque(0.5), count=20, every=5)
    assert robot.phase is LawPhase.HOLDING
    assert robot.stepper.status.cause is StopCause.ASKED
    np.testing.assert_array_equal(robot.tau, np.zeros(7))


def test_a_stop_while_the_guard_brakes_counts_as_one(driven: Robot) -> None:
    driven.step(torque(15.0), count=100, every=5)
    driven.step(count=60)
    assert driven.stepper.status.cause is StopCause.SILENCE
    driven.values = driven.block.hold()
    driven.step(count=3000)
    assert driven.phase is LawPhase.HOLDING
    assert driven.stepper.status.locked
    assert driven.stepper.status.cause is StopCause.ASKED


def test_a_law_that_gives_no_finite_torque_brakes_the_arm(driven: Robot) -> None:
    huge = Command(
        begin=driven.time,
        step=0.0,
        torque=np.zeros((1, 7)),
        q=np.full((1, 7), 1e200),
        v=np.zeros((1, 7)),
        gain=np.full((7, 14), 1e200),
    )
    driven.v[0] = 0.5
    driven.step(huge)
    assert driven.phase is LawPhase.BRAKING
    assert driven.stepper.status.cause is StopCause.NOT_FINITE
    assert np.isfinite(driven.tau).all()


@pytest.mark.parametrize("spoilt", ["time", "q", "v", "tau"])
def test_a_state_that_is_not_finite_ends_the_motion(driven: Robot, spoilt: str) -> None:
    state = {"time": driven.time + MS, "q": driven.q, "v": driven.v, "tau": driven.tau}
    state[spoilt] = state[spoilt] * np.nan
    with pytest.raises(PlantError, match="not finite"):
        driven.stepper.step(driven.values, *state.values())


def test_feedback_follows_a_reference_between_its_points() -> None:
    """Against the closed form: constant acceleration within a step, torque held."""
    rng = np.random.default_rng(5)
    gain = rng.uniform(-20.0, 20.0, (7, 14))
    v = rng.uniform(-0.05, 0.05, (4, 7))
    dt = 0.02
    q = np.concatenate((np.zeros((1, 7)), np.cumsum(dt * (v[1:] + v[:-1]) / 2, axis=0)))
    u = rng.uniform(-0.5, 0.5, (4, 7))
    robot = Robot()
    robot.step(count=PAUSE)
    begin = robot.time + MS - 1e-9  # a step begins with its cycle, however time is rounded
    command = Command(begin=begin, step=dt, torque=u, q=q, v=v, gain=gain)
    # Held where it is, so that the expected torque is known; 57 ms later it is in the third step.
    values = robot.block.follow(command)
    for k in range(58):
        at = k * MS
        tau = robot.stepper.step(values, robot.time + MS + at, robot.q, robot.v, robot.tau)
        if k % 10 == 0:
            values = robot.block.follow(command)
        i = int(at / dt + 1e-9)
        s = at - i * dt
        a = (v[i + 1] - v[i]) / dt
        error = np.concatenate((q[i] + s * v[i] + 0.5 * s**2 * a - robot.q, v[i] + s * a - robot.v))
        wanted = np.clip(u[i] + gain @ error, -1.0, 1.0)  # a step from zero torque is all that the rate allows
        np.testing.assert_allclose(tau, np.clip(wanted, -1 + 1e-6, 1 - 1e-6), atol=2e-6)
    assert robot.phase is LawPhase.FOLLOWING


def test_beyond_its_last_point_a_reference_stays(driven: Robot) -> None:
    command = Command(
        begin=driven.time - 0.03,
        step=0.02,
        torque=np.tile([[0.25], [0.75]], (1, 7)),
        q=np.tile([[0.0], [0.1]], (1, 7)),
        v=np.tile([[5.0], [5.0]], (1, 7)),
        gain=np.hstack((np.eye(7), np.zeros((7, 7)))),
    )
    driven.q[:], driven.v[:], driven.tau[:] = 0.0, 0.0, 0.0
    tau = driven.stepper.step(driven.block.follow(command), driven.time + MS, driven.q, driven.v, driven.tau)
    np.testing.assert_allclose(tau, 0.35)  # held torque of the last step, and 1 N·m/rad on 0.1 rad


def test_what_was_commanded_before_the_motion_is_no_command_to_it() -> None:
    robot = Robot()
    robot.values = robot.block.follow(torque(1.0))
    robot.step(count=20)
    assert robot.phase is LawPhase.HOLDING
    np.testing.assert_array_equal(robot.tau, np.zeros(7))


def test_lost_cycles_do_not_make_the_guard_slower(driven: Robot) -> None:
    driven.values = driven.block.follow(torque(1.0))
    driven.step()
    for _ in range(6):  # 10 ms between two states
        driven.time += 9 * MS
        driven.step()
    assert driven.phase is not LawPhase.FOLLOWING
    assert driven.stepper.status.cause is StopCause.SILENCE
