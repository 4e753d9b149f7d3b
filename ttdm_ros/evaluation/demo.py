"""The demo without launch: a simulated arm is driven, recorded, learned from, and driven better.

The story: the path is driven once with the nominal model and a little exploration, into a bag; a model is trained on
it while the arm holds its pose; the path is driven again, and half-way the new model takes over; then once more.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.child_commands import train_command
from ttdm_ros.evaluation.demo_folder import DemoFolder
from ttdm_ros.evaluation.demo_session import PATIENT_CONTROLLER, DemoSession, node_environment
from ttdm_ros.evaluation.demo_view import DemoView
from ttdm_ros.evaluation.franka_session import PATIENT_DRIVER, SPARING, start_driver, start_simulated_robot
from ttdm_ros.evaluation.interruption import ended_by_signals
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.paths import find_config

if TYPE_CHECKING:
    from ttdm_ros.systems.arm import Arm

EXPLORATION = 0.04  # share of the torque limits, in the lesson
MODEL = "tailored"  # name of the model that is trained
_HOLDING_S = 1.0  # recorded after the task is done
_MEETING_S = 4.0  # in which publishers and a new recorder find each other
_SWAP_AT = 0.5  # of the path


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to run, and where the result goes.

    Attributes:
        output: folder of the report, the summary and the bags.
        robot: robot of config/robots, or a path to a .yaml or .urdf file.
        base_frame: link of a .urdf at which the arm begins; None for the robot's own.
        tip_frame: link of a .urdf at which the arm ends; None for the robot's own.
        task: task of config/tasks, or a path to a file.
        plant: plant of config/plants, or a path to a file.
        model: model of models/, or a path to a bundle; the one to begin with.
        franka: the arm is an FR3 behind its network protocol, simulated by franka-sim, with its driver.
        learn: train a model and exchange it; otherwise the path is driven once.
        duration: seconds of tracking after which a demo without learning ends; None for the end of the task.
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
    franka: bool = False
    learn: bool = True
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
    with ended_by_signals(folder.path, console), ProcessGroup() as group, DemoView(console) as view:
        problem = _drive(options, arm, folder, group, view)
        view.stage("stopping")
        for ended in group.stop_all():
            if ended.problem and not problem:
                problem = ended.problem
        if not folder.bag.exists():
            raise TtdmError(problem or f"nothing was recorded; see the logs in {folder.logs}")
        view.stage("reading the bag")
        from ttdm_ros.evaluation.summary import summarise

        result = summarise(folder.bag, arm, run=options.names, problem=problem, report=folder.report)
        folder.write_summary(result.summary)
    console.print(result.table)
    console.print(f"\nreport   {folder.report}\nfigures  {folder.summary}\nbag      {folder.bag}", highlight=False)
    if problem is not None:
        raise TtdmError(problem)
    if options.learn:
        console.print(f"model    {folder.training / MODEL}", highlight=False)
    if options.keep_logs:
        console.print(f"logs     {folder.logs}", highlight=False)
    else:
        folder.remove_logs()
    return folder


def _drive(options: DemoOptions, arm: "Arm", folder: DemoFolder, group: ProcessGroup, view: DemoView) -> str | None:
    """Run the nodes from start to end; the result says what went wrong, None if nothing."""
    robot = {"robot": options.robot, "base_frame": options.base_frame, "tip_frame": options.tip_frame}
    environment = node_environment(free_domain() if options.domain is None else options.domain, folder.logs)
    session = DemoSession(group, view, logs=folder.logs, environment=environment, robot=robot)
    if options.franka:
        address = start_simulated_robot(group, arm, options.plant, folder=folder.logs)
    # The same order and the same files as launch/panda_mpc.launch.py. The recorder comes first and misses nothing.
    session.record(folder.lesson if options.learn else folder.bag)
    controller = {"model": options.model, "task": options.task} | PATIENT_CONTROLLER
    exploration = {"controller.exploration": EXPLORATION} if options.learn else {}
    session.start(plant=None if options.franka else options.plant, controller=controller | exploration)
    try:
        if options.franka:
            driver = {"robot": options.robot} | SPARING | PATIENT_DRIVER
            start_driver(session, group, driver, address=address, folder=folder.logs, environment=environment)
        if options.learn:
            _learn(session, options, folder)
        else:
            session.follow("holding", seconds=options.duration)
        session.wait(_HOLDING_S)
    except TtdmError as error:
        return str(error)
    return None


def _learn(session: DemoSession, options: DemoOptions, folder: DemoFolder) -> None:
    session.follow("holding")
    session.end_recording()
    session.run_beside("train", _training(options, folder), "learning from the bag (about a minute)")
    session.ask(set={"controller.exploration": 0.0})
    session.record(folder.bag)
    session.wait(_MEETING_S)
    session.ask(call="drive_again")
    session.follow("tracking", progress=_SWAP_AT)
    session.ask(set={"model": str(folder.training / MODEL)})
    session.follow("holding")
    session.wait(_HOLDING_S)
    session.ask(call="drive_again")
    session.follow("tracking")
    session.follow("holding")


def _training(options: DemoOptions, folder: DemoFolder) -> list[str]:
    robot = {"robot": options.robot, "base_frame": options.base_frame, "tip_frame": options.tip_frame}
    return train_command([folder.lesson], robot, out=folder.training, name=MODEL)
