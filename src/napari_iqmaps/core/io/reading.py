"""Which library reads which image file: decided by the content of the file, not by its name.

To read a further format, write a decoder that gives an `ImageFile` and add a row to `_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..arguments import checked
from ._bitmap import pnm_white, read_linear_light, read_with_opencv, read_with_pillow
from ._exr import read_exr_image
from .image_file import ImageFile
from .source import MOST_PIXELS, Source

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_EXR_MAGIC = b"\x76\x2f\x31\x01"
_LINEAR_LIGHT = (b"#?RADIANCE", b"#?RGBE", b"PF\n", b"Pf\n", b"PF\r", b"Pf\r", b"PF ", b"Pf ")


@checked
def read_image(path: str | Path, *, most_pixels: int = MOST_PIXELS) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF (also ImageJ and OME, stacks, and BigTIFF), PNG, JPEG, GIF, BMP, WebP, JPEG 2000, PNM, PFM, Radiance HDR,
        OpenEXR, and what else Pillow or OpenCV decodes. A file without a suffix is read as well: the content decides.
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
        return row.read(source)


def _read_tiff(source: Source) -> ImageFile:
    from ._tiff import read_tiff_image  # tifffile takes a while to import

    return read_tiff_image(source)


def _is_deep(head: bytes) -> bool:
    """Tell the files that Pillow would reduce to 8 bits, or whose range it would lose."""
    if head.startswith(b"\x89PNG"):
        depth, colour = head[24:25], head[25:26]
        return depth == b"\x10" and colour != b"\x00"
    if head[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return (pnm_white(head) or 0) > 255
    box = head.find(b"ihdr")  # JPEG 2000: height, width, channels, bits less one
    return box > 0 and head[box + 12 : box + 15] in (b"\0\x03\x0f", b"\0\x04\x0f")


class _Format(NamedTuple):
    names: str
    has: Callable[[bytes], bool]  # from the first bytes of a file
    read: Callable[[Source], ImageFile]


_FORMATS = (
    _Format("TIFF, by tifffile", lambda head: head[:4] in _TIFF_MAGIC, _read_tiff),
    _Format("OpenEXR, by its own library", lambda head: head.startswith(_EXR_MAGIC), read_exr_image),
    _Format("Radiance HDR and PFM, by OpenCV", lambda head: head.startswith(_LINEAR_LIGHT), read_linear_light),
    _Format("16-bit colour in PNG, PNM and JPEG 2000, by OpenCV", _is_deep, read_with_opencv),
    _Format("all others, by Pillow, else by OpenCV", lambda _head: True, read_with_pillow),
)
"""The first row that recognises a file reads it."""
