"""Labelled pictures: a folder with a folder for each class, or an archive of one."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ...core.errors import InputError
from ...core.io.reading import PHOTO_SUFFIXES
from ...core.names import escaped
from ...core.progress import Progress

Pixels = npt.NDArray[np.uint8]

WHOLE = (0.0, 1.0)

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_REPORT_EVERY = 200

_MOST_BYTES = 2**28
"""Of a file in an archive, unpacked."""


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures of known classes, in memory.

    Attributes
    ----------
    names : tuple of str
        Of the pictures, as ``"class/file.jpg"``, sorted.
    classes : tuple of str
        All classes of the data set, sorted, also those of which this part has no picture.
    pixels : numpy.ndarray of uint8
        RGB, ``(pictures, height, width, 3)``.
    asked_size : int, optional
        Pixels a side that they were brought to, if they were.
    """

    path: Path
    names: tuple[str, ...]
    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    pixels: Pixels
    part: tuple[float, float] = WHOLE
    skipped: tuple[str, ...] = ()
    asked_size: int | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Name to position."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of names and pixels, in hexadecimal."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """Say what was read, for the record of what is made of it."""
        return {
            "data": self.path.resolve().name,
            "part": list(self.part),
            "pictures": len(self),
            "classes": list(self.classes),
            "size": list(self.size),
            "asked_size": self.asked_size,
            "skipped": len(self.skipped),
            "sha256": self.fingerprint,
        }


def read_pictures(
    path: str | Path,
    *,
    part: tuple[float, float] = WHOLE,
    size: int | None = None,
    progress: Progress | None = None,
) -> LabelledPictures:
    """Read the pictures of a data set, or of a part of it.

    `path`: a folder with a folder for each class, or a ``.tar``, ``.tar.gz``, ``.tgz`` or ``.zip`` archive of one.
    There may be one folder above the classes: ``train/cat/0001.jpg``. `part`: of the numbers from 0 to 1 that
    `share_of` gives the pictures' names, those from the first on and below the second. Parts that do not overlap hold
    different pictures, also when files are added later. `size`: pixels a side: the shorter side is brought to it and
    the middle cut out. By default pictures stay as they are, and have to be of one size. `progress`: called with
    ``(pictures read, pictures in all)``; raise `Cancelled` in it to stop. Returns grey pictures as three equal
    channels. Files that cannot be read are skipped and named in `skipped`.

    All pictures are kept in memory: 3 kB each at 32x32 pixels, 150 kB at 224x224.
    """
    path = Path(path)
    part = checked_part(part)
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise InputError(f"size is {size!r}; give pixels a side, a whole number of at least 1.")
    found = _files(path)
    classes = tuple(sorted({name.split("/", 1)[0] for name in found}))
    if len(classes) < 2:
        raise InputError(
            f"{path} has {len(classes)} class folders with pictures{f' ({classes[0]})' if classes else ''}; "
            "give a folder, or an archive of one, with a folder of pictures for each of two classes or more."
        )
    wanted = {name: where for name, where in sorted(found.items()) if part[0] <= share_of(name) < part[1]}
    if not wanted:
        raise InputError(f"The part {part[0]:g} to {part[1]:g} of {path} holds none of its {len(found)} pictures.")
    read, skipped = _decoded(path, wanted, size, progress)
    names = tuple(sorted(read))
    if not names:
        raise InputError(f"None of the {len(wanted)} files of {path} could be read as a picture; see {skipped[0]}.")
    labels = np.array([classes.index(name.split("/", 1)[0]) for name in names], dtype=np.int64)
    return LabelledPictures(path, names, classes, labels, _stacked(path, names, read), part, skipped, size)


def share_of(name: str) -> float:
    """Give a picture's name a number from 0 to 1 by which parts are made, out of its sha256."""
    # The first 8 bytes, as a share of all that they could be.
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def checked_part(part: Sequence[float]) -> tuple[float, float]:
    """Give the two ends of a part, or say what a part is."""
    try:
        low, high = (float(end) for end in part)
    except (TypeError, ValueError):
        low, high = 0.0, -1.0
    if not 0 <= low < high <= 1:
        raise InputError(f"The part {part!r} is none; give two rising numbers from 0 to 1, such as (0, 0.5).")
    return low, high


def _files(path: Path) -> dict[str, str]:
    """List the pictures: name, as it can be stored anywhere, to where it is in the folder or archive."""
    if path.is_dir():
        there = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    elif not path.is_file():
        raise InputError(f"There is no {path}. Give a folder with a folder for each class, or an archive of one.")
    elif not path.name.lower().endswith(_ARCHIVES):
        raise InputError(f"{path} is neither a folder nor an archive ({', '.join(_ARCHIVES)}).")
    else:
        there = [name for name, _ in _members(path, None)]
    wanted = [PurePosixPath(name) for name in there if _is_picture(name)]
    # What every picture lies in, such as train/, is no class.
    above = 0
    while wanted and min(len(file.parts) for file in wanted) > above + 2 and len({f.parts[above] for f in wanted}) == 1:
        above += 1
    return {escaped("/".join(file.parts[above:])): str(file) for file in wanted if len(file.parts) > above + 1}


def _is_picture(name: str) -> bool:
    file = PurePosixPath(name)
    # macOS puts files named ._x.jpg beside x.jpg into its archives.
    return file.suffix.lower() in PHOTO_SUFFIXES and not any(word.startswith((".", "__MACOSX")) for word in file.parts)


def _members(path: Path, wanted: set[str] | None) -> Iterator[tuple[str, bytes]]:
    """Give the files of an archive in its order, with their content where they are wanted."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir() and (wanted is None or info.filename in wanted):
                        _check_size(path, info.filename, info.file_size)
                        yield _clean(info.filename), b"" if wanted is None else archive.read(info)
            return
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (wanted is None or _clean(member.name) in wanted):
                    _check_size(path, member.name, member.size)
                    file = None if wanted is None else archive.extractfile(member)
                    yield _clean(member.name), b"" if file is None else file.read()
    except InputError:
        raise
    except Exception as error:  # of damaged archives the libraries raise many kinds
        raise InputError(f"{path} is not a whole archive ({error}).") from error


def _check_size(path: Path, name: str, size: int) -> None:
    """Refuse a file that would unpack to more than any labelled picture has."""
    if size > _MOST_BYTES:
        raise InputError(
            f"{path} holds {name}, which unpacks to {size / 2**20:.0f} MiB; pictures have up to "
            f"{_MOST_BYTES // 2**20}. Leave it out."
        )


def _clean(name: str) -> str:
    return str(PurePosixPath(name))  # without a leading ./


def _decoded(
    path: Path, wanted: dict[str, str], size: int | None, progress: Progress | None
) -> tuple[dict[str, Pixels], tuple[str, ...]]:
    """Read the wanted pictures; name those that could not be."""
    names = {where: name for name, where in wanted.items()}
    if path.is_dir():
        contents: Iterator[tuple[str, bytes]] = ((where, (path / where).read_bytes()) for where in names)
    else:
        contents = _members(path, set(names))
    read: dict[str, Pixels] = {}
    skipped: list[str] = []
    for number, (where, content) in enumerate(contents):
        if progress is not None and number % _REPORT_EVERY == 0:
            progress(number, len(names))
        try:
            read[names[where]] = _colours(content, size)
        except Exception:  # on damaged data Pillow's decoders raise anything
            skipped.append(names[where])
    if progress is not None:
        progress(len(names), len(names))
    return read, tuple(sorted(skipped))


def _colours(content: bytes, size: int | None) -> Pixels:
    with Image.open(io.BytesIO(content)) as file:
        image: Image.Image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16 bits, of which Pillow's own conversion keeps the wrong ones
            image = Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))
        image = image.convert("RGB")
        if size is not None and image.size != (size, size):
            image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
        return np.asarray(image)


def _stacked(path: Path, names: Sequence[str], read: dict[str, Pixels]) -> Pixels:
    first = read[names[0]].shape
    for name in names:
        shape = read[name].shape
        if shape != first:
            raise InputError(
                f"The pictures of {path} differ in size: {names[0]} has {first[0]}x{first[1]} pixels and {name} "
                f"{shape[0]}x{shape[1]}. Give a size to bring them to."
            )
    return np.stack([read[name] for name in names])
