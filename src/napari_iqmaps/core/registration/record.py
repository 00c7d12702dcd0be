"""What a registration is: a matrix with the image it gives, how it was found, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields
from ..errors import InputError
from ..score_columns import Column, Part, columns, range_cells
from ..span import remarked
from .geometry import Matrix, check_sides, corner_shifts, corners, map_points

_FLAT = 1.0
"""Pixels; where every corner moves by less than this without the perspective, a layer may leave it out."""

COLUMNS = (
    *columns(Part.FILES, "fixed", "matches", holds="text"),
    Column("frame", Part.KIND),
    Column("method", Part.TREATMENT, "text"),
    Column("accepted", Part.TREATMENT),
    *columns(Part.SCORE, "valid_fraction", "local_ncc_before", "local_ncc_after", "inliers", "largest_shift"),
    *columns(Part.SCORE, "frames", "frames_accepted"),
    *columns(None, "reason", "sentence", holds="text"),
    *columns(None, *(f"h{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))),
)
"""Of a table of registrations or of the frames of a series, beside the general ones."""

_SWAP = np.array([(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)])


@dataclass(frozen=True, eq=False)
class Registration:
    """The motion from a moving image to a fixed one, or the refusal to name one.

    Attributes
    ----------
    matrix : numpy.ndarray
        float64, shape ``(3, 3)``, last entry 1: a pixel ``(x, y)`` of the moving image to ``(x, y)`` of the fixed one.
        The identity if the registration was refused.
    registered : numpy.ndarray
        The moving image on the fixed image's grid: its height and width, the moving image's dtype and channels; 0, or
        NaN for floating point, outside `valid`. If the registration was refused, the moving image put on that grid as
        it is.
    valid : numpy.ndarray
        bool, the fixed image's height and width: where `registered` comes from whole pixels of the moving image.
    method : str
        What found the matrix.
    inliers : int or None
        Matched points that agree with the matrix; None for a method without points.
    accepted : bool
        Whether the evidence carries the matrix.
    reason : str
        Why it was refused; ``""`` if it was accepted.
    info : mapping
        How it was found: sizes, options, the evidence for every candidate, version.
    moving_shape : (int, int)
        Height and width of the moving image.
    """

    matrix: Matrix
    registered: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    method: str
    inliers: int | None
    accepted: bool
    reason: str
    info: Mapping[str, Any]
    moving_shape: tuple[int, int]

    def __post_init__(self) -> None:
        check_fields(self)
        check_sides("moving_shape", self.moving_shape)
        if self.matrix.shape != (3, 3) or self.valid.ndim != 2:
            raise InputError(
                f"A registration has a matrix of shape {self.matrix.shape} and valid pixels of shape {self.valid.shape}"
                "; give (3, 3) and (height, width)."
            )

    @property
    def fixed_shape(self) -> tuple[int, int]:
        """Height and width of the fixed image."""
        height, width = self.valid.shape
        return height, width

    @property
    def valid_fraction(self) -> float:
        """Share of the fixed image that the registered image covers, 0..1."""
        return float(self.valid.mean())

    @property
    def largest_shift(self) -> float:
        """How far the corner that moves most is moved, in pixels."""
        return float(corner_shifts(self.matrix, self.moving_shape).max())

    def as_napari_affine(self) -> Matrix:
        """Give the motion for data coordinates ``(row, column)``, as a napari layer's ``affine`` takes it.

        Returns
        -------
        numpy.ndarray
            float64, shape ``(3, 3)``: ``P @ matrix @ P``, where P swaps the first two axes.

        Raises
        ------
        InputError
            If a layer cannot show the motion: it reads the first two rows alone, and without the last one, the
            perspective, some corner would move by more than 1 pixel.

        Notes
        -----
        An estimated homography of a motion without perspective has a trace of one; with ``transform="affine"`` there is
        none.
        """
        start = corners(self.moving_shape)
        flat = np.vstack([self.matrix[:2], (0.0, 0.0, 1.0)])
        apart = map_points(self.matrix, start) - map_points(flat, start)
        worst = float(np.hypot(apart[:, 0], apart[:, 1]).max())
        if not worst <= _FLAT:
            raise InputError(
                f"The motion has a perspective that moves a corner by {worst:.3g} pixels, which a layer's affine "
                "cannot show. Register again with transform='affine', or use the registered image."
            )
        swapped: Matrix = _SWAP @ self.matrix @ _SWAP
        return swapped

    def sentence(self) -> str:
        """Say what came out in one sentence."""
        if not self.accepted:
            return remarked(f"Not registered: {self.reason}", self.info)
        points = f", {self.inliers} matched points agree" if self.inliers is not None else ""
        before, after = self.info.get("local_ncc_before"), self.info.get("local_ncc_after")
        likeness = (
            f", local correlation {before:.2f} -> {after:.2f}" if before is not None and after is not None else ""
        )
        text = (
            f"Registered by {self.method}: corners move by up to {self.largest_shift:.1f} pixels{points}{likeness}, "
            f"{self.valid_fraction:.0%} of the fixed image covered."
        )
        return remarked(text, self.info)

    def row(self) -> dict[str, Any]:
        """Give the result as one flat row for a table.

        Returns
        -------
        dict
            Method, accepted, reason, inliers, largest shift, coverage, local correlation before and after, and the
            nine matrix entries ``h11`` .. ``h33``; None where a number does not exist. Where the range was found in the
            values or they use little of it, data_range with range_rule or span.
        """
        entries = {f"h{i + 1}{j + 1}": float(self.matrix[i, j]) for i in range(3) for j in range(3)}
        return {
            "method": self.method,
            "accepted": self.accepted,
            "reason": self.reason,
            "inliers": self.inliers,
            "largest_shift": self.largest_shift,
            "valid_fraction": self.valid_fraction,
            "local_ncc_before": self.info.get("local_ncc_before"),
            "local_ncc_after": self.info.get("local_ncc_after"),
            **entries,
            **range_cells(self.info),
        }

    def __str__(self) -> str:
        return self.sentence()
