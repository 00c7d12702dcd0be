"""What hiding a mark gives: the marked image, the mark that is in it, and where it is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .display import WHITE
from .maps import QualityMap


@dataclass(frozen=True, eq=False)
class HiddenMark:
    """An image with a mark in it, and what is seen of the mark.

    Attributes
    ----------
    image : numpy.ndarray
        The marked image: dtype, shape, axes, alpha channel and mask of the given one.
    mark : numpy.ndarray
        The mark as it is in the image after rounding and limiting, ``image - original``, the same for every colour
        channel: code values of the image, shape ``(..., height, width)``. Signed integers for an integer image.
    amplitude : numpy.ndarray
        float32, the same shape and unit: threshold times strength, the bound that the mark was given; NaN in holes.
    visibility : QualityMap
        What `visibility_map` says of the marked image against the original: nowhere above ``info["level"]``.
    energy : float or numpy.ndarray
        Mean square of the mark, one a plane, in luminance code values (0..255) whatever the dtype of the image.
    info : mapping
        Strength, level, highest visibility, options, method and version; ``"kept"``, the share of the wanted amplitude
        that is in the image, and ``"remark"``, which says so when that is little.
    """

    image: npt.NDArray[Any]
    mark: npt.NDArray[Any]
    amplitude: npt.NDArray[np.float32]
    visibility: QualityMap
    energy: float | npt.NDArray[np.float64]
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (
            self.image, self.mark, self.amplitude, self.visibility, self.energy, dict(self.info),
        )  # fmt: skip

    def mark_map(self) -> QualityMap:
        """Give the mark as a map, to show and to write.

        Returns
        -------
        QualityMap
            Kind ``"mark"``: luminance code values (0..255), signed; its score is the energy.
        """
        low, high = self.info["data_range"]
        values = self.mark.astype(np.float32) * np.float32(WHITE / (high - low))
        return QualityMap.of(np.where(np.isfinite(self.amplitude), values, np.float32(np.nan)), "mark", self.info)

    def sentence(self) -> str:
        """Say in words how well the mark is hidden.

        Returns
        -------
        str
            One sentence or two, with the reservations.
        """
        highest, level, kept = (self.info[name] for name in ("highest", "level", "kept"))
        energy = float(np.mean(self.energy))
        text = (
            f"Nowhere is the mark seen with more than {highest:.0%} probability (allowed: {level:.0%}, strength "
            f"{self.info['strength']:g}). Its mean square is {energy:.3g} in code values of 255; {kept:.0%} of the "
            "amplitude that was wanted is in the image."
        )
        return f"{text} {self.info['remark']}" if self.info.get("remark") else text

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.mark.shape))
        return f"<HiddenMark, {shape}: {self.sentence()}>"
