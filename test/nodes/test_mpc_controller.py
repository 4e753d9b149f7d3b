"""The controller's node in this process: parameters, lifecycle, and what it says to an arm that stands still."""

import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="rclpy is not installed")

from geometry_msgs.msg import Point, PoseStamped, Quaternion
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ttdm_ros.config import parse
from ttdm_ros.control.phase import Phase
from ttdm_ros.dynamics.bundle import load_model, save_model
from ttdm_ros.errors import SolverError, TaskError
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.mpc.tasks.inverse_kinematics import InverseKinematics
from ttdm_ros.nodes.controller_node import CALLBACK_GROUPS, MpcController
from ttdm_ros.nodes.controller_parameters import MpcControllerConfig
from ttdm_ros.nodes.model_exchange import ModelExchange
from ttdm_ros.nodes.mpc_controller import main
from ttdm_ros.paths import share_folder

DOMAIN = free_domain()
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
PATIENCE = 30.0  # [s]
PATIENT = ("controller.stale_periods:=100.0", "controller.missed:=1000")  # here nobody answers in real time


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))


@pytest.fixture
def context() -> Iterator[Context]:
    context = Context()
    context.init(args=[], domain_id=DOMAIN)
    yield context
    context.try_shutdown()


@pytest.fixture
def make(context: Context) -> Iterator[Callable[..., MpcController]]:
    nodes: list[MpcController] = []

    def make(*parameters: str) -> MpcController:
        words = [word for parameter in parameters for word in ("-p", parameter)]
        arguments = ["--ros-args", *words] if words else None
        nodes.append(MpcController(threading.Event(), context=context, cli_args=arguments))
        return nodes[-1]

    yield make
    for node in nodes:
        node.end()
        node.destroy_node()


class StandingArm:
    """Publishes that the arm stands at home, and hears what it is told."""

    def __init__(self, context: Context, controller: MpcController) -> None:
        self.node = Node("arm", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.arm = controller.arm
        self.commands: list[np.ndarray] = []
        self.events: list[str] = []
        self.models: list[str] = []
        self.references: list[MultiDOFJointTrajectory] = []
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        create = self.node.create_subscription
        create(Float64MultiArray, "effort_controller/commands", lambda m: self.commands.append(np.array(m.data)), 10)
        create(String, "mpc_controller/events", lambda m: self.events.append(m.data), latched)
        create(String, "mpc_controller/active_model", lambda m: self.models.append(m.data), latched)
        create(MultiDOFJointTrajectory, "mpc_controller/reference", self.references.append, 10)
        self.publisher = self.node.create_publisher(JointState, "joint_states", 10)
        self.stamp_ns = 10**9

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()

    def publish(self, names: list[str] | None = None) -> None:
        self.stamp_ns += 2_000_000
        home = dict(zip(self.arm.joint_names, self.arm.home, strict=True))
        names = list(self.arm.joint_names) if names is None else names
        message = JointState(name=names, position=[home[n] for n in names], velocity=[0.0] * len(names))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(self.stamp_ns, 10**9)
        self.publisher.publish(message)

    def until(self, condition: Callable[[], Any], *, names: list[str] | None = None, publish: bool = True) -> None:
        """Publish states, one after the other, until ``condition`` holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "what was waited for did not happen"
            if publish:
                self.publish(names)
            self.executor.spin_once(timeout_sec=0.005)


@pytest.fixture
def arm_of(context: Context) -> Iterator[Callable[[MpcController], StandingArm]]:
    arms: list[StandingArm] = []

    def make(controller: MpcController) -> StandingArm:
        arms.append(StandingArm(context, controller))
        return arms[-1]

    yield make
    for arm in arms:
        arm.close()


def set_model(node: MpcController, model: Any) -> tuple[bool, str]:
    result = node.set_parameters([Parameter("model", value=model)])[0]
    return result.successful, result.reason


# Parameters


def test_the_parameter_file_that_ships_holds_the_defaults() -> None:
    shipped = yaml.safe_load((share_folder() / "config" / "mpc_controller.yaml").read_text(encoding="utf-8"))
    values = shipped["/**/mpc_controller"]["ros__parameters"]
    assert parse(values, MpcControllerConfig, "mpc_controller.yaml") == MpcControllerConfig()
    assert set(values) == set(MpcControllerConfig.model_fields)
    for group in ("controller", "mpc"):
        assert set(values[group]) == set(type(getattr(MpcControllerConfig(), group)).model_fields)


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("robot:=nobody", "there is no robot named 'nobody'"),
        ("controller.rate:=5000.0", "'controller.rate': input should be less than or equal to 500"),
        ("mpc.horizont:=5", "key 'mpc.horizont' is not known (did you mean 'horizon'?)"),
        ("rate:=100.0", "key 'rate' is not known"),
        ("task:=spiral", "there is no task named 'spiral'"),
        ("model:=nothing", "there is no model 'nothing'"),
        ("mpc.horizon:=twenty", "'mpc.horizon': input should be a valid integer"),
    ],
)
def test_a_bad_parameter_ends_the_process_with_one_sentence(
    parameter: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interval = sys.getswitchinterval()
    try:
        assert main(["--ros-args", "-p", parameter, "-p", "autostart:=true"]) == 1
    finally:
        sys.setswitchinterval(interval)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    lines = [line for line in capfd.readouterr().err.splitlines() if "[INFO]" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("mpc_controller: ")
    assert sentence in lines[0]


def test_only_model_and_exploration_can_be_changed_while_it_runs(make: Callable[..., MpcController]) -> None:
    node = make()
    assert not node.set_parameters([Parameter("controller.rate", value=50.0)])[0].successful
    assert not node.set_parameters([Parameter("task", value="demo")])[0].successful
    assert set_model(node, "nominal") == (True, "")
    assert node.set_parameters([Parameter("controller.exploration", value=0.01)])[0].successful


# Lifecycle


def test_it_is_configured_activated_deactivated_and_cleaned_up_any_number_of_times(
    make: Callable[..., MpcController],
) -> None:
    node = make()
    for _ in range(2):
        assert node.trigger_configure() is SUCCESS
        for _ in range(2):
            assert node.trigger_activate() is SUCCESS
            assert node.trigger_deactivate() is SUCCESS
        assert node.trigger_cleanup() is SUCCESS


def test_a_task_that_is_not_there_leaves_it_unconfigured_and_the_reason_is_an_event(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make("task:=nowhere.yaml")
    assert node.trigger_configure() is FAILURE
    assert "there is no file nowhere.yaml" in (node.problem or "")
    arm = arm_of(node)
    arm.until(lambda: any(event.endswith(f"] refused: {node.problem}") for event in arm.events))
    assert node.trigger_activate() is not SUCCESS


def test_nothing_is_commanded_before_an_activation_nor_after_a_deactivation(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT)
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    for _ in range(20):
        arm.publish()
    arm.until(lambda: arm.models, publish=False)
    assert not arm.commands
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > 20)
    thread = threading.Thread(target=node.trigger_deactivate)
    thread.start()
    arm.until(lambda: not thread.is_alive())
    arm.until(lambda: any("the arm rests" in event for event in arm.events))
    count = len(arm.commands)
    for _ in range(20):
        arm.until(lambda: True)
        arm.publish()
    arm.executor.spin_once(timeout_sec=0.1)
    assert len(arm.commands) == count


# States and commands


def test_an_arm_whose_joints_come_in_another_order_gets_its_commands_in_the_arms(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT, "task:=circle")
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > 50, names=list(reversed(arm.arm.joint_names)))
    limits = arm.arm.limits
    assert all(np.isfinite(tau).all() and (np.abs(tau) <= limits.effort).all() for tau in arm.commands)
    assert (np.abs(arm.commands[0]) <= limits.effort_rate * 0.0021).all()  # torque starts from zero


def test_the_reference_begins_where_the_arm_is_and_is_stamped_with_the_time_it_is_for(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT)
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: arm.references)
    first = arm.references[0]
    stamp = first.header.stamp.sec * 10**9 + first.header.stamp.nanosec
    delay = round(1e9 * node.config.controller.delay)
    assert (stamp - delay - 10**9) % 2_000_000 == 0  # it is later than the stamp of a joint state by the delay
    assert first.header.frame_id == arm.arm.base_frame
    assert first.joint_names == [arm.arm.tip_frame]
    place = first.points[0].transforms[0].translation
    np.testing.assert_allclose([place.x, place.y, place.z], arm.arm.tip_pose(arm.arm.home)[0], atol=1e-3)


def test_a_joint_that_is_missing_stops_it_until_it_is_activated_again(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT)
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > 10)
    arm.until(lambda: any("lack panda_joint7" in event for event in arm.events), names=list(arm.arm.joint_names[:-1]))
    arm.until(lambda: any("stopped" in event for event in arm.events), names=list(arm.arm.joint_names[:-1]))
    arm.until(lambda: not arm.commands[-1].any(), publish=False)
    count = len(arm.commands)
    for _ in range(10):
        arm.until(lambda: True)
        arm.publish()
    assert len(arm.commands) == count
    assert node.trigger_deactivate() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > count)


# Models


def test_a_model_given_before_the_configuration_is_used_by_it(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm], tmp_path: Path
) -> None:
    nominal = load_model("nominal")
    save_model(dataclasses.replace(nominal, output_mean=nominal.output_mean + 0.01), tmp_path / "other")
    node = make()
    arm = arm_of(node)
    assert set_model(node, str(tmp_path / "other")) == (True, "")
    assert node.trigger_configure() is SUCCESS
    arm.until(lambda: arm.models, publish=False)
    assert arm.models[-1].split()[0] == "other"


@pytest.mark.parametrize("is_configured", [False, True])
def test_a_model_that_cannot_be_used_is_refused_with_the_reason_and_the_old_one_stays(
    make: Callable[..., MpcController], tmp_path: Path, is_configured: bool
) -> None:
    nominal = load_model("nominal")
    save_model(dataclasses.replace(nominal, robot="fr3"), tmp_path / "stranger")
    node = make()
    if is_configured:
        assert node.trigger_configure() is SUCCESS
    for given, reason in (
        (str(tmp_path / "stranger"), "was made for fr3, not panda"),
        (str(tmp_path / "nowhere"), "there is no model"),
        (7, "must be the name of a model or the path of a bundle"),
        ("", "must be the name of a model or the path of a bundle"),
    ):
        successful, text = set_model(node, given)
        assert not successful
        assert reason in text
    assert node.get_parameter("model").value == "nominal"


def test_a_model_takes_over_while_the_arm_is_driven(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm], tmp_path: Path
) -> None:
    nominal = load_model("nominal")
    other = dataclasses.replace(nominal, output_mean=nominal.output_mean + 0.01)
    save_model(other, tmp_path / "other")
    node = make(*PATIENT)
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > 20)
    results: list[tuple[bool, str]] = []
    thread = threading.Thread(target=lambda: results.append(set_model(node, str(tmp_path / "other"))))
    thread.start()
    arm.until(lambda: results)
    assert results == [(True, "")]
    arm.until(lambda: len(arm.models) > 1)
    assert arm.models[-1] == f"other {other.fingerprint}"
    count = len(arm.commands)
    arm.until(lambda: len(arm.commands) > count + 20)
    assert node._configured.controller.phase is Phase.APPROACH


# Live target


def target(node: MpcController, frame: str, below: float = 0.05, length: float = 1.0) -> PoseStamped:
    """Return the home pose of the tip, a little lower, with a quaternion of some length."""
    message = PoseStamped()
    message.header.frame_id = frame
    (x, y, z), rotation = node.arm.tip_pose(node.arm.home)
    message.pose.position = Point(x=x, y=y, z=z - below)
    message.pose.orientation = Quaternion(
        **dict(zip("xyzw", length * Rotation.from_matrix(rotation).as_quat(), strict=True))
    )
    return message


def test_a_live_target_is_followed_and_a_bad_one_is_refused(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT, "task:=live")
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: any("driving" in event for event in arm.events))
    height = arm.references[-1].points[0].transforms[0].translation.z
    node.set_target(target(node, "panda_link0"))
    arm.until(lambda: arm.references[-1].points[0].transforms[0].translation.z < height - 0.02)
    for message, reason in (
        (target(node, "world"), "in the frame 'world'; give it in 'panda_link0'"),
        (target(node, "panda_link0", below=2.0), "outside the workspace"),
        (target(node, "panda_link0", length=9.0), "send a unit quaternion"),
    ):
        with pytest.raises(TaskError, match=reason):
            node.set_target(message)


def test_a_target_that_takes_long_to_look_for_holds_up_nobody_that_commands(
    make: Callable[..., MpcController],
    arm_of: Callable[[MpcController], StandingArm],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = make(*PATIENT, "task:=live")
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: arm.commands)
    looking, found = threading.Event(), threading.Event()

    def locate(*_: Any) -> None:
        looking.set()
        assert found.wait(PATIENCE)

    monkeypatch.setattr(InverseKinematics, "locate", locate)
    refused: list[str] = []

    def send() -> None:
        try:
            node.set_target(target(node, "panda_link0"))
        except TaskError as error:
            refused.append(str(error))

    sender = threading.Thread(target=send)
    sender.start()
    assert looking.wait(PATIENCE)
    before = len(arm.commands)
    arm.until(lambda: len(arm.commands) > before + 20)
    found.set()
    sender.join(PATIENCE)
    assert "out of reach" in refused[0]


def test_what_is_set_while_the_node_is_configured_is_what_it_begins_with(
    make: Callable[..., MpcController], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nominal, other = load_model("nominal"), tmp_path / "other"
    save_model(dataclasses.replace(nominal, output_mean=nominal.output_mean + 0.01), other)
    node = make()
    prepare, asked = node._prepare, []

    def and_meanwhile(task: Any, source: str, share: float) -> Any:
        asked.append((source, share))
        if len(asked) == 1:
            assert set_model(node, str(other)) == (True, "")
            assert set_exploration(node, 0.02) == (True, "")
        return prepare(task, source, share)

    monkeypatch.setattr(node, "_prepare", and_meanwhile)
    assert node.trigger_configure() is SUCCESS
    assert asked == [("nominal", 0.0), (str(other), 0.02)]
    assert node._configured.controller.solver.model.name == "other"


def test_a_model_that_takes_long_to_prepare_holds_up_neither_targets_nor_time(
    make: Callable[..., MpcController], monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    node = make()
    preparing, prepared = threading.Event(), threading.Event()

    def load(self: Any, source: Any) -> Any:
        preparing.set()
        prepared.wait(PATIENCE)
        raise TaskError("no")

    monkeypatch.setattr(ModelExchange, "load", load)
    other = Node("asking", context=context)
    executor = MultiThreadedExecutor(num_threads=CALLBACK_GROUPS, context=context)
    executor.add_node(node)
    executor.add_node(other)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    try:
        setting = other.create_client(SetParameters, f"{node.get_name()}/set_parameters")
        again = other.create_client(Trigger, f"{node.get_name()}/drive_again")
        assert setting.wait_for_service(PATIENCE)
        assert again.wait_for_service(PATIENCE)
        parameter = Parameter("model", value="other").to_parameter_msg()
        answer = setting.call_async(SetParameters.Request(parameters=[parameter]))
        assert preparing.wait(PATIENCE)
        seen = threading.Event()
        node.create_timer(0.01, seen.set)  # in the group that time is in
        assert "not configured" in again.call(Trigger.Request()).message
        assert seen.wait(PATIENCE)
        assert not answer.done()
    finally:
        prepared.set()
        executor.shutdown()
        spinning.join(PATIENCE)
        other.destroy_node()


def test_a_target_for_a_task_with_a_path_is_refused(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT, "task:=circle")
    with pytest.raises(SolverError, match="not configured"):
        node.set_target(target(node, "panda_link0"))
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: arm.commands)
    with pytest.raises(TaskError, match="follows a path, not a target"):
        node.set_target(target(node, "panda_link0"))


# Exploration, and the task once more


def set_exploration(node: MpcController, share: Any) -> tuple[bool, str]:
    result = node.set_parameters([Parameter("controller.exploration", value=share)])[0]
    return result.successful, result.reason


@pytest.mark.parametrize("is_configured", [False, True])
@pytest.mark.parametrize("share", [5, -1, 0.3, -0.01, float("nan"), "much", [0.1], None])
def test_a_share_of_exploration_that_is_no_small_number_is_refused(
    make: Callable[..., MpcController], is_configured: bool, share: Any
) -> None:
    node = make("controller.exploration:=0.04")
    if is_configured:
        assert node.trigger_configure() is SUCCESS
    successful, reason = set_exploration(node, share)
    assert not successful
    assert "exploration" in reason
    assert node.get_parameter("controller.exploration").value == 0.04


def share_of(node: MpcController) -> float:
    """What the controller explores with, as a share of the torque limits."""
    size = node._configured.controller._output.exploration._size
    return float(size[0] / node.arm.limits.effort[0])


def test_exploration_is_changed_while_it_runs_and_kept_when_it_is_configured_again(
    make: Callable[..., MpcController],
) -> None:
    node = make("controller.exploration:=0.04")
    assert node.trigger_configure() is SUCCESS
    assert share_of(node) == pytest.approx(0.04)
    assert set_exploration(node, 0.1) == (True, "")
    assert share_of(node) == pytest.approx(0.1)
    assert set_exploration(node, 0) == (True, "")  # a whole number is a number, too
    assert share_of(node) == 0.0
    assert node.trigger_cleanup() is SUCCESS
    assert set_exploration(node, 0.02) == (True, "")
    assert node.trigger_configure() is SUCCESS
    assert share_of(node) == pytest.approx(0.02)


def test_of_a_model_and_a_share_that_is_refused_neither_is_taken(
    make: Callable[..., MpcController], tmp_path: Path
) -> None:
    nominal = load_model("nominal")
    save_model(dataclasses.replace(nominal, output_mean=nominal.output_mean + 0.01), tmp_path / "other")
    node = make()
    assert node.trigger_configure() is SUCCESS
    both = [Parameter("model", value=str(tmp_path / "other")), Parameter("controller.exploration", value=5)]
    assert not node.set_parameters_atomically(both).successful
    assert node._configured.controller.solver.model.fingerprint == nominal.fingerprint
    assert node.get_parameter("model").value == "nominal"


def drive_again(node: MpcController) -> tuple[bool, str]:
    response = node._on_drive_again(Trigger.Request(), Trigger.Response())
    return response.success, response.message


def test_a_task_that_is_not_done_is_not_driven_again_and_the_answer_says_why(
    make: Callable[..., MpcController], arm_of: Callable[[MpcController], StandingArm]
) -> None:
    node = make(*PATIENT)
    assert drive_again(node) == (False, "the controller is not configured; configure it first")
    arm = arm_of(node)
    assert node.trigger_configure() is SUCCESS
    assert drive_again(node) == (False, "the task can be driven again once it is done; it is inactive now")
    assert node.trigger_activate() is SUCCESS
    arm.until(lambda: len(arm.commands) > 5)
    done, answer = drive_again(node)
    assert not done
    assert "once it is done; it is approach now" in answer


def test_a_live_target_is_not_driven_again(make: Callable[..., MpcController]) -> None:
    node = make("task:=live")
    assert node.trigger_configure() is SUCCESS
    done, answer = drive_again(node)
    assert not done
    assert "follows a live target and has no end" in answer


def test_a_control_thread_that_is_busy_is_an_answer_not_an_exception(
    make: Callable[..., MpcController], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make()
    assert node.trigger_configure() is SUCCESS
    begun, released = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        released.wait(PATIENCE)

    node._configured._requests.put(hold)
    assert begun.wait(PATIENCE)
    monkeypatch.setattr("ttdm_ros.nodes.requests._PATIENCE_S", 0.05)
    monkeypatch.setattr(node._configured.controller.task, "once_more", lambda speed: None)
    try:
        done, answer = drive_again(node)
        shared = node.set_parameters([Parameter("controller.exploration", value=0.01)])[0]
    finally:
        released.set()
    assert not done
    assert "the control thread was busy for 0.05 s, and nothing was changed" in answer
    assert not shared.successful
    assert "nothing was changed" in shared.reason
