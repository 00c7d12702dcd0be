"""What a result is: a map that lines up with the pixels of its image, and a score that reduces it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from .arguments import check_fields, checked, shown
from .arrays import as_array, check_plane, computed, computed_together, is_dask
from .errors import InputError
from .kinds import KINDS, Kind
from .observers import viewing
from .own_units import COLUMNS as OWN
from .own_units import told
from .score_columns import Part, columns
from .span import pending, remarked, settled

COLUMNS = (*columns(Part.MODEL, "stride", "observer", "pixels_per_degree", "window"), *OWN)
"""Of a table of maps, beside the general ones."""


@dataclass(frozen=True, eq=False)
class QualityMap:
    """A map that lines up with the pixels of its image, and the score that reduces it.

    Attributes
    ----------
    values : numpy.ndarray or dask.array.Array
        float32, shape ``(..., height, width)``: the image's shape without its channel axis. NaN where there is
        no answer. A dask array, not yet computed, when the input was one.
    kind : str
        A key of `KINDS`, which holds unit, limits, direction and meaning.
    score : float or numpy.ndarray or dask.array.Array
        The kind's reduction of the map, a mean over the valid pixels: a float for one image, an array of the shape
        of the leading axes for a stack (lazy when `values` is). NaN where a plane has no valid pixel.
    info : mapping
        Where the numbers come from: method, weights and their sha256, parameters, value range used, version.

    Raises
    ------
    InputError
        If `kind` is not in `KINDS`.
    """

    values: Any
    kind: str
    score: Any
    info: Mapping[str, Any]

    @classmethod
    @checked
    def of(cls, values: Any, kind: str, info: Mapping[str, Any]) -> QualityMap:
        """Make a map and reduce it to its score.

        Parameters
        ----------
        values : numpy.ndarray or dask.array.Array
            As the attribute.
        kind : str
            A key of `KINDS`.
        info : mapping
            As the attribute; a visibility map's holds its mixing scalar, ``"mixing"``.

        Returns
        -------
        QualityMap
            With the score of the kind; lazy if `values` is.
        """
        _check_values(values, kind)
        try:
            terms = KINDS[kind].pooled(values, info)
        except KeyError as error:
            raise InputError(
                f"The info of a map of kind {kind!r} needs an entry {error}, which its score takes."
            ) from None
        except (TypeError, ValueError) as error:
            raise InputError(f"The score of a map of kind {kind!r} cannot be made of its info ({error}).") from error
        mean = mean_of_valid(terms) if isinstance(values, np.ndarray) else lazy_mean_of_valid(terms)
        return cls(values, kind, KINDS[kind].from_mean(mean), info)

    def __post_init__(self) -> None:
        check_fields(self)
        _check_values(self.values, self.kind)
        score = as_array(self.score, "score")
        if score.shape != self.values.shape[:-2] or score.dtype.kind not in "fiu":
            raise InputError(
                f"The score is {shown(self.score)}; give one number for each plane of the map, in the shape "
                f"{self.values.shape[:-2]} (a number for one image)."
            )
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (self.values, self.kind, self.score, dict(self.info))

    @property
    def meaning(self) -> Kind:
        """The row of the table of kinds that explains these values."""
        return KINDS[self.kind]

    @property
    def is_lazy(self) -> bool:
        """Whether the values are a dask array that has not been computed."""
        return not isinstance(self.values, np.ndarray)

    def compute(self) -> QualityMap:
        """Give the same map with its values and its score in memory.

        Returns
        -------
        QualityMap
            This map itself when nothing is lazy.
        """
        if not self.is_lazy:
            return self
        values, seen = computed_together(self.values, pending(self.info), f"{self.kind} map")
        return QualityMap.of(values, self.kind, settled(self.info, seen))

    def sentence(self) -> str:
        """Say the score in words, with its reservations.

        Returns
        -------
        str
            One sentence or two. A stack is summed up by the mean and the range of its planes.
        """
        if self.is_lazy:
            return f"{self.meaning.title}: not computed yet."
        scores = np.atleast_1d(np.asarray(self.score, dtype=float)).ravel()
        valid = scores[np.isfinite(scores)]
        if valid.size == 0:
            reason = self.info.get("not_enough_evidence", "the image has no valid pixel.")
            return remarked(f"{self.meaning.title}: no answer, {reason}", self.info)
        text = self.meaning.score_means.format(score=f"{valid.mean():.3g}")
        text = told(text, self.kind, float(valid.mean()), self.info)
        if scores.size > 1:
            text += f" Mean of {valid.size} planes, which range from {valid.min():.3g} to {valid.max():.3g}."
        if valid.size < scores.size:
            text += f" {scores.size - valid.size} planes have no answer."
        if viewed := viewing(self.info):
            text += f" For {viewed}."
        if reason := self.info.get("not_enough_evidence"):
            text += f" Not enough evidence: {reason}"
        return remarked(text, self.info)

    @checked
    def plane_sentence(self, index: tuple[int, ...]) -> str:
        """Say the score of one plane of a stack in words.

        Parameters
        ----------
        index : tuple of int
            Of the plane, one number for each leading axis, counted from 0.

        Returns
        -------
        str
            The number of the plane, and what its score means; the reservations are those of `sentence`. Of a lazy map
            the score of the plane is computed.

        Raises
        ------
        InputError
            If there is no such plane.
        """
        plane = check_plane(index, self.values.shape[:-2])
        score = float(computed(self.score[index] if index else as_array(self.score, "score")))
        if not math.isfinite(score):
            return f"{plane}no answer."
        return plane + told(self.meaning.score_means.format(score=f"{score:.3g}"), self.kind, score, self.info)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        return f"<QualityMap {self.kind}, {shape}, {self.meaning.unit}: {self.sentence()}>"


def _check_values(values: Any, kind: str) -> None:
    """Refuse what is no map, and what is of no kind."""
    if kind not in KINDS:
        raise InputError(f"There is no kind of map called {kind!r}. Known kinds: {', '.join(KINDS)}.")
    if not (isinstance(values, np.ndarray) or is_dask(values)) or values.ndim < 2 or values.dtype.kind != "f":
        raise InputError(
            f"The values of a map are {shown(values)}; give floating point numbers, (..., height, width), as an array "
            "of numpy or dask."
        )


def mean_of_valid(values: np.ndarray) -> float | np.ndarray:
    """Average each plane, ``(..., height, width)``, over its valid pixels; NaN for a plane without one."""
    lead = values.shape[:-2]
    means = np.empty(lead, dtype=float)
    for index in np.ndindex(*lead):
        plane = values[index]
        valid = np.isfinite(plane)
        count = int(valid.sum())
        # float64 accumulation: a float32 sum over 16 million pixels loses three digits.
        with np.errstate(over="ignore"):
            total = float(plane.sum(where=valid, dtype=np.float64))
        means[index] = total / count if count else math.nan
    return float(means) if means.ndim == 0 else means


def lazy_mean_of_valid(values: Any) -> Any:
    """Average each plane of a dask array over its valid pixels, when asked; see `mean_of_valid`."""
    import dask.array as da

    valid = da.isfinite(values)
    count = valid.sum(axis=(-2, -1))
    total = da.where(valid, values, 0).sum(axis=(-2, -1), dtype=np.float64)
    return da.where(count > 0, total / da.maximum(count, 1), np.nan)
