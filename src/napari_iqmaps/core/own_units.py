"""A result in units of the image: code values as counts and as a share of black to white, or as light and contrast."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

from .display import WHITE, Encoding, code_values, light_of
from .score_columns import Part, columns

COLUMNS = (
    *columns(Part.RESULTS, "own_score"),
    *columns(Part.RESULTS, "own_unit", holds="text"),
    *columns(Part.RESULTS, "own_percent"),
    *columns(Part.SETTINGS, "adaptation_luminance"),
)
"""Of a table, beside a score in code values: the same in units of the image."""

_CODES_OF: Mapping[str, Callable[[float], float]] = {"threshold": float, "mark": math.sqrt}
"""Kinds of map whose score stands for a difference of code values, and how that follows from it."""


_IN_CODES = ("threshold", "mark", "diff_diff")
"""Kinds of map whose values are differences of code values."""


class OwnUnits(NamedTuple):
    """A difference in units of the image, and in per cent: of black to white, or of the light it is seen against.

    `relation` has a place ``{}`` for the per cent.
    """

    value: float
    unit: str
    percent: float
    relation: str

    def words(self) -> str:
        """Say it, such as "12.7 counts of the image, 1.3 % of black to white"."""
        return f"{self.value:.3g} {self.unit}, {self.relation.format(f'{self.percent:.2g} %')}"

    def cells(self) -> dict[str, Any]:
        """Give it as cells of a table."""
        return {"own_score": self.value, "own_unit": self.unit, "own_percent": self.percent}


def own_units(codes: float, info: Mapping[str, Any]) -> OwnUnits | None:
    """Bring a difference of code values into units of the image, whose range and light an info or a row of a table has.

    None where they are the code values themselves, or where it is not known what the image holds.
    """
    data_range = info.get("data_range")
    if not (isinstance(data_range, list | tuple) and len(data_range) == 2 and all(map(_is_number, data_range))):
        return None
    if info.get("encoding"):
        return _as_light(codes, info)
    black, white = map(float, data_range)
    if (black, white) == (0.0, WHITE) or not math.isfinite(codes) or not black < white:
        return None
    # 255 code values are the way from black to white, in equal steps.
    share = codes / WHITE
    # A wide range is that of what a camera counts; (0, 1) is no count of anything.
    is_counted = white - black >= WHITE
    unit = "counts of the image" if is_counted else "in the image's own values"
    return OwnUnits(share * (white - black), unit, 100 * share, "{} of black to white")


def _as_light(codes: float, info: Mapping[str, Any]) -> OwnUnits | None:
    """Turn a difference of code values into light, at the luminance to which the image adapts an eye.

    Code values are no equal steps of light, so a difference of them is another one in the shadows than in the lights.
    It is told for one place: where the code value is the mean of the image's, V. Light of the code V + d less light of
    the code V is the difference in cd/m2, and its ratio to the light of V the contrast. Where the encoding ends before
    V + d, it is V and V - d.
    """
    encoding: Any = info.get("encoding")
    adapted: Any = info.get("adaptation_luminance")
    peak: Any = info.get("peak_luminance")
    known = encoding in get_args(Encoding) and _is_number(adapted) and _is_number(peak)
    if not (known and adapted > 0 and math.isfinite(codes)):
        return None
    code, top = float(code_values(adapted, encoding)), float(code_values(peak, encoding))
    start = code if code + codes <= top else code - codes
    light = light_of(start + codes, encoding) - light_of(start, encoding)
    relation = f"a contrast of {{}} at the image's mean code value, {adapted:.3g} cd/m2"
    return OwnUnits(light, "cd/m2", 100 * light / adapted, relation)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def units_of_score(kind: str, score: float, info: Mapping[str, Any]) -> OwnUnits | None:
    """Give the score of a map in units of its image; None for kinds whose score is no difference, or where unknown."""
    codes_of = _CODES_OF.get(kind)
    if codes_of is None or not math.isfinite(score):
        return None
    return own_units(codes_of(score), info)


def told(sentence: str, kind: str, score: float, info: Mapping[str, Any]) -> str:
    """Add to the sentence that says a map's score what that is in units of the image."""
    units = units_of_score(kind, score, info)
    if units is None:
        return sentence
    joint = ", whose root is " if kind == "mark" else ": "
    return f"{sentence.removesuffix('.')}{joint}{units.words()}."


def value_told(words: str, kind: str, value: float, info: Mapping[str, Any]) -> str:
    """Add to the words for one value of a map what that is in units of the image."""
    units = own_units(value, info) if kind in _IN_CODES and math.isfinite(value) else None
    return words if units is None else f"{words}: {units.words()}"


def grey_levels(number: float, info: Mapping[str, Any], digits: int = 3) -> str:
    """Say a number of grey levels of 255, and what it is in units of the image."""
    units = own_units(number, info)
    levels = f"{number:.{digits}g} grey levels"
    return levels if units is None else f"{levels} ({units.value:.{digits}g} {units.unit})"
