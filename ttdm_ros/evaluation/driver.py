"""One arm and one controller that drive task after task, each into a bag of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.demo_session import PATIENT_CONTROLLER, DemoSession, node_environment
from ttdm_ros.evaluation.demo_view import DemoView
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.evaluation.ros_domain import free_domain

_MEETING_S = 4.0  # in which publishers and a new recorder find each other
_NODES = ("monitor", "mpc_controller", "simulator")  # in the order in which they are stopped


class Driver:
    """Starts nodes when they are first needed, and the controller anew when the task is another one."""

    def __init__(
        self,
        group: ProcessGroup,
        view: DemoView,
        *,
        logs: Path,
        robot: Mapping[str, Any],
        plant: str | None,
        domain: int | None = None,
        params_file: Path | None = None,
        use_sim_time: bool = False,
    ) -> None:
        """Prepare.

        Args:
            group: that the processes belong to.
            view: shows what happens.
            logs: folder for what they print.
            robot: parameters that name the robot.
            plant: of the simulator; None for an arm that is up already, in the ROS domain of the environment.
            domain: ROS domain of a simulated arm; None for one that is free.
            params_file: see ``DemoSession``.
            use_sim_time: see ``DemoSession``.
        """
        self._group, self._view, self._logs = group, view, logs
        self._robot, self._plant = dict(robot), plant
        self._environment = {"ROS_LOG_DIR": str(logs / "ros")}
        if plant is not None:
            self._environment = node_environment(free_domain() if domain is None else domain, logs)
        self._params_file, self._use_sim_time = params_file, use_sim_time
        self._session: DemoSession | None = None
        self._task = ""

    def drive(self, task: str, bag: Path, *, model: str, exploration: float, seed: int = 0) -> None:
        """Drive a task from start to end into a bag.

        Args:
            task: task of config/tasks, or a path to a file.
            bag: folder to be made.
            model: to start a controller with; one that runs keeps its own, see ``use``.
            exploration: share of the torque limits.
            seed: of the exploration of a controller that is started.

        Raises:
            TtdmError: a process ended, the controller gave up or refused, or nothing happens any more.
        """
        if self._session is not None and task == self._task:
            session = self._session
            session.ask(set={"controller.exploration": exploration})
            session.record(bag)
            session.wait(_MEETING_S)
            session.ask(call="drive_again")
            session.follow("tracking")
        else:
            session = self._start(
                bag,
                {
                    "model": model,
                    "task": task,
                    "controller.exploration": exploration,
                    "controller.exploration_seed": seed,
                },
            )
            self._task = task
        session.follow("holding")
        session.end_recording()

    def use(self, model: str) -> None:
        """Exchange the model of the running controller; without one there is nothing to do.

        Raises:
            TtdmError: it is refused, or the controller does not answer.
        """
        if self._session is not None:
            self._session.ask(set={"model": model})

    def run_beside(self, name: str, command: list[str], stage: str) -> None:
        """Run a program to its end, see ``DemoSession.run_beside``; the controller must have been started."""
        assert self._session is not None, "there is nothing to run it beside"
        self._session.run_beside(name, command, stage)

    def _start(self, bag: Path, controller: Mapping[str, Any]) -> DemoSession:
        if self._session is not None:
            self._session = None
            for node in _NODES:
                if node != "simulator" or self._plant is not None:
                    ended = self._group.stop(node)
                    if ended.problem:
                        raise TtdmError(ended.problem)
        session = DemoSession(
            self._group,
            self._view,
            logs=self._logs,
            environment=self._environment,
            robot=self._robot,
            params_file=self._params_file,
            use_sim_time=self._use_sim_time,
        )
        session.record(bag)  # first, so that it misses nothing
        patience = {} if self._plant is None else PATIENT_CONTROLLER
        session.start(plant=self._plant, controller=dict(controller) | patience)
        self._session = session
        return session
