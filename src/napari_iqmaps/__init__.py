"""Maps and scores of image quality: where an image is good or bad, and for whom.

The public names are loaded when they are first used: importing this package imports neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .core.assessment import Assessment
    from .core.blind import assess, quality
    from .core.blind_maps import error_map, objective_error_map, perceptual_error_map, reliability_map, sensitivity_map
    from .core.display import pq, pu21
    from .core.distortions import distort, distortions
    from .core.errors import Cancelled, InputError, IqmapsError, NotEnoughEvidence, WeightsError
    from .core.hidden_mark import HiddenMark
    from .core.hiding import hide
    from .core.io import read_image, read_map, write_map
    from .core.kinds import KINDS, Kind
    from .core.machine import machine_assess, machine_quality, machine_quality_map
    from .core.machine_assessment import MachineAssessment
    from .core.machine_curve import MachineCurve, machine_curve
    from .core.maps import QualityMap
    from .core.marks import text_mark
    from .core.quality_score import QualityScore
    from .core.visibility import threshold_map, visibility_map

_HOMES = {
    "Assessment": "assessment",
    "assess": "blind",
    "error_map": "blind_maps",
    "objective_error_map": "blind_maps",
    "perceptual_error_map": "blind_maps",
    "quality": "blind",
    "reliability_map": "blind_maps",
    "sensitivity_map": "blind_maps",
    "pq": "display",
    "pu21": "display",
    "Cancelled": "errors",
    "InputError": "errors",
    "IqmapsError": "errors",
    "NotEnoughEvidence": "errors",
    "WeightsError": "errors",
    "distort": "distortions",
    "distortions": "distortions",
    "HiddenMark": "hidden_mark",
    "hide": "hiding",
    "read_image": "io",
    "read_map": "io",
    "write_map": "io",
    "MachineAssessment": "machine_assessment",
    "MachineCurve": "machine_curve",
    "machine_assess": "machine",
    "machine_curve": "machine_curve",
    "machine_quality": "machine",
    "machine_quality_map": "machine",
    "KINDS": "kinds",
    "Kind": "kinds",
    "QualityMap": "maps",
    "text_mark": "marks",
    "QualityScore": "quality_score",
    "threshold_map": "visibility",
    "visibility_map": "visibility",
}

__all__ = [
    "KINDS",
    "Assessment",
    "Cancelled",
    "HiddenMark",
    "InputError",
    "IqmapsError",
    "Kind",
    "MachineAssessment",
    "MachineCurve",
    "NotEnoughEvidence",
    "QualityMap",
    "QualityScore",
    "WeightsError",
    "assess",
    "distort",
    "distortions",
    "error_map",
    "hide",
    "machine_assess",
    "machine_curve",
    "machine_quality",
    "machine_quality_map",
    "objective_error_map",
    "perceptual_error_map",
    "pq",
    "pu21",
    "quality",
    "read_image",
    "read_map",
    "reliability_map",
    "sensitivity_map",
    "text_mark",
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
