"""Which Franka arm a robot is; imports nothing that only the Python of the driver or of the nodes has."""

from pathlib import PurePath
from typing import Literal

Kind = Literal["fr3", "panda"]


def kind_of(robot: str) -> Kind:
    """Return the kind of a robot of config/robots, given by its name or by the path of its file."""
    return "panda" if PurePath(robot).stem == "panda" else "fr3"
