"""Files that state or hold far more than is in them, and what reading each takes: ``python -m tests.fuzz.bombs``."""

from __future__ import annotations

import io
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import imagecodecs
import numpy as np
from PIL import Image

from .process import READ, Ended, run
from .seeds import chunk, fits, seeds

STATED = 40_000
"""Pixels at each side that a file states and does not have."""


class Bomb(NamedTuple):
    """A file that asks for memory. `holds`: whether it really holds what it states, so that it may be read."""

    name: str
    suffix: str
    make: Callable[[], bytes]


def _zeros(count: int) -> bytes:
    """Compress so many zero bytes, without having them."""
    packer = zlib.compressobj(9)
    body = bytes(2**20)
    return b"".join(packer.compress(body) for _ in range(count // len(body))) + packer.flush()


def tiff(strip: bytes, width: int, height: int, *, bits: int = 8, compression: int = 8,
more: dict[int, int] | None = None,
         entry: bytes = b"", behind: bytes = b"") -> bytes:  # fmt: skip
    """Write a TIFF of one strip that states what it is told to; one entry may refer to bytes behind everything."""
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 273: 0, 277: 1, 278: height, 279: len(strip)}
    tags |= more or {}
    count = len(tags) + bool(entry)
    tags[273] = 8 + 2 + 12 * count + 4
    entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()}
    if entry:
        place = tags[273] + len(strip)
        entries[struct.unpack_from("<H", entry)[0]] = entry[:8] + struct.pack("<I", place)
    body = b"".join(packed for _tag, packed in sorted(entries.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, count) + body + bytes(4) + strip + behind


def _tiff(side: int, strip: bytes, **more: Any) -> bytes:
    return tiff(strip, side, side, **more)


def _png(side: int, body: bytes, *, depth: int = 8, colour: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _png_text() -> bytes:
    """Make a small PNG with a compressed text that is large."""
    small = next(seed.data for seed in seeds() if seed.name == "png grey")
    return small[:33] + chunk(b"zTXt", b"napari_iqmaps\0\0" + _zeros(2**30)) + small[33:]


def _gif(side: int) -> bytes:
    small = bytearray(_saved("GIF"))
    small[6:10] = struct.pack("<HH", side, side)
    at = small.index(b"\x2c")
    small[at + 5 : at + 9] = struct.pack("<HH", side, side)
    return bytes(small)


def _gif_frames(count: int, side: int) -> bytes:
    """Make many frames of one colour, which are a few bytes each."""
    file = io.BytesIO()
    Image.new("P", (side, side)).save(file, "GIF")
    data = file.getvalue()
    start = data.index(b"\x2c")
    return data[:start] + data[start:-1] * count + data[-1:]


def _webp_frames(count: int, side: int) -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (side, side), shade) for shade in (0, 255)]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    data = file.getvalue()
    start = data.index(b"ANMF")
    data = data[:start] + data[start:] * (count // 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def _saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 20)).save(file, kind)
    return file.getvalue()


def _sides(name: str, found: bytes, at: int, form: str, side: int = STATED) -> Callable[[], bytes]:
    """Write other sides into a valid file, behind a mark."""

    def make() -> bytes:
        data = bytearray(next(seed.data for seed in seeds() if seed.name == name))
        start = data.index(found) + at
        data[start : start + struct.calcsize(form)] = struct.pack(form, side, side)
        return bytes(data)

    return make


def _webp() -> bytes:
    """Make a lossless WebP that states the most it can, 16384x16384."""
    data = bytearray(next(seed.data for seed in seeds() if seed.name == "webp lossless"))
    start = data.index(b"VP8L") + 9
    data[start : start + 4] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    return bytes(data)


def _exr() -> bytes:
    """Make an OpenEXR whose windows state more than there is."""
    data = next(seed.data for seed in seeds() if seed.name == "exr light ZIP_COMPRESSION")
    box = struct.pack("<4i", 0, 0, 23, 19)
    return data.replace(box, struct.pack("<4i", 0, 0, STATED - 1, STATED - 1))


def _exr_window() -> bytes:
    """Make an OpenEXR of few pixels in a frame of many."""
    data = next(seed.data for seed in seeds() if seed.name == "exr light ZIP_COMPRESSION")
    start = data.index(b"displayWindow") + len(b"displayWindow\0box2i\0") + 4
    return data[:start] + struct.pack("<4i", 0, 0, STATED - 1, STATED - 1) + data[start + 16 :]


def _jxl() -> bytes:
    return bytes(imagecodecs.jpegxl_encode(np.zeros((20_000, 20_000), np.uint8), lossless=True, effort=1))


def _text(head: str, body: bytes = b"few") -> Callable[[], bytes]:
    return lambda: head.encode() + body


BOMBS = (
    Bomb("tiff states", ".tif", lambda: _tiff(STATED, zlib.compress(bytes(48 * 64)))),
    Bomb("tiff states, plain", ".tif", lambda: _tiff(STATED, bytes(3072), compression=1)),
    Bomb("tiff states 16 k", ".tif", lambda: _tiff(16_000, zlib.compress(bytes(3072)), bits=64, more={339: 3})),
    Bomb("tiff states tiles", ".tif", lambda: _tiff(64, zlib.compress(bytes(3072)), more={322: STATED, 323: STATED,
    324: 0, 325: 9})),
    Bomb("tiff inflates", ".tif", lambda: _tiff(64, _zeros(2**30))),
    Bomb("tiff lzma inflates", ".tif", lambda: _tiff(64, imagecodecs.lzma_encode(bytes(2**28)), compression=34925)),
    Bomb("tiff zstd inflates", ".tif", lambda: _tiff(64, imagecodecs.zstd_encode(bytes(2**30)), compression=50000)),
    Bomb("png states", ".png", lambda: _png(STATED, zlib.compress(bytes(100)))),
    Bomb("png states 16-bit", ".png", lambda: _png(30_000, zlib.compress(bytes(100)), depth=16, colour=6)),
    Bomb("png inflates", ".png", lambda: _png(64, _zeros(2**30))),
    Bomb("png text inflates", ".png", _png_text),
    Bomb("png holds 30000x30000", ".png", lambda: _png(30_000, _zeros(30_000 * 30_000 + 2**20))),
    Bomb("gif states", ".gif", lambda: _gif(STATED)),
    Bomb("gif frames", ".gif", lambda: _gif_frames(3000, 2000)),
    Bomb("webp states", ".webp", _webp),
    Bomb("webp frames", ".webp", lambda: _webp_frames(400, 3000)),
    Bomb("jpeg states", ".jpg", _sides("jpeg grey", b"\xff\xc0", 5, ">HH")),
    Bomb("jp2 states", ".jp2", _sides("jpeg2000 jp2 8/0", b"ihdr", 4, ">II")),
    Bomb("j2k states", ".j2k", _sides("jpeg2000 j2k 8/0", b"\xff\x51", 6, ">II")),
    Bomb("j2k states tiles", ".j2k", _sides("jpeg2000 j2k 8/0", b"\xff\x51", 22, ">II", 1)),
    Bomb("avif states", ".avif", _sides("avif colour", b"ispe", 8, ">II")),
    Bomb("jxl holds 20000x20000", ".jxl", _jxl),
    Bomb("exr states", ".exr", _exr),
    Bomb("exr window", ".exr", _exr_window),
    Bomb("pgm states", ".pgm", _text(f"P5\n{STATED} {STATED}\n255\n")),
    Bomb("plain pgm states", ".pgm", _text(f"P2\n{STATED} {STATED}\n255\n", b"1 2 3")),
    Bomb("pam states", ".pam", _text(f"P7\nWIDTH 9\nHEIGHT 9\nDEPTH {10**9}\nMAXVAL 255\nTUPLTYPE X\nENDHDR\n")),
    Bomb("pfm states", ".pfm", _text(f"PF\n{STATED} {STATED}\n-1.0\n")),
    Bomb("hdr states", ".hdr", _text(f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {STATED} +X {STATED}\n")),
    Bomb("fits states", ".fits", lambda: fits(np.zeros((20, 24), np.uint8), 8, 0).replace(b"20".rjust(20),
    b"40000000".rjust(20))),
    Bomb("qoi states", ".qoi", lambda: b"qoif" + struct.pack(">IIBB", STATED, STATED, 3, 0) + bytes(20)),
    Bomb("bmp states", ".bmp", lambda: _saved("BMP")[:18] + struct.pack("<ii", STATED, STATED) + _saved("BMP")[26:]),
    Bomb("tga states", ".tga", lambda: _saved("TGA")[:12] + struct.pack("<HH", 65535, 65535) + _saved("TGA")[16:]),
)  # fmt: skip
"""Each states more than `MOST_PIXELS` of a read, or holds a great many bytes in a few."""


def exploded(chosen: tuple[Bomb, ...] = BOMBS) -> Iterator[tuple[Bomb, int, Ended]]:
    """Read each in a process of its own; gives its size as well."""
    with tempfile.TemporaryDirectory() as folder:
        for bomb in chosen:
            path = Path(folder) / f"bomb{bomb.suffix}"
            # Made elsewhere: the memory that is measured of a program begins with that of the one that starts it.
            run(sys.executable, "-m", "tests.fuzz.bombs", bomb.name, path)
            yield bomb, path.stat().st_size, run(*READ, path, limit=60)


def nothing_read(folder: Path) -> int:
    """Give the memory of a process that reads a small picture."""
    path = folder / "small.png"
    Image.new("L", (24, 20)).save(path)
    return run(*READ, path).peak


def report() -> None:
    """Print what each takes."""
    with tempfile.TemporaryDirectory() as folder:
        click.echo(f"a small picture: {nothing_read(Path(folder)) / 2**20:.0f} MiB")
    for bomb, size, ended in exploded():
        word: Any = {0: "read", 1: "refused", None: "stopped"}.get(ended.status, f"status {ended.status}")
        said = (
            ended.tail.partition(bomb.suffix)[2].strip()[:110]
            if ended.status == 1 and "InputError" in ended.tail
            else ended.tail[:110]
        )
        click.echo(
            f"{bomb.name:24} {size:9} bytes: {word:8} {ended.peak / 2**20:6.0f} MiB {ended.seconds:5.1f} s  {said}"
        )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        Path(sys.argv[2]).write_bytes(next(bomb.make for bomb in BOMBS if bomb.name == sys.argv[1])())
    else:
        report()
