"""The controller as a lifecycle node: parameters, states of the lifecycle, and what can be asked of it while it runs.

What it does is in ``ttdm_ros.control``, the thread that does it in ``control_loop``.
"""

import gc
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from ttdm_ros import topics
from ttdm_ros.config import parse
from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.controller import Controller
from ttdm_ros.control.phase import Phase
from ttdm_ros.control.rehearsal import rehearse
from ttdm_ros.control.timeline import Task
from ttdm_ros.control.tip import rotation_of
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import SolverError, TaskError, TtdmError
from ttdm_ros.mpc.apart import Robot
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.nodes.control_loop import ControlLoop
from ttdm_ros.nodes.controller_parameters import MpcControllerConfig
from ttdm_ros.nodes.controller_topics import ControllerTopics
from ttdm_ros.nodes.model_exchange import ModelExchange
from ttdm_ros.nodes.parameters import ParameterServices, read_parameters
from ttdm_ros.nodes.state_source import StateSource, simulated_time
from ttdm_ros.systems.arm import load_arm

_EXPLORATION = "controller.exploration"
CALLBACK_GROUPS = 4
"""That may have something to do at the same time."""
_AT_REST_LIMIT_S = 6.0  # beyond the stop time: settling and braking have their own limits, which are shorter


class MpcController(LifecycleNodeMixin, Node):
    """Loads, tries and compiles in the executor's threads; everything that moves the arm is the control loop's.

    Attributes:
        problem: why the last transition failed, in a sentence.
        is_starting: whether the process ends if the present transition fails.
    """

    def __init__(self, stopping: threading.Event, **node_arguments: Any) -> None:
        """Read the parameters.

        Args:
            stopping: set when the process shall end; work that takes long gives up then.
            node_arguments: passed on to the node.

        Raises:
            TtdmError: a parameter or the robot cannot be used.
        """
        Node.__init__(
            self,
            "mpc_controller",
            automatically_declare_parameters_from_overrides=True,
            start_parameter_services=False,
            **node_arguments,
        )
        # Transitions, parameters, targets and time are served side by side: a model that is being prepared must not
        # hold up a stop, nor a target.
        self._transitions, asked = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        self._parameter_services = ParameterServices(self, MutuallyExclusiveCallbackGroup())
        LifecycleNodeMixin.__init__(self, callback_group=self._transitions)
        self.config = read_parameters(self, MpcControllerConfig, changeable=("model", _EXPLORATION))
        self.problem: str | None = None
        self.is_starting = False
        config = self.config
        self.arm = load_arm(config.robot, base_frame=config.base_frame or None, tip_frame=config.tip_frame or None)
        self._models = ModelExchange(
            Robot(arm=self.arm, name=config.robot, base_frame=config.base_frame, tip_frame=config.tip_frame),
            config.mpc,
            torque_share=config.swap_share,
            announce=self._log,
            cancelled=stopping.is_set,
        )
        self._loop: ControlLoop | None = None
        self._is_active = False
        self._states = StateSource(self)
        self._topics = ControllerTopics(self, self.arm, config.mpc, law=config.publish_law)
        self._at_rest = self.create_guard_condition(self._on_rest, callback_group=self._transitions)
        self.create_subscription(PoseStamped, topics.TARGET, self._on_target, 1, callback_group=asked)
        self.create_service(Trigger, "~/drive_again", self._on_drive_again, callback_group=asked)
        self.add_on_set_parameters_callback(self._on_parameters)

    @property
    def failure(self) -> BaseException | None:
        """What ended the control thread, None if nothing did."""
        return None if self._loop is None else self._loop.failure

    def start(self) -> bool:
        """Configure and activate; return whether that worked."""
        self.is_starting = True
        try:
            return all(
                trigger() is TransitionCallbackReturn.SUCCESS
                for trigger in (self.trigger_configure, self.trigger_activate)
            )
        finally:
            self.is_starting = False

    def end(self) -> None:
        """Bring the arm to rest if it moves, and end the control thread; ``problem`` tells if that did not work."""
        self.problem = None
        if self._is_active:
            self.trigger_deactivate()
        self._release()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the task and the model, make the solver, and rehearse; nothing is commanded."""
        return self._transition(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ramp in with the next joint state."""
        return self._transition(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring the arm to rest; the control thread goes on meanwhile."""
        return self._transition(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free what was configured."""
        return self._transition(self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring the arm to rest, then free everything."""
        return self._transition(self._shut_down)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything after an error that nobody foresaw, so that the node can be configured again."""
        return self._transition(self._release)

    def _transition(self, work: Callable[[], None]) -> TransitionCallbackReturn:
        """Do the work of a transition; an error that was foreseen leaves the state as it was."""
        self.problem = None
        try:
            work()
        except TtdmError as error:
            self.problem = str(error)
            self._topics.event(f"{topics.REFUSED}{error}")
            if not self.is_starting:  # then it is what the process ends with
                self.get_logger().error(self.problem)
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.problem = traceback.format_exc()
            self.get_logger().fatal(self.problem)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        task = Task(self.arm, load_task(self.config.task))
        controller, used = None, None
        while controller is None or used != self._changeable:  # compiling takes a while, and they may be set meanwhile
            used = self._changeable
            controller = self._prepare(task, *used)
        self._loop = ControlLoop(
            controller,
            self._states,
            self._topics,
            prediction_rate=self.config.prediction_rate,
            ros_time_ns=simulated_time(self),
            on_rest=self._at_rest.trigger,
        )
        model = controller.solver.model
        self._topics.show_path(task.reference.position)
        self._topics.active_model(model.name, model.fingerprint)
        self._loop.start()
        self._tell(f"configured: {self.arm.name}, task '{task.config.name}', model '{model.name}' {model.fingerprint}")

    @property
    def _changeable(self) -> tuple[str, float]:
        """The model and the share of exploration, as they are set now."""
        return str(self.get_parameter("model").value), self._share(self.get_parameter(_EXPLORATION).value)

    def _prepare(self, task: Task, source: str, share: float) -> Controller:
        solver = self._models.make_solver(self._models.load(source), source)
        config = self.config.controller.model_copy(update={"exploration": share})
        rehearse(solver, task, config)
        return Controller(solver, task, config, on_event=self._tell)

    def _activate(self) -> None:
        # Collecting garbage stops every thread: what is there by now stays, and the loop collects what is new itself.
        gc.collect()
        gc.freeze()
        gc.disable()
        self._configured.activate()
        self._is_active = True

    def _deactivate(self) -> None:
        limit = self.config.controller.stop_time + _AT_REST_LIMIT_S
        if not self._configured.deactivate(limit):
            raise SolverError(
                f"the arm did not come to rest within {limit:g} s; check its driver, and deactivate again"
            )
        self._is_active = False
        gc.enable()
        gc.unfreeze()

    def _release(self) -> None:
        if self._loop is not None:
            self._loop.stop()
        self._loop = None
        self._is_active = False

    def _shut_down(self) -> None:
        if self._is_active:
            self._deactivate()
        self._release()

    def _on_rest(self) -> None:
        """After a fault go to the lifecycle's inactive state, so that an activation is what it takes to go on."""
        if self._is_active and self._configured.controller.phase is Phase.STOPPED:
            self.trigger_deactivate()

    @property
    def _configured(self) -> ControlLoop:
        if self._loop is None:
            raise SolverError("the controller is not configured; configure it first")
        return self._loop

    def _tell(self, text: str) -> None:
        self._topics.event(text)
        self._log(text)

    def _log(self, text: str) -> None:
        log = self.get_logger()
        if text.startswith("fault"):
            log.error(text)
        else:
            log.info(text)

    # While it runs

    def _on_parameters(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        given = {parameter.name: parameter.value for parameter in parameters}
        try:
            # Checked before a model takes over: together they are changed or none is.
            share = self._share(given[_EXPLORATION]) if _EXPLORATION in given else None
            if "model" in given:
                self._change_model(given["model"])
            if share is not None and self._loop is not None:
                self._explore(self._loop, share)
        except Exception as error:  # whatever a bundle may hold, the arm goes on as it did
            if not isinstance(error, TtdmError):
                self.get_logger().error(traceback.format_exc())
            self.get_logger().warning(f"{' and '.join(given)} refused: {error}")
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _change_model(self, source: Any) -> None:
        if self._loop is None:
            self._models.load(source)  # it is made use of when the node is configured
        else:
            self._models.exchange(source, self._loop, self._tell_model)

    @staticmethod
    def _share(value: Any) -> float:
        """Check a share of exploration: rclpy itself compares with the range only what has a decimal point."""
        return parse({"exploration": value}, ControllerConfig, "parameters of mpc_controller").exploration

    @staticmethod
    def _explore(loop: ControlLoop, share: float) -> None:
        loop.call(lambda: loop.controller.set_exploration(share))

    def _on_drive_again(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            loop = self._configured
            timeline = loop.controller.task.once_more(self.config.controller.approach_speed)
            loop.call(lambda: loop.controller.drive_again(timeline))
            response.success, response.message = True, "driving the task again"
        except TtdmError as error:
            response.success, response.message = False, str(error)
        return response

    def _tell_model(self, model: PredictionModel) -> None:
        self._topics.active_model(model.name, model.fingerprint)
        self._tell(f"model '{model.name}' {model.fingerprint} predicts from now on")

    def _on_target(self, message: PoseStamped) -> None:
        try:
            self.set_target(message)
        except TtdmError as error:
            self.get_logger().warning(f"target refused: {error}", throttle_duration_sec=1.0)

    def set_target(self, message: PoseStamped) -> None:
        """Lead the tip of an arm whose task is a live target to another pose.

        Raises:
            TaskError: it is given in another frame, cannot be reached, or the task is another one.
            SolverError: the controller is not configured.
        """
        frame = message.header.frame_id
        if frame != self.arm.base_frame:
            raise TaskError(f"a live target is given in the frame '{frame}'; give it in '{self.arm.base_frame}'")
        position, quaternion = message.pose.position, message.pose.orientation
        rotation = rotation_of(np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w]))
        place = np.array([position.x, position.y, position.z])
        loop = self._configured
        # Here, not in the control thread: it may take longer than the arm can wait.
        now = None if loop.last_plan is None else loop.last_plan.plan.x[0, :7]
        found = loop.controller.task.target(place, rotation, now)
        loop.call(lambda: loop.controller.set_target(found))
