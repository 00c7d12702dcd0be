"""Small valid pictures of every format and flavour that is read, with what they hold."""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import netpbmfile
import numpy as np
import OpenEXR
import tifffile
from PIL import Image, PngImagePlugin

HEIGHT, WIDTH = 20, 24


class Seed(NamedTuple):
    """A valid file. `truth`: the samples that it holds, where nothing is lost or converted; `white`: their white."""

    name: str
    suffix: str
    data: bytes
    truth: Any = None
    white: float = 0.0

    @property
    def format(self) -> str:
        """Give the word that stands before the first blank of the name."""
        return self.name.partition(" ")[0]


def picture(dtype: Any = np.uint8, *, samples: int = 0, bits: int = 0, planes: int = 0, seed: int = 1) -> Any:
    """Make pixels that use the whole range: a gradient with noise, black and white among them."""
    dtype = np.dtype(dtype)
    shape = (*([planes] if planes else []), HEIGHT, WIDTH, *([samples] if samples else []))
    rng = np.random.default_rng(seed)
    values = np.linspace(0, 1, int(np.prod(shape))).reshape(shape) * 0.9 + rng.uniform(0, 0.1, shape)
    values.flat[:2] = 0, 1
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind == "c":
        return (values + 1j * values[::-1]).astype(dtype)
    if dtype.kind == "b":
        return values > 0.5
    top = 2**bits - 1 if bits else np.iinfo(dtype).max
    return np.minimum(np.rint(values * top), np.nextafter(float(top), 0) if dtype.itemsize == 8 else top).astype(dtype)


@cache
def seeds() -> tuple[Seed, ...]:
    """Make all of them."""
    makers = (_tiffs, _pngs, _jpegs, _jpeg_2000s, _modern, _netpbms, _lights, _fits, _others)
    return tuple(seed for maker in makers for seed in maker())


def _white(array: Any) -> float:
    return float(np.iinfo(array.dtype).max) if array.dtype.kind in "ui" else 1.0


def _saved(pixels: Any, kind: str, mode: str | None = None, **options: Any) -> bytes:
    """Write a picture by Pillow."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of formats that Pillow is about to give up
        (picture if mode is None else picture.convert(mode)).save(file, kind, **options)
    return file.getvalue()


def _tiff(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def _tiffs() -> Iterator[Seed]:
    grey, deep, colour = picture(), picture(np.uint16), picture(samples=3)
    for dtype in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8", "c8"]:
        array = picture(dtype)
        white = _white(array) if array.dtype.kind in "u" else 0.0
        yield Seed(f"tiff {dtype}", ".tif", _tiff(array, photometric="minisblack"), array if white else None, white)
    for compression in ["zlib", "lzw", "packbits", "lzma", "zstd", "lerc", "png"]:
        yield Seed(f"tiff {compression}", ".tif", _tiff(deep if compression == "lzw" else grey,
                   photometric="minisblack", compression=compression), deep if compression == "lzw" else grey,
                   65535 if compression == "lzw" else 255)  # fmt: skip
    for compression in ["jpeg", "webp", "jpegxl", "jpeg2000"]:
        yield Seed(f"tiff {compression}", ".tif", _tiff(colour, photometric="rgb", compression=compression))
    flavours: dict[str, tuple[Any, dict[str, Any]]] = {
        "tiled": (deep, {"tile": (16, 16), "photometric": "minisblack"}),
        "tiled deflate": (colour, {"tile": (16, 16), "photometric": "rgb", "compression": "zlib", "predictor": 2}),
        "strips": (deep, {"rowsperstrip": 4, "photometric": "minisblack", "compression": "zlib"}),
        "big-endian": (deep, {"byteorder": ">", "photometric": "minisblack"}),
        "bigtiff": (deep, {"bigtiff": True, "photometric": "minisblack"}),
        "rgb": (colour, {"photometric": "rgb"}),
        "rgb separate": (np.moveaxis(colour, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        "rgba": (picture(samples=4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "cmyk": (picture(samples=4), {"photometric": "separated"}),
        "pages": (picture(planes=3), {"photometric": "minisblack"}),
        "imagej": (picture(np.uint16, planes=3), {"imagej": True, "metadata": {"axes": "TYX"}}),
        "ome": (picture(np.uint16, planes=2), {"ome": True, "metadata": {"axes": "ZYX"}}),
        "float predictor": (picture("f4"), {"photometric": "minisblack", "compression": "zlib", "predictor": 3}),
        "ordered": (grey, {"photometric": "minisblack", "extratags": [(274, 3, 1, 6, True)]}),
        "no data": (picture("f4"), {"photometric": "minisblack", "extratags": [(42113, 2, 0, "-9999", True)]}),
        "max": (picture(np.uint16, bits=12), {"photometric": "minisblack", "extratags": [(281, 3, 1, 4095, True)]}),
    }
    truths = {"tiled": 65535, "tiled deflate": 255, "strips": 65535, "big-endian": 65535, "bigtiff": 65535, "rgb": 255,
              "pages": 255, "imagej": 65535, "ome": 65535, "max": 4095}  # fmt: skip
    for name, (array, options) in flavours.items():
        white = truths.get(name, 0)
        yield Seed(f"tiff {name}", ".tif", _tiff(array, **options), array if white else None, white)
    white_first = _tiff(255 - grey, photometric="miniswhite")
    yield Seed("tiff white first", ".tif", white_first, grey, 255)
    yield Seed("tiff one bit", ".tif", _tiff(picture(bool), photometric="minisblack"))
    yield Seed("tiff palette", ".tif", _tiff(grey, photometric="palette", colormap=picture_map()))
    for bits in (4, 10, 12):
        packed = picture(np.uint16, bits=bits)
        data = _tiff(packed, photometric="minisblack", bitspersample=bits) if bits > 8 else packed_tiff(packed, bits)
        yield Seed(f"tiff packed {bits}", ".tif", data, packed, 2**bits - 1)


def picture_map() -> Any:
    """Make a colour map."""
    return np.random.default_rng(2).integers(0, 65536, (3, 256), dtype=np.uint16)


def packed_tiff(array: Any, bits: int) -> bytes:
    """Write a TIFF whose samples are packed, each row to whole bytes."""
    ones = (array[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    body = np.packbits(ones.reshape(len(array), -1).astype(np.uint8), axis=1).tobytes()
    tags = {256: array.shape[1], 257: array.shape[0], 258: bits, 259: 1, 262: 1, 273: 0, 277: 1, 278: array.shape[0]}
    tags[279] = len(body)
    tags[273] = 10 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + body


def chunk(name: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _pngs() -> Iterator[Seed]:
    grey, colour = picture(), picture(samples=3)
    yield Seed("png grey", ".png", _saved(grey, "PNG"), grey, 255)
    yield Seed("png colour", ".png", _saved(colour, "PNG"), colour, 255)
    yield Seed("png alpha", ".png", _saved(picture(samples=4), "PNG"))
    yield Seed("png palette", ".png", _saved(colour, "PNG", "P"))
    yield Seed("png one bit", ".png", _saved(grey, "PNG", "1"))
    yield Seed("png grey alpha", ".png", _saved(grey, "PNG", "LA"))
    for samples in (0, 3, 4):
        deep = picture(np.uint16, samples=samples)
        data = imagecodecs.png_encode(deep)
        yield Seed(f"png deep {samples}", ".png", data, None if samples == 4 else deep, 65535)
    noted = PngImagePlugin.PngInfo()
    noted.add(b"gAMA", struct.pack(">I", 100000))
    noted.add(b"sBIT", b"\x06")
    noted.add_text("napari_iqmaps", '{"version": "0.1.0", "info": {}}')
    yield Seed("png tagged", ".png", _saved(grey, "PNG", pnginfo=noted, transparency=255, dpi=(72, 72)))
    frames = [Image.fromarray(picture(seed=number)) for number in (1, 2, 3)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    yield Seed("png frames", ".png", file.getvalue())


def _jpegs() -> Iterator[Seed]:
    grey, colour = picture(), picture(samples=3)
    exif = Image.Exif()
    exif[274] = 6
    yield Seed("jpeg grey", ".jpg", _saved(grey, "JPEG"))
    yield Seed("jpeg colour", ".jpg", _saved(colour, "JPEG", exif=exif.tobytes()))
    yield Seed("jpeg progressive", ".jpg", _saved(colour, "JPEG", progressive=True, quality=90))
    yield Seed("jpeg cmyk", ".jpg", _saved(colour, "JPEG", "CMYK"))
    frames = [Image.fromarray(picture(samples=3, seed=number)) for number in (1, 2)]
    file = io.BytesIO()
    frames[0].save(file, "MPO", save_all=True, append_images=frames[1:])
    yield Seed("jpeg two", ".mpo", file.getvalue())
    lossless = picture(np.uint16, bits=12)
    yield Seed("jpegls 12 bits", ".jls", imagecodecs.jpegls_encode(lossless))
    yield Seed("jpegls grey", ".jls", imagecodecs.jpegls_encode(grey))
    yield Seed("jpegxr grey", ".jxr", imagecodecs.jpegxr_encode(grey, level=100))


def _jpeg_2000s() -> Iterator[Seed]:
    for bits, samples in ((8, 0), (8, 3), (12, 0), (12, 3), (16, 0), (16, 3), (5, 0)):
        array = picture(np.uint8 if bits <= 8 else np.uint16, bits=bits, samples=samples)
        for codec in ("jp2", "j2k"):
            data = imagecodecs.jpeg2k_encode(array, level=0, codecformat=codec, bitspersample=bits, reversible=True)
            yield Seed(f"jpeg2000 {codec} {bits}/{samples}", f".{codec}", data, array, 2**bits - 1)


def _modern() -> Iterator[Seed]:
    grey, colour, alpha = picture(), picture(samples=3), picture(samples=4)
    for name, array in (("grey", grey), ("colour", colour), ("deep", picture(np.uint16, samples=3))):
        data = imagecodecs.jpegxl_encode(array, lossless=True)
        yield Seed(f"jxl {name}", ".jxl", data, array, _white(array))
    yield Seed("jxl float", ".jxl", imagecodecs.jpegxl_encode(picture("f4"), lossless=True))
    yield Seed("jxl lossy", ".jxl", imagecodecs.jpegxl_encode(colour, level=80))
    yield Seed("webp lossless", ".webp", _saved(colour, "WEBP", lossless=True), colour, 255)
    yield Seed("webp lossy", ".webp", _saved(colour, "WEBP", quality=80))
    yield Seed("webp alpha", ".webp", _saved(alpha, "WEBP", lossless=True))
    frames = [Image.fromarray(picture(samples=3, seed=number)) for number in (1, 2, 3)]
    for kind, suffix in (("WEBP", ".webp"), ("GIF", ".gif"), ("AVIF", ".avif")):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        yield Seed(f"{kind.lower()} frames", suffix, file.getvalue())
    yield Seed("avif colour", ".avif", _saved(colour, "AVIF", quality=80))
    yield Seed("avif alpha", ".avif", _saved(alpha, "AVIF", quality=80))
    for bits in (10, 12):
        deep = picture(np.uint16, samples=3, bits=bits)
        yield Seed(f"avif {bits} bits", ".avif", imagecodecs.avif_encode(deep, level=100, bitspersample=bits))
    yield Seed("gif grey", ".gif", _saved(grey, "GIF"))
    yield Seed("qoi colour", ".qoi", imagecodecs.qoi_encode(colour), colour, 255)


def _netpbms() -> Iterator[Seed]:
    with tempfile.TemporaryDirectory() as folder:
        for name, array, options in (
            ("pgm", picture(), {}),
            ("ppm", picture(samples=3), {}),
            ("pgm 12", picture(np.uint16, bits=12), {"maxval": 4095}),
            ("ppm 16", picture(np.uint16, samples=3), {}),
        ):
            path = Path(folder) / "x.pnm"
            netpbmfile.imwrite(path, array, **options)
            white = options.get("maxval", _white(array))
            yield Seed(f"netpbm {name}", path.suffix, path.read_bytes(), array, white)
        for depth, kind in ((1, "GRAYSCALE"), (2, "GRAYSCALE_ALPHA"), (3, "RGB"), (4, "RGB_ALPHA"), (5, "PLANES")):
            path = Path(folder) / "x.pam"
            array = picture(np.uint16 if depth == 3 else np.uint8, samples=depth)
            white = 65535 if depth == 3 else 255
            head = f"P7\nWIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH {depth}\nMAXVAL {white}\nTUPLTYPE {kind}\nENDHDR\n"
            data = head.encode() + array.astype(array.dtype.newbyteorder(">")).tobytes()
            yield Seed(f"netpbm pam {depth}", ".pam", data, array if depth == 3 else None, white)
    planes = picture(planes=3)
    pages = b"".join(f"P5\n{WIDTH} {HEIGHT}\n255\n".encode() + plane.tobytes() for plane in planes)
    yield Seed("netpbm pages", ".pgm", pages, planes, 255)
    grey = picture(np.uint8, bits=4)
    words = "\n".join(" ".join(map(str, row)) for row in grey)
    yield Seed("netpbm plain", ".pgm", f"P2\n# plain\n{WIDTH} {HEIGHT}\n15\n{words}\n".encode(), grey, 15)
    bits = picture(bool)
    plain = "\n".join("".join("10"[int(one)] for one in row) for row in bits)
    yield Seed("netpbm plain bits", ".pbm", f"P1\n{WIDTH} {HEIGHT}\n{plain}\n".encode())
    head = f"P4\n{WIDTH} {HEIGHT}\n".encode()
    yield Seed("netpbm bits", ".pbm", head + np.packbits(~bits, axis=1).tobytes())


def _lights() -> Iterator[Seed]:
    colour = picture("f4", samples=3)
    for name, samples in (("PF", 3), ("Pf", 0)):
        array = picture("f4", samples=samples)
        head = f"{name}\n{WIDTH} {HEIGHT}\n-1.0\n".encode()
        yield Seed(f"pfm {name}", ".pfm", head + array[::-1].astype("<f4").tobytes())
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=1.0\n\n-Y {HEIGHT} +X {WIDTH}\n".encode()
    shared = np.concatenate([picture(samples=3), np.full((HEIGHT, WIDTH, 1), 128, np.uint8)], axis=-1)
    yield Seed("hdr flat", ".hdr", head + shared.tobytes())
    rows = b"".join(
        struct.pack(">BBH", 2, 2, WIDTH) + b"".join(bytes([WIDTH]) + row[:, one].tobytes() for one in range(4))
        for row in shared
    )
    yield Seed("hdr runs", ".hdr", head + rows)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.exr")
        for name, array in (("half", colour.astype(np.float16)), ("float", colour), ("light", colour[..., 0])):
            for compression in (OpenEXR.NO_COMPRESSION, OpenEXR.ZIP_COMPRESSION, OpenEXR.PIZ_COMPRESSION):
                channels = {"RGB": array} if array.ndim == 3 else {"Y": np.ascontiguousarray(array)}
                header = {"compression": compression, "type": OpenEXR.scanlineimage}
                with OpenEXR.File(header, channels) as file:
                    file.write(path)
                yield Seed(f"exr {name} {compression.name}", ".exr", Path(path).read_bytes())


def _fits() -> Iterator[Seed]:
    for bitpix, dtype, zero in (
        (8, "u1", 0),
        (16, "i2", 32768),
        (16, "i2", 0),
        (32, "i4", 0),
        (-32, "f4", 0),
        (-64, "f8", 0),
    ):
        array = picture("u2" if zero else dtype)
        stored = (array.astype(int) - zero).astype(f">{dtype}") if zero else array.astype(f">{dtype}")
        yield Seed(f"fits {bitpix} {zero}", ".fits", fits(stored, bitpix, zero))
    yield Seed("fits cube", ".fits", fits(picture(planes=3), 8, 0))


def fits(stored: Any, bitpix: int, zero: int) -> bytes:
    """Write a FITS file."""
    sizes = {f"NAXIS{number}": size for number, size in enumerate(stored.shape[::-1], 1)}
    cards = {"SIMPLE": "T", "BITPIX": bitpix, "NAXIS": stored.ndim, **sizes} | (
        {"BZERO": zero, "BSCALE": 1} if zero else {}
    )
    head = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards.items()) + "END".ljust(80)
    body = stored.tobytes()
    return head.encode().ljust(2880) + body + bytes(-len(body) % 2880)


def _others() -> Iterator[Seed]:
    grey, colour, alpha = picture(), picture(samples=3), picture(samples=4)
    for kind, array, mode in (
        ("BMP", grey, None), ("BMP", colour, None), ("BMP", grey, "1"), ("BMP", alpha, None), ("DIB", colour, None),
        ("TGA", colour, None), ("TGA", grey, None), ("PCX", grey, None), ("PCX", colour, "P"), ("SGI", colour, None),
        ("SGI", grey, None), ("ICO", alpha, None), ("IM", grey, None), ("MSP", grey, "1"), ("XBM", grey, "1"),
        ("DDS", alpha, None), ("BLP", colour, "P"), ("EPS", grey, None), ("SPIDER", picture("f4"), None),
    ):  # fmt: skip
        name = f"{kind.lower()} {mode or array.shape[2:] or 'grey'}"
        yield Seed(name, f".{kind.lower()}", _saved(array, kind, mode))
