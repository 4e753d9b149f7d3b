"""The monitor: what it prints of what it hears, and how it answers what it is asked."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.nodes import monitor
from ttdm_ros.nodes.monitor import Monitor

DOMAIN = free_domain()
PATIENCE = 30.0  # [s]


class Controller(Node):
    """Stands for the controller: takes one parameter, refuses another value, and drives again once."""

    def __init__(self, context: Context) -> None:
        super().__init__("mpc_controller", context=context)
        self.declare_parameter("model", "nominal")
        self.declare_parameter("controller.exploration", 0.04)
        self.add_on_set_parameters_callback(self._on_parameters)
        self.create_service(Trigger, "~/drive_again", self._on_drive_again)
        self.drives = 0
        latched = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.status = self.create_publisher(DiagnosticArray, "mpc_controller/status", 10)
        self.events = self.create_publisher(String, "mpc_controller/events", latched)
        self.driver = self.create_publisher(String, "franka_driver/events", latched)

    def _on_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        bad = [str(p.value) for p in parameters if p.value == "bad"]
        return SetParametersResult(successful=not bad, reason="it is bad" if bad else "")

    def _on_drive_again(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self.drives == 0, "driving" if self.drives == 0 else "it drives already"
        self.drives += 1
        return response


class Talk:
    """A monitor and all that it has printed."""

    def __init__(self, context: Context, capfd: pytest.CaptureFixture[str]) -> None:
        self.node = Monitor(context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._capfd = capfd
        self._lines: list[dict[str, Any]] = []

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()

    def hear(self, kind: str) -> dict[str, Any]:
        """Return the next line of a kind."""
        for _ in range(round(PATIENCE / 0.1)):
            self._lines += [json.loads(line) for line in self._capfd.readouterr().out.splitlines()]
            for line in self._lines:
                if kind in line:
                    self._lines.remove(line)
                    return line
            self._executor.spin_once(timeout_sec=0.1)
        raise AssertionError(f"no {kind} was printed")

    def ask(self, request: Any) -> tuple[bool, str]:
        self.node.ask(request if isinstance(request, str) else json.dumps(request))
        line = self.hear("answer")
        return line["done"], line["answer"]


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Context]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    context = Context()
    context.init(args=[], domain_id=DOMAIN)
    yield context
    context.try_shutdown()


@pytest.fixture
def talk(context: Context, capfd: pytest.CaptureFixture[str]) -> Iterator[Talk]:
    talk = Talk(context, capfd)
    yield talk
    talk.close()


@pytest.fixture
def controller(context: Context) -> Iterator[Controller]:
    """A controller that is served in a thread of its own."""
    node = Controller(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(PATIENCE)
    node.destroy_node()


def test_a_parameter_is_set_and_a_refusal_comes_with_its_reason(talk: Talk, controller: Controller) -> None:
    assert talk.ask({"set": {"model": "other", "controller.exploration": 0.0}}) == (True, "set")
    assert controller.get_parameter("model").value == "other"
    assert controller.get_parameter("controller.exploration").value == 0.0
    assert talk.ask({"set": {"model": "bad"}}) == (False, "it is bad")
    done, answer = talk.ask({"set": {"modell": "other"}})
    assert not done
    assert "undeclared" in answer


def test_a_service_is_called_and_its_answer_passed_on(talk: Talk, controller: Controller) -> None:
    assert talk.ask({"call": "drive_again"}) == (True, "driving")
    assert talk.ask({"call": "drive_again"}) == (False, "it drives already")


@pytest.mark.parametrize(
    "line",
    [
        '{"set":',
        "",
        "null",
        "5",
        "[]",
        "{}",
        '{"set": 5}',
        '{"set": {"model": {"a": 1}}}',
        '{"set": {"model": 99999999999999999999}}',
        '{"call": "dance"}',
        '{"call": null}',
        '{"shut": "down"}',
    ],
)
def test_a_line_that_cannot_be_asked_is_answered_with_that(talk: Talk, line: str) -> None:
    done, answer = talk.ask(line)
    assert not done
    assert f"{line!r} cannot be asked of the controller" in answer


def test_a_service_that_does_not_exist_is_answered_with_those_that_do(talk: Talk) -> None:
    assert "drive_again" in talk.ask({"call": "dance"})[1]


@pytest.mark.parametrize("request_", [{"set": {"model": "other"}}, {"call": "drive_again"}])
def test_without_a_controller_the_answer_is_that_there_is_none(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, request_: dict[str, Any]
) -> None:
    monkeypatch.setattr(monitor, "_PATIENCE_S", 0.1)
    assert talk.ask(request_) == (False, "the controller does not answer")


def test_status_and_events_are_printed_as_they_come(talk: Talk, controller: Controller) -> None:
    controller.events.publish(String(data="driving"))  # latched: it may have come before
    assert talk.hear("event") == {"event": "driving"}
    controller.driver.publish(String(data="the arm is held"))
    assert talk.hear("driver") == {"driver": "the arm is held"}
    values = [KeyValue(key="phase", value="tracking"), KeyValue(key="missed", value="2")]
    message = DiagnosticArray(status=[DiagnosticStatus(level=DiagnosticStatus.WARN, message="late", values=values)])
    controller.status.publish(DiagnosticArray())  # without a status there is nothing to say
    controller.status.publish(message)

    assert talk.hear("status") == {"status": {"phase": "tracking", "missed": "2", "level": 1, "message": "late"}}
