"""One question to the nodes that drive an arm, and its answer in words."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.context import Context
from rclpy.exceptions import InvalidNamespaceException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.validate_namespace import validate_namespace
from std_msgs.msg import String
from std_srvs.srv import Trigger

from ttdm_ros import topics
from ttdm_ros.errors import TtdmError
from ttdm_ros.nodes import qos
from ttdm_ros.nodes.running import reason
from ttdm_ros.nodes.services import (
    CONTROLLER,
    DRIVER,
    outcome,
    parameters,
    parameters_client,
    trigger_client,
)
from ttdm_ros.nodes.status_line import StatusLine

_ANSWER_S = 180.0  # for what may compile a solver, once somebody is there
_STOP_S = 5.0  # the same for a stop
_SETTLING_S = 1.0  # for a driver to be found that nothing tells of, after the controller was heard
_MATCHING_S = 0.3  # for a node that was found to know us too: an answer that it cannot deliver at once is lost
_REPEAT_S = 1.0  # after which a question that may be put twice is, if no answer came
_REASON_S = 1.0  # for the event that tells why a transition was refused
_SPIN_S = 0.05


class SilenceError(TtdmError):
    """Nobody is there to be asked, or whoever is does not answer."""


class Asking:
    """Asks, waits for the answer, and returns it; what is refused, or answered by nobody, is an error."""

    def __init__(self, node: Node, patience: float) -> None:
        """Prepare to ask.

        Args:
            node: that asks; nobody else spins it.
            patience: how long those who are asked may take to be there [s].
        """
        self._node, self._patience = node, patience
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._get_state: Client[Any, Any] = node.create_client(GetState, f"{CONTROLLER}/get_state")
        self._change_state: Client[Any, Any] = node.create_client(ChangeState, f"{CONTROLLER}/change_state")
        self._refusal = ""
        node.create_subscription(String, topics.EVENTS, self._on_event, qos.EVENTS)

    def close(self) -> None:
        """Let go of the node."""
        self._executor.shutdown()

    def status(self) -> str:
        """Tell, in a line, how the controller does, and the driver of a Franka arm if there is one."""
        line = StatusLine(self._node, self._get_state)
        settled, end = 0.0, time.monotonic() + self._patience
        while (now := time.monotonic()) < end:
            self._executor.spin_once(timeout_sec=_SPIN_S)
            if not line.heard:
                settled = now + _SETTLING_S
            if line.expected <= line.heard and now > settled:
                break
        if not (line.found or line.heard):
            raise self._silence(f"{CONTROLLER} and no {DRIVER}")
        return line.text()

    def set(self, name: str, value: Any) -> str:
        """Set a parameter of the controller."""
        try:
            request = parameters({name: value})
        except (TypeError, ValueError) as error:
            raise TtdmError(f"{name} cannot be set ({error}); give another value") from error
        try:
            self._done(CONTROLLER, parameters_client(self._node), request)
        except SilenceError:
            raise
        except TtdmError as error:
            raise TtdmError(f"{name} is not set: {error}") from error
        return f"{name} is set"

    def drive_again(self) -> str:
        """Let the controller drive its task once more."""
        return self._done(CONTROLLER, trigger_client(self._node, CONTROLLER, "drive_again"), Trigger.Request())

    def recover(self) -> str:
        """Let the driver clear the robot's errors, or end a stop."""
        return self._done(DRIVER, trigger_client(self._node, DRIVER, "recover"), Trigger.Request())

    def stop(self) -> str:
        """Let the driver brake and hold the arm until ``recover``."""
        try:
            client = trigger_client(self._node, DRIVER, "stop")
            return self._done(DRIVER, client, Trigger.Request(), limit=_STOP_S, repeat=True)
        except SilenceError as error:
            raise SilenceError(f"the arm may go on, so use the robot's button: {error}") from error

    def activate(self) -> str:
        """Let the controller begin, after it was configured if need be."""
        state = self._state()
        if state.id == State.PRIMARY_STATE_ACTIVE:
            raise TtdmError(
                "the controller is active already; after a fault it becomes inactive by itself once the arm rests, "
                "so ask again then"
            )
        if state.id == State.PRIMARY_STATE_UNCONFIGURED:
            self._change(Transition.TRANSITION_CONFIGURE, "configured")
        elif state.id != State.PRIMARY_STATE_INACTIVE:
            raise _unfit(state)
        self._change(Transition.TRANSITION_ACTIVATE, "activated")
        return "active: the arm is driven from the next joint state on"

    def deactivate(self) -> str:
        """Let the controller bring the arm to rest, and command nothing any more."""
        state = self._state()
        if state.id in (State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE):
            return f"nothing is commanded: the controller is {state.label} already"
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise _unfit(state)
        self._change(Transition.TRANSITION_DEACTIVATE, "deactivated")
        return "inactive: the arm is at rest, and nothing is commanded"

    def _state(self) -> Any:
        request = GetState.Request()
        return self._answer(CONTROLLER, self._get_state, request, limit=self._patience, repeat=True).current_state

    def _change(self, transition: int, called: str) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        self._refusal = ""  # those of before have come while the state was asked for
        if self._answer(CONTROLLER, self._change_state, request, limit=_ANSWER_S).success:
            return
        end = time.monotonic() + _REASON_S
        while not self._refusal and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=_SPIN_S)
        why = self._refusal or "what it has just printed says why, and what to do"
        raise TtdmError(f"the controller cannot be {called}: {why}")

    def _on_event(self, event: String) -> None:
        text = event.data.partition("] ")[2]
        self._refusal = text.removeprefix(topics.REFUSED) if text.startswith(topics.REFUSED) else ""

    def _done(self, asked: str, client: Client[Any, Any], request: Any, **options: Any) -> str:
        """Return the answer in words; see ``_answer``."""
        done, words = outcome(self._answer(asked, client, request, **{"limit": _ANSWER_S} | options))
        if not done:
            raise TtdmError(words)
        return words

    def _answer(self, asked: str, client: Client[Any, Any], request: Any, *, limit: float, repeat: bool = False) -> Any:
        """Return the response to a request.

        Args:
            asked: whose service it is.
            client: of the service.
            request: to send.
            limit: how long the answer may take [s].
            repeat: whether asking twice does what asking once does.

        Raises:
            SilenceError: nobody is there, or whoever is does not answer in time.
        """
        if not client.wait_for_service(timeout_sec=self._patience):
            raise self._silence(asked)
        if not repeat:
            self._spin(_MATCHING_S)
        end, futures = time.monotonic() + limit, [client.call_async(request)]
        sent = time.monotonic()
        while not (done := [future for future in futures if future.done()]):
            self._executor.spin_once(timeout_sec=_SPIN_S)
            now = time.monotonic()
            if repeat and now > sent + _REPEAT_S:
                futures.append(client.call_async(request))
                sent = now
            if now > end:
                raise SilenceError(
                    f"{asked} is there but has not answered within {limit:g} s; it may be starting or compiling, see "
                    "what it prints"
                )
        return done[0].result()

    def _spin(self, duration: float) -> None:
        end = time.monotonic() + duration
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=left)

    def _silence(self, names: str) -> SilenceError:
        namespace = self._node.get_namespace().strip("/")
        where = f"in ROS domain {self._node.context.get_domain_id()}"
        if namespace:
            where += f", namespace {namespace}"
        return SilenceError(
            f"no {names} answers within {self._patience:g} s {where}; is it running, and are ROS_DOMAIN_ID and the "
            "namespace the same?"
        )


def _unfit(state: State) -> TtdmError:
    if state.id == State.PRIMARY_STATE_FINALIZED:
        return TtdmError("the controller was shut down for good; start it anew")
    return TtdmError(f"the controller is {state.label} just now; ask again once that is over")


@contextmanager
def _asking(namespace: str, patience: float) -> Iterator[Asking]:
    """In a ROS context of its own, by a node whose name is that of a command line.

    A controller does not take such a node for a driver that hears its torques.
    """
    name = f"/{namespace.strip('/')}"
    try:
        validate_namespace(name)
    except InvalidNamespaceException as error:
        raise TtdmError(f"'{namespace}' is no namespace; give one of letters, digits, _ and /") from error
    context = Context()
    try:
        context.init(args=[])
    except RuntimeError as error:  # of ROS_DOMAIN_ID and the like
        raise TtdmError(f"ROS cannot be used ({reason(error)}); correct its environment variables") from error
    try:
        node = Node(
            f"_ttdm_ask_{os.getpid()}",
            context=context,
            namespace=name,
            start_parameter_services=False,
            enable_rosout=False,
        )
        asking = Asking(node, patience)
        try:
            yield asking
        finally:
            asking.close()
            node.destroy_node()
    finally:
        context.try_shutdown()


def ask(question: str, *words: Any, namespace: str = "", patience: float = 5.0) -> str:
    """Ask one question and return the answer.

    Args:
        question: name of a method of ``Asking``.
        words: its arguments.
        namespace: of the nodes that are asked.
        patience: how long they may take to be there [s].

    Raises:
        TtdmError: what was asked is refused, or nobody answers.
    """
    with _asking(namespace, patience) as asking:
        return str(getattr(asking, question)(*words))
