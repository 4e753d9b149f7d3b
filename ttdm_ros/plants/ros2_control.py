"""Parameters of the controllers of ros2_control that pass torques on to an arm's motors."""

from typing import Any, Literal

from ttdm_ros import topics
from ttdm_ros.systems.arm import Arm

Kind = Literal["forward", "group_effort"]

UPDATE_RATE = 1000  # of the controller manager [Hz]
BROADCASTER = "joint_state_broadcaster"
DIRECT = topics.COMMANDS.split("/")[0]
"""Controller that hears the MPC itself."""
HELD = topics.MOTOR_COMMANDS.split("/")[0]
"""Controller that hears the holder."""

_TYPES = {
    "forward": "forward_command_controller/ForwardCommandController",
    "group_effort": "effort_controllers/JointGroupEffortController",
}


def controllers(arm: Arm, kind: Kind = "forward") -> dict[str, Any]:
    """Return the parameter file of a controller manager and its controllers, in any namespace.

    Args:
        arm: whose joints are named.
        kind: ``forward`` for Jazzy and later, ``group_effort`` for the older controller of Jazzy and Kilted.
    """
    own: dict[str, Any] = {"type": _TYPES[kind], "joints": list(arm.joint_names)}
    if kind == "forward":
        own["interface_name"] = "effort"
    types = {BROADCASTER: f"{BROADCASTER}/JointStateBroadcaster", DIRECT: _TYPES[kind], HELD: _TYPES[kind]}
    manager = {"update_rate": UPDATE_RATE} | {name: {"type": type_} for name, type_ in types.items()}
    return {
        "/**/controller_manager": {"ros__parameters": manager},
        f"/**/{BROADCASTER}": {"ros__parameters": {"type": types[BROADCASTER]}},
        f"/**/{DIRECT}": {"ros__parameters": dict(own)},
        f"/**/{HELD}": {"ros__parameters": dict(own)},
    }
