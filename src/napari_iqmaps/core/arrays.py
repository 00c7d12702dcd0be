"""What a caller may give as an array: everything that numpy or dask takes for one, made plain, or refused by name."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, IqmapsError

_INDIRECT = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")  # modes of Pillow whose samples are no grey and no RGB


def is_dask(array: object) -> bool:
    """Tell whether an object is a dask array, without importing dask."""
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(array, dask.Array)


def as_array(value: Any, name: str) -> Any:
    """Give what a caller gave as a plain array of numpy, one with a mask, or one of dask; nothing lazy is computed."""
    if is_dask(value):
        if any(math.isnan(length) for length in value.shape):
            raise InputError(
                f"The {name} is a dask array of unknown shape {value.shape}. Call compute_chunk_sizes() on it first."
            )
        return value
    if type(value).__module__.split(".")[0] == "PIL" and getattr(value, "mode", "") in _INDIRECT:
        raise InputError(
            f"The {name} is a picture of mode {value.mode}, whose samples are neither grey nor red, green and blue. "
            "Convert it first: picture.convert('RGB')."
        )
    try:
        return _plain(np.asanyarray(value))
    except MemoryError:
        raise
    except Exception as error:  # of a stranger's class, whose conversion may fail in any way
        raise InputError(f"The {name} is not an array: {error}. {_conversion(value)}") from error


def numbers(value: Any, name: str) -> npt.NDArray[np.float64]:
    """Give real numbers of any shape, such as a matrix or points, as an array of their own, float64; masked is NaN."""
    array = computed(as_array(value, name), name)
    check_numbers(array, name)
    with np.errstate(over="ignore", invalid="ignore"):  # what is wider than 64 bits may become infinite
        return np.ma.filled(np.array(array, np.float64, subok=True), np.nan)


def computed(array: Any, name: str = "image") -> Any:
    """Compute an array of dask, as it says that it will be; one of numpy is given as it is."""
    if not is_dask(array):
        return array
    with computing(name):
        result = _plain(np.asanyarray(array.compute()))
    if result.shape != array.shape or (result.dtype != array.dtype and result.dtype.kind not in "buif"):
        raise InputError(
            f"The {name} is a dask array that says it has shape {array.shape} and dtype {array.dtype}, and computes to "
            f"{result.shape} of {result.dtype}. State it right where it is made."
        )
    return result


@contextmanager
def computing(name: str) -> Iterator[None]:
    """Turn what the making of a dask array raises into an error of ours."""
    try:
        yield
    except (IqmapsError, MemoryError):
        raise
    except Exception as error:  # of whatever makes the array
        raise InputError(
            f"The {name} is a dask array that cannot be computed ({type(error).__name__}: {error}). Compute it by "
            "itself to see where that comes from."
        ) from error


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an array of numpy without what subclasses such as np.matrix do to its axes; a mask is kept."""
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    if type(array) is np.ma.MaskedArray and type(np.ma.getdata(array)) is np.ndarray:
        return array
    return np.ma.MaskedArray(np.asarray(np.ma.getdata(array)), np.asarray(np.ma.getmaskarray(array)))


def _conversion(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "Give rows of equal length."
    if hasattr(value, "detach"):
        return "Give numbers that numpy knows: image.detach().cpu().float().numpy()."
    return f"It is a {type(value).__name__}; give an array of numpy."


def check_plane(index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Refuse the index of a plane that a stack with these leading axes has not; give what the plane is called."""
    if len(index) != len(shape) or any(not 0 <= at < length for at, length in zip(index, shape, strict=True)):
        last = tuple(length - 1 for length in shape)
        give = f"an index from {(0,) * len(shape)} to {last}" if shape else "() for an image without planes"
        raise InputError(f"There is no plane {index}. Give {give}.")
    return f"Plane {', '.join(map(str, index))}: " if index else ""


def check_numbers(array: Any, name: str) -> None:
    """Refuse an array that holds no real numbers."""
    kind = array.dtype.kind
    if kind in "buif":
        return
    if kind == "c":
        raise InputError(f"The {name} is complex ({array.dtype}). Take its magnitude, abs(image), or its phase first.")
    if kind in "OSUT":
        raise InputError(
            f"The {name} holds {array.dtype} values, not numbers. Give an array of numbers with equally long rows; "
            "read a file with napari_iqmaps.read_image(path) first."
        )
    raise InputError(f"The {name} has dtype {array.dtype}, which is not of real numbers. Convert it first.")
