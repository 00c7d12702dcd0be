"""A file that is about to be read: that it is one, how it begins, and how much memory it may ask for."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError

MOST_PIXELS = 2**30
"""Pixels, of all planes together, up to which a file is read unless more are allowed: 1.07 thousand million.

A file of a few hundred bytes can state any size. This is above what cameras, microscopes and scanners write in one
piece; what is larger is made for being read in parts.
"""

_HEAD = 64
"""Bytes from the start of a file that are enough to tell every format."""

_LARGE, _DENSEST = 2**24, 100_000
"""Pixels from which a picture is large; and pixels a byte that not even one of a single colour reaches."""

_NO_FILE = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Source:
    """A regular file that is not empty.

    `head`: its first bytes, up to 64. `most_pixels`: how many pixels, of all planes together, it may have.
    """

    path: Path
    head: bytes
    most_pixels: int = MOST_PIXELS

    @classmethod
    def of(cls, path: str | Path, most_pixels: int = MOST_PIXELS) -> Source:
        """Look at a file; raises InputError that says what is wrong with it."""
        path = Path(path)
        if not isinstance(most_pixels, int | np.integer) or isinstance(most_pixels, bool) or most_pixels < 1:
            raise InputError(f"most_pixels is {most_pixels!r}; give a whole number of at least 1.")
        check_regular(path)
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
        if not head:
            raise InputError(f"{path} is empty (0 bytes). Copy or save it again.")
        return cls(path, head, int(most_pixels))

    def check_size(self, planes: Sequence[int], sample_bytes: float = 1) -> None:
        """Refuse what a file states before memory is taken for it.

        `planes`: the stated height and width, and the number of planes or frames, in any order; colours are no planes.
        `sample_bytes`: the bytes of one pixel with all its colours, as it will lie in memory.
        """
        stated = "x".join(map(str, planes))
        pixels = math.prod(map(int, planes))
        if min(planes, default=0) < 1:
            raise self.damaged(f"it states a size of {stated} pixels")
        if pixels > self.most_pixels:
            raise InputError(
                f"{self.path} states {stated} = {pixels:.3g} pixels, more than the {self.most_pixels:.3g} that are "
                f"read. Crop it or reduce it; or allow more: most_pixels={pixels}."
            )
        needed, there = pixels * sample_bytes, _memory()
        if there is not None and needed > there:
            raise InputError(
                f"{self.path} states {stated} pixels, which need {needed / 2**30:.1f} GiB of memory; this machine has "
                f"{there / 2**30:.1f} GiB. Crop it or reduce it."
            )

    def check_density(self, planes: Sequence[int], stored: int) -> None:
        """Refuse a large picture said to be stored in so few bytes that it can only be an attack, or cut short."""
        pixels = math.prod(map(int, planes))
        if pixels >= _LARGE and pixels > _DENSEST * stored:
            raise self.damaged(f"it states {pixels:.3g} pixels, and holds {stored} bytes for them")

    def checked(
        self, array: npt.NDArray[Any], shape: Sequence[int], dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[Any]:
        """Give what a decoder made, if it is of the shape and the type that the file states."""
        stated = tuple(map(int, shape))
        if array.shape != stated or (dtype is not None and array.dtype != np.dtype(dtype)):
            kind = "" if dtype is None else f" of {np.dtype(dtype).name}"
            raise self.damaged(f"it states {stated}{kind}, and its pixels decode to {array.shape} of {array.dtype}")
        return array

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Turn whatever a decoder raises into an error of ours: on damaged data they raise anything."""
        try:
            yield
        except InputError:
            raise
        except MemoryError as error:
            raise InputError(
                f"{self.path} needs more memory than there is ({error or 'out of memory'}). Crop it, or close other "
                "programs."
            ) from error
        except Exception as error:
            raise self.damaged(str(error) or type(error).__name__) from error

    def damaged(self, reason: object) -> InputError:
        """Make the error that says that the file cannot be decoded to its end."""
        return InputError(
            f"{self.path} is damaged or was cut short ({reason}). Copy or download it again, or save it anew."
        )


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, or not there: a pipe would be waited for, a device never ends."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - raises ValueError for a NUL byte, as Path.stat may not
    except ValueError as error:
        raise InputError(f"{str(path)!r} cannot be the name of a file ({error}).") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"There is no file {path}. Check the name and the folder.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check the name and the permissions.") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder, not a file. Give an image, or a folder that holds some.")
    if not stat.S_ISREG(mode):
        what = _NO_FILE.get(stat.S_IFMT(mode), "of another kind")
        raise InputError(f"{path} is {what}, not a regular file. Give a file.")


def _memory() -> int | None:
    """Give the bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
