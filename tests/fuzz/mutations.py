"""What damages a file: blindly, byte by byte; by its format, field by field; texts and JSON, value by value."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .seeds import Seed, chunk, seeds

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]

NUMBERS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 31, 32, 33, 64, 127, 128, 255, 256, 257, 4095, 32767, 32768, 40000,
           65535, 65536, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1)  # fmt: skip
"""Values at which counts, sizes and depths go wrong."""

WORDS = ("", "0", "-1", "1", "3", "17", "255", "65535", "65536", "99999999", "4294967296", "1e400", "nan", "inf",
"-inf",
         "0x10", "1.5", "-0", "\u0663", "a", "\x00", "9" * 400)  # fmt: skip
"""What may stand in a text where a number did."""


def pick(rng: Rng, items: Any) -> Any:
    """Draw one of several things, whatever they are."""
    return items[int(rng.integers(len(items)))]


def place(rng: Rng, data: bytes) -> int:
    """Draw a byte: half of the time in the head, where the fields of most formats are."""
    size = max(1, len(data))
    return int(rng.integers(min(size, 96) if rng.random() < 0.5 else size))


# Blind ---------------------------------------------------------------------------------------------------------------


def flipped_bits(data: bytes, rng: Rng) -> bytes:
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        out[place(rng, data)] ^= 1 << int(rng.integers(8))
    return bytes(out)


def noise(data: bytes, rng: Rng) -> bytes:
    out = bytearray(data)
    start, length = place(rng, data), int(rng.integers(1, 33))
    run = pick(rng, (rng.bytes(length), bytes(length), b"\xff" * length))
    out[start : start + length] = run[: len(out) - start]
    return bytes(out)


def number_written(data: bytes, rng: Rng) -> bytes:
    """Write a number that goes wrong, in 1 to 8 bytes of either order, where one may stand."""
    size, order = pick(rng, (1, 2, 4, 8)), pick(rng, ("little", "big"))
    start = place(rng, data) & ~pick(rng, (0, 1, 3))
    written = (pick(rng, NUMBERS) % 256**size).to_bytes(size, order)
    return data[:start] + written + data[start + size :]


def cut(data: bytes, rng: Rng) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def removed(data: bytes, rng: Rng) -> bytes:
    start = place(rng, data)
    return data[:start] + data[start + int(rng.integers(1, 65)) :]


def repeated(data: bytes, rng: Rng) -> bytes:
    start = place(rng, data)
    end = start + int(rng.integers(1, 65))
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def rubbish_behind(data: bytes, rng: Rng) -> bytes:
    return data + rng.bytes(int(rng.integers(1, 200)))


def spliced(data: bytes, rng: Rng) -> bytes:
    other = pick(rng, seeds()).data
    return data[: int(rng.integers(1, len(data)))] + other[int(rng.integers(len(other))) :]


# By format ------------------------------------------------------------------------------------------------------------


def tiff_entry(data: bytes, rng: Rng) -> bytes:
    """Change a field of an entry of the first directory: its tag, its type, its count or its value."""
    order = "<" if data[:2] == b"II" else ">"
    big = len(data) > 16 and data[2:4] in (b"+\0", b"\0+")
    count, size, entry = ("Q", 8, "HHQQ") if big else ("H", 2, "HHII")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, data, start)
    length = struct.calcsize(order + entry)
    where = start + size + length * int(rng.integers(max(1, entries)))
    fields = list(struct.unpack_from(order + entry, data, where))
    field = int(rng.choice(4, p=(0.2, 0.15, 0.15, 0.5)))
    known = (254, 256, 257, 258, 259, 262, 266, 270, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330,
    338,
             339, 347, 34675, 42113, 50838, 50839)  # fmt: skip
    methods = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 33003, 34712, 34887, 34892, 34925, 50000, 50001, 50002, 52546)
    values = ((*known, 65000), range(20), NUMBERS, (*NUMBERS, *methods))[field]
    fields[field] = int(pick(rng, values)) % 256 ** (2 if field < 2 else 8 if big else 4)
    return data[:where] + struct.pack(order + entry, *fields) + data[where + length :]


def png_chunks(data: bytes, rng: Rng) -> bytes:
    """Take a chunk out, repeat it, move it or change it, with a checksum that is right."""
    parts, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = int(rng.integers(len(parts)))
    name, body = parts[number]
    what = int(rng.integers(5))
    if what == 0:
        del parts[number]
    elif what == 1:
        parts.insert(number, parts[number])
    elif what == 2:
        parts.insert(int(rng.integers(len(parts))), parts.pop(number))
    elif what == 3 and name in (b"IDAT", b"fdAT"):  # pixels that are too few, too many, or others
        parts[number] = (name, zlib.compress(blind(zlib.decompress(body[4 * (name == b"fdAT") :]), rng)))
    else:
        parts[number] = (name, blind(body, rng) if body else rng.bytes(5))
    return data[:8] + b"".join(chunk(name, body) for name, body in parts)


def boxes(data: bytes, rng: Rng) -> bytes:
    """Take a box out, repeat it or change it, in files of boxes (JPEG 2000, JPEG XL, AVIF) or of RIFF chunks."""
    riff = data[:4] == b"RIFF"
    parts, at = [], 12 if riff else 0
    while at + 8 <= len(data):
        length = struct.unpack_from("<I" if riff else ">I", data, at + 4 * riff)[0] + 8 * riff
        length = min(max(8, length), len(data) - at)
        parts.append(data[at : at + length])
        at += length
    number = int(rng.integers(len(parts)))
    what = int(rng.integers(4))
    if what == 0:
        del parts[number]
    elif what == 1:
        parts.insert(number, parts[number])
    else:
        parts[number] = parts[number][:8] + blind(parts[number][8:] or b"\0", rng)
    return data[: 12 * riff] + b"".join(parts)


def jpeg_segments(data: bytes, rng: Rng) -> bytes:
    """Take a segment out, repeat it or change it."""
    starts, at = [2], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        starts.append(min(at, len(data)))
    number = int(rng.integers(len(starts)))
    start, end = starts[number], [*starts[1:], len(data)][number]
    part = data[start:end]
    body = part[:4] + blind(part[4:] or b"\0", rng)
    return data[:start] + pick(rng, (b"", part * 2, body, body)) + data[end:]


def word_in_head(data: bytes, rng: Rng) -> bytes:
    """Put something else where a number stands in a text at the start of a file."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data[:700]))
    if not found:
        return number_written(data, rng)
    match = pick(rng, found)
    words = [word.encode() for word in WORDS] + [str(number).encode() for number in NUMBERS]
    return data[: match.start()] + pick(rng, words) + data[match.end() :]


BLIND: tuple[Mutation, ...] = (flipped_bits, noise, number_written, cut, removed, repeated, rubbish_behind, spliced)


def blind(data: bytes, rng: Rng) -> bytes:
    """Damage bytes that may be anything."""
    mutation: Mutation = pick(rng, BLIND[:3] if len(data) < 2 else BLIND[:-1])
    return mutation(data or b"\0", rng)


_OF_FORMAT: dict[str, Mutation] = {
    "tiff": tiff_entry, "png": png_chunks, "jpeg": jpeg_segments, "jpeg2000": boxes, "jxl": boxes, "avif": boxes,
    "webp": boxes, "netpbm": word_in_head, "pfm": word_in_head, "hdr": word_in_head, "fits": word_in_head,
    "im": word_in_head, "xbm": word_in_head, "eps": word_in_head, "exr": number_written,
}  # fmt: skip


def mutated(seed: Seed, rng: Rng) -> tuple[bytes, tuple[str, ...]]:
    """Damage a file once, or now and then up to three times; gives how, too."""
    data, how = seed.data, []
    for _ in range(pick(rng, (1, 1, 1, 2, 3))):
        own = _OF_FORMAT.get(seed.format, number_written)
        mutation = own if rng.random() < 0.45 else pick(rng, BLIND)
        try:
            data = mutation(data, rng) or b"\0"
        except (struct.error, zlib.error, IndexError, ValueError):  # no longer of its format
            mutation = noise
            data = noise(data, rng)
        how.append(mutation.__name__)
    return data, tuple(how)


# Texts and JSON -------------------------------------------------------------------------------------------------------


def odd(rng: Rng) -> Any:
    """Draw something that a record should not hold, of any type of JSON."""
    deep: Any = []
    for _ in range(int(rng.integers(1, 200))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return pick(rng, (None, True, False, "", "a", "\x00", "nan", "..", "../../x", "/", "x" * 5000, "\ud800", [], {},
    [[]], deep,
                      [None] * 3, [1, "a"], [[1, 0], [0]], 0, -1, 1, 1.5, 2**31, 2**63, 2**70, -(2**64), 10**400,
                      1e308, -1e-320,
                      float("nan"), float("inf"), float("-inf")))  # fmt: skip


def record_changed(record: Any, rng: Rng) -> Any:
    """Change one value somewhere in a record, leave it out, or add another; may change the record given."""
    if not isinstance(record, dict | list) or not record or rng.random() < 0.1:
        return odd(rng)
    key = pick(rng, list(record) if isinstance(record, dict) else range(len(record)))
    what = rng.random()
    if what < 0.5:
        record[key] = record_changed(record[key], rng)
    elif what < 0.7:
        record[key] = odd(rng)
    elif what < 0.9:
        del record[key]
    elif isinstance(record, dict):
        record[pick(rng, ("", "a", "format", "kind", "\x00"))] = odd(rng)
    else:
        record.insert(key, odd(rng))
    return record


def json_changed(text: bytes, rng: Rng) -> bytes:
    """Change a record of JSON: by its values, or as a text."""
    if rng.random() < 0.75:
        try:
            return json.dumps(record_changed(json.loads(text), rng)).encode()
        except ValueError:
            pass
    if rng.random() < 0.05:
        return pick(rng, (b"[", b'{"a":', b"[[")) * 20_000
    return text_changed(text, rng)


def text_changed(text: bytes, rng: Rng) -> bytes:
    """Change a text of lines and cells: a word, a line, a separator, an encoding, or its bytes."""
    lines = text.splitlines(keepends=True) or [b""]
    number = int(rng.integers(len(lines)))
    what = int(rng.integers(8))
    if what <= 2:
        cells = re.split(rb"([,; \t=\"\n])", lines[number])
        cells[int(rng.integers(len(cells)))] = pick(rng, WORDS).encode()
        lines[number] = b"".join(cells)
    elif what == 3:
        del lines[number]
    elif what == 4:
        lines.insert(number, pick(rng, lines))
    elif what == 5:
        lines[number] = lines[number].replace(
            pick(rng, (b",", b" ", b".", b"\n")), pick(rng, (b";", b"", b"\r", b"\x00", b'"'))
        )
    elif what == 6:
        return text.decode(errors="replace").encode(pick(rng, ("utf-16", "utf-8-sig", "latin-1")), "replace")
    else:
        return blind(text, rng)
    return b"".join(lines)
