"""Maps and scores of image quality: where an image is good or bad, and for whom.

The public names are loaded when they are first used: importing this package imports neither torch nor napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .core.assessment import Assessment, MachineAssessment
    from .core.blind import (
        assess,
        error_map,
        objective_error_map,
        perceptual_error_map,
        quality,
        reliability_map,
        sensitivity_map,
    )
    from .core.comparison.compare import Comparison, FilePair, compare_registrations
    from .core.comparison.outcome import Outcome
    from .core.diffdiff import (
        VERDICTS,
        BlockScore,
        DiffDiffAssessment,
        DiffDiffScore,
        LocalContrast,
        ScoreLimits,
        auto_tolerance,
        diff_diff,
        diff_diff_assess,
        diff_diff_score,
        edge_weight,
        local_contrast,
    )
    from .core.display import pq, pu21
    from .core.distortions import Distortion, distort, distortion, distortions
    from .core.errors import Cancelled, InputError, IqmapsError, NotEnoughEvidence, WeightsError
    from .core.hiding import HiddenMark, hide
    from .core.io import read_image, read_map, write_map
    from .core.kinds import KINDS, Kind
    from .core.machine import machine_assess, machine_quality, machine_quality_map
    from .core.machine_curve import MachineCurve, machine_curve
    from .core.maps import QualityMap
    from .core.marks import text_mark
    from .core.quality_score import QualityScore
    from .core.registration import Registration, register
    from .core.registration.dense_matches import quasi_dense_matches, run_deepmatching
    from .core.registration.direct import LocalOptimum, local_optimum
    from .core.registration.matches import MatchTable, read_deepmatching
    from .core.registration.matrix_file import MatrixRecord, load_matrix, save_matrix
    from .core.registration.series import RegistrationSeries, register_series
    from .core.registration.translation import search_translation
    from .core.visibility import ThresholdOptions, threshold_map, visibility_map

_HOMES = {
    "Assessment": "assessment",
    "MachineAssessment": "assessment",
    "assess": "blind",
    "error_map": "blind",
    "objective_error_map": "blind",
    "perceptual_error_map": "blind",
    "quality": "blind",
    "reliability_map": "blind",
    "sensitivity_map": "blind",
    "VERDICTS": "diffdiff",
    "BlockScore": "diffdiff",
    "DiffDiffAssessment": "diffdiff",
    "DiffDiffScore": "diffdiff",
    "LocalContrast": "diffdiff",
    "ScoreLimits": "diffdiff",
    "auto_tolerance": "diffdiff",
    "diff_diff": "diffdiff",
    "diff_diff_assess": "diffdiff",
    "diff_diff_score": "diffdiff",
    "edge_weight": "diffdiff",
    "local_contrast": "diffdiff",
    "Comparison": "comparison.compare",
    "FilePair": "comparison.compare",
    "compare_registrations": "comparison.compare",
    "pq": "display",
    "pu21": "display",
    "Cancelled": "errors",
    "InputError": "errors",
    "IqmapsError": "errors",
    "NotEnoughEvidence": "errors",
    "WeightsError": "errors",
    "Distortion": "distortions",
    "distort": "distortions",
    "distortion": "distortions",
    "distortions": "distortions",
    "HiddenMark": "hiding",
    "hide": "hiding",
    "read_image": "io",
    "read_map": "io",
    "write_map": "io",
    "MachineCurve": "machine_curve",
    "machine_curve": "machine_curve",
    "machine_assess": "machine",
    "machine_quality": "machine",
    "machine_quality_map": "machine",
    "KINDS": "kinds",
    "Kind": "kinds",
    "QualityMap": "maps",
    "text_mark": "marks",
    "QualityScore": "quality_score",
    "Registration": "registration",
    "register": "registration",
    "quasi_dense_matches": "registration.dense_matches",
    "run_deepmatching": "registration.dense_matches",
    "MatchTable": "registration.matches",
    "read_deepmatching": "registration.matches",
    "MatrixRecord": "registration.matrix_file",
    "load_matrix": "registration.matrix_file",
    "save_matrix": "registration.matrix_file",
    "LocalOptimum": "registration.direct",
    "local_optimum": "registration.direct",
    "RegistrationSeries": "registration.series",
    "register_series": "registration.series",
    "search_translation": "registration.translation",
    "ThresholdOptions": "visibility",
    "threshold_map": "visibility",
    "visibility_map": "visibility",
    "Outcome": "comparison.outcome",
}

__all__ = [
    "KINDS",
    "VERDICTS",
    "Assessment",
    "BlockScore",
    "Cancelled",
    "Comparison",
    "DiffDiffAssessment",
    "DiffDiffScore",
    "Distortion",
    "FilePair",
    "HiddenMark",
    "InputError",
    "IqmapsError",
    "Kind",
    "LocalContrast",
    "LocalOptimum",
    "MachineAssessment",
    "MachineCurve",
    "MatchTable",
    "MatrixRecord",
    "NotEnoughEvidence",
    "Outcome",
    "QualityMap",
    "QualityScore",
    "Registration",
    "RegistrationSeries",
    "ScoreLimits",
    "ThresholdOptions",
    "WeightsError",
    "assess",
    "auto_tolerance",
    "compare_registrations",
    "diff_diff",
    "diff_diff_assess",
    "diff_diff_score",
    "distort",
    "distortion",
    "distortions",
    "edge_weight",
    "error_map",
    "hide",
    "load_matrix",
    "local_contrast",
    "local_optimum",
    "machine_assess",
    "machine_curve",
    "machine_quality",
    "machine_quality_map",
    "objective_error_map",
    "perceptual_error_map",
    "pq",
    "pu21",
    "quality",
    "quasi_dense_matches",
    "read_deepmatching",
    "read_image",
    "read_map",
    "register",
    "register_series",
    "reliability_map",
    "run_deepmatching",
    "save_matrix",
    "search_translation",
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
