"""The Franka Research 3: libfranka by pylibfranka, and a compiled loop around our law."""

import faulthandler
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pylibfranka
from numpy.typing import NDArray

from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.fr3_loop import CompiledLoop
from ttdm_ros.plants.franka.law import UNSEEN, LawStatus
from ttdm_ros.plants.franka.link import CYCLE, LinkError, Look, configure, settings_refused

Array = NDArray[np.float64]

_ANSWER_LIMIT_S = 20.0  # for the robot to answer what it is told
_PROBE = "import sys, pylibfranka; pylibfranka.Robot(sys.argv[1], pylibfranka.RealtimeConfig.kIgnore)"
_LIBRARY_ERRORS = (
    pylibfranka.FrankaException,
    pylibfranka.NetworkException,
    pylibfranka.ControlException,
    pylibfranka.CommandException,
    pylibfranka.InvalidOperationException,
    pylibfranka.RealtimeException,
    RuntimeError,
    ValueError,
)


class Fr3Link:
    """See ``ArmLink``. Not safe for use from several threads at once."""

    def __init__(self, settings: FrankaSettings) -> None:
        """Prepare; nothing is sent yet."""
        self._settings = settings
        self._robot: Any = None
        self._configured = False
        self._loop: CompiledLoop | None = None
        self._control: Any = None

    # Connection

    def connect(self) -> None:
        """See ``ArmLink``."""
        self._robot, self._configured = None, False
        self._probe()
        try:
            with _own_scheduling(), _bounded():
                self._robot = pylibfranka.Robot(self._settings.address, pylibfranka.RealtimeConfig.kIgnore)
        except _LIBRARY_ERRORS as error:
            raise LinkError(f"the robot at {self._settings.address} refuses: {_words(error)}") from error

    def _probe(self) -> None:
        """See whether the robot takes a connection, in a process that can be given up: libfranka waits for a minute."""
        address, limit = self._settings.address, self._settings.connect_timeout
        try:
            probe = subprocess.run(
                [sys.executable, "-c", _PROBE, address], capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            raise LinkError(
                f"the robot at {address} does not answer within {limit:g} s; another program may hold its control "
                "interface, which serves one at a time: end it, or check the network"
            ) from None
        if probe.returncode:
            lines = probe.stderr.strip().splitlines() or ["no reason given"]
            raise LinkError(
                f"there is no robot to control at {address} ({lines[-1].split('Exception: ')[-1]}); check address, "
                "cable, and that FCI is activated in Desk"
            )

    def _configure(self) -> None:
        """Set collision thresholds and load, which a robot refuses as long as it has an error or is stopped."""
        self._configured = False
        try:
            configure(self._robot, self._settings)
        except _LIBRARY_ERRORS as error:
            raise settings_refused(_words(error)) from error
        self._configured = True

    def recover(self) -> None:
        """See ``ArmLink``."""
        self.stop()
        if self._robot is not None:
            try:
                self._robot.read_once()
            except _LIBRARY_ERRORS:
                self._robot = None
        if self._robot is None:
            self.connect()
        with _bounded():
            try:
                self._robot.automatic_error_recovery()
            except _LIBRARY_ERRORS as error:
                raise LinkError(f"the robot does not recover: {_words(error)}") from error
            self._configure()

    def look(self) -> Look:
        """See ``ArmLink``."""
        if self._robot is None:
            raise LinkError("the connection to the robot is lost; ask the driver to recover when it is back")
        try:
            state = self._robot.read_once()
        except _LIBRARY_ERRORS as error:
            self._robot = None
            raise LinkError(f"the connection to the robot is lost: {_words(error)}") from error
        return Look.of(state)

    def close(self) -> None:
        """See ``ArmLink``."""
        self.stop()
        self._robot = None

    # Motion

    def start(self, block: Array) -> None:
        """See ``ArmLink``."""
        self.stop()
        if self._robot is None:
            raise LinkError("the connection to the robot is lost; ask the driver to recover")
        loop = CompiledLoop(block)
        with _bounded():
            if not self._configured:
                self._configure()
            try:
                self._control = self._robot.start_torque_control()
                loop.start(self._control, self._settings.realtime_priority)
            except _LIBRARY_ERRORS as error:
                self._control = None
                raise LinkError(f"the robot does not begin a motion: {_words(error)}") from error
        self._loop = loop

    def command(self, block: Array) -> None:
        """See ``ArmLink``."""
        if self._loop is not None:
            self._loop.command(block)

    def cycles(self) -> np.ndarray:
        """See ``ArmLink``."""
        return np.zeros(0, CYCLE) if self._loop is None else self._loop.cycles()

    @property
    def moving(self) -> bool:
        """See ``ArmLink``."""
        return self._loop is not None and self._loop.running

    @property
    def status(self) -> LawStatus:
        """See ``ArmLink``."""
        return UNSEEN if self._loop is None else self._loop.status

    @property
    def failure(self) -> str:
        """See ``ArmLink``."""
        return "" if self._loop is None else self._loop.error

    @property
    def notice(self) -> str:
        """See ``ArmLink``."""
        told = "" if self._loop is None else self._loop.scheduling_problem
        if not told:
            return ""
        return f"the control loop runs without real-time scheduling ({told}); see docs/franka.md, real-time kernel"

    def stop(self) -> None:
        """See ``ArmLink``."""
        with _bounded():
            if self._loop is not None:
                was_moving = self._loop.running
                self._loop.end()
                if was_moving and self._robot is not None:
                    try:
                        self._robot.stop()
                    except _LIBRARY_ERRORS:
                        self._robot = None
            self._loop = self._control = None  # which tells the robot too that the motion is over


@contextmanager
def _bounded() -> Iterator[None]:
    """End this process, and say where it was, if the robot does not answer in time.

    pylibfranka waits without end, and nothing of Python runs meanwhile: no service, no other thread, no Ctrl-C. The
    robot bears it as it bears a driver that is killed.
    """
    faulthandler.dump_traceback_later(_ANSWER_LIMIT_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _own_scheduling() -> Iterator[None]:
    """Keep this thread's scheduling: libfranka gives whoever connects a priority above the control loop's."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _words(error: Exception) -> str:
    return " ".join(str(error).removeprefix("libfranka: ").removeprefix("libfranka robot: ").split())
