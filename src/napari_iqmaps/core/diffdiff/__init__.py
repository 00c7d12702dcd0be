"""Where a registration made it better or worse, by the difference of the differences to the fixed image."""

from __future__ import annotations

from .assessment import DiffDiffAssessment, diff_diff, diff_diff_assess, diff_diff_score, recounted
from .emphasis import edge_weight
from .options import ScoreLimits
from .pictures import TolerancePoint, histogram, ladder_tolerances, marked_overlay, marks, overlay, tolerance_curve
from .surface import ShiftSurface, score_surface
from .tolerance import LocalContrast, auto_tolerance, local_contrast
from .verdict import VERDICTS, BlockScore, DiffDiffScore

__all__ = [
    "VERDICTS",
    "BlockScore",
    "DiffDiffAssessment",
    "DiffDiffScore",
    "LocalContrast",
    "ScoreLimits",
    "ShiftSurface",
    "TolerancePoint",
    "auto_tolerance",
    "diff_diff",
    "diff_diff_assess",
    "diff_diff_score",
    "edge_weight",
    "histogram",
    "ladder_tolerances",
    "local_contrast",
    "marked_overlay",
    "marks",
    "overlay",
    "recounted",
    "score_surface",
    "tolerance_curve",
]
