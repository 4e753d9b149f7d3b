"""The Franka Emika Panda (FER): libfranka 0.9 by panda-python. Written against its interface; no robot has tried it.

libfranka 0.9 speaks to a Panda only, and no simulator does. panda-python's own loop, in C++, sends torque a thousand
times a second, but the law is stepped by a thread of this process that sets that torque: while Python is held up, the
torque stays what it was. It adds torque of its own within some degrees of a joint's limit.
"""

import threading
import time
from typing import Any

import numpy as np
import panda_py
from numpy.typing import NDArray
from panda_py import controllers

from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.law import UNSEEN, LawStatus
from ttdm_ros.plants.franka.link import CYCLE, LinkError, Look, configure, cycle_of, settings_refused
from ttdm_ros.plants.franka.stepper import LawStepper

Array = NDArray[np.float64]

_PERIOD_S = 0.0005  # between two looks for a new state
_IDLE = 1  # libfranka's number of the mode in which a motion may begin


class PandaLink:
    """See ``ArmLink``."""

    def __init__(self, settings: FrankaSettings) -> None:
        """Prepare; nothing is sent yet."""
        self._settings = settings
        self._panda: Any = None
        self._configured = False
        self._thread: threading.Thread | None = None
        self._ending = False
        self._block: Array = np.zeros(0)
        self._rows: list[np.ndarray] = []
        self._lock = threading.Lock()
        self._failure = ""
        self._stepper: LawStepper | None = None

    def connect(self) -> None:
        """See ``ArmLink``."""
        address = self._settings.address
        self._panda, self._configured = None, False
        try:
            self._panda = panda_py.Panda(address)
        except Exception as error:  # of whatever type panda-python has
            raise LinkError(f"there is no Panda to control at {address} ({error}); check address and Desk") from error

    def _configure(self) -> None:
        """Set collision thresholds and load, which a robot refuses as long as it has an error or is stopped."""
        self._configured = False
        try:
            configure(self._panda.get_robot(), self._settings)
        except Exception as error:
            raise settings_refused(str(error)) from error
        self._configured = True

    def start(self, block: Array) -> None:
        """See ``ArmLink``."""
        self.stop()
        look = self.look()
        # start_controller would clear errors by itself, which is the operator's to decide.
        if look.errors or int(look.cycle["mode"][0]) != _IDLE:
            raise LinkError("the robot is not ready for a motion; see Desk, then ask the driver to recover")
        if not self._configured:
            self._configure()
        self._block, self._failure, self._rows = block, "", []
        self._stepper, self._ending = LawStepper(), False
        control = controllers.AppliedTorque(damping=np.zeros(7))
        control.set_control(np.zeros(7))
        try:
            self._panda.start_controller(control)
        except Exception as error:
            raise LinkError(f"the robot does not begin a motion: {error}") from error
        self._thread = threading.Thread(target=self._run, args=(control, self._stepper), daemon=True)
        self._thread.start()

    def command(self, block: Array) -> None:
        """See ``ArmLink``."""
        self._block = block

    def cycles(self) -> np.ndarray:
        """See ``ArmLink``."""
        with self._lock:
            rows, self._rows = self._rows, []
        return np.concatenate(rows) if rows else np.zeros(0, CYCLE)

    @property
    def moving(self) -> bool:
        """See ``ArmLink``."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def status(self) -> LawStatus:
        """See ``ArmLink``."""
        return UNSEEN if self._stepper is None else self._stepper.status

    @property
    def failure(self) -> str:
        """See ``ArmLink``."""
        return self._failure

    @property
    def notice(self) -> str:
        """See ``ArmLink``."""
        return ""  # panda-python logs by itself if it gets no real-time scheduling

    def look(self) -> Look:
        """See ``ArmLink``."""
        if self._panda is None:
            raise LinkError("the connection to the robot is lost; ask the driver to recover when it is back")
        try:
            state = self._panda.get_state()
        except Exception as error:
            self._panda = None
            raise LinkError(f"the connection to the robot is lost: {error}") from error
        return Look.of(state)

    def stop(self) -> None:
        """See ``ArmLink``."""
        self._ending = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._panda.stop_controller()

    def recover(self) -> None:
        """See ``ArmLink``."""
        self.stop()
        if self._panda is None:
            self.connect()
        try:
            self._panda.get_robot().automatic_error_recovery()
        except Exception as error:
            raise LinkError(f"the robot does not recover: {error}") from error
        self._configure()

    def close(self) -> None:
        """See ``ArmLink``."""
        if self._panda is not None:
            self.stop()
        self._panda = None

    def _run(self, control: Any, stepper: LawStepper) -> None:
        before = -np.inf
        try:
            while not self._ending:
                self._panda.raise_error()
                state = self._panda.get_state()
                row = cycle_of(state)
                now = float(row["time"][0])
                if now <= before:
                    time.sleep(_PERIOD_S)
                    continue
                before, began = now, time.perf_counter()
                tau = stepper.step(self._block, now, row["q"][0], row["dq"][0], row["tau_J_d"][0])
                control.set_control(tau)
                row["tau"], row["wall"], row["busy"] = tau, time.time(), time.perf_counter() - began
                with self._lock:
                    self._rows.append(row)
        except Exception as error:  # a reflex, a lost connection, or a state that is not finite
            self._failure = str(error) or type(error).__name__
