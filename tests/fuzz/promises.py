"""What an answer promises: each function says what is broken, and nothing where all is kept."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import numpy as np

import napari_iqmaps as iq

_CODES = "code", "absolute"


def broken(*promises: tuple[bool, str]) -> str:
    """Name the promises that are not kept."""
    return "; ".join(said for kept, said in promises if not kept)


def of_picture(file: Any) -> str:
    """Check what `read_image` gives."""
    array, axes = file.array, file.axes
    if not isinstance(array, np.ndarray):
        return f"the array is a {type(array).__name__}"
    colours = file.channel_axis
    wrong = broken(
        (array.dtype.kind in "buif", f"pixels of {array.dtype}"),
        (array.ndim >= 2 and array.size > 0, f"shape {array.shape}"),
        (len(axes) == array.ndim and "Y" in axes and "X" in axes, f"axes {axes!r} of shape {array.shape}"),
        (isinstance(file.notes, tuple) and all(isinstance(n, str) and n for n in file.notes), f"notes {file.notes!r}"),
        (file.luminance in _CODES, f"luminance {file.luminance!r}"),
        (colours is None or -array.ndim <= colours < array.ndim, f"channel_axis {colours} of shape {array.shape}"),
    )
    if wrong:
        return wrong
    if file.data_range is not None:
        black, white = file.data_range
        sound = np.isfinite([float(black), float(white)]).all() and black != white
        wrong = broken((bool(sound), f"data_range {file.data_range}"))
    if colours is None:
        return wrong or broken(("S" not in axes, f"axes {axes!r} without channel_axis"))
    samples = array.shape[colours]
    return wrong or broken((axes[colours] == "S" and samples in (1, 3, 4), f"{samples} samples, axes {axes!r}"))


def of_map(quality_map: Any, shape: tuple[int, ...] | None = None) -> str:
    """Check a map: as large as the image, float32, within the limits of its kind or NaN, and the score to it."""
    values = np.asarray(quality_map.values)
    low, high = quality_map.meaning.limits
    with np.errstate(invalid="ignore"):
        beyond = ~np.isnan(values) & ((values < low - 1e-3) | (values > high + 1e-3) | np.isinf(values))
    score = np.asarray(quality_map.score, dtype=float)
    if values.ndim < 2 or score.shape != values.shape[:-2]:
        return f"values of shape {values.shape}, scores of {score.shape}"
    answered = ~np.isnan(values).all(axis=(-2, -1)) if values.size else np.zeros(score.shape, bool)
    return broken(
        (shape is None or values.shape == tuple(shape), f"shape {values.shape}, not {shape}"),
        (values.dtype == np.float32, f"values of {values.dtype}"),
        (not beyond.any(), f"{int(beyond.sum())} values beyond {low}..{high}"),
        (bool((np.isfinite(score) | ~answered).all()) or "not_enough_evidence" in quality_map.info, f"score {score}"),
        (bool(quality_map.sentence()), "no sentence"),
    )


def of_score(score: Any) -> str:
    """Check a score: on its scale, or NaN with a reason."""
    low, high = score.range
    planes = np.atleast_1d(score.planes).ravel()
    return broken(
        (bool(((planes >= low) & (planes <= high) | np.isnan(planes)).all()), f"{planes} beyond {score.range}"),
        (all(reason or not np.isnan(one) for one, reason in zip(planes, score.reasons, strict=True)), "NaN, no reason"),
        (bool(score.sentence()), "no sentence"),
    )


def of_registration(found: Any) -> str:
    """Check a registration: a matrix of numbers, an image with its mask, and a reason if it is refused."""
    matrix = np.asarray(found.matrix)
    return broken(
        (matrix.shape == (3, 3) and bool(np.isfinite(matrix).all()), f"matrix {matrix.tolist()}"),
        (isinstance(found.accepted, bool), f"accepted {found.accepted!r}"),
        (found.accepted or bool(found.reason), "refused without a reason"),
        (np.asarray(found.valid).dtype == bool, f"valid of {np.asarray(found.valid).dtype}"),
    )


def of_diff_diff(score: Any) -> str:
    """Check the score of a diff-diff: between -1 and 1 and with counts that add up, or not scored and why."""
    return broken(
        (score.verdict in iq.VERDICTS, f"verdict {score.verdict!r}"),
        (not score.scored or -1 <= score.score <= 1, f"score {score.score}"),
        (score.better + score.worse <= score.count <= max(score.count, score.n_valid), f"counts {score}"),
        (score.scored or bool(score.reason), "not scored, no reason"),
    )


def of_matrix(record: Any) -> str:
    """Check what a matrix file gave."""
    matrix = np.asarray(record.matrix)
    return broken(
        (matrix.shape == (3, 3) and bool(np.isfinite(matrix).all()), f"matrix {matrix.tolist()}"),
        (isinstance(record.accepted, bool), f"accepted {record.accepted!r}"),
        (all(isinstance(text, str) for text in (record.method, record.transform, record.reason)), "texts are none"),
    )


def of_matches(table: Any) -> str:
    """Check a table of matches."""
    lengths = {len(part) for part in (table.moving_points, table.fixed_points, table.score, table.index)}
    points = np.concatenate([table.moving_points, table.fixed_points])
    sides = (*table.moving_shape, *table.fixed_shape)
    return broken(
        (len(lengths) == 1, f"lengths {lengths}"),
        (bool(np.isfinite(points).all()), "points that are no numbers"),
        (all(side > 0 for side in sides), f"sizes {sides}"),
    )


_BY_TYPE: dict[str, Callable[[Any], str]] = {
    "ImageFile": of_picture, "QualityMap": of_map, "QualityScore": of_score, "Registration": of_registration,
    "DiffDiffScore": of_diff_diff, "MatrixRecord": of_matrix, "MatchTable": of_matches,
    "Assessment": lambda found: "; ".join(filter(None, map(of_map, found.maps.values()))),
    "MachineAssessment": lambda found: "; ".join(filter(None, map(of_map, found.maps.values()))),
    "DiffDiffAssessment": lambda found: of_diff_diff(found.score),
    "RegistrationSeries": lambda found: "; ".join(filter(None, map(of_registration, found.frames))),
}  # fmt: skip


def of_answer(answer: Any) -> str:
    """Check an answer by its type; all that is public can be told in a line and pickled."""
    check = _BY_TYPE.get(type(answer).__name__)
    wrong = check(answer) if check else ""
    if not wrong and is_dataclass(answer) and not getattr(answer, "is_lazy", False):
        repr(answer)
        wrong = broken((type(pickle.loads(pickle.dumps(answer))) is type(answer), "pickled, it is another"))
    return wrong


def held(file: Any, truth: Any, white: float) -> str:
    """Compare a picture with the samples that its file holds, in units of white, within half a step."""
    array = np.asarray(file.array)
    if array.shape != truth.shape:
        return f"shape {array.shape}, not {truth.shape}"
    whole = array.dtype.kind in "ui"
    black, own = file.data_range or (
        (0, np.iinfo(array.dtype).max) if whole else (0, white if array.dtype.kind == "f" else 1)
    )
    with np.errstate(invalid="ignore"):
        found = (array.astype(float) - float(black)) / (float(own) - float(black))
    stated = truth.astype(float) / white
    if not np.array_equal(np.isnan(found), np.isnan(stated)):
        return "holes are elsewhere"
    off = float(np.nanmax(np.abs(found - stated)))
    step = 0.5 / white if truth.dtype.kind in "ui" else 1e-6
    return "" if off <= step else f"off by {off:.3g} of white; data_range {file.data_range}, {array.dtype}"
