"""Motions, what ends them, and that nothing but an operator's call begins the next one."""

from typing import Any

import numpy as np
import pytest

from ttdm_ros.plants.franka.config import Guard
from ttdm_ros.plants.franka.law import Command, LawBlock, LawPhase, StopCause
from ttdm_ros.plants.franka.link import LinkError
from ttdm_ros.plants.franka.supervisor import Supervisor

HELD = 1  # place in the block
REFLEX = 'libfranka: Move command aborted: motion aborted by reflex! ["joint_reflex"]'


class World:
    def __init__(self, link: Any) -> None:
        self.now = 0.0
        self.events: list[str] = []
        self.link = link
        block = LawBlock(Guard(), np.full(7, 10.0))
        self.supervisor = Supervisor(
            self.link, block, on_event=self.events.append, clock=lambda: self.now, sleep=self.sleep
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.link.moving:
            self.link.tick()

    def update(self, seconds: float = 0.06) -> int:
        self.now += seconds
        return len(self.supervisor.update())


@pytest.fixture
def world(link: Any) -> World:
    world = World(link)
    assert world.supervisor.begin()
    return world


@pytest.fixture
def aborted(world: World) -> World:
    world.link.abort(REFLEX, "joint_reflex")
    world.update()
    return world


def test_commands_reach_the_arm_only_during_a_motion(world: World) -> None:
    assert world.supervisor.follow(Command.of_torque(np.ones(7)))
    assert len(world.link.blocks) == 1
    world.link.abort(REFLEX)
    world.update()
    assert not world.supervisor.follow(Command.of_torque(np.ones(7)))
    assert len(world.link.blocks) == 1
    assert world.supervisor.refused == 1


def test_every_cycle_is_passed_on(world: World) -> None:
    world.link.tick()
    assert world.update() == 1
    assert world.update() == 0
    assert world.supervisor.mode == "move"


def test_a_reflex_ends_the_motion_with_its_explanation(aborted: World) -> None:
    assert not aborted.supervisor.moving
    assert aborted.supervisor.problem.startswith("joint_reflex: a collision")
    assert any("joint_reflex" in event and "~/recover" in event for event in aborted.events)


def test_without_a_motion_no_phase_of_the_last_one_is_told(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    world.link.abort(REFLEX, "joint_reflex")
    for _ in range(3):
        world.update()
        assert world.supervisor.status.phase is LawPhase.STARTING
        assert not world.supervisor.following


def test_nothing_recovers_by_itself(aborted: World) -> None:
    for _ in range(100):
        aborted.update()
    assert aborted.link.calls.count("start") == 1
    assert "recover" not in aborted.link.calls
    assert aborted.supervisor.mode == "reflex"


def test_a_reflex_is_told_once(aborted: World) -> None:
    for _ in range(10):
        aborted.update()
    assert sum("joint_reflex" in event for event in aborted.events) == 1


def test_an_operators_call_recovers_and_holds_the_arm(aborted: World) -> None:
    told = aborted.supervisor.recover()
    assert "joint_reflex" in told
    assert aborted.supervisor.moving
    assert aborted.supervisor.status.phase is LawPhase.STARTING
    assert aborted.link.calls[-2:] == ["recover", "start"]


def test_recovery_that_fails_says_why_and_leaves_the_arm_alone(aborted: World) -> None:
    aborted.link.broken = "the robot does not recover: its brakes are locked"
    with pytest.raises(LinkError, match="brakes are locked"):
        aborted.supervisor.recover()
    assert not aborted.supervisor.moving


def test_a_robot_that_refuses_the_motion_after_recovery_says_why(aborted: World) -> None:
    aborted.link.refusal = "the robot does not begin a motion: the user stop is pressed"
    with pytest.raises(LinkError, match="user stop"):
        aborted.supervisor.recover()
    assert "user stop" in aborted.supervisor.problem


def test_there_is_nothing_to_recover_from_during_a_motion(world: World) -> None:
    assert "nothing to recover" in world.supervisor.recover()
    assert "recover" not in world.link.calls


def test_looks_at_a_robot_without_a_motion_are_rare(aborted: World) -> None:
    before = aborted.link.calls.count("look")
    for _ in range(100):
        aborted.update(0.001)
    assert aborted.link.calls.count("look") - before <= 3


def test_a_lost_connection_is_told(aborted: World) -> None:
    aborted.link.broken = "the connection to the robot is lost: no route"
    aborted.update()
    assert aborted.supervisor.problem == "the connection to the robot is lost: no route"


def test_a_stop_of_the_guard_is_told_and_why_commands_are_refused(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    assert world.supervisor.following
    assert not world.supervisor.idle
    world.link.tick(phase=LawPhase.BRAKING, cause=StopCause.SILENCE, locked=1)
    world.update()
    assert any("commands stopped coming" in event for event in world.events)
    world.link.tick(phase=LawPhase.HOLDING, refused=7)
    world.update()
    assert world.supervisor.refused == 7
    assert "activate the controller again" in world.supervisor.refusal
    assert not world.supervisor.idle
    world.link.tick(locked=0)
    world.update()
    assert world.supervisor.refusal == ""
    assert world.supervisor.idle


def test_a_first_command_that_is_too_large_is_explained(world: World) -> None:
    world.link.tick(locked=1, refused=1)
    world.update()
    assert "begins near zero torque" in world.supervisor.refusal


def test_commands_are_accepted_once_the_law_does(world: World) -> None:
    assert not world.supervisor.ready
    world.link.tick(locked=1)
    world.update()
    assert not world.supervisor.ready
    assert world.events == []
    world.link.tick(locked=0)
    world.update()
    assert world.supervisor.ready
    assert world.events == ["the arm is held; commands are accepted"]
    world.link.tick(locked=1)  # the guard stopped somebody
    world.update()
    assert world.supervisor.ready


def test_a_stop_is_answered_once_the_law_has_seen_it(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    seen: list[bool] = []

    def sleep(seconds: float) -> None:
        seen.append(world.link.status.held)
        if len(seen) == 5:
            world.link.tick(phase=LawPhase.BRAKING, cause=StopCause.ASKED, locked=1)

    world.supervisor._sleep = sleep
    world.supervisor.hold()
    assert seen == [False] * 5
    assert not world.supervisor.ready
    world.update()
    assert "call ~/recover" in world.supervisor.refusal
    assert not world.supervisor.following
    assert not world.supervisor.ready


def test_a_stop_stays_whatever_is_commanded_after_it(world: World) -> None:
    world.supervisor.hold()
    world.supervisor.follow(Command.of_torque(np.zeros(7)))
    assert world.link.blocks[-1][HELD] == 1.0


def test_a_law_that_does_not_answer_a_stop_is_told_within_bounds_and_the_stop_stays(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()

    def sleep(seconds: float) -> None:
        world.now += seconds

    world.supervisor._sleep = sleep
    with pytest.raises(LinkError, match="has not answered within 1 s, so the arm may go on; use the robot's button"):
        world.supervisor.hold()
    assert world.now < 2.0
    with pytest.raises(LinkError, match="so it stays"):
        world.supervisor.recover()
    assert world.link.blocks[-1][HELD] == 1.0


def test_a_motion_that_ends_before_it_is_stopped_is_told(world: World) -> None:
    world.supervisor._sleep = lambda _: world.link.abort(REFLEX, "joint_reflex")
    with pytest.raises(LinkError, match="the motion ended before it was stopped: joint_reflex"):
        world.supervisor.hold()


def test_without_a_motion_there_is_nothing_to_stop(aborted: World) -> None:
    with pytest.raises(LinkError, match="there is no motion to stop: joint_reflex"):
        aborted.supervisor.hold()
    assert aborted.link.blocks == []


def test_an_operators_call_ends_a_stop_without_a_new_motion(world: World) -> None:
    world.supervisor.hold()
    assert "recovered from the stop" in world.supervisor.recover()
    assert world.link.blocks[-1][HELD] == 0.0
    assert "recover" not in world.link.calls
    assert not world.supervisor.ready
    world.link.tick(locked=1)
    world.update()
    assert not world.supervisor.ready
    world.link.tick(locked=0)
    world.update()
    assert world.supervisor.ready
    assert "nothing to recover" in world.supervisor.recover()


def test_a_motion_after_a_stop_begins_without_it(world: World) -> None:
    world.supervisor.hold()
    world.link.abort(REFLEX, "joint_reflex")
    world.update()
    world.supervisor.recover()
    assert world.link.started[-1][HELD] == 0.0


def test_at_the_end_the_arm_is_held_before_the_motion_ends(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    rests_after = 0.5

    def sleep(seconds: float) -> None:
        world.now += seconds
        world.link.tick(phase=LawPhase.BRAKING if world.now < rests_after else LawPhase.HOLDING)

    world.supervisor._sleep = sleep
    world.supervisor.end()
    assert world.link.blocks[-1][HELD] == 1.0
    assert rests_after <= world.now < 1.0
    assert world.link.calls[-1] == "close"


def test_every_cycle_until_the_arm_rests_is_passed_on_at_the_end(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    passed: list[float] = []

    def sleep(seconds: float) -> None:
        world.now += seconds
        world.link.tick(phase=LawPhase.BRAKING if world.now < 0.5 else LawPhase.HOLDING)
        world.link.rows["time"] = world.now
        made.append(world.now)

    made: list[float] = []
    world.supervisor._sleep = sleep
    world.supervisor.end(lambda cycles: passed.extend(cycles["time"]))
    assert len(made) > 10
    assert passed == made


def test_an_end_whose_cycles_cannot_be_told_closes_the_link_all_the_same(world: World) -> None:
    def fail(_: np.ndarray) -> None:
        raise RuntimeError("nobody listens")

    with pytest.raises(RuntimeError, match="nobody listens"):
        world.supervisor.end(fail)
    assert world.link.blocks[-1][HELD] == 1.0
    assert world.link.calls[-1] == "close"


def test_an_arm_that_does_not_come_to_rest_is_not_waited_for_forever(world: World) -> None:
    world.link.tick(phase=LawPhase.FOLLOWING)
    world.update()
    world.supervisor.end()
    assert world.now < 5.0
    assert world.link.calls[-1] == "close"


def test_what_the_user_should_know_of_a_motion_is_told(link: Any) -> None:
    world = World(link)
    world.link.notice = "the control loop runs without real-time scheduling"
    world.supervisor.begin()
    world.link.tick()
    world.update()
    assert sum("without real-time scheduling" in event for event in world.events) == 1
