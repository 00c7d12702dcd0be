"""Which library reads which image file: decided by the content of the file, not by its name.

To read a further format, write a decoder that gives an `ImageFile` and add a row to `_FORMATS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..arguments import checked
from ..errors import InputError
from . import _avif, _bitmap, _exr, _fits, _foreign, _jpeg, _jpeg2000, _jpegxl, _netpbm, _png, _radiance
from ._chunks import SIGNATURE
from .image_file import KEY, ImageFile, with_record
from .source import MOST_PIXELS, Source

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Decoders say on these channels what they also raise.
for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


@checked
def read_image(path: str | Path, *, most_pixels: int = MOST_PIXELS) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF (also ImageJ and OME, stacks, and BigTIFF), PNG, JPEG (also of 12 bits, lossless, and JPEG-LS), JPEG 2000,
        JPEG XL, AVIF, WebP, GIF, BMP, the Netpbm family (PBM, PGM, PPM, PAM, PFM), Radiance HDR, OpenEXR, FITS, and
        older ones: TGA, PCX, SGI, Sun raster, ICO, DDS, PSD, QOI, XBM, XPM. A file without a suffix is read as well:
        the content decides.
    most_pixels : int
        How many pixels, of all planes together, a file may have; what states more is refused before memory is taken
        for it. By default 2**30, about 1.07 thousand million.

    Returns
    -------
    ImageFile
        The array and its axes, ready for ``threshold_map(file.array, channel_axis=file.channel_axis)``. Floating
        point pixels need a ``data_range`` besides, or, where they are linear light, ``luminance=file.luminance``.

    Raises
    ------
    InputError
        If there is no such file; if it is no regular file (a folder, a pipe, a device), empty, no image, damaged or
        cut short; if it states more pixels than `most_pixels`, or needs more memory than there is.

    Examples
    --------
    >>> import napari_iqmaps as iq
    >>> file = iq.read_image("photo.jpg")  # doctest: +SKIP
    >>> iq.threshold_map(file.array, channel_axis=file.channel_axis)  # doctest: +SKIP
    """
    source = Source.of(path, most_pixels)
    row = next(row for row in _FORMATS if row.has(source.head))
    with source.decoding():
        return _kept(source, row.read(source))


def _kept(source: Source, file: ImageFile) -> ImageFile:
    """Give what was read if it is an image: real numbers, and at least one pixel."""
    if file.array.dtype.kind not in "buif":
        raise InputError(
            f"{source.path} holds {file.array.dtype} values, which are no real numbers. Save their magnitude or phase."
        )
    if not file.array.size:
        raise source.damaged(f"it states an image of shape {file.array.shape}, which has no pixel")
    return file


def _read_tiff(source: Source) -> ImageFile:
    from ._tiff import read_tiff_image  # tifffile takes a while to import

    return with_record(read_tiff_image(source), _tiff_record(source))


def _tiff_record(source: Source) -> str | None:
    """Give the description of a TIFF if the record of this package is in it."""
    import tifffile

    with tifffile.TiffFile(source.path) as file:
        description = file.pages.first.description
    return description if f'"{KEY}"' in description else None


class _Format(NamedTuple):
    names: str
    suffixes: tuple[str, ...]
    has: Callable[[bytes], bool]  # from the first bytes of a file
    read: Callable[[Source], ImageFile]


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


_FORMATS = (
    _Format("TIFF, by tifffile", (".tif", ".tiff"), lambda head: head[:4] in _TIFF_MAGIC, _read_tiff),
    _Format("PNG, by libpng", (".png",), _begins(SIGNATURE), _png.read_png),
    _Format(
        "JPEG, by libjpeg-turbo, and JPEG-LS, by CharLS",
        (".jpeg", ".jpg", ".jpe", ".jfif", ".jls"),
        _begins(_jpeg.START),
        _jpeg.read_jpeg,
    ),
    _Format(
        "JPEG 2000, by OpenJPEG",
        (".j2k", ".jp2", ".jpx", ".jpf", ".j2c", ".jpc"),
        _begins(_jpeg2000.BOXED, _jpeg2000.STREAM),
        _jpeg2000.read_jpeg2000,
    ),
    _Format("JPEG XL, by libjxl", (".jxl",), _begins(_jpegxl.BOXED, _jpegxl.STREAM), _jpegxl.read_jpegxl),
    _Format("AVIF, by libavif", (".avif",), _avif.is_film_or_picture, _avif.read_avif),
    _Format("OpenEXR, by its own library", (".exr",), _begins(_exr.MAGIC), _exr.read_exr_image),
    _Format("Radiance HDR, by its own code", (".hdr", ".pic"), _begins(*_radiance.MAGIC), _radiance.read_radiance),
    _Format(
        "Netpbm and PFM, by NumPy",
        (".pbm", ".pfm", ".pgm", ".pnm", ".ppm", ".pam"),
        _netpbm.is_netpbm,
        _netpbm.read_netpbm,
    ),
    _Format("FITS, by NumPy", (".fits", ".fit", ".fts"), _begins(_fits.MAGIC), _fits.read_fits),
    _Format("QOI, by its own code", (".qoi",), _begins(b"qoif"), _bitmap.read_qoi),
    _Format("GIF, by Pillow", (".gif",), _begins(b"GIF87a", b"GIF89a"), _bitmap.read_gif),
    _Format("BMP, by Pillow", (".bmp", ".dib"), _begins(b"BM"), _bitmap.read_bmp),
    _Format("WebP, by Pillow", (".webp",), lambda h: h[:4] == b"RIFF" and h[8:12] == b"WEBP", _bitmap.read_with_pillow),
    _Format("what is known and not read", (), _foreign.is_foreign, _foreign.refuse),
    _Format(
        "older ones, by Pillow",
        (".tga", ".pcx", ".sgi", ".rgb", ".bw", ".ras", ".ico", ".dds", ".psd", ".xbm", ".xpm"),
        _bitmap.has_pillow,
        _bitmap.read_with_pillow,
    ),
    _Format("all others", (), lambda _head: True, _bitmap.read_by_name),
)
"""The first row that recognises a file reads it."""

SUFFIXES = tuple(sorted({suffix for row in _FORMATS for suffix in row.suffixes}))
"""Which files of a folder are taken for images; a file named by itself may have any name."""

PHOTO_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Those of everyday pictures, of which data sets of labelled pictures are made."""

LIGHT_SUFFIXES = (".exr", ".hdr", ".pfm")
"""Those of formats that hold linear light."""
