"""How the nodes that drive an arm do, in a line of text."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from ttdm_ros import topics
from ttdm_ros.nodes.services import CONTROLLER, DRIVER

_CONTROL = "{phase}, task '{task}', model '{model}' {fingerprint}"
_LOOP = (
    "mode {robot_mode}, accepts commands: {accepts_commands}, success rate {control_command_success_rate}, lowest "
    "{lowest_success_rate}, period p99 {period_ms_p99} ms"
)


class StatusLine:
    """Hears what the controller and the driver of a Franka arm say while a node of its user is spun."""

    def __init__(self, node: Node, get_state: Client[Any, Any]) -> None:
        """Subscribe; ``get_state`` asks for the controller's state of its life."""
        self._node, self._get_state = node, get_state
        self._asked = False
        self._heard: dict[str, str] = {}
        node.create_subscription(DiagnosticArray, topics.STATUS, self._on_status, 10)
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    @property
    def found(self) -> frozenset[str]:
        """Which nodes are there, whether or not they have said anything."""
        controller = self._get_state.service_is_ready()
        if controller and not self._asked:
            self._asked = True
            self._get_state.call_async(GetState.Request()).add_done_callback(self._on_state)
        there = {CONTROLLER: controller, DRIVER: self._is_published(topics.FRANKA_EVENTS)}
        return frozenset(name for name, is_there in there.items() if is_there)

    @property
    def expected(self) -> frozenset[str]:
        """Which nodes should be there: the controller, and the driver if it was found or a law is published for it."""
        return self.found | {CONTROLLER} | ({DRIVER} if self._is_published(topics.LAW) else set())

    @property
    def heard(self) -> frozenset[str]:
        """Which nodes have said how they do."""
        return frozenset(self._heard)

    def text(self) -> str:
        """Return the line."""
        told = dict.fromkeys(sorted(self.expected, reverse=True), "none is there")
        told |= dict.fromkeys(self.found, "there, but silent") | self._heard
        return "; ".join(f"{name}: {text}" for name, text in told.items())

    def _is_published(self, topic: str) -> bool:
        return self._node.count_publishers(self._node.resolve_topic_name(topic)) > 0

    def _on_state(self, future: Future[Any]) -> None:
        state = _response(future).current_state
        if state.id == State.PRIMARY_STATE_UNCONFIGURED:  # it publishes no status then
            self._heard.setdefault(CONTROLLER, f"{state.label}, so it commands nothing")

    def _on_status(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = _values(status)
            text = _CONTROL.format_map(values)
            if fault := values.get("fault"):
                text += f", fault: {fault}"
            else:
                text += ", no fault" + ("" if status.message == values["phase"] else f", but {status.message}")
            self._heard[CONTROLLER] = text

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = _values(status)
            if values["node"] == self._node.resolve_topic_name(DRIVER):
                self._heard[DRIVER] = f"{status.message} ({_LOOP.format_map(values)})"


class _Known(dict[str, str]):
    """Values by key, with a question mark for what is not told."""

    def __missing__(self, _: str) -> str:
        return "?"


def _values(status: Any) -> _Known:
    return _Known({item.key: item.value for item in status.values})


def _response(future: Future[Any]) -> Any:
    return future.result()
