"""Reading one MCAP file from its head, as far as it goes: no index, summary or whole last record is needed.

The format: https://mcap.dev/spec. A file is a row of records, each an opcode, a length and a content; messages stand in
chunks that may be compressed. Index and summary follow the messages, so a file whose writer was killed lacks them.
"""

import mmap
import struct
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import lz4.frame
import zstandard
from mcap import records
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from ttdm_ros.errors import BagError

MAGIC = b"\x89MCAP0\r\n"

_HEAD = struct.Struct("<BQ")  # opcode, length of the content
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
# First and last log time, size and CRC of the unpacked records, length of the compression's name.
_CHUNK = struct.Struct("<QQQII")
# What the decompressors and the record parsers raise on damaged input.
_PARSE_ERRORS = (struct.error, McapError, zstandard.ZstdError, RuntimeError, EOFError, ValueError, MemoryError)

Buffer = bytes | mmap.mmap


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A topic as an MCAP file describes it."""

    topic: str
    msgtype: str
    encoding: str
    definition: str
    definition_encoding: str
    qos_yaml: str
    type_hash: str


class RawMessage(NamedTuple):
    """One serialized message; times in [ns]."""

    topic: str
    data: bytes
    log_time_ns: int
    publish_time_ns: int
    sequence: int


class McapFile:
    """Walks the records of a file and notes what is wrong with it.

    Attributes (complete once ``messages`` is exhausted):
        channels: the topics, by channel number.
        metadata: the named tables of texts.
        library: what wrote the file.
        whole: the file ends with its summary and every record of it is sound.
        dropped_bytes: bytes of records that are cut or damaged and hold no message that could be read.
        problem: what is wrong, in words; empty if nothing is.
    """

    def __init__(self, path: Path, *, one_of_several: bool = False) -> None:
        """Open nothing yet; ``messages`` does.

        Args:
            path: the file.
            one_of_several: it is a file of a bag that has others: if it is no MCAP file, it is damaged as a whole. A
                machine that lost its power leaves files without content, or of zeros.
        """
        self.path = path
        self._one_of_several = one_of_several
        self.channels: dict[int, Channel] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.library = ""
        self.whole = False
        self.dropped_bytes = 0
        self.problem = ""
        self._schemas: dict[int, records.Schema] = {}

    def messages(self) -> Iterator[RawMessage]:
        """Yield every message that can be read, in the order it was written.

        Raises:
            BagError: the file cannot be opened, or is no MCAP file and all there is of its bag.
        """
        self.whole, self.dropped_bytes, self.problem = False, 0, ""
        try:
            with self.path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    if not self._one_of_several:
                        raise BagError(f"{self.path} is not an MCAP file; give a bag folder, or a .mcap or .db3 file")
                    self._damaged(self.path.stat().st_size, "it does not begin as an MCAP file, and nothing is read")
                    return
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    yield from self._walk_file(content)
        except OSError as error:
            raise BagError(f"{self.path} cannot be read ({error.strerror}); check the path and its rights") from error

    def _walk_file(self, content: mmap.mmap) -> Iterator[RawMessage]:
        position, end = len(MAGIC), len(content)
        footer_seen = False
        while position < end and not footer_seen:
            if end - position < _HEAD.size:
                break
            opcode, length = _HEAD.unpack_from(content, position)
            start, stop = position + _HEAD.size, position + _HEAD.size + length
            if opcode == 0 or stop > end:
                if opcode in (Opcode.CHUNK, Opcode.MESSAGE):
                    yield from self._cut_record(opcode, content, start, end)
                    return
                break
            if opcode == Opcode.CHUNK:
                yield from self._chunk(content, start, stop)
            elif opcode == Opcode.MESSAGE:
                yield from self._message(content, start, stop)
            else:
                self._other(opcode, content, start, stop)
            footer_seen = opcode == Opcode.FOOTER
            position = stop
        if footer_seen and content[position : position + len(MAGIC)] == MAGIC:
            self.whole = not self.problem
        else:
            self._damaged(end - position, "it ends without its summary")

    def _chunk(self, content: Buffer, start: int, stop: int) -> Iterator[RawMessage]:
        """Yield the messages of a whole chunk, none if its checksum does not fit."""
        try:
            _, _, size, crc, name_length = _CHUNK.unpack_from(content, start)
            data_start = start + _CHUNK.size + name_length + 8
            name = content[start + _CHUNK.size : data_start - 8].decode()
            data = _decompress(name, content[data_start:stop])
        except _PARSE_ERRORS:
            self._damaged(stop - start, f"the chunk at byte {start} cannot be unpacked")
            return
        if len(data) != size or (crc and zlib.crc32(data) != crc):
            self._damaged(stop - start, f"the chunk at byte {start} fails its checksum")
            return
        yield from self._walk_chunk(data)

    def _cut_record(self, opcode: int, content: Buffer, start: int, end: int) -> Iterator[RawMessage]:
        """Yield the messages before the cut in the last chunk of the file."""
        dropped = end - start + _HEAD.size
        if opcode == Opcode.CHUNK:
            try:
                name_length = _CHUNK.unpack_from(content, start)[4]
                data_start = start + _CHUNK.size + name_length + 8
                name = content[start + _CHUNK.size : data_start - 8].decode()
                data = _decompress(name, content[data_start:end])
            except _PARSE_ERRORS:
                data = b""
            used = yield from self._walk_chunk(data, cut=True)
            if used:
                dropped = len(data) - used
        self._damaged(dropped, "it ends in the middle of a record")

    def _walk_chunk(self, data: bytes, *, cut: bool = False) -> Generator[RawMessage, None, int]:
        """Yield the messages of an unpacked chunk; return how many bytes of it were whole records."""
        position, end = 0, len(data)
        unpack_head, unpack_message, channels = _HEAD.unpack_from, _MESSAGE.unpack_from, self.channels
        while position + _HEAD.size <= end:
            opcode, length = unpack_head(data, position)
            start, stop = position + _HEAD.size, position + _HEAD.size + length
            if stop > end:
                break
            if opcode == Opcode.MESSAGE and length >= _MESSAGE.size:
                number, sequence, log_time, publish_time = unpack_message(data, start)
                channel = channels.get(number)
                if channel is None:
                    self._damaged(stop - start, "a message belongs to no topic")
                else:
                    payload = data[start + _MESSAGE.size : stop]
                    yield RawMessage(channel.topic, payload, log_time, publish_time, sequence)
            else:
                self._other(opcode, data, start, stop)
            position = stop
        if position < end and not cut:
            self._damaged(end - position, "a chunk holds a record that is cut")
        return position

    def _message(self, content: Buffer, start: int, stop: int) -> Iterator[RawMessage]:
        """Yield a message that stands outside of chunks."""
        yield from self._walk_chunk(content[start - _HEAD.size : stop])

    def _other(self, opcode: int, content: Buffer, start: int, stop: int) -> None:
        """Note schemas, channels and metadata; everything else is of no use here."""
        kinds = {
            Opcode.HEADER: records.Header,
            Opcode.SCHEMA: records.Schema,
            Opcode.CHANNEL: records.Channel,
            Opcode.METADATA: records.Metadata,
        }
        kind = kinds.get(opcode)  # type: ignore[call-overload]
        if kind is None:
            return
        try:
            record = kind.read(ReadDataStream(BytesIO(content[start:stop])))
        except _PARSE_ERRORS:
            self._damaged(stop - start, f"a {kind.__name__.lower()} record cannot be read")
            return
        match record:
            case records.Header():
                self.library = record.library
            case records.Schema():
                self._schemas[record.id] = record
            case records.Metadata():
                self.metadata[record.name] = record.metadata
            case records.Channel():
                schema = self._schemas.get(record.schema_id)
                self.channels[record.id] = Channel(
                    topic=record.topic,
                    msgtype=schema.name if schema else "",
                    encoding=record.message_encoding,
                    definition=schema.data.decode(errors="replace") if schema else "",
                    definition_encoding=schema.encoding if schema else "",
                    qos_yaml=record.metadata.get("offered_qos_profiles", ""),
                    type_hash=record.metadata.get("topic_type_hash", ""),
                )

    def _damaged(self, dropped: int, problem: str) -> None:
        self.dropped_bytes += dropped
        self.problem = self.problem or problem


def _decompress(name: str, data: bytes) -> bytes:
    """Unpack as much as ``data`` yields; a cut stream yields its whole blocks."""
    match name:
        case "":
            return data
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        case "lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data))
        case _:
            raise ValueError(name)
