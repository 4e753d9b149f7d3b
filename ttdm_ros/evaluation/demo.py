"""The demo without launch: recorder, simulator and controller as processes, watched, stopped, and summed up."""

import json
import queue
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from rich.console import Console

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.demo_folder import DemoFolder
from ttdm_ros.evaluation.demo_view import ControllerStatus, DemoView
from ttdm_ros.evaluation.node_command import node_command
from ttdm_ros.evaluation.processes import Patience, ProcessGroup
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.paths import find_config

# Machines are noisy: these end a demo that hangs, and say nothing about how fast it should be.
_PREPARING_LIMIT_S = 900.0  # until the controller is active; it may compile its solver
_STARTING_LIMIT_S = 180.0  # for the first joint state, and for the way to the start of the task
_SILENCE_LIMIT_S = 60.0  # between two status messages of an active controller
_BRAKING_LIMIT_S = 10.0
_HOLDING_S = 1.0  # recorded after the task is done


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to run, and where the result goes.

    Attributes:
        output: folder of the report, the summary and the bag.
        robot: robot of config/robots, or a path to a .yaml or .urdf file.
        base_frame: link of a .urdf at which the arm begins; None for the robot's own.
        tip_frame: link of a .urdf at which the arm ends; None for the robot's own.
        task: task of config/tasks, or a path to a file.
        plant: plant of config/plants, or a path to a file.
        model: model of models/, or a path to a bundle.
        duration: seconds of tracking after which the demo ends; None for the end of the task.
        domain: ROS domain; None for one that is free.
        keep_logs: keep what the processes printed when all went well.
    """

    output: Path = Path("demo_output")
    robot: str = "panda"
    base_frame: str | None = None
    tip_frame: str | None = None
    task: str = "demo"
    plant: str = "payload_friction"
    model: str = "nominal"
    duration: float | None = None
    domain: int | None = None
    keep_logs: bool = False

    @property
    def names(self) -> dict[str, str]:
        """What was run, in the words it was asked for."""
        return {"robot": self.robot, "task": self.task, "plant": self.plant, "model": self.model}


def run_demo(options: DemoOptions, console: Console) -> DemoFolder:
    """Run a demo and write its report.

    Raises:
        TtdmError: an option is wrong, a process ended early or badly, or the controller found a fault. In the last case
            the report is written before.
    """
    from ttdm_ros.systems.arm import load_arm

    find_config("tasks", options.task)
    find_config("plants", options.plant)
    arm = load_arm(options.robot, base_frame=options.base_frame, tip_frame=options.tip_frame)
    folder = DemoFolder(options.output.expanduser().absolute())
    moved = folder.prepare()
    if moved is not None:
        console.print(f"The earlier run is now in {moved}", highlight=False)
    with _ended_by_signals(folder, console), ProcessGroup() as group, DemoView(console) as view:
        problem = _drive(options, folder, group, view)
        view.stage("stopping")
        for ended in group.stop_all():
            if ended.problem and not problem:
                problem = ended.problem
        view.stage("reading the bag")
        from ttdm_ros.evaluation.summary import summarise

        result = summarise(folder.bag, arm, run=options.names, problem=problem, report=folder.report)
        folder.write_summary(result.summary)
    console.print(result.table)
    console.print(f"\nreport   {folder.report}\nfigures  {folder.summary}\nbag      {folder.bag}", highlight=False)
    if problem is not None:
        raise TtdmError(problem)
    if options.keep_logs:
        console.print(f"logs     {folder.logs}", highlight=False)
    else:
        folder.remove_logs()
    return folder


def _drive(options: DemoOptions, folder: DemoFolder, group: ProcessGroup, view: DemoView) -> str | None:
    """Start everything, and return at the end of the task; the result says what went wrong, None if nothing."""
    robot = {"robot": options.robot, "base_frame": options.base_frame, "tip_frame": options.tip_frame}
    environment = _environment(options, folder)

    def start(node: str, parameters: Mapping[str, Any], *, pipe: bool = False) -> IO[str] | None:
        return group.start(
            node,
            node_command(node, parameters),
            log=folder.logs / f"{node}.log",
            environment=environment,
            patience=Patience(),
            pipe=pipe,
        )

    # The same order and the same files as launch/panda_mpc.launch.py. The recorder comes first and misses nothing.
    start("recorder", {"output_folder": str(folder.path), "name": folder.bag.name})
    _wait_for(folder.bag, group)
    start("simulator", robot | {"plant": options.plant})
    start("mpc_controller", robot | {"model": options.model, "task": options.task, "autostart": True})
    lines = start("monitor", {}, pipe=True)
    assert lines is not None
    return _watch(_Messages(lines), group, view, options.duration)


def _environment(options: DemoOptions, folder: DemoFolder) -> dict[str, str]:
    domain = free_domain() if options.domain is None else options.domain
    return {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_STATIC_PEERS": "",
        "ROS_LOG_DIR": str(folder.logs / "ros"),
    }


class _Messages:
    """Lines of the monitor, read by a thread of their own so that waiting for them can end."""

    def __init__(self, lines: IO[str]) -> None:
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def next(self, timeout: float) -> dict[str, Any]:
        """Return the next message, an empty one if none comes in time [s]."""
        try:
            message = json.loads(self._queue.get(timeout=timeout))
        except (queue.Empty, json.JSONDecodeError):
            return {}
        return message if isinstance(message, dict) else {}

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._queue.put(line)


def _watch(messages: _Messages, group: ProcessGroup, view: DemoView, duration: float | None) -> str | None:
    """Follow the controller until its task is done; the result says what went wrong, None if nothing."""
    phase, event = "inactive", ""
    since = heard = time.monotonic()
    while True:
        group.check()
        message = messages.next(timeout=0.1)
        now = time.monotonic()
        if "event" in message:
            event = str(message["event"])
            view.say(f"  {event}")
        if "status" in message:
            heard = now
            status = ControllerStatus.of(message["status"])
            if status.phase != phase:
                was_active = phase in ("approach", "tracking")
                phase, since = status.phase, now
                if was_active and phase in ("inactive", "waiting", "leaving"):
                    return f"the controller gave up its task and is {phase} now ({event or status.message})"
            view.show(status)
            if phase == "inactive" and status.is_error:
                return f"the controller cannot start: {status.message or event or 'see its log'}"
        match phase:
            case "holding" if now - since >= _HOLDING_S:
                return None
            case "tracking" if duration is not None and now - since >= duration:
                view.say(f"  stopping after {duration:g} s of tracking, as asked for")
                return None
            case "stopped":
                return f"the controller found a fault and stopped the arm: {event or 'see its log'}"
            case "braking" if now - since > _BRAKING_LIMIT_S:
                return f"the controller found a fault and does not come to rest: {event or 'see its log'}"
            case "waiting" | "approach" if now - since > _STARTING_LIMIT_S:
                return f"the controller is in phase '{phase}' for {_STARTING_LIMIT_S:g} s; see the logs in the output"
            case "inactive" if now - since > _PREPARING_LIMIT_S:
                return (
                    f"the controller did not start within {_PREPARING_LIMIT_S:g} s; see the logs in the output folder"
                )
        if phase != "inactive" and now - heard > _SILENCE_LIMIT_S:
            return f"the controller has been silent for {_SILENCE_LIMIT_S:g} s; see the logs in the output folder"


def _wait_for(path: Path, group: ProcessGroup) -> None:
    limit = time.monotonic() + _STARTING_LIMIT_S
    while not path.exists():
        group.check()
        if time.monotonic() > limit:
            raise TtdmError(f"the recorder made no bag within {_STARTING_LIMIT_S:g} s; see the logs in {path.parent}")
        time.sleep(0.05)


@contextmanager
def _ended_by_signals(folder: DemoFolder, console: Console) -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does, so that the processes are stopped in order; say what is left."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        console.print(f"Interrupted; what was recorded until then is in {folder.bag}", highlight=False)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
