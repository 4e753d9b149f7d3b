"""Nothing is planned while nobody hears the torques."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from ttdm_ros import topics as names
from ttdm_ros.control.answer import NOTHING
from ttdm_ros.control.phase import Phase
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.nodes.control_loop import ControlLoop
from ttdm_ros.nodes.controller_topics import ControllerTopics
from ttdm_ros.systems.arm import load_arm

PATIENCE = 30.0  # [s]


class Arm:
    joint_names = ("a",)


@pytest.mark.parametrize("is_heard", [False, True])
def test_the_first_state_is_answered_once_somebody_hears_the_torques(is_heard: bool) -> None:
    answered: list[int] = []

    def on_state(stamp_ns: int, q: Any, v: Any, held_up: float) -> Any:
        answered.append(stamp_ns)
        return NOTHING

    controller: Any = SimpleNamespace(
        arm=Arm(), phase=Phase.WAITING, config=SimpleNamespace(stale_after=1.0, delay=0.0), on_state=on_state
    )
    messages = [b"a state"]
    source: Any = SimpleNamespace(wait=lambda timeout: None, take=lambda: messages.pop() if messages else None)
    topics: Any = SimpleNamespace(is_heard=is_heard, law=lambda answer, begins_ns: None)
    loop = ControlLoop(controller, source, topics, prediction_rate=0.0, ros_time_ns=None, on_rest=lambda: None)
    state = SimpleNamespace(stamp_ns=7)
    loop._order = SimpleNamespace(read=lambda data: _State(state.stamp_ns))  # type: ignore[assignment]
    loop._answer_states()
    assert answered == ([7] if is_heard else [])


class _State(tuple[int, None, None]):
    """What the joint order reads: a stamp and what was measured."""

    def __new__(cls, stamp_ns: int) -> "_State":
        return super().__new__(cls, (stamp_ns, None, None))

    @property
    def stamp_ns(self) -> int:
        return self[0]


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = Context()
    made.init(args=[], domain_id=free_domain())
    yield made
    made.try_shutdown()


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("law", [False, True])
@pytest.mark.parametrize("onlooker", ["recorder", "rosbag2_recorder", "_ros2cli_123"])
def test_whoever_only_looks_on_does_not_count(context: Context, onlooker: str, law: bool) -> None:
    """A recorder is connected long before a driver: the plan would go on while nobody follows it."""
    node = Node("mpc_controller", context=context)
    topics = ControllerTopics(node, load_arm("panda"), MpcConfig(), law=law)
    kind, topic = (JointTrajectory, names.LAW) if law else (Float64MultiArray, names.COMMANDS)
    looking_on = Node(onlooker, context=context)
    kept = [looking_on.create_subscription(kind, topic, lambda _: None, 1)]
    until(lambda: node.count_subscribers(topic) == 1)
    time.sleep(0.3)
    assert not topics.is_heard
    driver = Node("driver", context=context)
    kept.append(driver.create_subscription(kind, topic, lambda _: None, 1))
    until(lambda: topics.is_heard)
    for each in (driver, looking_on, node):
        each.destroy_node()
