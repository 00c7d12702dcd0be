"""Files that are no images, or none that are read: what they are, and what to do with them."""

from __future__ import annotations

from typing import NoReturn

from ..errors import InputError
from .source import Source

_MICROSCOPE = "Export it as OME-TIFF with the microscope's software or with Bio-Formats."
_UNPACK = "Unpack it first."
_OTHER = "Save it as TIFF or PNG."
_DEVELOP = "Develop it with a raw converter, and save it as TIFF."

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch the file: git lfs pull."),
    (b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (b"BZh", "compressed by bzip2", _UNPACK),
    (b"\xfd7zXZ", "compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard", _UNPACK),
    (b"PK\3\4", "a ZIP archive, or a document or array file that is one", "Unpack it, and give the images in it."),
    (b"PK\5\6", "an empty ZIP archive", "Pack it again."),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"\x93NUMPY", "a NumPy array (.npy)", "Load it with numpy.load and give the array, or save it as TIFF."),
    (b"\x89HDF\r\n", "HDF5 (as are .ims, .h5, .nc)", "Export its image as OME-TIFF."),
    (b"CDF\1", "NetCDF", "Export its image as TIFF."),
    (b"CDF\2", "NetCDF", "Export its image as TIFF."),
    (b"%PDF", "a PDF document", "Export its image as TIFF or PNG."),
    (b"%!PS", "PostScript", "Export it as TIFF or PNG."),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)", "Export it as TIFF or PNG."),
    (b"ZISRAW", "of Zeiss microscopes (CZI)", _MICROSCOPE),
    (b"\x70\0\0\0", "of Leica microscopes (LIF)", _MICROSCOPE),
    (b"\xda\xce\xbe\x0a", "of Nikon microscopes (ND2)", _MICROSCOPE),
    (b"\xd0\xcf\x11\xe0", "a compound document (of Olympus or Zeiss microscopes, or of Office)", _MICROSCOPE),
    (b"IIRO", "the raw data of an Olympus camera (ORF)", _DEVELOP),
    (b"IIRS", "the raw data of an Olympus camera (ORF)", _DEVELOP),
    (b"IIU\0", "the raw data of a Panasonic camera (RW2)", _DEVELOP),
    (b"FUJIFILMCCD-RAW", "the raw data of a Fujifilm camera (RAF)", _DEVELOP),
    (b"\x5c\x01\0\0", "NIfTI, an image of medicine", "Export its slices as TIFF."),
    (b"\0\0\x01\x5c", "NIfTI, an image of medicine", "Export its slices as TIFF."),
    (b"\x1aE\xdf\xa3", "a film (Matroska or WebM)", "Export its frames as PNG or TIFF."),
    (b"OggS", "a film or sound (Ogg)", "Export its frames as PNG or TIFF."),
    (b"\0\0\x01\xba", "a film (MPEG)", "Export its frames as PNG or TIFF."),
    (b"\0\0\x01\xb3", "a film (MPEG)", "Export its frames as PNG or TIFF."),
    (b"FLV\1", "a film (Flash)", "Export its frames as PNG or TIFF."),
    (b"gimp xcf", "a picture of GIMP (XCF)", "Export it as TIFF or PNG."),
    (b"AT&TFORM", "a DjVu document", "Export it as TIFF or PNG."),
    (b"BPG\xfb", "a BPG picture", "Convert it to PNG."),
    (b"SQLite format 3", "a database (SQLite)", "Export its image as TIFF."),
    (b"\x7fELF", "a program", "Give an image."),
    (b"MZ", "a program of Windows", "Give an image."),
    (b"\x80\x02", "a pickled object of Python", "Load it yourself, and save the array as TIFF."),
    (b"\x80\x03", "a pickled object of Python", "Load it yourself, and save the array as TIFF."),
    (b"\x80\x04", "a pickled object of Python", "Load it yourself, and save the array as TIFF."),
    (b"\x80\x05", "a pickled object of Python", "Load it yourself, and save the array as TIFF."),
    (b"MATLAB 5.0", "a MATLAB file", "Save its image as TIFF."),
    (b"NRRD000", "NRRD, an image of medicine", "Export its slices as TIFF."),
    (b"II\xbc", "JPEG XR", "Convert it to TIFF or PNG."),
    (b"\x76\x2f\x31", "OpenEXR, but not of a version that is known", "Save it again."),
    (b"\xabKTX", "a texture (KTX)", "Convert it to PNG or TIFF."),
    (b"{\\rtf", "a text document (RTF)", "Give an image."),
)
"""How files begin, what they are, and what to do; the first that fits is said."""

_WORDS: tuple[tuple[bytes, str, str], ...] = (
    (b"<svg", "a drawing (SVG), not pixels", "Export it as PNG."),
    (b"<!doctype html", "a web page, not an image", "The download may have failed: look at it in a browser."),
    (b"<html", "a web page, not an image", "The download may have failed: look at it in a browser."),
    (b"<?xml", "a text (XML), not an image", "Give the image that belongs to it. Save it as TIFF or PNG."),
)

_NAMES = {
    **dict.fromkeys((".czi", ".lif", ".nd2", ".oib", ".oif", ".vsi", ".svs", ".lsm", ".ims", ".mrc"), _MICROSCOPE),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".raf", ".rw2", ".pef", ".srw"), _DEVELOP),
}


def refuse(source: Source) -> NoReturn:
    """Say what a file is that is no image that is read."""
    what, advice = _known(source)
    raise InputError(f"{source.path} is {what}. {advice}")


def is_foreign(head: bytes) -> bool:
    """Tell whether a file begins as one that is known not to be read."""
    return any(head.startswith(start) for start, _, _ in _STARTS)


def _known(source: Source) -> tuple[str, str]:
    with source.path.open("rb") as file:
        content = file.read(4096)
    for start, what, advice in _STARTS:
        if content.startswith(start):
            return what, advice
    if content[128:132] == b"DICM":
        return "DICOM, an image of medicine", "Export it as TIFF or PNG."
    if content[:4] == b"RIFF" and content[8:12] != b"WEBP":
        kind = {b"AVI ": "a film (AVI)", b"WAVE": "a sound (WAVE)"}.get(content[8:12], "a RIFF file, not of images")
        return kind, "Export its frames as PNG or TIFF."
    if content[208:212] in (b"MAP ", b"MAP\0"):
        return "MRC, of electron microscopes", "Export it as TIFF."
    if content[344:347] in (b"n+1", b"ni1"):
        return "NIfTI, an image of medicine", "Export its slices as TIFF."
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1000].lower()
    for word, what, advice in _WORDS:
        if start.startswith(word) or (word == b"<svg" and start.startswith(b"<?xml") and b"<svg" in start):
            return what, advice
    return _unknown(source, content)


def _unknown(source: Source, content: bytes) -> tuple[str, str]:
    advice = _NAMES.get(source.path.suffix.lower(), _OTHER)
    if not content.strip(b"\0"):
        return "not an image that can be read: it begins with nothing but zeros", "Copy or download it again."
    if not set(content) - {9, 10, 12, 13, *range(32, 127)}:
        return "a text, not an image, whatever its name says", "Look at what it says, and give an image."
    if advice != _OTHER:
        return "not an image in a format that can be read", advice
    return "not an image in a format that can be read", f"{_OTHER[:-1]}; if it is one, it is damaged."
