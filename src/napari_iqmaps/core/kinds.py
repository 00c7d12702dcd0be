"""What the numbers of each kind of map mean: unit, direction, limits, colours, and how a map becomes a score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import check_fields, checked
from .arrays import numbers
from .errors import InputError


def _as_it_is(values: Any, info: Mapping[str, Any]) -> Any:
    return values


def _squared(values: Any, info: Mapping[str, Any]) -> Any:
    return values**2


IMPAIRMENT_EXPONENT = 2.5
"""Of the power mean over an image: its worst parts count for more than their area."""


def _impairment(values: Any, info: Mapping[str, Any]) -> Any:
    """Turn the probability q of seeing a difference into what it impairs, ``1 - exp(-a d / T)``, to the exponent."""
    return (1 - (1 - values) ** np.float32(info["mixing"])) ** np.float32(IMPAIRMENT_EXPONENT)


def _impairment_root(mean: Any) -> Any:
    return mean ** (1 / IMPAIRMENT_EXPONENT)


def _clipped(values: Any, info: Mapping[str, Any]) -> Any:
    """Take a diff-diff for fully better or worse from twice the tolerance on; see `info`'s ``"tol"``."""
    tol = np.asarray(info["tol"], np.float32)
    scale = np.float32(2) * np.maximum(tol, np.float32(1e-6))
    return (values / scale[..., None, None]).clip(-1, 1)


def _on_cells(values: Any, info: Mapping[str, Any]) -> Any:
    """Take the pixels that the cells of the network sit on, which is what it was trained to average."""
    return values[..., ::4, ::4]


MOST_ERROR = 1.15
"""Above every objective error: two normalised images differ by at most 2 x 255, and 2 ^ 0.2 is 1.149."""


def _unchanged(mean: Any) -> Any:
    return mean


@dataclass(frozen=True)
class Kind:
    """What the numbers of one kind of map mean; the only place that knows.

    Attributes
    ----------
    name : str
        Key in `KINDS`.
    title : str
        Name for people.
    unit : str
        Unit of the values.
    limits : tuple of float
        Lowest and highest value that the kind can take; the highest may be infinite.
    colormap : str
        A perceptually ordered colormap known to napari and to matplotlib.
    low_means, high_means : str
        How a low and a high value read.
    score_means : str
        What the score says; has a place ``{score}``.
    fixed_scale : bool
        Show the whole of `limits` always (True), or the range of the map at hand (False). A kind that has values
        below 0 is shown with 0 in the middle.
    pooled : callable
        From the values (numpy or dask) and the map's `info` to what is averaged over the valid pixels to give the
        score; by default the values themselves.
    from_mean : callable
        From that average to the score; by default the average itself.
    """

    name: str
    title: str
    unit: str
    limits: tuple[float, float]
    colormap: str
    low_means: str
    high_means: str
    score_means: str
    fixed_scale: bool
    pooled: Callable[[Any, Mapping[str, Any]], Any] = _as_it_is
    from_mean: Callable[[Any], Any] = _unchanged

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.limits[0] < self.limits[1]:
            raise InputError(f"limits is {self.limits!r}; give the lowest and the highest value, lowest first.")

    @property
    def is_signed(self) -> bool:
        """Whether the kind has values on both sides of 0, which is then the middle of its colours."""
        return self.limits[0] < 0

    @checked
    def display_limits(self, values: np.ndarray) -> tuple[float, float]:
        """Give the two values between which a map of this kind is coloured.

        Parameters
        ----------
        values : numpy.ndarray
            The map, any shape; NaN is left out.

        Returns
        -------
        tuple of float
            The natural limits of the kind, or, for a kind without a fixed scale, from the bottom of the kind's
            range to the 99.5th percentile of the map, so that a few extreme pixels do not darken the rest. For a
            signed kind the same to both sides, over the pixels that are not 0.
        """
        if self.fixed_scale:
            return self.limits
        known = numbers(values, "map")
        finite = known[np.isfinite(known)]
        if finite.size == 0:
            return self.limits if math.isfinite(self.limits[1]) else (self.limits[0], 1.0)
        if self.is_signed:
            sizes = np.abs(finite[finite != 0])
            high = max(float(np.percentile(sizes, 99.5)) if sizes.size else 0.0, 1e-3)
            return -high, high
        high = float(np.percentile(finite, 99.5))
        return 0.0, max(high, 1e-3)


def in_words(value: float, kind: Kind, unit: str = "") -> str:
    """Say one value of a map with its unit, of a signed kind with its sign; NaN is no answer.

    `unit`: that of the map at hand, if it is not the kind's.
    """
    if not math.isfinite(value):
        return "no answer"
    return f"{value:{'+' if kind.is_signed else ''}.3g} {unit or kind.unit}"


class _Table(Mapping[str, Kind]):
    """The kinds by name, read only. A view of a dict could not be pickled or copied; this is, as what it is called."""

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __repr__(self) -> str:
        return f"KINDS: {', '.join(self)}"

    def __reduce__(self) -> str:
        return "KINDS"


KINDS: Mapping[str, Kind] = _Table(
    Kind(
        name="threshold",
        title="Visibility threshold",
        unit="luminance code values (0..255)",
        limits=(0.01, 100.0),
        colormap="viridis",
        low_means="small distortions show",
        high_means="distortions hide",
        score_means="On average a distortion below {score} code values (of 255) is barely visible here.",
        fixed_scale=False,
    ),
    Kind(
        name="visibility",
        title="Visibility of the difference",
        unit="probability",
        limits=(0.0, 1.0),
        colormap="magma",
        low_means="not seen",
        high_means="surely seen",
        score_means="The visible difference impairs the image by {score}, from 0 (not at all) to 1 (most).",
        fixed_scale=True,
        pooled=_impairment,
        from_mean=_impairment_root,
    ),
    Kind(
        name="mark",
        title="Embedded mark",
        unit="luminance code values (0..255)",
        limits=(-255.0, 255.0),
        colormap="coolwarm",
        low_means="darker than the original",
        high_means="brighter than the original",
        score_means="The mark has a mean square of {score} in code values of 255.",
        fixed_scale=False,
        pooled=_squared,
    ),
    Kind(
        name="objective_error",
        title="Objective error",
        unit="(difference / 255) ^ 0.2",
        limits=(0.0, MOST_ERROR),
        colormap="plasma",
        low_means="equal to the reference",
        high_means="differs from the reference",
        score_means="On average the image differs from its reference by {score} on the error's scale.",
        fixed_scale=False,
    ),
    Kind(
        name="error",
        title="Predicted error",
        unit="(difference / 255) ^ 0.2",
        limits=(0.0, MOST_ERROR),
        colormap="inferno",
        low_means="clean",
        high_means="distorted",
        score_means="The predicted error is {score} on average; 0 would be a clean image.",
        fixed_scale=False,
    ),
    Kind(
        name="reliability",
        title="Reliability",
        unit="ratio to its mean",
        limits=(0.0, math.inf),
        colormap="viridis",
        low_means="too little detail to tell",
        high_means="the prediction can be trusted",
        score_means="Mean {score} by definition: it says where a prediction can be trusted, not how far.",
        fixed_scale=False,
    ),
    Kind(
        name="sensitivity",
        title="Sensitivity",
        unit="weight",
        limits=(0.0, math.inf),
        colormap="cividis",
        low_means="errors matter little",
        high_means="errors matter much",
        score_means="On average an error counts {score} times.",
        fixed_scale=False,
    ),
    Kind(
        name="perceptual_error",
        title="Perceptual error",
        unit="sensitivity x error x reliability",
        limits=(0.0, math.inf),
        colormap="magma",
        low_means="costs no quality",
        high_means="costs much quality",
        score_means="The perceptual error is {score} on average; the more, the worse.",
        fixed_scale=False,
    ),
    Kind(
        name="machine_quality",
        title="Machine-perceived quality",
        unit="probability",
        limits=(0.0, 1.0),
        colormap="YlGnBu_r",
        low_means="a recogniser fails here",
        high_means="a recogniser does well here",
        score_means="A recogniser is expected to give the right answer a probability of {score}.",
        fixed_scale=True,
        pooled=_on_cells,
    ),
    Kind(
        name="diff_diff",
        title="Diff-diff",
        unit="grey levels (of 255), signed",
        limits=(-255.0, 255.0),
        colormap="PiYG",
        low_means="it got worse",
        high_means="it got better",
        score_means="The registration changed the match by {score}, from -1 (worse everywhere) to 1 (better).",
        fixed_scale=False,
        pooled=_clipped,
    ),
)
