"""The link to an FR3, against a stand-in for pylibfranka: robots in states in which the simulated one never is."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.law import LawBlock
from ttdm_ros.plants.franka.link import LinkError
from ttdm_ros.plants.franka.supervisor import Supervisor

SETTINGS = FrankaSettings()
IDLE, REFLEX, USER_STOPPED = 1, 4, 5
REFUSED = "libfranka: Set Collision Behavior command rejected: command not possible in the current mode"
ERRORS = ("CommandException", "ControlException", "NetworkException", "InvalidOperationException", "RealtimeException")


class Robot:
    """An FR3 and its libfranka, as far as the link uses them; it does what it is told in a mode that permits it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.mode, self.errors, self.last_errors = IDLE, "[]", "[]"
        self.is_there, self.recovers, self.load_problem = True, True, ""
        self.guarded = False
        self.unguarded: list[str] = []

    def _told(self, name: str, *, possible: bool = True, problem: str = REFUSED) -> None:
        if not self.guarded:
            self.unguarded.append(name)
        self.calls.append(name)
        if not possible:
            raise RuntimeError(problem)

    def set_collision_behavior(self, *thresholds: list[float]) -> None:
        self._told("thresholds", possible=self.mode == IDLE)
        self.thresholds = thresholds

    def set_load(self, *load: Any) -> None:
        self._told("load", possible=not self.load_problem, problem=self.load_problem)
        self.load = load

    def automatic_error_recovery(self) -> None:
        self._told("recovery", possible=self.recovers, problem="libfranka: user stop is pressed")
        self.mode, self.errors = IDLE, "[]"

    def start_torque_control(self) -> str:
        self._told("start", possible=self.mode == IDLE)
        return "control"

    def stop(self) -> None:
        self._told("stop")

    def read_once(self) -> Any:
        if not self.is_there:
            raise RuntimeError("libfranka: UDP receive: Timeout")
        zeros = [0.0] * 7
        return SimpleNamespace(
            **{name: zeros for name in ("q", "dq", "tau_J", "tau_J_d", "q_d", "dq_d", "tau_ext_hat_filtered")},
            time=SimpleNamespace(to_sec=lambda: 1.0),
            robot_mode=SimpleNamespace(value=self.mode),
            current_errors=self.errors,
            last_motion_errors=self.last_errors,
            control_command_success_rate=0.0,
        )


class Loop:
    """Stands in for aiofranka's."""

    def __init__(self, block: np.ndarray) -> None:
        self.running, self.error, self.scheduling_problem = False, "", ""

    def start(self, control: str, priority: int) -> None:
        self.running = True

    def end(self) -> None:
        self.running = False


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Robot:
    robot = Robot()
    library, loop = ModuleType("pylibfranka"), ModuleType("ttdm_ros.plants.franka.fr3_loop")
    for name in (*ERRORS, "FrankaException"):
        setattr(library, name, type(name, (RuntimeError,), {}))
    library.RealtimeConfig = SimpleNamespace(kIgnore=1)  # type: ignore[attr-defined]
    library.Robot = lambda address, config: robot  # type: ignore[attr-defined]
    loop.CompiledLoop = Loop  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pylibfranka", library)
    monkeypatch.setitem(sys.modules, "ttdm_ros.plants.franka.fr3_loop", loop)
    monkeypatch.delitem(sys.modules, "ttdm_ros.plants.franka.fr3_link", raising=False)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", ""))
    return robot


@pytest.fixture
def link(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module = importlib.import_module("ttdm_ros.plants.franka.fr3_link")

    def guard(seconds: float, *, exit: bool) -> None:
        assert exit
        robot.guarded = True

    watchdog = SimpleNamespace(
        dump_traceback_later=guard, cancel_dump_traceback_later=lambda: setattr(robot, "guarded", False)
    )
    monkeypatch.setattr(module, "faulthandler", watchdog)
    yield module.Fr3Link(SETTINGS)
    sys.modules.pop("ttdm_ros.plants.franka.fr3_link", None)


@pytest.fixture
def block() -> LawBlock:
    return LawBlock(SETTINGS.guard, np.array([87.0] * 4 + [12.0] * 3))


def test_thresholds_and_load_are_set_before_the_first_motion(link: Any, robot: Robot, block: LawBlock) -> None:
    link.connect()
    assert robot.calls == []
    link.start(block.values)
    assert robot.calls == ["thresholds", "load", "start"]
    assert robot.thresholds[1] == list(SETTINGS.collision.upper_torque)
    assert robot.load == (0.0, [0.0, 0.0, 0.0], [0.0] * 9)
    link.start(block.values)
    assert robot.calls[3:] == ["stop", "start"]


@pytest.mark.parametrize("mode", [REFLEX, USER_STOPPED])
def test_a_driver_that_starts_on_a_robot_in_error_waits_for_the_operators_call(
    link: Any, robot: Robot, block: LawBlock, mode: int
) -> None:
    robot.mode = mode
    link.connect()
    supervisor = Supervisor(link, block)
    assert not supervisor.begin()
    assert "command not possible in the current mode" in supervisor.problem
    assert "start" not in robot.calls
    robot.calls.clear()
    supervisor.recover()
    assert robot.calls == ["recovery", "thresholds", "load", "start"]
    assert supervisor.moving


def test_a_robot_that_was_gone_and_is_in_error_now_is_taken_up_again(link: Any, robot: Robot, block: LawBlock) -> None:
    link.connect()
    link.start(block.values)
    link.stop()
    robot.is_there = False
    with pytest.raises(LinkError, match="the connection to the robot is lost"):
        link.look()
    robot.is_there, robot.mode = True, REFLEX
    robot.calls.clear()
    link.recover()
    link.start(block.values)
    assert robot.calls == ["recovery", "thresholds", "load", "start"]


def test_a_robot_that_takes_no_settings_does_not_move(link: Any, robot: Robot, block: LawBlock) -> None:
    robot.load_problem = "libfranka: Set Load command rejected: invalid inertia"
    link.connect()
    with pytest.raises(LinkError, match=r"takes no collision thresholds and no load now \(Set Load command rejected"):
        link.start(block.values)
    with pytest.raises(LinkError, match="invalid inertia"):
        link.recover()
    with pytest.raises(LinkError, match="invalid inertia"):
        link.start(block.values)
    assert "start" not in robot.calls


def test_a_recovery_that_is_refused_sets_nothing(link: Any, robot: Robot) -> None:
    link.connect()
    robot.mode, robot.recovers = USER_STOPPED, False
    with pytest.raises(LinkError, match="the robot does not recover: user stop is pressed"):
        link.recover()
    assert robot.calls == ["recovery"]


def test_an_error_of_the_last_motion_is_told_only_while_its_reflex_lasts(link: Any, robot: Robot) -> None:
    link.connect()
    robot.last_errors = '["joint_velocity_violation"]'
    assert link.look().errors == ()
    robot.mode = USER_STOPPED
    assert link.look().errors == ()
    robot.mode = REFLEX
    assert link.look().errors == ("joint_velocity_violation",)
    robot.errors = '["joint_reflex"]'
    assert link.look().errors == ("joint_reflex",)


def test_nothing_that_a_robot_may_leave_unanswered_is_waited_for_without_end(
    link: Any, robot: Robot, block: LawBlock
) -> None:
    link.connect()
    link.start(block.values)
    link.stop()
    link.recover()
    assert {"thresholds", "load", "start", "stop", "recovery"} <= set(robot.calls)
    assert robot.unguarded == []
    assert not robot.guarded
