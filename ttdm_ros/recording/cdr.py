"""Decoding many serialized messages of one type at once.

Messages of a topic mostly differ in their numbers only, not in the lengths of their lists and texts. So one message is
walked field by field, and all that share its structure are decoded together, as columns of a byte matrix.

Encoding: XCDR1 as ROS 2 uses it, https://www.omg.org/spec/DDSI-RTPS (chapter 10); numbers are aligned to their size,
counted from the end of the four-byte head.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from rosbags.interfaces import Nodetype

from ttdm_ros.errors import BagError
from ttdm_ros.recording.definitions import typestore

_HEAD = 4
_DTYPES = (
    {"bool": "u1", "byte": "u1", "char": "u1", "octet": "u1"}
    | {
        f"{sign}int{bits}": f"{letter}{bits // 8}"
        for sign, letter in (("", "i"), ("u", "u"))
        for bits in (8, 16, 32, 64)
    }
    | {"float32": "f4", "float64": "f8"}
)


class Numbers(NamedTuple):
    """Where the numbers of a field lie."""

    offset: int
    dtype: np.dtype[Any]
    length: int


class Layout:
    """The structure of one message: where its numbers lie, and everything else by value.

    Attributes:
        numbers: by path, as ``header.stamp.sec`` or ``points[3].velocities[0].linear.x``.
        texts: by path, as ``header.frame_id`` or ``name[0]``.
        counts: lengths of lists by path.
        structure: offsets of the bytes that two messages share if they have this layout.
    """

    __slots__ = ("counts", "numbers", "structure", "texts")

    def __init__(self) -> None:
        """Start empty; ``scan`` fills it."""
        self.numbers: dict[str, Numbers] = {}
        self.texts: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.structure: np.ndarray = np.zeros(0, dtype=np.int64)

    def column(self, rows: np.ndarray, path: str) -> np.ndarray:
        """Return the numbers of a field, (n, count), of messages ``rows`` (n, length)."""
        offset, dtype, count = self.numbers[path]
        columns = rows[:, offset : offset + dtype.itemsize * count]
        return np.ascontiguousarray(columns).view(dtype).reshape(len(rows), count)

    def columns(self, rows: np.ndarray, paths: Sequence[str]) -> np.ndarray:
        """Return several single numbers of equal type, (n, len(paths))."""
        fields = [self.numbers[path] for path in paths]
        dtype = fields[0].dtype
        offsets = np.array([field.offset for field in fields])[:, None] + np.arange(dtype.itemsize)
        return np.ascontiguousarray(rows[:, offsets.ravel()]).view(dtype)

    def text_list(self, path: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self.texts[f"{path}[{i}]"] for i in range(self.counts[path]))


def by_layout(msgtype: str, messages: Sequence[bytes]) -> Iterator[tuple[Layout, np.ndarray, np.ndarray]]:
    """Group messages of one type by their structure.

    Yields:
        The layout, the places of its messages in ``messages`` (n,), and their bytes (n, length).

    Raises:
        BagError: the bytes are no message of that type.
    """
    by_length: dict[int, list[int]] = {}
    for place, data in enumerate(messages):
        by_length.setdefault(len(data), []).append(place)
    for length, same_length in by_length.items():
        places = np.array(same_length)
        rows = np.frombuffer(b"".join([messages[i] for i in same_length]), np.uint8).reshape(len(places), length)
        while len(places):
            layout = scan(msgtype, rows[0].tobytes())
            alike = (rows[:, layout.structure] == rows[0, layout.structure]).all(axis=1)
            if alike.all():
                yield layout, places, rows
                break
            yield layout, places[alike], rows[alike]
            places, rows = places[~alike], rows[~alike]


def scan(msgtype: str, data: bytes) -> Layout:
    """Walk one message field by field.

    Raises:
        BagError: the bytes are no message of that type.
    """
    if len(data) < _HEAD or data[0] != 0 or data[1] > 1:
        raise BagError(f"a message is no CDR of type {msgtype}; the topic was recorded with another serialization")
    walk = _Walk(data)
    try:
        walk.message("", msgtype)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise BagError(f"a message does not fit its type {msgtype}; the bag is damaged, record it again") from error
    walk.layout.structure = np.array([0, 1, *walk.structure], dtype=np.int64)
    return walk.layout


class _Walk:
    """A position in a message, and what was met on the way to it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = _HEAD
        self.order: Literal["<", ">"] = "<" if data[1] & 1 else ">"
        self.layout = Layout()
        self.structure: list[int] = []

    def message(self, path: str, msgtype: str) -> None:
        fields = typestore().get_msgdef(msgtype).fields
        for name, description in fields:
            self.field(f"{path}.{name}" if path else name, description)

    def field(self, path: str, description: Any) -> None:
        match description:
            case (Nodetype.BASE, ("string", _)):
                self.layout.texts[path] = self.text()
            case (Nodetype.BASE, (base, _)):
                self.numbers(path, base, 1)
            case (Nodetype.NAME, msgtype):
                self.message(path, msgtype)
            case (Nodetype.ARRAY, (element, count)):
                self.elements(path, element, count)
            case (Nodetype.SEQUENCE, (element, _)):
                self.elements(path, element, self.length())

    def elements(self, path: str, element: Any, count: int) -> None:
        if count > len(self.data):  # an element takes a byte at least: this count is damage
            raise IndexError
        self.layout.counts[path] = count
        if element[0] == Nodetype.BASE and element[1][0] != "string":
            self.numbers(path, element[1][0], count)
            return
        for i in range(count):
            self.field(f"{path}[{i}]", element)

    def numbers(self, path: str, base: str, count: int) -> None:
        dtype = np.dtype(_DTYPES[base]).newbyteorder(self.order)
        if count:
            self.align(dtype.itemsize)
        self.layout.numbers[path] = Numbers(self.position, dtype, count)
        self.advance(dtype.itemsize * count)

    def text(self) -> str:
        length = self.length()
        start = self.position
        self.advance(length)
        self.structure.extend(range(start, self.position))
        return self.data[start : self.position - 1].decode() if length else ""

    def length(self) -> int:
        self.align(4)
        start = self.position
        self.advance(4)
        self.structure.extend(range(start, self.position))
        return int.from_bytes(self.data[start : self.position], "little" if self.order == "<" else "big")

    def align(self, size: int) -> None:
        self.position += -(self.position - _HEAD) % size

    def advance(self, size: int) -> None:
        self.position += size
        if self.position > len(self.data):
            raise IndexError
