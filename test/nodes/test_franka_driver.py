"""The driver's node over an arm that does what the test says; with a simulated robot it is in test/integration."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from ttdm_ros.errors import ConfigError, SolverError
from ttdm_ros.nodes import franka_driver
from ttdm_ros.nodes.franka_driver import FrankaDriver
from ttdm_ros.nodes.law_message import LawTemplate
from ttdm_ros.plants.franka.law import MEMORY, LawPhase, LawStatus
from ttdm_ros.plants.franka.link import CYCLE, LinkError, Look

SEQUENCE, HELD, COUNT = 0, 1, 3  # places in the block
WALL = 1.7e9  # when the first cycle comes [s]
JOINTS = [f"fr3_joint{i}" for i in range(1, 8)]


class Arm:
    """See ``ArmLink``; blocks that were commanded, and cycles that are to come."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.moving, self.failure, self.notice, self.refusal = False, "", "", ""
        self.refusal_type: type[Exception] = LinkError
        self.rows = np.zeros(0, CYCLE)
        self.memory = np.array([1.0, *[0.0] * (MEMORY - 1)])

    @property
    def status(self) -> LawStatus:
        return LawStatus.of(self.memory)

    def start(self, block: np.ndarray) -> None:
        if self.refusal:
            raise self.refusal_type(self.refusal)
        self.moving = True

    def command(self, block: np.ndarray) -> None:
        self.blocks.append(block)
        self.memory[3] = self.memory[7] = block[HELD]

    def cycles(self) -> np.ndarray:
        rows, self.rows = self.rows, np.zeros(0, CYCLE)
        return rows

    def look(self) -> Look:
        return Look(cycle=np.zeros(1, CYCLE), errors=())

    def stop(self) -> None:
        self.moving = False

    def recover(self) -> None:
        self.refusal = ""

    def close(self) -> None:
        self.moving = False

    def pass_cycles(self, count: int, begin: float = 1.0) -> None:
        self.rows = np.zeros(count, CYCLE)
        self.rows["time"] = begin + 1e-3 * np.arange(count)
        self.rows["wall"] = WALL + 1e-3 * np.arange(count)
        self.rows["q"] = np.arange(7)
        self.rows["tau_J"], self.rows["tau_J_d"] = 5.0, 3.0


class Heard:
    """Stands in for the publishers."""

    def __init__(self) -> None:
        self.states: list[tuple[int, Any]] = []
        self.others: list[tuple[int, Any]] = []
        self.phases: list[LawPhase] = []

    def joint_state(self, stamp: int, cycle: Any) -> None:
        self.states.append((stamp, cycle))

    def details(self, stamp: int, cycle: Any) -> None:
        self.others.append((stamp, cycle))

    def loop(self, stamp: int, cycle: Any, phase: LawPhase) -> None:
        self.phases.append(phase)

    def note(self, _: Any) -> None: ...

    def event(self, _: str) -> None: ...


def cycle_at(time: float) -> np.ndarray:
    row = np.zeros(1, CYCLE)
    row["time"] = time
    return row


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Arm:
    arm = Arm()
    monkeypatch.setattr(franka_driver, "connect", lambda kind, settings: arm)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return arm


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    context.init(args=[], domain_id=20 + 2 * (os.getpid() % 35))
    yield context
    context.try_shutdown()


@pytest.fixture
def node(arm: Arm, context: Context) -> Iterator[FrankaDriver]:
    given = [Parameter("rate", value=500), Parameter("detail_rate", value=250), Parameter("guard.timeout", value=0.09)]
    node = FrankaDriver(context=context, parameter_overrides=given)
    yield node
    node.destroy_node()


@pytest.fixture
def heard(node: FrankaDriver) -> Heard:
    node._topics = Heard()  # type: ignore[assignment]
    return node._topics  # type: ignore[return-value]


def torques(value: float) -> Float64MultiArray:
    return Float64MultiArray(data=[value] * 7)


def law(torque: float, *, after: float = 0.0) -> JointTrajectory:
    """Return a law of 40 ms that begins so long after the first cycle [s]."""
    rows = np.zeros((3, 7))
    stamp = round(1e9 * WALL) + round(1e9 * after)
    data = LawTemplate(JOINTS, 3, 0.02).fill(stamp, rows, rows, rows + torque, np.zeros((7, 14)))
    return deserialize_message(data, JointTrajectory)


def test_torques_are_passed_on(node: FrankaDriver, arm: Arm) -> None:
    node._on_torque(torques(0.5))
    assert arm.blocks[-1][SEQUENCE] == 1.0
    np.testing.assert_array_equal(arm.blocks[-1][103:110], [0.5] * 7)


@pytest.fixture
def driving(node: FrankaDriver, arm: Arm, heard: Heard) -> FrankaDriver:
    """Return a driver whose arm moves: 8 ms have passed since the first cycle."""
    arm.pass_cycles(9)
    node._publish(node._supervisor.update())
    return node


def test_while_laws_come_torques_are_passed_over(
    driving: FrankaDriver, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, now = driving, 100.0
    monkeypatch.setattr(franka_driver.time, "monotonic", lambda: now)
    node._on_law(law(0.25))
    now += 0.05
    node._on_torque(torques(0.5))
    assert len(arm.blocks) == 1
    assert arm.blocks[0][COUNT] == 3.0
    now += 0.01  # 60 ms after the last law, before the guard would brake
    node._on_torque(torques(0.5))
    assert len(arm.blocks) == 2


@pytest.mark.parametrize("data", [[float("nan")] * 7, [0.0] * 6, [float("inf")] + [0.0] * 6])
def test_what_is_no_torque_never_reaches_the_arm(node: FrankaDriver, arm: Arm, data: list[float]) -> None:
    node._on_torque(Float64MultiArray(data=data))
    assert arm.blocks == []
    assert node._supervisor.refused == 1
    assert node._refusal.startswith("commands refused: a command")


def test_a_spoilt_law_does_not_silence_the_torques(node: FrankaDriver, arm: Arm) -> None:
    spoilt = law(0.1)
    spoilt.points[0].effort[2] = float("nan")
    node._on_law(spoilt)
    assert arm.blocks == []
    node._on_torque(torques(0.5))
    assert len(arm.blocks) == 1


@pytest.mark.parametrize("after", [-0.1, 0.0, 0.9])
def test_a_law_of_now_is_passed_on_with_its_time(driving: FrankaDriver, arm: Arm, after: float) -> None:
    driving._on_law(law(0.25, after=after))
    assert arm.blocks[0][COUNT] == 3.0
    assert arm.blocks[0][2] == pytest.approx(1.0 + after, abs=1e-6)  # the first cycle is at 1 s by the robot's clock


@pytest.mark.parametrize(("after", "problem"), [(-3 * 86400.0, "the law ended"), (2.0, "the law begins 1.99 s ahead")])
def test_laws_out_of_a_bag_are_refused_and_so_are_the_torques_beside_them(
    driving: FrankaDriver, arm: Arm, after: float, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(franka_driver.time, "monotonic", lambda: 100.0)
    driving._on_law(law(0.25, after=after))
    driving._on_torque(torques(0.25))
    assert arm.blocks == []
    assert driving._supervisor.refused == 1
    assert problem in driving._refusal


def test_a_law_before_the_first_cycle_is_refused(node: FrankaDriver, arm: Arm) -> None:
    node._on_law(law(0.0))
    assert arm.blocks == []


def test_cycles_are_published_at_their_rates_with_the_robots_time(node: FrankaDriver, arm: Arm, heard: Heard) -> None:
    arm.pass_cycles(8)
    node._publish(node._supervisor.update())
    assert [round(1e3 * cycle["time"]) for _, cycle in heard.states] == [1000, 1002, 1004, 1006]
    assert np.diff([stamp for stamp, _ in heard.states]).tolist() == [2_000_000] * 3
    assert [round(1e3 * cycle["time"]) for _, cycle in heard.others] == [1000, 1004]


def test_without_a_motion_joint_states_are_silent_and_commands_refused(
    node: FrankaDriver, arm: Arm, heard: Heard
) -> None:
    arm.moving, arm.failure = False, '["joint_reflex"]'
    node._supervisor.update()
    node._publish(node._supervisor.update())
    assert heard.states == []
    assert len(heard.others) == 1
    node._on_torque(torques(0.0))
    assert arm.blocks == []
    assert "joint_reflex" in node._refusal


def test_joint_states_begin_when_commands_are_accepted(node: FrankaDriver, arm: Arm, heard: Heard) -> None:
    """Whoever waits for them, to command, is not refused because the motion had only just begun."""
    arm.memory[3] = 1.0
    arm.pass_cycles(8)
    node._publish(node._supervisor.update())
    assert heard.states == []
    assert heard.others != []
    arm.memory[3] = 0.0
    arm.pass_cycles(8, begin=2.0)
    node._publish(node._supervisor.update())
    assert heard.states != []


def test_a_stop_lasts_until_recover_and_joint_states_are_silent(driving: FrankaDriver, arm: Arm, heard: Heard) -> None:
    told = driving._on_stop(Trigger.Request(), Trigger.Response())
    assert told.success
    assert "call ~/recover, then activate the controller again" in told.message
    driving._on_torque(torques(0.0))
    assert arm.blocks[-1][HELD] == 1.0
    heard.states.clear()
    arm.pass_cycles(8, begin=2.0)
    driving._publish(driving._supervisor.update())
    assert heard.states == []
    assert driving._on_recover(Trigger.Request(), Trigger.Response()).success
    assert arm.blocks[-1][HELD] == 0.0
    arm.pass_cycles(8, begin=3.0)
    driving._publish(driving._supervisor.update())
    assert heard.states != []


def test_what_happens_until_the_arm_rests_at_the_end_is_published(
    driving: FrankaDriver, arm: Arm, heard: Heard
) -> None:
    heard.states.clear()
    heard.others.clear()

    def brake(block: np.ndarray) -> None:
        assert block[HELD] == 1.0
        arm.memory[0], arm.memory[3], arm.memory[7] = LawPhase.HOLDING, 1.0, 1.0
        arm.pass_cycles(8, begin=2.0)

    arm.command = brake  # type: ignore[method-assign]
    driving.stop()
    driving.run()
    assert [round(1e3 * cycle["time"]) for _, cycle in heard.states] == [2000, 2002, 2004, 2006]
    assert [round(1e3 * cycle["time"]) for _, cycle in heard.others] == [2000, 2004]


def test_after_a_reflex_the_loop_is_not_told_to_follow(driving: FrankaDriver, arm: Arm, heard: Heard) -> None:
    arm.memory[0] = LawPhase.FOLLOWING
    arm.pass_cycles(4, begin=2.0)
    driving._publish(driving._supervisor.update())
    assert heard.phases[-1] is LawPhase.FOLLOWING
    arm.moving, arm.failure = False, '["joint_reflex"]'
    driving._publish(driving._supervisor.update())
    arm.look = lambda: Look(cycle=cycle_at(3.0), errors=("joint_reflex",))  # type: ignore[method-assign]
    heard.phases.clear()
    driving._publish(driving._supervisor.update())
    assert heard.phases == [LawPhase.STARTING]


def test_what_is_to_know_of_the_motion_and_of_the_stamps_is_told_together(
    driving: FrankaDriver, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def diagnostics(_: Any, *, refusal: str, notice: str) -> None:
        told.append(notice)
        driving.stop()

    driving._topics.diagnostics = diagnostics  # type: ignore[method-assign]
    driving._robot_clock.ahead = 5.0
    arm.notice = "the control loop runs without real-time scheduling"
    monkeypatch.setattr(franka_driver, "_TICK_S", 0.01)
    driving.run()
    assert told[0].startswith("the control loop runs without real-time scheduling; stamps are 5.0 s ahead")


def test_a_recovery_that_fails_in_any_way_is_answered(node: FrankaDriver, arm: Arm) -> None:
    arm.moving, arm.failure = False, '["joint_reflex"]'
    node._supervisor.update()
    arm.recover = lambda: None  # type: ignore[method-assign]
    arm.refusal, arm.refusal_type = "there is no C compiler", SolverError
    answer = node._on_recover(Trigger.Request(), Trigger.Response())
    assert not answer.success
    assert answer.message == "there is no C compiler"


def test_stop_and_recover_are_services(node: FrankaDriver, arm: Arm) -> None:
    assert node._on_stop(Trigger.Request(), Trigger.Response()).success
    assert arm.blocks[-1][HELD] == 1.0
    arm.moving, arm.failure = False, '["joint_reflex"]'
    node._supervisor.update()
    assert not node._on_stop(Trigger.Request(), Trigger.Response()).success
    answer = node._on_recover(Trigger.Request(), Trigger.Response())
    assert answer.success
    assert "joint_reflex" in answer.message


def test_a_robot_that_refuses_to_begin_is_waited_for(arm: Arm, context: Context) -> None:
    arm.refusal = "the robot does not begin a motion: it is in mode reflex"
    node = FrankaDriver(context=context)
    assert "reflex" in node._supervisor.problem
    assert node._on_recover(Trigger.Request(), Trigger.Response()).success
    node.destroy_node()


@pytest.mark.parametrize(
    ("given", "connected"), [({}, "fr3"), ({"robot": "panda"}, "panda"), ({"robot": "panda", "kind": "fr3"}, "fr3")]
)
def test_the_kind_follows_from_the_robot_unless_it_is_given(
    arm: Arm, context: Context, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], connected: str
) -> None:
    kinds: list[str] = []

    def connect(kind: str, _: Any) -> Arm:
        kinds.append(kind)
        return arm

    monkeypatch.setattr(franka_driver, "connect", connect)
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    FrankaDriver(context=context, parameter_overrides=overrides).destroy_node()
    assert kinds == [connected]


def test_diagnostics_name_the_node_as_two_arms_share_them(arm: Arm, context: Context) -> None:
    node = FrankaDriver(context=context, namespace="left")
    told: list[Any] = []
    node._topics._diagnostics_publisher = SimpleNamespace(publish=told.append)
    node._topics.diagnostics(node._supervisor, refusal="", notice="")
    values = {item.key: item.value for item in told[0].status[0].values}
    assert values["node"] == "/left/franka_driver"
    node.destroy_node()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("robot", "ur5", "no robot named 'ur5'"),
        ("rate", 300, "'rate'"),
        ("kind", "iiwa", "'kind'"),
        ("guard.torque_rate", 5000.0, "guard.torque_rate"),
        ("adress", "172.16.0.2", "did you mean 'address'"),
        ("use_sim_time", True, "leave use_sim_time off"),
    ],
)
def test_wrong_parameters_are_refused_by_name(arm: Arm, context: Context, name: str, value: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        FrankaDriver(context=context, parameter_overrides=[Parameter(name, value=value)])
