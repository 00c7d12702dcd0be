"""Read Radiance HDR: the lines of its header say which way its rows run and what its values were multiplied by."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._samples import image_of
from .image_file import RELATIVE_LIGHT, ImageFile
from .source import Source

_Array = npt.NDArray[Any]

MAGIC = (b"#?RADIANCE", b"#?RGBE")
_MOST_HEADER = 2**16
_SIZE = re.compile(rb"([-+])([XY]) +(\d{1,9}) +([-+])([XY]) +(\d{1,9})")
_NEW_RUNS = range(8, 0x8000)  # widths whose rows can be stored colour by colour, in runs
_MIDDLE = 136  # the exponent of the mantissas as whole numbers: 128 + 8 bits

# By the signs of the two axes as they are stored: orientation of EXIF. "-Y" runs down, "+X" to the right.
_ORIENTATIONS = {
    (b"-", b"Y", b"+"): 1,
    (b"-", b"Y", b"-"): 2,
    (b"+", b"Y", b"-"): 3,
    (b"+", b"Y", b"+"): 4,
    (b"+", b"X", b"-"): 5,
    (b"-", b"X", b"-"): 6,
    (b"-", b"X", b"+"): 7,
    (b"+", b"X", b"+"): 8,
}


def read_radiance(source: Source) -> ImageFile:
    """Read the light of each pixel, upright, as the file gives it: an exposure is not divided out."""
    content = source.path.read_bytes()
    stated, size, data = _header(source, content)
    first, second = int(size[3]), int(size[6])
    source.check_size((first, second), 3 * 4)
    if size[2] == size[5]:
        raise source.damaged("both lengths in its header are of one axis")
    pixels = _decoded(source, content, data, first, second)
    return image_of(
        source,
        source.checked(pixels, (first, second, 3), np.float32),
        orientation=_ORIENTATIONS[size[1], size[2], size[4]],
        luminance="absolute",
        notes=(*_notes(stated), RELATIVE_LIGHT),
    )


def _header(source: Source, content: bytes) -> tuple[list[tuple[bytes, bytes]], re.Match[bytes], int]:
    """Give what the header states, the line of the size, and where the pixels begin."""
    place, stated = 0, []
    while True:
        end = content.find(b"\n", place, _MOST_HEADER)
        if end < 0:
            raise source.damaged("its header has no end")
        line = content[place:end].strip(b"\r ")
        place = end + 1
        if not line:
            break
        name, is_stated, value = line.partition(b"=")
        if is_stated and not line.startswith(b"#"):
            stated.append((name.strip(), value.strip()))
    end = content.find(b"\n", place, place + 100)
    size = _SIZE.fullmatch(content[place:end].strip()) if end > 0 else None
    if size is None:
        raise source.damaged("the line of its size is missing")
    form = dict(stated).get(b"FORMAT", b"32-bit_rle_rgbe")
    if form != b"32-bit_rle_rgbe":
        shown = form[:40].decode("ascii", "backslashreplace")
        raise InputError(
            f"{source.path} is a Radiance file whose colours are {shown}, not RGB. Convert it (ra_xyze -r -o)."
        )
    return stated, size, end + 1


def _decoded(source: Source, content: bytes, place: int, rows: int, columns: int) -> _Array:
    start = content[place : place + 4]
    if columns in _NEW_RUNS and start[:2] == b"\2\2" and int.from_bytes(start[2:4], "big") == columns:
        import imagecodecs

        # Each row is at least four runs, each of at most 127 pixels and two bytes.
        if (len(content) - place) < rows * (4 + 8 * -(-columns // 127)):
            raise source.damaged("its pixels need more bytes than there are")
        plain = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (rows, columns)
        decoded: _Array = imagecodecs.rgbe_decode(plain + content[place:])
        return decoded
    return _light(_old_runs(source, np.frombuffer(content, np.uint8, offset=place), rows * columns)).reshape(
        rows, columns, 3
    )


def _old_runs(source: Source, stored: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """Give so many pixels of four bytes; 1, 1, 1, n means the pixel before n times more, a second one n x 256 times."""
    groups = stored[: stored.size // 4 * 4].reshape(-1, 4)
    is_run = (groups[:, :3] == 1).all(axis=1)
    if not is_run[:count].any():
        times = np.ones(len(groups), np.int64)
    else:
        times = np.where(is_run, groups[:, 3].astype(np.int64), 1)
        for place in np.flatnonzero(is_run[1:]) + 1:
            if is_run[place - 1]:
                before = 1
                while before < 4 and place - before >= 0 and is_run[place - before]:
                    before += 1
                times[place] <<= 8 * (before - 1)
    ends = np.cumsum(times)
    whole = int(np.searchsorted(ends, count)) + 1
    if (is_run.size and is_run[0]) or whole > len(ends) or ends[whole - 1] != count:
        there = int(ends[-1]) if ends.size else 0
        raise source.damaged(f"it states {count} pixels, and {there} are there, or a run goes over its end")
    pixel = np.where(is_run[:whole], 0, np.arange(whole))
    expanded: npt.NDArray[np.uint8] = groups[np.repeat(np.maximum.accumulate(pixel), times[:whole])]
    return expanded


def _light(rgbe: npt.NDArray[np.uint8]) -> _Array:
    scale = np.ldexp(np.float32(1), rgbe[:, 3].astype(np.int32) - _MIDDLE)
    scale[rgbe[:, 3] == 0] = 0
    light: _Array = rgbe[:, :3].astype(np.float32) * scale[:, None]
    return light


def _notes(stated: list[tuple[bytes, bytes]]) -> tuple[str, ...]:
    notes = []
    for name, what, plain in (
        (b"EXPOSURE", "exposure", (b"1", b"1.0")),
        (b"COLORCORR", "colour correction", (b"1 1 1", b"1.0 1.0 1.0")),
    ):
        values = [value for key, value in stated if key == name]
        if not all(value in plain for value in values):
            shown = b" x ".join(values).decode(errors="replace")
            notes.append(f"the {what} in the header ({shown}) was not divided out")
    for name, what in ((b"PRIMARIES", "primaries"), (b"PIXASPECT", "shape of a pixel")):
        if any(key == name for key, _ in stated):
            notes.append(f"the {what} that the header states ({name.decode()}) is not taken into account")
    return tuple(notes)
