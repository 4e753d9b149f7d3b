"""Messages of fixed layout as ready-made bytes: only the numbers change from one to the next.

Filling a message object field by field and serialising it costs a Python node hundreds of microseconds where the
message is a plan with 21 points. Its serialised form (CDR, the OMG's Common Data Representation) has the same length
and the same layout every time, so it is enough to serialise it once, to remember where its numbers are, and to
overwrite these. Publishers take such bytes as they are: ``publisher.publish(template.fill(stamp_ns, values))``.
"""

import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rclpy.serialization import deserialize_message, serialize_message

_HEADER = 4  # bytes of the encapsulation header; positions in the body are aligned relative to its end
_SECONDS_MARK, _NANOSECONDS_MARK = 0x1B2C3D4E, 0x2A3B4C5D
_NANOSECONDS = 1_000_000_000


class MessageTemplate:
    """The serialised form of one message, of which the float64 numbers and the stamp can be replaced.

    Strings, integers, the number of elements of every sequence, and everything else stay as they are in the message
    given. Not safe for use from several threads at once.
    """

    def __init__(self, message: Any) -> None:
        """Serialise ``message`` and find its numbers.

        Args:
            message: any ROS message with all its sequences at their final length; it is not changed. Its numbers are
                all float64 fields, also those in nested messages, in the order of declaration. Its stamp is the first
                ``builtin_interfaces/Time`` in it, if there is one.
        """
        kind = type(message)
        copy = deserialize_message(serialize_message(message), kind)
        marks = _set_marks(copy)
        marked: bytes = serialize_message(copy)
        positions = [_find(marked, struct.pack("=d", mark)) for mark in marks.numbers]
        if any((position - _HEADER) % 8 for position in positions):
            raise ValueError(f"{kind.__name__} is not serialised as plain CDR; publish it as a message instead")
        self.message_type: Any = kind
        """Class of the message."""
        self.size = len(positions)
        """How many float64 numbers the message has."""
        self._stamp = _find(marked, struct.pack("=iI", _SECONDS_MARK, _NANOSECONDS_MARK)) if marks.has_stamp else None
        self._buffer = bytearray(serialize_message(message))
        count = (len(self._buffer) - _HEADER) // 8
        self._body = np.frombuffer(self._buffer, dtype=np.float64, count=count, offset=_HEADER)
        self._index = (np.array(positions, dtype=np.intp) - _HEADER) // 8

    def fill(self, stamp_ns: int | None, values: ArrayLike) -> bytes:
        """Return the serialised message with this stamp and these numbers.

        Args:
            stamp_ns: time [ns]; None keeps the stamp of the message given, and is needed where it has none.
            values: all float64 numbers in the order of declaration, as an array of any shape with ``size`` elements
                (read row by row). For a JointState: positions, velocities, efforts.

        Raises:
            ValueError: the number of values is wrong, or the message has no stamp.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.size != self.size:
            raise ValueError(f"{self.message_type.__name__} takes {self.size} numbers here, not {numbers.size}")
        self._body[self._index] = numbers.ravel()
        if stamp_ns is not None:
            if self._stamp is None:
                raise ValueError(f"{self.message_type.__name__} has no stamp; pass None")
            struct.pack_into("=iI", self._buffer, self._stamp, *divmod(stamp_ns, _NANOSECONDS))
        return bytes(self._buffer)


class _Marks:
    """Which recognisable values were put into a message."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self.has_stamp = False

    def next_number(self) -> float:
        # Large, and different in the last bits: no text or length looks like that.
        self.numbers.append(1.2345678e300 * (1.0 + 2.0**-40 * (len(self.numbers) + 1)))
        return self.numbers[-1]


def _set_marks(message: Any) -> _Marks:
    marks = _Marks()
    for set_value in _walk(message, marks):
        set_value(marks.next_number())
    return marks


def _walk(message: Any, marks: _Marks) -> Iterator[Callable[[float], None]]:
    """Yield one setter for each float64 in ``message``, in the order of declaration, and mark its first stamp."""
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if kind == "builtin_interfaces/Time":
            if not marks.has_stamp:
                value.sec, value.nanosec, marks.has_stamp = _SECONDS_MARK, _NANOSECONDS_MARK, True
        elif kind == "double":
            yield lambda number, name=name: setattr(message, name, number)  # type: ignore[misc]
        elif hasattr(value, "get_fields_and_field_types"):
            yield from _walk(value, marks)
        elif _element(kind) == "double":
            for i in range(len(value)):
                yield lambda number, i=i, value=value: value.__setitem__(i, number)  # type: ignore[misc]
        elif "/" in kind:
            for element in value:
                yield from _walk(element, marks)


def _element(kind: str) -> str:
    """Return ``double`` for ``double[3]``, ``sequence<double>`` and ``sequence<double, 3>``."""
    return kind.removeprefix("sequence<").rstrip(">").split(",")[0].split("[")[0]


def _find(data: bytes, mark: bytes) -> int:
    position = data.find(mark)
    if position < 0 or data.find(mark, position + 1) >= 0:
        raise ValueError(f"a number cannot be found in the serialised message ({sys.byteorder}-endian machine)")
    return position
