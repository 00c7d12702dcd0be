"""Images of a comparison, read and preprocessed once while they are in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..images import DataRange, as_planes
from ..io.reading import ImageFile, read_image
from .preprocessing import Prepared, Preprocessing

_MOST_BYTES = 2**28


class Frames:
    """Gives preprocessed planes of images, and keeps those that were asked for last.

    Parameters
    ----------
    data_range : float or (float, float), optional
        The values of black and of white, as for `napari_iqmaps.register`; None for what the file says.
    channel_axis : int, optional
        Of arrays; a file says itself.
    read : callable
        From a path to the image.
    """

    def __init__(
        self,
        *,
        data_range: DataRange = None,
        channel_axis: int | None = None,
        read: Callable[[Path], ImageFile] = read_image,
    ) -> None:
        self._data_range = data_range
        self._channel_axis = channel_axis
        self._read = read
        self._kept: OrderedDict[tuple[Any, str], Prepared] = OrderedDict()
        self._arrays: dict[int, Any] = {}

    def prepared(self, source: Any, steps: Preprocessing) -> Prepared:
        """Give an image preprocessed.

        Parameters
        ----------
        source : pathlib.Path or array_like
            One image.
        steps : Preprocessing
            What is done to it.

        Returns
        -------
        Prepared
            Not to be written into: it is kept.

        Raises
        ------
        InputError
            If the image cannot be read, holds several planes, has no value, or is too small.
        """
        key = (self._key(source), steps.name)
        found = self._kept.pop(key, None)
        if found is None:
            found = steps.apply(self._plane(source))
            found.plane.flags.writeable = False
        self._kept[key] = found
        # The two images of a pair are in use at one time, whatever their size.
        while len(self._kept) > 2 and sum(one.plane.nbytes for one in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return found

    def _key(self, source: Any) -> Any:
        if isinstance(source, Path):
            return source
        self._arrays[id(source)] = source  # kept alive, so that no other array gets its number
        return id(source)

    def _plane(self, source: Any) -> npt.NDArray[np.float32]:
        if isinstance(source, Path):
            file = self._read(source)
            image, channel_axis, data_range = file.array, file.channel_axis, self._data_range or file.data_range
        else:
            image, channel_axis, data_range = source, self._channel_axis, self._data_range
        name = source.name if isinstance(source, Path) else "image"
        planes = as_planes(image, data_range=data_range, channel_axis=channel_axis, name=name)
        if len(planes.shape) > 2:
            raise InputError(
                f"{name} holds a stack of planes (shape {planes.shape}); a comparison takes one image a file. Save its "
                "planes as files of their own."
            )
        plane = planes.read((), slice(None), slice(None))
        if not np.isfinite(plane).any():
            raise InputError(f"{name} has no pixel with a value (all NaN or masked). Check how it was saved.")
        return plane
