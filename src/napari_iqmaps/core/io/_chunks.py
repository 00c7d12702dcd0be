"""The chunks that a PNG is made of: gone through with every check, and written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from .source import Source

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    """Make a chunk: length, name, data and check sum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def chunks(source: Source, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Go through the chunks up to the end chunk, which must be there; each must be whole and its check sum right."""
    place = len(SIGNATURE)
    while True:
        if place + 12 > len(content):
            raise source.damaged("it ends before its end chunk, IEND")
        (length,) = struct.unpack_from(">I", content, place)
        name, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if place + 12 + length > len(content):
            raise source.damaged(f"its chunk {shown(name)} states {length} bytes, and the file ends within it")
        (check,) = struct.unpack_from(">I", content, place + 8 + length)
        if zlib.crc32(data, zlib.crc32(name)) != check:
            raise source.damaged(f"the check sum of its chunk {shown(name)} is wrong")
        place += 12 + length
        if name == b"IEND":
            return
        yield name, data


def shown(name: bytes) -> str:
    """Give the name of a chunk for a message."""
    return name.decode("ascii", "backslashreplace")
