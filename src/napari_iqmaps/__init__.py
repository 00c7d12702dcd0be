"""Maps and scores of image quality: where an image is good or bad, and for whom.

The public names are loaded when they are first used: importing this package imports neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .core.errors import Cancelled, InputError, IqmapsError, NotEnoughEvidence, WeightsError
    from .core.io import read_image, read_map, write_map
    from .core.maps import KINDS, Kind, QualityMap
    from .core.visibility import threshold_map, visibility_map

_HOMES = {
    "Cancelled": "errors",
    "InputError": "errors",
    "IqmapsError": "errors",
    "NotEnoughEvidence": "errors",
    "WeightsError": "errors",
    "read_image": "io",
    "read_map": "io",
    "write_map": "io",
    "KINDS": "maps",
    "Kind": "maps",
    "QualityMap": "maps",
    "threshold_map": "visibility",
    "visibility_map": "visibility",
}

__all__ = [
    "KINDS",
    "Cancelled",
    "InputError",
    "IqmapsError",
    "Kind",
    "NotEnoughEvidence",
    "QualityMap",
    "WeightsError",
    "read_image",
    "read_map",
    "threshold_map",
    "visibility_map",
    "write_map",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".core.{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
