"""Other models for a running controller: loaded and tried beside it, then exchanged between two of its solves."""

from collections.abc import Callable
from typing import Any

from ttdm_ros.control.rehearsal import check_robot, try_model
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import ConfigError
from ttdm_ros.mpc.apart import Robot, make_solver
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.nodes.control_loop import ControlLoop


class ModelExchange:
    """Prepares models in the thread that asks, and keeps a second solver to try them on."""

    def __init__(
        self,
        robot: Robot,
        mpc: MpcConfig,
        *,
        torque_share: float,
        announce: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Prepare models for a robot.

        Args:
            robot: whose they are.
            mpc: settings of the solvers.
            torque_share: share of the torque limits by which a new model may change the first torque.
            announce: told, in a sentence, when something has to be compiled.
            cancelled: asked now and then whether to give compiling up.
        """
        self._robot, self._mpc, self._torque_share = robot, mpc, torque_share
        self._announce, self._cancelled = announce, cancelled
        self._shadow: MpcSolver | None = None

    def load(self, source: Any) -> PredictionModel:
        """Read a model by its name or the path of its bundle.

        Raises:
            TtdmError: there is none, it is damaged, or it was made for another robot.
        """
        if not isinstance(source, str) or not source:
            raise ConfigError("the parameter 'model' must be the name of a model or the path of a bundle")
        model = load_model(source)
        check_robot(model, self._robot.arm)
        return model

    def make_solver(self, model: PredictionModel, source: str) -> MpcSolver:
        """Return a new solver for a model that was loaded from ``source``.

        Raises:
            SolverError: compiling failed.
        """
        return make_solver(self._robot, model, source, self._mpc, announce=self._announce, cancelled=self._cancelled)

    def exchange(self, source: Any, loop: ControlLoop, on_exchange: Callable[[PredictionModel], None]) -> None:
        """Let another model take over.

        Args:
            source: its name, or the path of its bundle.
            loop: whose controller is to use it.
            on_exchange: called in the control thread when it does.

        Raises:
            TtdmError: the model cannot be used; the one before stays.
        """
        model = self.load(source)
        controller = loop.controller
        if self._shadow is None or not self._shadow.takes(model):
            self._shadow = self.make_solver(model, source)
        shadow = self._shadow
        now = loop.last_plan if controller.commands else None
        try_model(shadow, model, controller.task, now, share=self._torque_share)

        def take_over() -> None:
            if controller.solver.takes(model):
                controller.set_model(model)
            else:
                self._shadow = None
                controller.set_solver(shadow)
            on_exchange(model)

        loop.call(take_over)
