"""What a run of the widget "Diff-diff" needs and gives: a registration, the map of what it changed, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.diffdiff import DiffDiffAssessment, DiffDiffScore, diff_diff_assess, overlay, recounted
from ..core.errors import InputError, NotEnoughEvidence
from ..core.registration import Registration, register
from ..core.registration.geometry import Matrix
from ..core.registration.warp import valid_pixels, warp_image
from .layers import LayerPixels, common_channel_axis
from .results import Result
from .tasks import Progress

Limits = tuple[float, float]
_STEPS = 100
_REGISTERED = 0.8  # of the time, about
_MOST_REASONS = 3


@dataclass(frozen=True, eq=False)
class JudgedResult(Result):
    """A judgement of a registration, and what is shown of it.

    Attributes
    ----------
    registrations : tuple of Registration
        One for each plane that was registered here; none where a registered image was given.
    before, after : numpy.ndarray or None
        uint8 red, green and blue: the moving image in red before and after the registration, the fixed one in green.
    affine : numpy.ndarray or None
        What brings the moving layer's rows and columns to the fixed one's, where that was asked for.
    """

    assessment: DiffDiffAssessment | None = None
    registrations: tuple[Registration, ...] = ()
    registered: Any = None
    fixed: Any = None
    before: Any = None
    after: Any = None
    affine: Matrix | None = None
    note: str = ""

    @property
    def score(self) -> DiffDiffScore:
        """The verdict and its numbers."""
        assert self.assessment is not None
        return self.assessment.score

    def at(self, tol: float) -> JudgedResult:
        """Count the same map with another tolerance.

        Parameters
        ----------
        tol : float
            Grey levels of 255.

        Returns
        -------
        JudgedResult
            The map's values, the images and the registrations are these.
        """
        assert self.assessment is not None
        counted = recounted(self.assessment, tol=tol)
        words = _in_words(counted.score, self.registrations, self.note)
        return replace(self, assessment=counted, quality_map=counted.maps["diff_diff"], words=words)

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


@dataclass(frozen=True, eq=False)
class JudgeRequest:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer.

    Attributes
    ----------
    moving, fixed : LayerPixels
        The images; the moving one may be a stack of frames for one fixed plane.
    registered : LayerPixels or None
        The moving image after a registration made elsewhere; None registers.
    limits : tuple
        Between which values moving, fixed and registered image are shown; None for RGB.
    black_is_outside : bool
        Whether a black border of the registered image is where the moving one does not reach.
    placed : numpy.ndarray or None
        The matrix by which the viewer shows the moving image on the fixed one, to be judged instead of registering.
    region : numpy.ndarray or None
        bool, the pixels of the fixed image to judge.
    """

    moving: LayerPixels
    fixed: LayerPixels
    registered: LayerPixels | None
    limits: tuple[Limits | None, Limits | None, Limits | None]
    registering: Mapping[str, Any]
    judging: Mapping[str, Any]
    black_is_outside: bool = True
    placed: Matrix | None = None
    region: npt.NDArray[np.bool_] | None = None
    note: str = ""
    wants_affine: bool = False
    function: Callable[..., Any] = diff_diff_assess

    def run(self, progress: Progress) -> JudgedResult:
        """Register if need be, and judge; called in a thread.

        Parameters
        ----------
        progress : callable
            Called with steps done and in all; what it raises stops the work.
        """
        images = [image for image in (self.moving, self.fixed, self.registered) if image is not None]
        axis = common_channel_axis(images)
        moving, fixed = np.asanyarray(self.moving.data), np.asanyarray(self.fixed.data)
        self._check(moving, fixed)
        registered, valid, registrations = self._registered(moving, fixed, axis, _part(progress, 0, _REGISTERED))
        # In an RGB or grey stack, what one plane needs is the same: the fixed image's height and width.
        start = _on_grid(moving, self.fixed.plane_shape, axis)
        assessment = diff_diff_assess(
            start, registered, fixed, valid=valid, region=self.region, channel_axis=axis,
            progress=_part(progress, _REGISTERED, 1), **self.judging,
        )  # fmt: skip
        quality_map = assessment.maps["diff_diff"]
        seen = Result.of(quality_map, [image.name for image in images])
        red_before, green, red_after = (
            None if image is None else _as_shown(image, limits, axis)
            for image, limits in zip((start, fixed, registered), self.limits, strict=True)
        )
        affine = registrations[0].as_napari_affine() if self.wants_affine and registrations else None
        words = _in_words(assessment.score, registrations, self.note)
        return JudgedResult(
            quality_map, seen.limits, seen.histogram, seen.names, (), words,
            assessment, registrations, registered, fixed, _overlay(red_before, green, axis),
            _overlay(red_after, green, axis), affine, self.note,
        )  # fmt: skip

    def _check(self, moving: Any, fixed: Any) -> None:
        if moving.ndim < fixed.ndim:
            raise InputError(
                f"The fixed image {self.fixed.name!r} has {fixed.ndim} dimensions and the moving image "
                f"{self.moving.name!r} {moving.ndim}. Choose one plane as the fixed image, or a stack as moving."
            )
        if moving.ndim > fixed.ndim and self.wants_affine:
            raise InputError(
                f"{self.moving.name!r} is a stack, whose planes move each by itself; a layer has one affine. Ask for a "
                "new layer instead."
            )

    def _registered(
        self, moving: Any, fixed: Any, axis: int | None, progress: Progress
    ) -> tuple[Any, Any, tuple[Registration, ...]]:
        """Give the registered image, what of it is valid, and how it was found."""
        if self.registered is not None:
            return np.asanyarray(self.registered.data), "border" if self.black_is_outside else None, ()
        shape = self.fixed.plane_shape
        planes, lead = _planes(moving, axis)
        if self.placed is not None:
            source = planes[0].shape[:2]
            warped = [warp_image(plane, self.placed, shape, has_channels=axis is not None) for plane in planes]
            valid = np.broadcast_to(valid_pixels(self.placed, source, shape), (*lead, *shape))
            return np.stack(warped).reshape(*lead, *warped[0].shape), valid, ()
        targets, _ = _planes(fixed, axis)
        made = []
        for number, plane in enumerate(planes):
            target = targets[number % len(targets)]
            share = _part(progress, number / len(planes), (number + 1) / len(planes))
            made.append(register(plane, target, channel_axis=axis, progress=share, **self.registering))
        if not any(one.accepted for one in made):
            which = "" if len(made) == 1 else f" None of the {len(made)} planes was, the first because"
            raise NotEnoughEvidence(f"{self.moving.name!r} was not registered:{which} {made[0].reason}")
        registered = np.stack([one.registered for one in made])
        valid = np.stack([one.valid for one in made])
        return registered.reshape(*lead, *registered.shape[1:]), valid.reshape(*lead, *shape), tuple(made)


def _registration_cells(registration: Registration) -> dict[str, Any]:
    own = registration.row()
    return {name: own[name] for name in ("method", "accepted", "inliers", "largest_shift")}


def _planes(data: Any, axis: int | None) -> tuple[Sequence[Any], tuple[int, ...]]:
    """Split a stack into its planes; give them with the shape of the leading axes."""
    own = 2 if axis is None else 3
    lead = data.shape[: data.ndim - own]
    return list(data.reshape(-1, *data.shape[data.ndim - own :])), lead


def _part(progress: Progress, start: float, stop: float) -> Progress:
    """Give the progress of a part of the work as that of the whole, told when it has moved on."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        step = round(_STEPS * (start + done / total * (stop - start))) if total else told
        # A total of 0 asks whether to stop and tells nothing: each telling is work for the window.
        progress(step, _STEPS if step != told else 0)
        told = step

    return tell


def _on_grid(data: Any, shape: tuple[int, int], axis: int | None) -> Any:
    """Put an image of another size on a grid as it is, masked where it does not reach."""
    planes, lead = _planes(data, axis)
    own = planes[0].shape[:2]
    if own == shape:
        return data
    placed = np.stack([warp_image(plane, np.eye(3), shape, has_channels=axis is not None) for plane in planes])
    outside = ~valid_pixels(np.eye(3), own, shape)
    outside = outside if axis is None else outside[..., np.newaxis]
    placed = placed.reshape(*lead, *placed.shape[1:])
    return np.ma.masked_array(placed, np.broadcast_to(outside, placed.shape))


def _as_shown(data: Any, limits: Limits | None, axis: int | None) -> Any:
    """Give an image in the codes in which the viewer shows it."""
    if limits is None or axis is not None:
        return data
    from skimage.exposure import rescale_intensity

    values = np.nan_to_num(np.ma.filled(data.astype(np.float32), limits[0]), nan=limits[0])
    shown: npt.NDArray[np.uint8] = rescale_intensity(values, limits, (0, 255)).astype(np.uint8)  # type: ignore[no-untyped-call]
    return shown


def _overlay(red: Any, green: Any, axis: int | None) -> npt.NDArray[np.uint8]:
    return overlay(red, np.broadcast_to(green, red.shape), channel_axis=axis)


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
