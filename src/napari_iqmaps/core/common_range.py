"""Images of different types that are compared: one stated range of values has to suit all of them."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import InputError
from .images import Planes

_WHITES = {"uint8": 255.0, "uint16": 65535.0, "bool": 1.0}


def check_common_range(images: Sequence[Planes]) -> None:
    """Refuse one stated range for images of dtypes to which it cannot apply alike.

    Parameters
    ----------
    images : sequence of Planes
        What is compared, each with the range that was stated or is known for its dtype.

    Raises
    ------
    InputError
        If images of several dtypes have one range that is not the whole range of those that hold whole numbers.
    """
    types = {planes.array.dtype.name for planes in images}
    ranges = {planes.data_range for planes in images}
    low, high = images[0].data_range
    contradicted = any(_WHITES.get(planes.array.dtype.name, high) != high for planes in images)
    if len(types) > 1 and len(ranges) == 1 and contradicted:
        raise InputError(
            f"The images are of types {', '.join(sorted(types))}, and one data_range of ({low:g}, {high:g}) does not "
            "suit all of them. Convert them to one type first, such as with skimage.util.img_as_float."
        )
