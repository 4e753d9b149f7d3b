"""Reading the topics this package knows out of any rosbag2 bag, into arrays."""

import math
from collections.abc import Sequence
from pathlib import Path

from ttdm_ros.errors import BagError
from ttdm_ros.recording.info import BagInfo, describe, inspect
from ttdm_ros.recording.stream import Recording, stream_bag

__all__ = ["BagInfo", "Recording", "check_joints", "describe", "inspect", "read_bag"]


def read_bag(
    path: Path | str,
    *,
    require: Sequence[str | Sequence[str]] = (),
    namespace: str | None = None,
    joints: Sequence[str] | None = None,
) -> Recording:
    """Read a bag once through; all its arrays stay in memory. For long bags see ``stream_bag``.

    Args:
        path: a bag folder, or a single ``.mcap`` or ``.db3`` file.
        require: topics that must hold messages, by their names in ``ttdm_ros.topics``; of several named together, one.
        namespace: namespace of the topics, as ``/left``; found by itself if the bag holds only one.
        joints: joints wanted, in this order; those of the first joint state if not given. Messages that hold none of
            them (a gripper's) are left out.

    Raises:
        BagError: see ``stream_bag``; or the joint states carry no names, or none of the joints.
    """
    (recording,) = stream_bag(path, seconds=math.inf, require=require, namespace=namespace, joints=joints)
    if recording.joint_states is not None:
        check_joints(recording.joint_states.names, len(recording.joint_states), path)
    return recording


def check_joints(names: Sequence[str], count: int, path: Path | str) -> None:
    """Refuse joint states without names, or of which none (``count`` of them) holds any of the joints.

    Raises:
        BagError: so it is.
    """
    if not names:
        raise BagError(f"the joint states in {path} carry no joint names; publish them with names and record again")
    if not count:
        raise BagError(
            f"no joint state in {path} holds any of the joints {', '.join(names)}; give the robot it was recorded with"
        )
