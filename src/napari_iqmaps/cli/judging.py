"""Judge the registrations of many images by their diff-diff: three images in; a map, a row, blocks and pictures out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.columns import plain
from ..core.diffdiff import DiffDiffScore, diff_diff_assess, diff_diff_score
from ..core.diffdiff.images import inside_black_border
from ..core.diffdiff.records import COLUMNS
from ..core.errors import InputError
from ..core.images import as_planes
from ..core.io.reading import read_image
from ..core.io.table import write_scores
from ..core.maps import QualityMap
from ..core.registration import Registration
from ..core.registration.api import register
from ..core.registration.series import RegistrationSeries, register_series
from .plans import Answer, Job, Progress
from .registering import Images, Motion, Reader, on_grid, shape_of
from .subjects import Options, with_notes

KIND = "diff_diff"

BLOCK = "diff_diff_block"
"""What a row of the table of blocks is about."""

SHEET, LADDER = "sheet", "ladder"

_UNIT = "share of the changed pixels that got better"
_ROW, _BLOCKS = "judged", "block_rows"
_GIVEN = "given image"
_TOO_FEW = "too few pixels changed here"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every pair.

    Attributes
    ----------
    judging : mapping
        Keyword arguments of `napari_iqmaps.diff_diff_score` beside images, masks and pixels.
    motion : Motion or None
        How to find the motion, where it is not given as a file.
    finds_border : bool
        Whether the black border of a registered image is taken for outside.
    pictures : mapping
        ``"sheet"`` and ``"ladder"`` to the file that is asked for, if it is.
    names_pictures : bool
        Whether a picture's name takes in that of its image: there are several.
    """

    judging: Mapping[str, Any]
    motion: Motion | None
    region: tuple[slice, slice] | None
    finds_border: bool
    pictures: Mapping[str, Path]
    blocks: Path | None
    names_pictures: bool

    def picture(self, what: str, job: Job) -> Path:
        """Name the file of a picture."""
        path = self.pictures[what]
        return path.with_name(f"{path.stem}_{job.name}{path.suffix}") if self.names_pictures else path


@dataclass(frozen=True, eq=False)
class _Case:
    """What is judged: three images of one size, which pixels of them, and how the motion was found."""

    images: Images
    moving: Any
    registered: Any
    fixed: Any
    valid: Any
    how: Mapping[str, Any]


@dataclass
class Judge:
    """Judges one job after the other.

    Attributes
    ----------
    options : Options
        What else the command line says: pixels, folder.
    """

    question: Question
    options: Options
    blocks: list[dict[str, Any]] = field(default_factory=list)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.options)

    def compute(self, job: Job, progress: Progress) -> Answer:
        """Judge a registration; the compute of a `Plan`."""
        case = self._case(job, progress)
        known = {**case.images.known, "valid": case.valid, "region": self._region(case), "progress": progress}
        if "compat" in self.question.judging:
            score = diff_diff_score(case.moving, case.registered, case.fixed, **known, **self.question.judging)
            self.blocks += _block_rows(score, job)
            return Answer((), self._row(score, case))
        found = diff_diff_assess(case.moving, case.registered, case.fixed, **known, **self.question.judging)
        row, blocks = self._row(found.score, case), _block_rows(found.score, job)
        self.blocks += blocks
        beside = self._draw(job, case, found.map, found.score)
        extra = {_BLOCKS: blocks} if self.question.blocks is not None else {}
        info = {**found.map.info, **case.how, _ROW: row, **extra, **({"beside": beside} if beside else {})}
        return Answer((with_notes(replace(found.map, info=info), *case.images.files),), row)

    def kept_row(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give the row of a map that was made before; the kept_row of a `Plan`."""
        info = records[0]["info"]
        self.blocks += info.get(_BLOCKS, [])
        row: Mapping[str, Any] = info[_ROW]
        return row

    def write_blocks(self) -> None:
        """Write the table of blocks, if it is asked for."""
        if self.question.blocks is not None:
            write_scores(self.blocks, self.question.blocks, COLUMNS)

    def _case(self, job: Job, progress: Progress) -> _Case:
        moving, fixed = job.path, job.others["fixed"]
        assert isinstance(fixed, Path)
        given, matrix = job.others.get("registered"), job.others.get("matrix")
        if isinstance(given, Path):
            images = self.reader.images(moving, fixed, given)
            how: dict[str, Any] = {"registered_by": _GIVEN}
            mask = self._mask(job)
            if mask is None and "compat" not in self.question.judging and (black := _black_edge(images)):
                how["note"] = f"{black:.1%} of the registered image, at its edge, is black and counts; see --valid"
            return self._same_size(images, images.arrays[2], mask, how)
        images = self.reader.images(moving, fixed)
        if isinstance(matrix, Path):
            found = _moved(images, matrix)
        else:
            assert self.question.motion is not None
            options = {**images.known, **self.question.motion.options()}
            if images.is_stack(0):
                return _frames(images, register_series(*images.arrays, progress=progress, **options))
            found = register(images.arrays[0], images.arrays[1], progress=progress, **options)
        if not found.accepted:
            raise InputError(f"There is no registration to judge: {found.reason}")
        how = {"registered_by": found.method, "matrix": found.matrix.tolist(), "inliers": found.inliers}
        return self._same_size(images, found.registered, found.valid, how)

    def _same_size(self, images: Images, registered: Any, valid: Any, how: Mapping[str, Any]) -> _Case:
        """Put a moving image of another size on the pixels of the fixed one: before, it lies at its corner."""
        moving, fixed = images.arrays[:2]
        here = None
        shape = shape_of(fixed, images.channel_axis)
        if not images.is_stack(0):
            moving, here = on_grid(moving, shape, images.channel_axis)
        if here is not None:
            if isinstance(valid, str):
                raise InputError(
                    f"{images.files[0].path.name} and {images.files[1].path.name} differ in size, so a mask has to say "
                    "which pixels count. Give --valid FILE, or --matrix."
                )
            valid = here if valid is None else valid & here
        return _Case(images, moving, registered, fixed, valid, how)

    def _mask(self, job: Job) -> Any:
        """Give the pixels that a registered image has: a mask, "border", or None for all."""
        path = job.others.get("valid")
        if isinstance(path, Path):
            file = read_image(path)
            return np.asarray(file.array if file.channel_axis is None else file.array.max(axis=file.channel_axis)) > 0
        return "border" if self.question.finds_border else None

    def _region(self, case: _Case) -> Any:
        if self.question.region is None:
            return None
        inside = np.zeros(shape_of(case.fixed, case.images.channel_axis), bool)
        inside[self.question.region] = True
        if not inside.any():
            height, width = inside.shape
            raise InputError(f"The region has no pixel in an image of {height} x {width} (rows, columns).")
        return inside

    def _row(self, score: DiffDiffScore, case: _Case) -> dict[str, Any]:
        notes = [note for file in case.images.files for note in file.notes]
        notes += [case.how["note"]] if "note" in case.how else []
        row = {
            "kind": KIND, **score.row(), "unit": _UNIT, "registered_by": case.how["registered_by"],
            "sentence": score.sentence(), "not_enough_evidence": "" if score.scored else score.reason,
            **({"notes": list(dict.fromkeys(notes))} if notes else {}),
        }  # fmt: skip
        if len(score.planes) > 1:
            row |= {
                "planes": [plane.score for plane in score.planes],
                "planes_verdict": "; ".join(plane.verdict for plane in score.planes),
            }
        plainly: dict[str, Any] = plain(row)
        return plainly

    def _draw(self, job: Job, case: _Case, quality_map: QualityMap, score: DiffDiffScore) -> list[str]:
        """Write the pictures that are asked for, and name them as the folder of maps sees them."""
        if not self.question.pictures:
            return []
        from ..core.diffdiff.sheet import write_diffdiff_sheet, write_ladder

        shown = _shown(job, case, quality_map, score)
        paths = []
        for what, write in ((SHEET, write_diffdiff_sheet), (LADDER, write_ladder)):
            if what in self.question.pictures:
                paths.append(write(shown, self.question.picture(what, job)))
        return [_seen_from(self.options.out, path) for path in paths]


def _black_edge(images: Images) -> float:
    """Give the share of a registered image that looks like nothing but a border of it."""
    if images.is_stack(2):
        return 0.0
    inside = inside_black_border(_grey_plane(images.arrays[2], (), images))
    return 0.0 if inside is None else 1 - float(inside.mean())


def _frames(images: Images, series: RegistrationSeries) -> _Case:
    """Judge all frames of a series; one that was refused is judged as it is, which changes nothing."""
    refused = np.flatnonzero(~series.accepted)
    if len(refused) == len(series):
        raise InputError(f"There is no registration to judge: {series.frames[0].reason}")
    how: dict[str, Any] = {"registered_by": series.info["method"], "matrix": series.matrices.tolist()}
    if refused.size:
        how["note"] = f"registration was refused for frame {', '.join(map(str, refused))}"
    moving, valid, axis = images.arrays[0], series.valid, images.channel_axis
    shape = shape_of(images.arrays[1], axis)
    if shape_of(moving, axis) != shape:
        own = axis if axis is None or axis < 0 else axis - 1  # of a frame
        placed = [on_grid(frame, shape, own) for frame in moving]
        moving, valid = np.stack([frame for frame, _ in placed]), valid & placed[0][1]
    return _Case(images, moving, series.registered, images.arrays[1], valid, how)


def _moved(images: Images, path: Path) -> Registration:
    from ..core.registration.matrix_file import load_matrix

    record = load_matrix(path)
    if not record.accepted:
        raise InputError(f"{path} holds no motion: the registration was refused ({record.reason}).")
    fixed = shape_of(images.arrays[1], images.channel_axis)
    moved: Registration = record.apply(images.arrays[0], fixed_shape=fixed, channel_axis=images.channel_axis)
    return moved


def _block_rows(score: DiffDiffScore, job: Job) -> list[dict[str, Any]]:
    names = {"file": str(job.path), "fixed": str(job.others["fixed"]), "kind": BLOCK}
    return [
        plain({**names, **block.features(), "unit": _UNIT, "not_enough_evidence": "" if block.scored else _TOO_FEW})
        for block in score.blocks
    ]


def _shown(job: Job, case: _Case, quality_map: QualityMap, score: DiffDiffScore) -> Any:
    """Choose what a picture shows: of a stack the plane that got worst."""
    from ..core.diffdiff.sheet import Shown

    values = np.asarray(quality_map.values)
    lead = values.shape[:-2]
    softs = [plane.soft for plane in score.planes]
    chosen = int(np.nanargmin(softs)) if np.isfinite(softs).any() else 0
    index = tuple(int(number) for number in np.unravel_index(chosen, lead)) if lead else ()
    title = f"{job.path.name} on {Path(str(job.others['fixed'])).name}, {_how(case.how)}"
    if lead:
        title += f"; plane {', '.join(map(str, index))}, the worst of {len(score.planes)}"
    moving, registered, fixed = (
        _grey_plane(array, index, case.images) for array in (case.moving, case.registered, case.fixed)
    )
    return Shown(moving, registered, fixed, values[index], score.planes[chosen], title)


def _how(how: Mapping[str, Any]) -> str:
    by = how["registered_by"]
    return "registered as given" if by == _GIVEN else f"registered by {by}"


def _grey_plane(array: Any, index: tuple[int, ...], images: Images) -> Any:
    planes = as_planes(array, **images.known)
    return planes.read(index if len(planes.shape) > 2 else (), slice(None), slice(None))


def _seen_from(out: Path | None, path: Path) -> str:
    try:
        return os.path.relpath(path, out)
    except ValueError:  # another drive
        return os.path.abspath(path)  # noqa: PTH100 - a text
