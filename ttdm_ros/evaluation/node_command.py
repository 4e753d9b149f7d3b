"""How a node of this package is started: its parameter file, then single parameters."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttdm_ros.paths import share_folder


def ros_arguments(
    node: str, parameters: Mapping[str, Any], *, namespace: str = "", params_file: Path | None = None
) -> list[str]:
    """Return the ROS arguments of a node.

    Args:
        node: its name, which is also that of its file in ``config/``, if it has one.
        parameters: values that win over the files; those that are None are left out.
        namespace: namespace of node and topics.
        params_file: a further parameter file, which wins over the one in ``config/``.
    """
    arguments = ["--ros-args"]
    if namespace.strip("/"):
        arguments += ["-r", f"__ns:=/{namespace.strip('/')}"]
    shipped = share_folder() / "config" / f"{node}.yaml"
    for file in (shipped if shipped.is_file() else None, params_file):
        if file is not None:
            arguments += ["--params-file", str(file)]
    for key, value in parameters.items():
        if value is not None:  # JSON is YAML, and a text in quotes stays a text
            arguments += ["-p", f"{key}:={json.dumps(value, ensure_ascii=False)}"]
    return arguments


def node_command(node: str, parameters: Mapping[str, Any], *, params_file: Path | None = None) -> list[str]:
    """Return program and arguments that run a node with this Python; see ``ros_arguments``."""
    arguments = ros_arguments(node, parameters, params_file=params_file)
    return [sys.executable, "-m", f"ttdm_ros.nodes.{node}", *arguments]
