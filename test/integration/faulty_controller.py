"""The controller, but its solver fails from the first SIGUSR1 to the next."""

import dataclasses
import signal
import sys
from typing import Any

from ttdm_ros.mpc.solver import MpcSolver, Plan
from ttdm_ros.nodes import mpc_controller

fails = False
solve = MpcSolver.solve


def failing(solver: MpcSolver, *arguments: Any, **keywords: Any) -> Plan:
    plan = solve(solver, *arguments, **keywords)
    return dataclasses.replace(plan, status=4) if fails else plan


def on_signal(*_: object) -> None:
    global fails
    fails = not fails


if __name__ == "__main__":
    MpcSolver.solve = failing
    signal.signal(signal.SIGUSR1, on_signal)
    sys.exit(mpc_controller.main())
