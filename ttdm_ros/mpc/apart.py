"""Compiling a solver in a process of its own, so that the one that asks goes on undisturbed.

python -m ttdm_ros.mpc.apart ROBOT BASE_FRAME TIP_FRAME MODEL STAGES
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import SolverError, TtdmError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.library import solver_library
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.systems.arm import Arm, load_arm

_POLL_S = 0.1


class _NotCompiledError(Exception):
    """There is no compiled solver yet; its text says what would be compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robot:
    """An arm and the words it was loaded with."""

    arm: Arm
    name: str
    base_frame: str = ""
    tip_frame: str = ""


def make_solver(
    robot: Robot,
    model: PredictionModel,
    source: str,
    config: MpcConfig,
    *,
    announce: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> MpcSolver:
    """Return a solver, after compiling it in another process, at low priority, if that was never done.

    Args:
        robot: whose it is.
        model: to predict with.
        source: name or path the model was loaded from.
        config: of the problem.
        announce: told, in a sentence, when compiling begins.
        cancelled: asked now and then whether to give up.

    Raises:
        SolverError: compiling failed or was cancelled.
    """

    def refuse(text: str) -> NoReturn:
        raise _NotCompiledError(text)

    try:
        return MpcSolver(robot.arm, model, config, announce=refuse)
    except _NotCompiledError as needed:
        announce(str(needed))
    _compile([robot.name, robot.base_frame, robot.tip_frame, source, str(config.horizon)], cancelled)
    return MpcSolver(robot.arm, model, config)


def _compile(words: list[str], cancelled: Callable[[], bool]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ttdm_ros.mpc.apart", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while True:
        try:
            _, errors = process.communicate(timeout=_POLL_S)
            break
        except subprocess.TimeoutExpired:
            if cancelled():
                process.terminate()
                raise SolverError("compiling the solver was interrupted; start again") from None
    if process.returncode:
        raise SolverError((errors.strip().splitlines() or ["compiling the solver failed; is there memory left?"])[-1])


def main(arguments: Sequence[str]) -> int:
    """Compile a solver for a robot, its base and tip frame, a model, and a number of stages; return the exit code."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(1)  # so that what is half made is removed

    signal.signal(signal.SIGTERM, leave)
    os.nice(19)
    robot, base_frame, tip_frame, model, stages = arguments
    try:
        arm = load_arm(robot, base_frame=base_frame or None, tip_frame=tip_frame or None)
        solver_library(arm, load_model(model).specification, int(stages))
    except TtdmError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
