"""The boxes of ISO that JPEG 2000, JPEG XL and AVIF keep their data and what they state in."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .source import Source

_MOST_BOXES = 10_000


def boxes(source: Source, content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Go through boxes that lie one behind the other: the name of each, where its content begins and ends."""
    end = len(content) if end is None else end
    for _ in range(_MOST_BOXES):
        if start >= end:
            return
        if start + 8 > end:
            raise source.damaged("it ends within a box")
        size, name = struct.unpack_from(">I4s", content, start)
        first = start + 8
        if size == 1:  # a length of eight bytes follows
            if start + 16 > end:
                raise source.damaged("it ends within a box")
            (size,) = struct.unpack_from(">Q", content, first)
            first += 8
        elif size == 0:  # up to the end
            size = end - start
        if size < first - start or start + size > end:
            raise source.damaged(f"its box {name.decode('ascii', 'backslashreplace')} is longer than what holds it")
        yield name, first, start + size
        start += size


def box_contents(source: Source, content: bytes, start: int, end: int) -> dict[bytes, bytes]:
    """Give the boxes within a range by name; of several of a name the first."""
    found: dict[bytes, bytes] = {}
    for name, first, last in boxes(source, content, start, end):
        found.setdefault(name, content[first:last])
    return found
