"""The parameters of a node that a launch file starts: those of its file, of the launch arguments, and of the user.

Launch gives all of them to a node as files, a dictionary being one with the key ``/**``. ROS merges files key by key,
in the order in which a key was first met: a user's ``/**/mpc_controller`` after a shipped ``/**/mpc_controller`` and a
dictionary would join the former and lose to the latter. With a single key before it, the user's file is always last.
"""

from collections.abc import Mapping
from typing import Any

from ttdm_ros.paths import share_folder
from ttdm_ros.yaml_text import read_yaml


def node_parameters(node: str, arguments: Mapping[str, Any], params_file: str = "") -> list[dict[str, Any] | str]:
    """Return the parameters of a node of this package as launch takes them, what wins being last.

    Args:
        node: its name, which is also that of its file in ``config/``.
        arguments: what launch arguments make of its parameters; they win over that file.
        params_file: the user's file, whose values win over both whatever key they stand under; empty for none.
    """
    text = (share_folder() / "config" / f"{node}.yaml").read_text(encoding="utf-8")
    ((_, shipped),) = read_yaml(text).items()
    return [{**shipped["ros__parameters"], **arguments}, *([params_file] if params_file else [])]
