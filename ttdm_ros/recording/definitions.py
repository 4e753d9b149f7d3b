"""Message definitions: the text a bag carries with each topic, and the hash that names it."""

from functools import cache
from typing import TYPE_CHECKING

from ttdm_ros.errors import BagError

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore


@cache
def typestore() -> "Typestore":
    """Return the standard message types (their definitions have not changed over the living distributions)."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_KILTED)


@cache
def definition_of(msgtype: str) -> tuple[str, str]:
    """Return the ros2msg text (with all nested types) and the RIHS01 hash of a standard type.

    Raises:
        BagError: the type is not a standard one.
    """
    if msgtype not in typestore().fielddefs:
        raise BagError(
            f"the message type {msgtype} is not a standard one and its definition is not known; "
            "pass its definition to keep it in the bag, or leave that topic out"
        )
    return typestore().generate_msgdef(msgtype, ros_version=2)[0], typestore().hash_rihs01(msgtype)
