"""A simulated FR3 behind its network protocol, and the driver that holds it, as processes."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.node_command import ros_arguments
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.plants.franka.environment import SERVER, driver_python, own_environment, simulator_python

if TYPE_CHECKING:
    from ttdm_ros.evaluation.demo_session import DemoSession
    from ttdm_ros.systems.arm import Arm

PATIENT_DRIVER = {"guard.timeout": 0.4, "guard.pause": 0.5, "guard.first_torque": 10.0}
"""Of the driver, where robot, controller and recorder share one machine, which may be busy."""

SPARING = {"rate": 500, "detail_rate": 250}
"""Of the driver, where a recorder that keeps everything runs on the same machine."""

_PORT = 1337  # libfranka knows one, so a second simulated robot needs another address
_HIGHEST = 254
_STARTING_LIMIT_S = 60.0
_READY = "ready for new client"
_FIRST = -10  # niceness of what must not wait


def free_address() -> str:
    """Return an address of this machine alone at which no robot is simulated yet, as ``127.0.7.1``.

    The search begins at a number that follows from the process id, so that two searches at once seldom meet.

    Raises:
        TtdmError: there is none.
    """
    for i in range(_HIGHEST):
        address = f"127.0.7.{1 + (os.getpid() + i) % _HIGHEST}"
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one of a robot that ended just now is free
            try:
                taken.bind((address, _PORT))
            except OSError:
                continue
            return address
    raise TtdmError(f"port {_PORT} is in use at 127.0.7.1 to 127.0.7.{_HIGHEST}; end some simulated robots")


def start_simulated_robot(
    group: ProcessGroup, arm: "Arm", plant: str, *, folder: Path, name: str = "franka_sim"
) -> str:
    """Start the robot, wait until it takes clients, and return the address of this machine at which it does.

    Args:
        group: that the process belongs to.
        arm: an FR3.
        plant: of config/plants: payload and friction.
        folder: for its model and what it prints.
        name: of the process.

    Raises:
        TtdmError: the arm is no FR3, or the simulator is not installed, ends at once, or finds no address.
    """
    if not all("fr3" in joint for joint in arm.joint_names):
        raise TtdmError(f"the robot that is simulated behind its protocol is an FR3, and {arm.name} is none; give fr3")
    from ttdm_ros.plants.config import load_plant
    from ttdm_ros.plants.franka.mjcf import write_mjcf

    model = write_mjcf(arm, load_plant(plant), folder / f"{name}.xml")
    log, address = folder / f"{name}.log", free_address()
    command = [str(simulator_python()), str(SERVER), address]
    group.start(name, command, log=log, environment=own_environment() | {"FR3_MJCF": str(model)}, niceness=_FIRST)
    limit = time.monotonic() + _STARTING_LIMIT_S
    while _READY not in log.read_text(encoding="utf-8", errors="replace"):
        group.check()
        if time.monotonic() > limit:
            raise TtdmError(f"the simulated robot takes no clients after {_STARTING_LIMIT_S:g} s; see {log}")
        time.sleep(0.05)
    return address


def start_driver(
    session: "DemoSession",
    group: ProcessGroup,
    parameters: Mapping[str, Any],
    *,
    address: str,
    folder: Path,
    environment: Mapping[str, str],
    name: str = "franka_driver",
) -> None:
    """Start the driver in its own environment once the controller of a session waits for an arm.

    Not before: a robot does not bear what a machine is held up for by compiling a solver. The arm is held once
    ``name``.log in ``folder`` says so.

    Raises:
        TtdmError: its environment is not set up, or the controller does not come to wait.
    """
    session.follow("waiting")
    command = [str(driver_python()), "-m", "ttdm_ros.nodes.franka_driver"]
    command += ros_arguments("franka_driver", {"address": address} | dict(parameters))
    variables = dict(environment) | own_environment()
    group.start(name, command, log=folder / f"{name}.log", environment=variables, niceness=_FIRST)
