"""Where the interpreters are that ``make franka`` sets up."""

import os
from pathlib import Path

from ttdm_ros.errors import PlantError
from ttdm_ros.paths import share_folder

_BOOTSTRAPPED = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"

SERVER = Path(__file__).with_name("franka_sim_server.py")


def driver_python() -> Path:
    """Return the Python that has pylibfranka and aiofranka.

    Raises:
        PlantError: it is not there.
    """
    return _there(share_folder() / ".venv-franka" / "bin" / "python")


def simulator_python() -> Path:
    """Return the Python that has franka-sim.

    Raises:
        PlantError: it is not there.
    """
    return _there(share_folder() / ".venv-franka" / "simulator" / "bin" / "python")


def _there(python: Path) -> Path:
    if not python.is_file():
        raise PlantError(f"there is no {python}; set up the Franka driver first, in the source tree: make franka")
    return python


def own_environment() -> dict[str, str]:
    """Return variables for a process of another environment than this process' one.

    ROS's wheels let a Python find their libraries through variables that its children inherit; emptied, the other
    environment's own take their place.
    """
    if not os.environ.get(_BOOTSTRAPPED):
        return {}
    return {_BOOTSTRAPPED: "", "LD_LIBRARY_PATH": ""}
