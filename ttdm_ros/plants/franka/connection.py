"""The link to an arm by its kind; only the library of that kind has to be installed."""

import importlib
import os
import sys

from ttdm_ros.plants.franka.config import FrankaSettings
from ttdm_ros.plants.franka.kind import Kind
from ttdm_ros.plants.franka.link import ArmLink, LinkError

_LINKS: dict[Kind, tuple[str, str]] = {
    "fr3": ("ttdm_ros.plants.franka.fr3_link", "Fr3Link"),
    "panda": ("ttdm_ros.plants.franka.panda_link", "PandaLink"),
}
_ALONE: dict[Kind, str] = {
    "fr3": "set it up with make franka, and run the driver with .venv-franka/bin/python",
    "panda": "install requirements-panda.lock into a Python of its own, and run the driver with that",
}
_PACKAGES: dict[Kind, str] = {
    "fr3": "'aiofranka==0.9.*' 'pylibfranka==0.21.*'",
    "panda": "'panda-python==1.1.*'",
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
            f"the Python package {error.name} that reaches the robot is not installed here; {_set_up(kind)}"
        ) from error
    link.connect()
    return link


def _set_up(kind: Kind) -> str:
    """Return what to do about a library that is missing; rclpy is loaded by then, so this Python is ROS's version."""
    told = "" if kind == "fr3" else "if the arm is an FR3, launch with robot:=fr3, and if it is a Panda (FER), "
    if (ros := os.environ.get("ROS_DISTRO")) is None:
        return told + _ALONE[kind]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        told + f"pip install {_PACKAGES[kind]} for a Python {version}, as ROS {ros} has, and name it by driver_python:="
    )
