"""Options of the widget "Diff-diff" that no core function has in this form, and which layer plays which part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from magicgui.widgets import ComboBox, SpinBox

from ..core.diffdiff import ScoreLimits, diff_diff_assess
from ..core.registration import register
from ..core.registration.geometry import TRANSFORMS
from ..core.registration.search import METHODS
from .inputs import is_picture
from .layers import PICTURE_KEY
from .options import OptionWidget, make_options, read_options

AS_PLACED = "as placed in the viewer"
"""In place of a method: judge the transforms that the layers have, such as another plugin set."""

NEW_LAYER, AFFINE = "a new layer", "the moving layer's affine"

_NEEDS_A_FILE = ("matches",)
_ELSEWHERE = ("valid", "weight", "region", "tol", "grid", "limits", "matches")
_MOST_BLOCKS = 20
_VOTES = (("none", 0), ("3 x 3", 3), ("5 x 5", 5))

_ROLES: Mapping[str, tuple[str, ...]] = {
    "registered": ("registered", "aligned", "warped"),
    "fixed": ("fixed", "target", "reference"),
    "moving": ("moving", "source"),
}

OF_REGISTERING = ("transform", "max_shift", "min_overlap", "min_inliers", "seed", "result")
"""Options that matter only where the widget registers."""


def judge_options() -> dict[str, OptionWidget]:
    """Make the options.

    Returns
    -------
    dict
        Name to widget: those of `register`, then those of `diff_diff_assess`.
    """
    method = ComboBox(
        name="method", label="Method", value="auto", choices=[*_offered(), AS_PLACED],
        tooltip="How to register: auto tries several ways and keeps what the evidence carries, or refuses; fast is for "
        "small motions. As placed in the viewer: judge the transform that the moving layer has.",
    )  # fmt: skip
    transform = ComboBox(
        name="transform", label="Transform", value=TRANSFORMS[0], choices=TRANSFORMS,
        tooltip="What the motion may be, from the freest to the stiffest.",
    )  # fmt: skip
    result = ComboBox(
        name="result", label="Registered image as", value=NEW_LAYER, choices=(NEW_LAYER, AFFINE),
        tooltip="Resample the moving image into a layer of its own, or move the moving layer by its affine.",
    )  # fmt: skip
    outside = ComboBox(
        name="black_border", label="Black border", value="outside",
        choices=(("is outside", "outside"), ("is image", "image")),
        tooltip="Of a registered image from elsewhere: whether black pixels connected to its edge are where the moving "
        "image does not reach. They are not judged.",
    )  # fmt: skip
    grid = SpinBox(
        name="grid", label="Blocks a side", value=5, min=0, max=_MOST_BLOCKS,
        tooltip="Into how many blocks a side the image is cut; each has a score of its own. 0: none.",
    )  # fmt: skip
    first = {"method": method, "transform": transform}
    made = {
        name: widget
        for name, widget in make_options((register, diff_diff_assess, ScoreLimits)).items()
        if name not in _ELSEWHERE and name not in first
    }
    median = ComboBox(
        name="median", label="Vote of pixels", value=0, choices=_VOTES,
        tooltip="Count a pixel only where most of its neighbours say the same: single pixels of noise go.",
    )  # fmt: skip
    judging = {"grid": grid, **{name: made.pop(name) for name in list(made) if name not in OF_REGISTERING}}
    made = {**first, **made, "result": result, "black_border": outside, **judging, "median": median}
    made["smooth"].max = 20.0
    return made


def judging_from(options: Mapping[str, OptionWidget]) -> dict[str, Any]:
    """Read what `diff_diff_assess` takes."""
    side = int(options["grid"].value)
    limits = ScoreLimits(**read_options(options, ScoreLimits))
    return read_options(options, diff_diff_assess) | {"grid": (side, side) if side else None, "limits": limits}


def registering_from(options: Mapping[str, OptionWidget]) -> dict[str, Any]:
    """Read what `register` takes."""
    return read_options(options, register)


def guessed_roles(layers: Iterable[Any]) -> dict[str, Any]:
    """Guess which layers are moving, fixed and registered.

    Returns
    -------
    dict
        Slot name to layer: by the words in their names, else the first two images as moving and fixed. A registered
        image is only ever guessed by its name.
    """
    images = [layer for layer in layers if is_picture(layer) and PICTURE_KEY not in layer.metadata]
    found: dict[str, Any] = {}
    for role, words in _ROLES.items():
        named = (layer for layer in images if any(word in layer.name.lower() for word in words))
        layer = next((layer for layer in named if not _has(found.values(), layer)), None)
        if layer is not None:
            found[role] = layer
    for role in ("moving", "fixed"):
        left = [layer for layer in images if not _has(found.values(), layer)]
        if role not in found and left:
            found[role] = left[0]
    return found


def _has(layers: Iterable[Any], layer: Any) -> bool:
    return any(layer is other for other in layers)


def _offered() -> Sequence[str]:
    return [method for method in METHODS if method not in _NEEDS_A_FILE]
