"""Check an OpenEXR file before its library sees it: sizes that memory can hold, and every chunk there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import InputError
from .source import Source

_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Rows in a chunk, by the number of the compression."""

_NOT_READ = {10: "HTJ2K", 11: "HTJ2K", 13: "Zstandard"}
"""Compressions that newer writers have."""

_CHANNEL_BYTES = {0: 4, 1: 2, 2: 4}
_MOST_NAME, _MOST_PARTS = 256, 10_000


@dataclass(frozen=True)
class _Part:
    kind: str
    height: int
    width: int
    pixel_bytes: int
    chunks: int
    needed: int  # of them, which come first: those of the picture in full size


class _Reader:
    """A place in the bytes of a file."""

    def __init__(self, source: Source, content: bytes) -> None:
        self.source, self.content, self.place = source, content, 0

    def take(self, form: str) -> tuple[int, ...]:
        size = struct.calcsize("<" + form)
        if self.place + size > len(self.content):
            raise self.source.damaged("it ends within its header or its table of chunks")
        values = struct.unpack_from("<" + form, self.content, self.place)
        self.place += size
        return values

    def name(self) -> str:
        end = self.content.find(b"\0", self.place, self.place + _MOST_NAME)
        if end < 0:
            raise self.source.damaged("a name in its header has no end")
        name, self.place = self.content[self.place : end].decode("latin-1"), end + 1
        return name


def check_exr(source: Source) -> None:
    """Refuse a file of deep data, one that states too much, and one whose chunks are not all there."""
    content = source.path.read_bytes()
    reader = _Reader(source, content)
    (_, flags) = reader.take("II")
    parts = []
    while True:
        attributes = _attributes(reader)
        if not attributes:
            break
        parts.append(_part(source, attributes, flags))
        if not flags & _PARTS or len(parts) > _MOST_PARTS:
            break
    if not parts:
        raise source.damaged("it holds no part")
    if all(part.kind.startswith("deep") for part in parts):
        raise InputError(f"{source.path} holds deep data only (several samples a pixel). Flatten it first.")
    for part in parts:
        source.check_size((part.height, part.width), 2 * part.pixel_bytes)
    source.check_size((sum(part.height for part in parts), max(part.width for part in parts)))
    tables = [reader.take(f"{part.chunks}Q") for part in parts]
    for number, (part, table) in enumerate(zip(parts, tables, strict=True)):
        for offset in table[: part.needed]:
            _check_chunk(reader, part, number if flags & _PARTS else None, offset)


def _attributes(reader: _Reader) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while name := reader.name():
        reader.name()  # of the type
        (size,) = reader.take("i")
        if size < 0 or reader.place + size > len(reader.content):
            raise reader.source.damaged(f"the entry {name!r} of its header states {size} bytes")
        found[name] = reader.content[reader.place : reader.place + size]
        reader.place += size
    return found


def _part(source: Source, attributes: dict[str, bytes], flags: int) -> _Part:
    try:
        left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
        kind = attributes.get("type", b"tiledimage" if flags & _TILED else b"scanlineimage").rstrip(b"\0").decode()
        compression = attributes["compression"][0]
        pixel_bytes = _pixel_bytes(source, attributes["channels"])
    except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise source.damaged(f"its header lacks or garbles {error}") from error
    height, width = bottom - top + 1, right - left + 1
    if height < 1 or width < 1:
        raise source.damaged(f"it states {height}x{width} pixels")
    if compression not in _LINES:
        name = _NOT_READ.get(compression, f"number {compression}")
        raise InputError(f"{source.path} is compressed in a way that is not read ({name}). Save it with ZIP or PIZ.")
    source.check_size((height, width), pixel_bytes)
    if kind.endswith("tile") or kind == "tiledimage":
        needed, chunks = _tile_counts(source, attributes.get("tiles", b""), height, width)
    else:
        needed = chunks = -(-height // _LINES[compression])
    if "chunkCount" in attributes:
        chunks = int.from_bytes(attributes["chunkCount"][:4], "little")
    if not 0 < needed <= chunks < 2**28:
        raise source.damaged(f"it states {chunks} chunks")
    return _Part(kind, height, width, pixel_bytes, chunks, needed)


def _pixel_bytes(source: Source, data: bytes) -> int:
    """Add up the bytes of the channels of a pixel, those in full resolution."""
    total, place = 0, 0
    while place < len(data) and data[place]:
        end = data.index(b"\0", place) + 1 if b"\0" in data[place:] else len(data)
        kind, _, x, y = struct.unpack_from("<iIii", data, end)
        if kind not in _CHANNEL_BYTES or x < 1 or y < 1:
            raise source.damaged(f"it states a channel of type {kind}, sampled every {x} x {y} pixels")
        total += _CHANNEL_BYTES[kind]
        place = end + 16
    if not total:
        raise source.damaged("it states no channels")
    return total


def _tile_counts(source: Source, data: bytes, height: int, width: int) -> tuple[int, int]:
    """Count the tiles in full size, and of all levels: one, halved in both directions together, or in each alone."""
    across, down, mode = struct.unpack("<IIB", data) if len(data) == 9 else (0, 0, 0)
    if not across or not down:
        raise source.damaged("it states tiles without a size")
    kind, rounds_up = mode & 15, mode >> 4

    def sides(length: int, tile: int) -> list[int]:
        counts = []
        while True:
            counts.append(-(-length // tile))
            if length == 1 or kind == 0:
                return counts
            length = max(1, (length + rounds_up) // 2)

    columns, rows = sides(width, across), sides(height, down)
    if kind == 2:
        return columns[0] * rows[0], sum(columns) * sum(rows)
    longest = max(len(columns), len(rows))
    columns += [columns[-1]] * (longest - len(columns))
    rows += [rows[-1]] * (longest - len(rows))
    return columns[0] * rows[0], sum(a * b for a, b in zip(columns, rows, strict=True))


def _check_chunk(reader: _Reader, part: _Part, number: int | None, offset: int) -> None:
    """Refuse a chunk that was never written, or reaches over the end of the file."""
    source, size = reader.source, len(reader.content)
    if not reader.place <= offset < size:
        raise source.damaged(f"a part of its pixels was never written, or lies at byte {offset} of {size}")
    reader_of = _Reader(source, reader.content)
    reader_of.place = offset
    if number is not None and reader_of.take("i") != (number,):
        raise source.damaged(f"at byte {offset} there are no pixels of part {number}")
    if part.kind.startswith("deep"):
        return
    *_, length = reader_of.take("5i" if part.kind == "tiledimage" else "2i")
    if length < 1 or reader_of.place + length > size:
        raise source.damaged(f"its pixels at byte {offset} need {length} bytes, and {size - reader_of.place} are there")
