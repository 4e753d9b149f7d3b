"""The settings of the problem from a file: one of its own, or the parameter file of the controller that drove."""

from pathlib import Path
from typing import Any

from ttdm_ros.config import load, parse
from ttdm_ros.mpc.config import MpcConfig

_NODES = ("mpc_controller", "*", "**")
_PARAMETERS = "ros__parameters"


def load_mpc(path: Path) -> MpcConfig:
    """Read the settings of the problem.

    Args:
        path: a YAML file with the keys of :class:`MpcConfig`, or a parameter file for nodes. Of the latter the
            parameters ``mpc`` of ``mpc_controller`` count, under its name in any namespace or under ``/**``, in the
            order of the file; what it does not set is built in, as it is for the node.

    Raises:
        ConfigError: unreadable file, malformed YAML, or a key or value that is not allowed.
    """
    content = load(path, dict[str, Any])
    if any(isinstance(value, dict) and _PARAMETERS in value for value in content.values()):
        content = _of_controller(content)
    return parse(content, MpcConfig, str(path))


def _of_controller(content: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in a parameter file; ROS takes ``mpc: {dt: 0.02}`` and ``mpc.dt: 0.02`` for the same."""
    found: dict[str, Any] = {}
    for node, value in content.items():
        parameters = value.get(_PARAMETERS) if isinstance(value, dict) else None
        if not isinstance(parameters, dict) or str(node).rsplit("/", 1)[-1] not in _NODES:
            continue
        for name, each in parameters.items():
            group, _, setting = str(name).partition(".")
            if group == "mpc":
                found |= {setting: each} if setting else each if isinstance(each, dict) else {group: each}
    return found
