"""The driver's node over an arm that does what the test says; with a simulated robot it is in test/integration."""

import os
from collections.abc import Iterator
from pathlib import Path
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

from ttdm_ros.errors import ConfigError
from ttdm_ros.nodes import franka_driver
from ttdm_ros.nodes.franka_driver import FrankaDriver
from ttdm_ros.nodes.law_message import LawTemplate
from ttdm_ros.plants.franka.law import MEMORY, LawStatus
from ttdm_ros.plants.franka.link import CYCLE, LinkError, Look

FOLLOW, HOLD = 1.0, 2.0
JOINTS = [f"fr3_joint{i}" for i in range(1, 8)]


class Arm:
    """See ``ArmLink``; blocks that were commanded, and cycles that are to come."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.moving, self.failure, self.notice, self.refusal = False, "", "", ""
        self.rows = np.zeros(0, CYCLE)
        self.status = LawStatus.of(np.array([1.0, *[0.0] * (MEMORY - 1)]))

    def start(self, block: np.ndarray) -> None:
        if self.refusal:
            raise LinkError(self.refusal)
        self.moving = True

    def command(self, block: np.ndarray) -> None:
        self.blocks.append(block)

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
        self.rows["wall"] = 1.7e9 + 1e-3 * np.arange(count)
        self.rows["q"] = np.arange(7)
        self.rows["tau_J"], self.rows["tau_J_d"] = 5.0, 3.0


class Heard:
    """Stands in for the publishers."""

    def __init__(self) -> None:
        self.states: list[tuple[int, Any]] = []
        self.others: list[tuple[int, Any]] = []

    def joint_state(self, stamp: int, cycle: Any) -> None:
        self.states.append((stamp, cycle))

    def details(self, stamp: int, cycle: Any) -> None:
        self.others.append((stamp, cycle))

    def loop(self, *_: Any) -> None: ...

    def note(self, _: Any) -> None: ...

    def event(self, _: str) -> None: ...


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


def law(torque: float) -> JointTrajectory:
    rows = np.zeros((3, 7))
    data = LawTemplate(JOINTS, 3, 0.02).fill(10**18, rows, rows, rows + torque, np.zeros((7, 14)))
    return deserialize_message(data, JointTrajectory)


def test_torques_are_passed_on(node: FrankaDriver, arm: Arm) -> None:
    node._on_torque(torques(0.5))
    assert arm.blocks[-1][1] == FOLLOW
    np.testing.assert_array_equal(arm.blocks[-1][103:110], [0.5] * 7)


def test_while_laws_come_torques_are_passed_over(node: FrankaDriver, arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(franka_driver.time, "monotonic", lambda: now)
    node._on_law(law(0.25))
    now += 0.05
    node._on_torque(torques(0.5))
    assert len(arm.blocks) == 1
    assert arm.blocks[0][3] == 3.0  # points
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


def test_stop_and_recover_are_services(node: FrankaDriver, arm: Arm) -> None:
    assert node._on_stop(Trigger.Request(), Trigger.Response()).success
    assert arm.blocks[-1][1] == HOLD
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
