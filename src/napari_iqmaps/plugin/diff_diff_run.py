"""What a run of the widget "Diff-diff" needs and gives: a registration, the map of what it changed, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.diffdiff import DiffDiffAssessment, DiffDiffScore, diff_diff_assess, overlay, recounted
from ..core.errors import NotEnoughEvidence
from ..core.images import range_for
from ..core.progress import Progress, Steps
from ..core.registration import Registration, register
from ..core.registration.geometry import Matrix
from ..core.registration.warp import valid_pixels, warp_image
from .layers import common_channel_axis
from .results import Request, Result

Limits = tuple[float, float]
_REGISTERED = 0.8  # of the time, about
_MOST_REASONS = 3


@dataclass(frozen=True, eq=False)
class JudgedResult(Result):
    """A judgement of a registration, and what is shown of it.

    `registrations`: one for each plane that was registered here; none where a registered image was given. `before`,
    `after`: uint8 red, green and blue: the moving image in magenta before and after the registration, the fixed one
    in green. `affine`: what brings the moving layer's rows and columns to the fixed one's, where that was asked for.
    """

    assessment: DiffDiffAssessment | None = None
    registrations: tuple[Registration, ...] = ()
    registered: Any = None
    before: Any = None
    after: Any = None
    affine: Matrix | None = None
    note: str = ""

    @classmethod
    def made(
        cls,
        request: Request,
        judged: Judged,
        *,
        limits: Mapping[str, Limits | None],
        note: str = "",
        wants_affine: bool = False,
    ) -> JudgedResult:
        """Look at a judgement once; called in a thread.

        The limits are the values between which the image of a slot is shown, None for RGB; the note is said besides the
        verdict; an affine is wanted to move the moving layer, instead of making a registered one.
        """
        axis = common_channel_axis(request.images.values())
        score, registrations = judged.assessment.score, judged.registrations
        magenta = _as_shown(judged.start, limits["moving"], axis)
        green = _as_shown(judged.fixed, limits["fixed"], axis)
        magenta_after = _as_shown(judged.registered, limits["registered"], axis)
        return cls.of(
            judged.assessment.maps["diff_diff"],
            request.names,
            words=_in_words(score, registrations, note),
            assessment=judged.assessment,
            registrations=registrations,
            registered=judged.registered,
            before=_overlay(magenta, green, axis),
            after=_overlay(magenta_after, green, axis),
            affine=registrations[0].as_napari_affine() if wants_affine and registrations else None,
            note=note,
        )

    @property
    def score(self) -> DiffDiffScore:
        """The verdict and its numbers."""
        assert self.assessment is not None
        return self.assessment.score

    def at(self, tol: float) -> JudgedResult:
        """Count the same map with another tolerance, in grey levels of 255; images and registrations are these."""
        assert self.assessment is not None
        counted = recounted(self.assessment, tol=tol)
        words = _in_words(counted.score, self.registrations, self.note)
        call = None if self.call is None else self.call.with_options(tol=tol)
        return replace(self, assessment=counted, quality_map=counted.maps["diff_diff"], words=words, call=call)

    def row(self) -> dict[str, Any]:
        """Sum the judgement up as a row of a table."""
        moving, fixed, *registered = self.names
        row = {"file": moving, "reference": fixed, "kind": "diff_diff_score", **self.score.row()}
        row |= {"registered": registered[0]} if registered else {}
        if len(self.registrations) == 1:
            row |= _registration_cells(self.registrations[0])
        return row

    def plane_rows(self) -> list[dict[str, Any]]:
        """Sum each plane up as a row of a table."""
        moving, fixed, *_ = self.names
        lead = self.quality_map.values.shape[:-2]
        rows = []
        for number, (index, part) in enumerate(zip(np.ndindex(*lead), self.score.planes, strict=True)):
            plane = ", ".join(map(str, index))
            row = {"file": moving, "reference": fixed, "plane": plane, "kind": "diff_diff_score", **part.row()}
            rows.append(row | (_registration_cells(self.registrations[number]) if self.registrations else {}))
        return rows

    def plane_words(self, index: tuple[int, ...]) -> str:
        """Say what one plane of a stack has to say for itself."""
        number = int(np.ravel_multi_index(index, self.quality_map.values.shape[:-2]))
        return f"Plane {', '.join(map(str, index))}: {self.score.planes[number].sentence()}"


@dataclass(frozen=True, eq=False)
class Judged:
    """What judging gave, and the images that it compared.

    `start`, `registered`, `fixed`: of one height and width: the moving image as it is, masked where it does not reach,
    and after the registration.
    """

    assessment: DiffDiffAssessment
    start: Any
    registered: Any
    fixed: Any
    registrations: tuple[Registration, ...]


def judge(
    moving: Any,
    fixed: Any,
    registered: Any = None,
    *,
    judging: Mapping[str, Any],
    registering: Mapping[str, Any],
    placed: Matrix | None,
    valid: Any,
    name: str,
    channel_axis: int | None,
    progress: Progress,
) -> Judged:
    """Register if need be, and judge; called in a thread.

    Parameters
    ----------
    moving, fixed : array_like
        The images; the moving one may be a stack of frames for one fixed plane.
    registered : array_like, optional
        The moving image after a registration made elsewhere; None registers.
    placed : numpy.ndarray or None
        The matrix by which the viewer shows the moving image on the fixed one, to be judged instead of registering.
    valid : {"border"} or None
        What of a registered image from elsewhere is valid, as `diff_diff_assess` takes it.
    name : str
        What messages call the moving image.
    """
    moving, fixed = np.asanyarray(moving), np.asanyarray(fixed)
    shape = fixed.shape[-2:] if channel_axis is None else fixed.shape[-3:-1]
    steps = Steps(progress)
    # Found in all planes of the fixed image, not in each of those that are registered.
    stated = judging.get("data_range")
    used = {"data_range": range_for(fixed, stated, channel_axis=channel_axis, name="fixed image", progress=progress)}
    judging, registering = {**judging, **used}, {**registering, **used}
    registrations: tuple[Registration, ...] = ()
    if registered is not None:
        registered = np.asanyarray(registered)
    elif placed is not None:
        registered, valid = _moved(moving, placed, shape, channel_axis)
    else:
        share = steps.part(0, _REGISTERED)
        registrations = _registrations(moving, fixed, registering, channel_axis, share)
        if not any(one.accepted for one in registrations):
            count = len(registrations)
            which = "" if count == 1 else f" None of the {count} planes was, the first because"
            raise NotEnoughEvidence(f"{name!r} was not registered:{which} {registrations[0].reason}")
        lead = _planes(moving, channel_axis)[1]
        registered = _stacked([one.registered for one in registrations], lead)
        valid = _stacked([one.valid for one in registrations], lead)
    start = _on_grid(moving, shape, channel_axis)
    share = steps.part(_REGISTERED, 1)
    assessment = diff_diff_assess(
        start, registered, fixed, valid=valid, channel_axis=channel_axis, progress=share.progress, **judging
    )
    return Judged(assessment, start, registered, fixed, registrations)


def _registrations(
    moving: Any, fixed: Any, options: Mapping[str, Any], axis: int | None, steps: Steps
) -> tuple[Registration, ...]:
    """Register each plane onto the plane of the fixed image with its number, or onto its only one."""
    planes, targets = _planes(moving, axis)[0], _planes(fixed, axis)[0]
    made = []
    for number, plane in enumerate(planes):
        share = steps.part(number / len(planes), (number + 1) / len(planes))
        target = targets[number % len(targets)]
        made.append(register(plane, target, channel_axis=axis, progress=share.progress, **options))
    return tuple(made)


def _moved(data: Any, matrix: Matrix, shape: tuple[int, int], axis: int | None) -> tuple[Any, Any]:
    """Bring every plane onto a grid by a matrix; give also which pixels of the grid the image reaches."""
    planes, lead = _planes(data, axis)
    moved = [warp_image(plane, matrix, shape, has_channels=axis is not None) for plane in planes]
    valid = valid_pixels(matrix, planes[0].shape[:2], shape)
    return _stacked(moved, lead), np.broadcast_to(valid, (*lead, *shape))


def _registration_cells(registration: Registration) -> dict[str, Any]:
    own = registration.row()
    return {name: own[name] for name in ("method", "accepted", "inliers", "largest_shift")}


def _planes(data: Any, axis: int | None) -> tuple[Sequence[Any], tuple[int, ...]]:
    """Split a stack into its planes; give them with the shape of the leading axes."""
    own = 2 if axis is None else 3
    lead = data.shape[: data.ndim - own]
    return list(data.reshape(-1, *data.shape[data.ndim - own :])), lead


def _stacked(planes: Sequence[Any], lead: tuple[int, ...]) -> Any:
    """Put planes together again."""
    return np.stack(planes).reshape(*lead, *planes[0].shape)


def _on_grid(data: Any, shape: tuple[int, int], axis: int | None) -> Any:
    """Put an image of another size on a grid as it is, masked where it does not reach."""
    if _planes(data, axis)[0][0].shape[:2] == shape:
        return data
    placed, valid = _moved(data, np.eye(3), shape, axis)
    outside = ~valid if axis is None else ~valid[..., np.newaxis]
    return np.ma.masked_array(placed, np.broadcast_to(outside, placed.shape))


def _as_shown(data: Any, limits: Limits | None, axis: int | None) -> Any:
    """Give an image in the codes in which the viewer shows it."""
    if limits is None or axis is not None:
        return data
    from skimage.exposure import rescale_intensity

    values = np.nan_to_num(np.ma.filled(data.astype(np.float32), limits[0]), nan=limits[0])
    shown: npt.NDArray[np.uint8] = rescale_intensity(values, limits, (0, 255)).astype(np.uint8)  # type: ignore[no-untyped-call]
    return shown


def _overlay(magenta: Any, green: Any, axis: int | None) -> npt.NDArray[np.uint8]:
    return overlay(magenta, np.broadcast_to(green, magenta.shape), channel_axis=axis)


def _in_words(score: DiffDiffScore, registrations: Sequence[Registration], note: str = "") -> str:
    words = [score.sentence()]
    if len(registrations) == 1:
        words.append(registrations[0].sentence())
    elif refused := [number for number, one in enumerate(registrations) if not one.accepted]:
        reasons = "; ".join(f"plane {number}: {registrations[number].reason}" for number in refused[:_MOST_REASONS])
        words.append(f"{len(refused)} of {len(registrations)} planes were not registered ({reasons}).")
    elif registrations:
        words.append(f"All {len(registrations)} planes were registered.")
    return "\n".join([*words, note] if note else words)
