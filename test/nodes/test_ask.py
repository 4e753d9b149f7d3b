"""What is asked of controller and driver from the command line, and what is answered; both are stood in for."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from ttdm_ros import cli
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.nodes import ask as asking
from ttdm_ros.nodes.ask import Asking, SilenceError, ask
from ttdm_ros.nodes.status_line import StatusLine

DOMAIN = free_domain()
PATIENCE = 30.0  # for somebody who is there [s]
IMPATIENCE = 0.2  # for somebody who is not [s]
LABELS = {
    State.PRIMARY_STATE_UNCONFIGURED: "unconfigured",
    State.PRIMARY_STATE_INACTIVE: "inactive",
    State.PRIMARY_STATE_ACTIVE: "active",
    State.PRIMARY_STATE_FINALIZED: "finalized",
    State.TRANSITION_STATE_DEACTIVATING: "deactivating",
}
LEADS_TO = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
}


class Controller(Node):
    """Stands for the controller: a life, one parameter, and a task that can be driven again once."""

    def __init__(self, context: Context, namespace: str) -> None:
        super().__init__("mpc_controller", context=context, namespace=namespace)
        self.state = State.PRIMARY_STATE_INACTIVE
        self.transitions: list[int] = []
        self.refuses: int | None = None
        self.reason = ""
        self.drives = 0
        self.values = {"phase": "tracking", "task": "circle", "model": "nominal", "fingerprint": "d987", "fault": ""}
        self.level, self.message = DiagnosticStatus.OK, "tracking"
        self.declare_parameter("model", "nominal")
        self.add_on_set_parameters_callback(self._on_parameters)
        self.create_service(GetState, "~/get_state", self._on_get_state)
        self.create_service(ChangeState, "~/change_state", self._on_change_state)
        self.create_service(Trigger, "~/drive_again", self._on_drive_again)
        self._status = self.create_publisher(DiagnosticArray, "~/status", 10)
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._events = self.create_publisher(String, "~/events", latched)
        self.create_timer(0.05, self._on_timer)

    def publish_law(self) -> None:
        self.create_publisher(JointTrajectory, "~/law", 1)

    def _on_timer(self) -> None:
        if self.state != State.PRIMARY_STATE_UNCONFIGURED:
            self._status.publish(DiagnosticArray(status=[status(self.values, self.level, self.message)]))

    def _on_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        bad = [str(p.value) for p in parameters if p.value == "bad"]
        return SetParametersResult(successful=not bad, reason="it is bad; give another" if bad else "")

    def _on_get_state(self, _: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state = State(id=self.state, label=LABELS[self.state])
        return response

    def _on_change_state(self, request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        wanted = request.transition.id
        response.success = wanted != self.refuses
        if response.success:
            self.transitions.append(wanted)
            self.state = LEADS_TO[wanted]
        elif self.reason:
            self._events.publish(String(data=f"[1.000] refused: {self.reason}"))
        return response

    def _on_drive_again(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self.drives == 0, "driving" if self.drives == 0 else "it drives already"
        self.drives += 1
        return response


class Driver(Node):
    """Stands for the driver of a Franka arm: it can be stopped once, and recovers then."""

    def __init__(self, context: Context, namespace: str) -> None:
        super().__init__("franka_driver", context=context, namespace=namespace)
        self.stopped, self.diagnoses = False, True
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/recover", self._on_recover)
        self.create_publisher(String, "~/events", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(0.05, self._on_timer)

    def _on_timer(self) -> None:
        if not self.diagnoses:
            return
        values = {
            "node": self.get_fully_qualified_name(),
            "robot_mode": "move",
            "accepts_commands": "true",
            "control_command_success_rate": "1.000",
            "lowest_success_rate": "0.990",
            "period_ms_p99": "1.070",
        }
        told = status(values, DiagnosticStatus.OK, f"{{held}} in {self.get_namespace()}")
        self._diagnostics.publish(DiagnosticArray(status=[status({}, DiagnosticStatus.OK, "another's"), told]))

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = not self.stopped, "braked" if not self.stopped else "there is no motion"
        self.stopped = True
        return response

    def _on_recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self.stopped, "recovered" if self.stopped else "the robot is gone"
        return response


def status(values: dict[str, str], level: bytes, message: str) -> DiagnosticStatus:
    values_ = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, message=message, values=values_)


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Context]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    context = Context()
    context.init(args=[])
    yield context
    context.try_shutdown()


@pytest.fixture
def start(context: Context) -> Iterator[Callable[..., Any]]:
    """Start a node, in a thread of its own unless nobody shall serve it."""
    ends: list[Callable[[], object]] = []

    def start(kind: Callable[[Context, str], Node], namespace: str = "", *, served: bool = True) -> Any:
        node = kind(context, namespace)
        ends.append(node.destroy_node)
        if served:
            executor = SingleThreadedExecutor(context=context)
            executor.add_node(node)
            thread = threading.Thread(target=executor.spin, daemon=True)
            thread.start()
            ends.extend((lambda: thread.join(PATIENCE), executor.shutdown))
        return node

    yield start
    for end in reversed(ends):
        end()


def put(question: str, *words: Any, namespace: str = "") -> str:
    return ask(question, *words, namespace=namespace, patience=PATIENCE)


def refusal(question: str, *words: Any) -> str:
    with pytest.raises(TtdmError) as refused:
        put(question, *words)
    assert not isinstance(refused.value, SilenceError)
    return str(refused.value)


def test_the_status_is_one_line_of_phase_task_model_and_fault(start: Callable[..., Any]) -> None:
    controller = start(Controller)
    assert put("status") == "mpc_controller: tracking, task 'circle', model 'nominal' d987, no fault"
    controller.message = "2 solves came late"
    assert put("status").endswith("no fault, but 2 solves came late")
    controller.values |= {"phase": "stopped", "fault": "no joint state came"}
    controller.message = "no joint state came"
    assert put("status") == ("mpc_controller: stopped, task 'circle', model 'nominal' d987, fault: no joint state came")


def test_the_status_of_a_controller_that_is_not_configured_is_that(start: Callable[..., Any]) -> None:
    start(Controller).state = State.PRIMARY_STATE_UNCONFIGURED
    assert put("status") == "mpc_controller: unconfigured, so it commands nothing"


def test_the_status_tells_of_the_driver_of_the_same_namespace(start: Callable[..., Any]) -> None:
    start(Controller, "left").publish_law()
    for namespace in ("right", "left"):
        start(Driver, namespace)
    assert put("status", namespace="left") == (
        "mpc_controller: tracking, task 'circle', model 'nominal' d987, no fault; franka_driver: {held} in /left "
        "(mode move, accepts commands: true, success rate 1.000, lowest 0.990, period p99 1.070 ms)"
    )


@pytest.fixture
def line(context: Context, start: Callable[..., Any]) -> Iterator[Callable[[set[str]], str]]:
    """Return the line of status once some nodes were found, whether or not they say anything."""
    node = Node("looking", context=context)
    line = StatusLine(node, node.create_client(GetState, "mpc_controller/get_state"))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def text(names: set[str]) -> str:
        end = time.monotonic() + PATIENCE
        while not (names <= line.found and names <= line.expected):
            assert time.monotonic() < end, "the nodes were not found"
            executor.spin_once(timeout_sec=0.05)
        return line.text()

    yield text
    executor.shutdown()
    node.destroy_node()


def test_nodes_that_are_there_and_silent_are_told_apart_from_none(
    start: Callable[..., Any], line: Callable[[set[str]], str]
) -> None:
    start(Driver, served=False)
    assert line({"franka_driver"}) == "mpc_controller: none is there; franka_driver: there, but silent"
    start(Controller, served=False)
    assert line({"mpc_controller"}) == "mpc_controller: there, but silent; franka_driver: there, but silent"


def test_a_parameter_is_set_and_a_refusal_comes_with_its_reason(start: Callable[..., Any]) -> None:
    controller = start(Controller)
    assert put("set", "model", "other") == "model is set"
    assert controller.get_parameter("model").value == "other"
    assert refusal("set", "model", "bad") == "model is not set: it is bad; give another"
    assert refusal("set", "modell", "other").startswith("modell is not set: ")
    assert "beyond the whole numbers of 64 bits" in refusal("set", "model", 2**63)
    assert "model cannot be set" in refusal("set", "model", {"a": 1})
    assert controller.get_parameter("model").value == "other"


def test_the_task_is_driven_again_once(start: Callable[..., Any]) -> None:
    start(Controller)
    assert put("drive_again") == "driving"
    assert refusal("drive_again") == "it drives already"


def test_the_driver_is_stopped_and_recovers(start: Callable[..., Any]) -> None:
    start(Driver)
    assert refusal("recover") == "the robot is gone"
    assert put("stop") == "braked"
    assert refusal("stop") == "there is no motion"
    assert put("recover") == "recovered"


def test_an_activation_configures_first_if_need_be(start: Callable[..., Any]) -> None:
    controller = start(Controller)
    assert put("activate").startswith("active")
    assert controller.transitions == [Transition.TRANSITION_ACTIVATE]
    controller.state, controller.transitions = State.PRIMARY_STATE_UNCONFIGURED, []
    assert put("activate").startswith("active")
    assert controller.transitions == [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE]
    assert "active already" in refusal("activate")


@pytest.mark.parametrize("question", ["activate", "deactivate"])
def test_while_a_state_is_left_nothing_is_changed(start: Callable[..., Any], question: str) -> None:
    controller = start(Controller)
    controller.state = State.TRANSITION_STATE_DEACTIVATING
    assert refusal(question) == "the controller is deactivating just now; ask again once that is over"
    controller.state = State.PRIMARY_STATE_FINALIZED
    assert refusal(question) == "the controller was shut down for good; start it anew"
    assert controller.transitions == []


def test_a_transition_that_fails_is_told(start: Callable[..., Any]) -> None:
    controller = start(Controller)
    controller.state = State.PRIMARY_STATE_UNCONFIGURED
    controller.refuses = Transition.TRANSITION_CONFIGURE
    controller.reason = "there is no task named 'cirkle'; known: circle"
    assert refusal("activate") == f"the controller cannot be configured: {controller.reason}"
    controller.refuses, controller.reason = Transition.TRANSITION_ACTIVATE, ""
    assert refusal("activate").startswith("the controller cannot be activated: what it has just printed says why")
    assert controller.transitions == [Transition.TRANSITION_CONFIGURE]


def test_a_deactivation_brings_to_rest_and_asked_again_there_is_nothing_to_do(start: Callable[..., Any]) -> None:
    controller = start(Controller)
    controller.state = State.PRIMARY_STATE_ACTIVE
    assert put("deactivate").startswith("inactive")
    assert put("deactivate") == "nothing is commanded: the controller is inactive already"
    assert controller.transitions == [Transition.TRANSITION_DEACTIVATE]


def test_a_controller_in_a_namespace_is_asked_there(start: Callable[..., Any]) -> None:
    start(Controller, "left")
    assert put("drive_again", namespace="/left/") == "driving"
    with pytest.raises(SilenceError, match=f"no mpc_controller answers within 0.2 s in ROS domain {DOMAIN}; is it"):
        ask("drive_again", patience=IMPATIENCE)
    with pytest.raises(SilenceError, match=f"in ROS domain {DOMAIN}, namespace right; is it running"):
        ask("drive_again", namespace="right", patience=IMPATIENCE)


@pytest.mark.parametrize(
    ("question", "words", "silent"),
    [
        ("status", (), "mpc_controller and no franka_driver"),
        ("activate", (), "mpc_controller"),
        ("deactivate", (), "mpc_controller"),
        ("drive_again", (), "mpc_controller"),
        ("set", ("model", "other"), "mpc_controller"),
        ("recover", (), "franka_driver"),
        ("stop", (), "franka_driver"),
    ],
)
@pytest.mark.usefixtures("context")
def test_without_a_node_to_ask_the_answer_is_that_there_is_none(
    capsys: pytest.CaptureFixture[str], question: str, words: tuple[str, ...], silent: str
) -> None:
    assert cli.main(["ask", question, *words, "--timeout", str(IMPATIENCE)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(
        f"no {silent} answers within {IMPATIENCE} s in ROS domain {DOMAIN}; is it running, and are ROS_DOMAIN_ID and "
        "the namespace the same?\n"
    )
    assert ("use the robot's button" in printed.err) == (question == "stop")
    assert printed.err.count("\n") == 1


def test_a_node_that_does_not_answer_is_told_apart_from_none(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_ANSWER_S", "_STOP_S"):
        monkeypatch.setattr(asking, name, IMPATIENCE)
    start(Controller, served=False)
    start(Driver, served=False)
    with pytest.raises(SilenceError, match=r"^mpc_controller is there but has not answered within 0.2 s; it may be"):
        put("drive_again")
    with pytest.raises(SilenceError, match=r"use the robot's button: franka_driver is there but has not answered"):
        put("stop")


class Lossy:
    """Stands for a client whose first answer is lost."""

    def __init__(self) -> None:
        self.asked = 0

    def wait_for_service(self, timeout_sec: float) -> bool:
        return True

    def call_async(self, _: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked += 1
        if self.asked > 1:
            future.set_result("here")
        return future


def test_a_question_whose_answer_was_lost_is_put_again_where_that_does_no_harm(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_REPEAT_S", 0.01)
    node = Node("asker", context=context)
    asker, twice, once = Asking(node, PATIENCE), Lossy(), Lossy()
    assert asker._answer("franka_driver", twice, None, limit=PATIENCE, repeat=True) == "here"  # type: ignore[arg-type]
    with pytest.raises(SilenceError, match="has not answered"):
        asker._answer("mpc_controller", once, None, limit=IMPATIENCE)  # type: ignore[arg-type]
    assert once.asked == 1
    asker.close()
    node.destroy_node()


def test_the_command_line_prints_the_answer(start: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    controller = start(Controller, "left")
    given = ["ask", "set", "model", "other", "--namespace", "left", "--timeout", str(PATIENCE)]
    assert cli.main(given) == 0
    assert capsys.readouterr().out == "model is set\n"
    assert controller.get_parameter("model").value == "other"


@pytest.mark.usefixtures("context")
def test_a_namespace_or_domain_that_cannot_be_is_an_error_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TtdmError, match="'1:a' is no namespace; give one of letters, digits, _ and /"):
        ask("status", namespace="1:a", patience=IMPATIENCE)
    monkeypatch.setenv("ROS_DOMAIN_ID", "mine")
    with pytest.raises(TtdmError, match=r"ROS cannot be used \(.*ROS_DOMAIN_ID.*\); correct its environment variables"):
        ask("status", patience=IMPATIENCE)
