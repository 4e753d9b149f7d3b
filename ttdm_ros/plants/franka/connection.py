"""The link to an arm by its kind; only the library of that kind has to be installed."""

import importlib
from typing import Literal

from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.link import ArmLink, LinkError

Kind = Literal["fr3", "panda"]

_LINKS: dict[Kind, tuple[str, str]] = {
    "fr3": ("ttdm_ros.plants.franka.fr3_link", "Fr3Link"),
    "panda": ("ttdm_ros.plants.franka.panda_link", "PandaLink"),
}


def connect(kind: Kind, settings: FrankaSettings) -> ArmLink:
    """Return a link that is connected.

    Raises:
        LinkError: a library is missing, nothing answers, or another program holds the robot.
        SolverError: the law cannot be compiled.
    """
    module, name = _LINKS[kind]
    try:
        link: ArmLink = getattr(importlib.import_module(module), name)(settings)
    except ModuleNotFoundError as error:
        raise LinkError(
            f"the Python package {error.name} that reaches the robot is not installed here; set it up with make "
            "franka, and run the driver with .venv-franka/bin/python"
        ) from error
    link.connect()
    return link
