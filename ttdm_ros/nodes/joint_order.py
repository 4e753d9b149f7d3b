"""From the bytes of a JointState to the positions and velocities of one arm's joints, matched by name."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import BagError, TtdmError
from ttdm_ros.recording.cdr import scan
from ttdm_ros.recording.definitions import typestore

Array = NDArray[np.float64]

_TYPE = "sensor_msgs/msg/JointState"
_STAMP = 4  # where the stamp begins: it is the first thing in the message
_LAYOUTS = 16  # that are remembered; who publishes more of them varies his messages


class JointStateError(TtdmError):
    """A joint state lacks what is needed of the arm."""


class JointState(NamedTuple):
    """What a message says of the arm."""

    stamp_ns: int
    q: Array
    """Positions (7,), base to tip [rad]."""
    v: Array
    """Velocities (7,) [rad/s]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """A structure that messages have: the bytes that tell it, and where the numbers lie in it."""

    structure: NDArray[np.int64]
    expected: NDArray[np.uint8]
    order: str
    is_ours: bool
    position: int
    velocity: int
    count: int
    places: NDArray[np.intp]


class JointOrder:
    """Finds the joints of an arm in joint states of any order.

    Names are looked up once for each way in which messages are laid out, so that a further one costs microseconds.
    """

    def __init__(self, joints: Sequence[str]) -> None:
        """``joints``: names of the arm's joints, base to tip."""
        typestore()  # takes a tenth of a second at its first use, which must not be at a joint state
        self._joints = tuple(joints)
        self._known: dict[int, _Known] = {}

    def read(self, data: bytes) -> JointState | None:
        """Return what a serialized JointState says of the arm; None if it is of other joints only.

        Raises:
            JointStateError: joints are missing or named twice, or the lengths of its lists do not fit.
        """
        known = self._known.get(len(data))
        bytes_ = np.frombuffer(data, np.uint8)
        if known is None or not np.array_equal(bytes_[known.structure], known.expected):
            known = self._look_up(data)
        if not known.is_ours:
            return None
        seconds, nanoseconds = struct.unpack_from(f"{known.order}iI", data, _STAMP)
        kind = f"{known.order}f8"
        position = np.frombuffer(data, kind, known.count, known.position)
        velocity = np.frombuffer(data, kind, known.count, known.velocity)
        return JointState(
            seconds * 1_000_000_000 + nanoseconds,
            position[known.places].astype(np.float64),
            velocity[known.places].astype(np.float64),
        )

    def _look_up(self, data: bytes) -> _Known:
        try:
            layout = scan(_TYPE, data)
        except BagError as error:
            raise JointStateError("a joint state is damaged; check who publishes it") from error
        names = layout.text_list("name")
        ours = [name for name in self._joints if name in names]
        if ours:
            self._check(names, layout.counts)
        known = _Known(
            structure=layout.structure,
            expected=np.frombuffer(data, np.uint8)[layout.structure],
            order="<" if data[1] & 1 else ">",
            is_ours=bool(ours),
            position=layout.numbers["position"].offset,
            velocity=layout.numbers["velocity"].offset,
            count=len(names),
            places=np.array([names.index(name) for name in self._joints] if ours else [], dtype=np.intp),
        )
        if len(self._known) >= _LAYOUTS:
            self._known.clear()
        self._known[len(data)] = known
        return known

    def _check(self, names: tuple[str, ...], counts: dict[str, int]) -> None:
        if missing := [name for name in self._joints if name not in names]:
            raise JointStateError(
                f"joint states lack {', '.join(missing)}; publish all of {', '.join(self._joints)} in one message"
            )
        if twice := sorted({name for name in self._joints if names.count(name) > 1}):
            raise JointStateError(f"joint states name {', '.join(twice)} more than once; correct who publishes them")
        for field in ("position", "velocity"):
            if counts[field] != len(names):
                raise JointStateError(
                    f"joint states name {len(names)} joints but give {counts[field]} numbers of {field}; the arm's "
                    "driver must publish one for each"
                )
