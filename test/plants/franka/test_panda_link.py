"""The link to a Panda, against a stand-in for panda-python: no robot and no simulator was there to try it on."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ttdm_ros.plants.franka.config import FrankaSettings, Guard
from ttdm_ros.plants.franka.law import Command, LawBlock, LawPhase
from ttdm_ros.plants.franka.link import LinkError

SETTINGS = FrankaSettings(guard=Guard(timeout=0.5, pause=1.0))


STEP = 2e-5  # of the robot's time between two looks; so small that no test is overtaken by the guard [s]


class Robot:
    """A Panda, its control loop and its libfranka, as far as the link uses them; time passes when it is looked at."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.mode, self.errors, self.last_errors, self.failure = 1, "[]", "[]", ""
        self.load_problem = ""
        self.time, self.step, self.torque = 0.0, STEP, np.zeros(7)
        self.torques: list[np.ndarray] = []
        self.running = False

    # Of panda_py.Panda

    def get_robot(self) -> "Robot":
        return self

    def get_state(self) -> Any:
        self.time += self.step
        zeros = [0.0] * 7
        return SimpleNamespace(
            **{name: zeros for name in ("q", "dq", "tau_J", "q_d", "dq_d", "tau_ext_hat_filtered")},
            tau_J_d=list(self.torque),
            time=SimpleNamespace(to_sec=lambda now=self.time: now),
            robot_mode=SimpleNamespace(value=self.mode),
            current_errors=self.errors,
            last_motion_errors=self.last_errors,
            control_command_success_rate=1.0,
        )

    def start_controller(self, controller: "Controller") -> None:
        self.calls.append("start_controller")
        controller.robot, self.running = self, True

    def stop_controller(self) -> None:
        self.calls.append("stop_controller")
        self.running = False

    def raise_error(self) -> None:
        if self.failure:
            raise RuntimeError(self.failure)

    # Of panda_py.libfranka.Robot

    def set_collision_behavior(self, *thresholds: list[float]) -> None:
        if self.mode != 1:
            raise RuntimeError("command not possible in the current mode")
        self.calls.append("set_collision_behavior")
        self.thresholds = thresholds

    def set_load(self, mass: float, com: list[float], inertia: list[float]) -> None:
        if self.load_problem:
            raise RuntimeError(self.load_problem)
        self.load = (mass, com, inertia)

    def automatic_error_recovery(self) -> None:
        self.calls.append("automatic_error_recovery")
        self.mode, self.errors, self.failure = 1, "[]", ""


class Controller:
    def __init__(self, damping: np.ndarray) -> None:
        self.damping = damping
        self.robot: Robot | None = None

    def set_control(self, torque: np.ndarray) -> None:
        if self.robot is not None:
            self.robot.torque = torque
            self.robot.torques.append(torque)


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Robot:
    robot = Robot()
    panda_py, controllers = ModuleType("panda_py"), ModuleType("panda_py.controllers")
    panda_py.Panda = lambda address: robot  # type: ignore[attr-defined]
    panda_py.controllers = controllers  # type: ignore[attr-defined]
    controllers.AppliedTorque = Controller  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "panda_py", panda_py)
    monkeypatch.setitem(sys.modules, "panda_py.controllers", controllers)
    monkeypatch.delitem(sys.modules, "ttdm_ros.plants.franka.panda_link", raising=False)
    return robot


@pytest.fixture
def link(robot: Robot) -> Iterator[Any]:
    link = importlib.import_module("ttdm_ros.plants.franka.panda_link").PandaLink(SETTINGS)
    link.connect()
    yield link
    link.close()


@pytest.fixture
def block() -> LawBlock:
    return LawBlock(SETTINGS.guard, np.array([87.0] * 4 + [12.0] * 3))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def begin(link: Any, robot: Robot, block: LawBlock) -> None:
    """Begin a motion, and let the pause pass after which commands are accepted."""
    robot.step = 1e-3
    link.start(block.values)
    until(lambda: not link.status.locked)
    robot.step = STEP


def test_thresholds_and_load_are_set_before_the_first_motion(link: Any, robot: Robot, block: LawBlock) -> None:
    assert robot.calls == []
    link.start(block.values)
    link.stop()
    link.start(block.values)
    assert robot.calls == ["set_collision_behavior", "start_controller", "stop_controller", "start_controller"]
    assert robot.thresholds[1] == list(SETTINGS.collision.upper_torque)
    assert robot.load == (0.0, [0.0, 0.0, 0.0], [0.0] * 9)


def test_a_robot_that_takes_no_settings_does_not_move(link: Any, robot: Robot, block: LawBlock) -> None:
    robot.load_problem = "invalid inertia"
    with pytest.raises(LinkError, match=r"takes no collision thresholds and no load now \(invalid inertia\)"):
        link.start(block.values)
    with pytest.raises(LinkError, match="takes no collision thresholds"):
        link.recover()
    with pytest.raises(LinkError, match="takes no collision thresholds"):
        link.start(block.values)
    assert "start_controller" not in robot.calls


def test_an_error_of_the_last_motion_is_told_only_while_its_reflex_lasts(link: Any, robot: Robot) -> None:
    robot.last_errors = "[joint_reflex]"
    assert link.look().errors == ()
    robot.mode = 4
    assert link.look().errors == ("joint_reflex",)


def test_a_motion_is_held_and_then_follows_within_the_rate(link: Any, robot: Robot, block: LawBlock) -> None:
    begin(link, robot, block)
    until(lambda: len(robot.torques) > 20)
    assert link.status.phase is LawPhase.HOLDING
    np.testing.assert_array_equal(robot.torque, np.zeros(7))
    link.command(block.follow(Command.of_torque(np.full(7, 1.0))))
    until(lambda: link.status.phase is LawPhase.FOLLOWING)
    link.command(block.follow(Command.of_torque(np.full(7, 8.0))))
    until(lambda: bool(robot.torque[0] > 7.9))
    assert np.abs(np.diff(robot.torques, axis=0)).max() <= 1.0
    cycles = link.cycles()
    assert len(cycles) > 20
    assert (np.diff(cycles["time"]) > 0.0).all()


def test_a_stop_is_not_lost_to_the_command_that_follows_it(link: Any, robot: Robot, block: LawBlock) -> None:
    begin(link, robot, block)
    link.command(block.follow(Command.of_torque(np.zeros(7))))
    until(lambda: link.status.phase is LawPhase.FOLLOWING)
    link.command(block.hold())
    link.command(block.follow(Command.of_torque(np.zeros(7))))
    until(lambda: link.status.held)
    assert link.status.phase in (LawPhase.BRAKING, LawPhase.HOLDING)


def test_no_motion_begins_while_the_robot_has_errors_as_that_would_clear_them(
    link: Any, robot: Robot, block: LawBlock
) -> None:
    robot.mode, robot.errors = 4, "[joint_reflex]"
    with pytest.raises(LinkError, match="ask the driver to recover"):
        link.start(block.values)
    assert robot.calls == []
    assert link.look().errors == ("joint_reflex",)
    link.recover()
    link.start(block.values)
    assert robot.calls == ["automatic_error_recovery", "set_collision_behavior", "start_controller"]


def test_a_reflex_ends_the_motion_with_its_name(link: Any, robot: Robot, block: LawBlock) -> None:
    link.start(block.values)
    until(lambda: len(robot.torques) > 5)
    robot.failure = 'motion aborted by reflex! ["joint_reflex"]'
    until(lambda: not link.moving)
    assert "joint_reflex" in link.failure


def test_stop_ends_the_controller(link: Any, robot: Robot, block: LawBlock) -> None:
    link.start(block.values)
    link.stop()
    assert not link.moving
    assert not robot.running
    assert link.failure == ""
