"""The nodes of a demo as processes, watched through the monitor."""

import json
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.demo_view import ControllerStatus, DemoView
from ttdm_ros.evaluation.node_command import node_command
from ttdm_ros.evaluation.processes import ProcessGroup

# Machines are noisy: these end a demo that hangs, and say nothing about how fast it should be.
_PREPARING_LIMIT_S = 900.0  # until the controller is active; it may compile its solver
_STARTING_LIMIT_S = 180.0  # for the first joint state, and for the way to the start of the task
_SILENCE_LIMIT_S = 60.0  # between two status messages of an active controller
_BRAKING_LIMIT_S = 10.0
_ANSWER_LIMIT_S = 60.0
PATIENT_CONTROLLER = {"controller.stale_periods": 100.0, "controller.missed": 1000}
"""Where robot, controller, recorder and training share one machine, which may be busy: that shall show in the figures,
and not end the drive."""
_FIRST, _LAST = -10, 10  # niceness of those that must not wait, and of the one that may


class DemoError(TtdmError):
    """The controller gave up, or something did not happen in time."""


def node_environment(domain: int, logs: Path) -> dict[str, str]:
    """Return the variables that keep nodes on this machine, in a ROS domain, with their logs below a folder."""
    return {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_STATIC_PEERS": "",
        # Shared memory has locks across processes: one that is not scheduled for a while can hold up all the others.
        "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4",
        "ROS_LOG_DIR": str(logs / "ros"),
    }


class DemoSession:
    """Starts the nodes, follows the controller's phases, and asks it for things.

    Attributes:
        phase: of the controller, as the last status said.
        progress: share of the task that is done.
    """

    def __init__(
        self,
        group: ProcessGroup,
        view: DemoView,
        *,
        logs: Path,
        environment: Mapping[str, str],
        robot: Mapping[str, Any],
        params_file: Path | None = None,
        use_sim_time: bool = False,
    ) -> None:
        """Prepare.

        Args:
            group: that the processes belong to.
            view: shows what happens.
            logs: folder for what they print.
            environment: variables set for all of them.
            robot: parameters that name the robot.
            params_file: parameter file for all nodes; what this session sets itself wins over it.
            use_sim_time: whether recorder and controller take their time from ``/clock``.
        """
        self.phase, self.progress = "inactive", 0.0
        self._group, self._view, self._logs = group, view, logs
        self._environment, self._robot = dict(environment), dict(robot)
        self._files = {} if params_file is None else {"params_file": params_file}
        self._time = {"use_sim_time": True} if use_sim_time else {}
        self._event = self._fault = self._driver = ""
        self._answers: list[dict[str, Any]] = []
        self._since = self._heard = time.monotonic()

    def record(self, bag: Path) -> None:
        """Start a recorder, and wait until its bag is there.

        Raises:
            TtdmError: it ended, or made no bag in time.
        """
        self._start("recorder", {"output_folder": str(bag.parent), "name": bag.name} | self._time)
        limit = time.monotonic() + _STARTING_LIMIT_S
        while not bag.exists():
            self._group.check()
            if time.monotonic() > limit:
                raise DemoError(
                    f"the recorder made no bag within {_STARTING_LIMIT_S:g} s; see the logs in {self._logs}"
                )
            time.sleep(0.05)

    def end_recording(self) -> None:
        """Stop the recorder, which closes its bag.

        Raises:
            TtdmError: it did not end well.
        """
        ended = self._group.stop("recorder")
        if ended.problem:
            raise DemoError(ended.problem)

    def start(self, *, plant: str | None, controller: Mapping[str, Any]) -> None:
        """Start simulator, controller and monitor; without a plant, no simulator: an arm is up on the topics."""
        if plant is not None:
            self._start("simulator", self._robot | {"plant": plant})
        self._start("mpc_controller", self._robot | {"autostart": True} | self._time | dict(controller))
        lines = self._start("monitor", {}, pipe=True)
        assert lines is not None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def follow(self, phase: str, *, progress: float = 0.0, seconds: float | None = None) -> None:
        """Watch until the controller is in a phase with at least so much of the task done.

        Args:
            phase: to wait for.
            progress: share of the task.
            seconds: of tracking, after which it is enough whatever the phase.

        Raises:
            TtdmError: a process ended, the controller gave up, or nothing happens any more.
        """
        while not (self.phase == phase and self.progress >= progress):
            if seconds is not None and self.phase == "tracking" and time.monotonic() - self._since >= seconds:
                self._view.say(f"  stopping after {seconds:g} s of tracking, as asked for")
                return
            self.watch(0.1)

    def wait(self, seconds: float, *, show: bool = True) -> None:
        """Watch for a while; errors as in ``follow``."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0.0:
            self.watch(min(left, 0.1), show=show)

    def ask(self, **request: Any) -> None:
        """Ask the controller, see ``ttdm_ros.nodes.monitor``, and wait for its answer.

        Raises:
            TtdmError: it refuses, or does not answer.
        """
        done, answer = self.request(**request)
        if not done:
            raise DemoError(f"the controller refused {request}: {answer}")

    def request(self, *, show: bool = True, **request: Any) -> tuple[bool, str]:
        """Do the same, and return whether it was done, and the answer in words; only silence is an error."""
        self._answers.clear()
        self._group.say("monitor", json.dumps(request))
        limit = time.monotonic() + _ANSWER_LIMIT_S
        while not self._answers:
            self.watch(0.1, show=show)
            if time.monotonic() > limit:
                raise DemoError(f"the controller did not answer {request} within {_ANSWER_LIMIT_S:g} s")
        return bool(self._answers[0].get("done")), str(self._answers[0].get("answer"))

    def run_beside(self, name: str, command: list[str], stage: str) -> None:
        """Run a program to its end while the controller goes on.

        Raises:
            TtdmError: it failed, or the controller gave up meanwhile.
        """
        log = self._logs / f"{name}.log"
        self._group.start(name, command, log=log, niceness=_LAST, may_end=True)
        self._view.stage(stage)
        while (code := self._group.poll(name)) is None:
            self.watch(0.2, show=False)
        if code != 0:
            raise DemoError(f"{name} failed with exit code {code}; see {log}")

    def watch(self, timeout: float, *, show: bool = True) -> None:
        """Take one message of the monitor, or none within ``timeout`` [s], and see whether all is well."""
        self._group.check()
        try:
            message = json.loads(self._lines.get(timeout=timeout))
        except (queue.Empty, json.JSONDecodeError):
            message = {}
        now = time.monotonic()
        if "event" in message:
            self._event = str(message["event"])
            self._view.say(f"  {self._event}")
        if "driver" in message:
            self._driver = str(message["driver"])
            self._view.say(f"  franka_driver: {self._driver}")
        if "answer" in message:
            self._answers.append(message)
        if "status" in message:
            self._heard = now
            self._note(ControllerStatus.of(message["status"]), now, show)
        self._check(now)

    def _note(self, status: ControllerStatus, now: float, show: bool) -> None:
        self.progress = status.progress
        self._fault = status.message if status.is_error else ""
        if status.phase != self.phase:
            was_active = self.phase in ("approach", "tracking")
            self.phase, self._since = status.phase, now
            if was_active and self.phase in ("inactive", "waiting", "leaving"):
                raise DemoError(
                    f"the controller gave up its task and is {self.phase} now ({self._event or status.message})"
                )
        if show:
            self._view.show(status)
        if self.phase == "inactive" and status.is_error:
            raise DemoError(f"the controller cannot start: {status.message or self._event or 'see its log'}")

    def _check(self, now: float) -> None:
        event, since = self._fault or self._event or "see its log", now - self._since
        if self._driver:  # it may know why no joint state came
            event += f"; franka_driver said last: {self._driver}"
        match self.phase:
            case "stopped":
                raise DemoError(f"the controller found a fault and stopped the arm: {event}")
            case "braking" if since > _BRAKING_LIMIT_S:
                raise DemoError(f"the controller found a fault and does not come to rest: {event}")
            case "waiting" | "approach" if since > _STARTING_LIMIT_S:
                raise DemoError(f"the controller is in phase '{self.phase}' for {_STARTING_LIMIT_S:g} s; see its log")
            case "inactive" if since > _PREPARING_LIMIT_S:
                raise DemoError(f"the controller did not start within {_PREPARING_LIMIT_S:g} s; see its log")
        if self.phase != "inactive" and now - self._heard > _SILENCE_LIMIT_S:
            raise DemoError(f"the controller has been silent for {_SILENCE_LIMIT_S:g} s; see its log")

    def _start(self, node: str, parameters: Mapping[str, Any], *, pipe: bool = False) -> IO[str] | None:
        return self._group.start(
            node,
            node_command(node, parameters, **self._files),
            log=self._logs / f"{node}.log",
            environment=self._environment,
            pipe=pipe,
            niceness=_FIRST if node in ("simulator", "mpc_controller") else 0,
        )

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._lines.put(line)
