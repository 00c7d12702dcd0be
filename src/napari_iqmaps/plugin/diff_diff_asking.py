"""From what is chosen in the widget "Diff-diff" to a request, or to the reason why there can be none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..core.errors import InputError
from .diff_diff_options import AFFINE, AS_PLACED, judging_from, registering_from
from .diff_diff_places import lie_alike, placed_by_viewer
from .diff_diff_run import JudgeRequest
from .layers import LayerPixels, pixels_of
from .options import OptionWidget
from .regions import region_of


def judge_request(
    roles: Mapping[str, Any],
    shapes: Any,
    options: Mapping[str, OptionWidget],
    *,
    tol: float | Literal["auto"],
    data_range: tuple[float, float] | None,
    registers: bool,
) -> JudgeRequest:
    """Take all that a run needs from the viewer.

    Parameters
    ----------
    roles : mapping
        "moving", "fixed" and "registered" to the layers that were chosen, or None.
    shapes : napari.layers.Shapes or None
        Where to judge; None means everywhere.
    tol : float or "auto"
        Grey levels of 255.
    registers : bool
        Whether to register; otherwise the registered layer is judged, or how the viewer places the moving one.
    """
    moving, fixed, registered = (roles[name] for name in ("moving", "fixed", "registered"))
    source, target = pixels_of(moving, "moving image"), pixels_of(fixed, "fixed image")
    given = None if registered is None else pixels_of(registered, "registered image")
    refuse_unfit(moving, fixed, registered, [source, target] if given is None else [source, target, given])
    red, green = _limits(moving), _limits(fixed)
    return JudgeRequest(
        source,
        target,
        given,
        (red, green, red if given is None else _limits(registered)),
        registering=registering_from(options) | {"data_range": data_range} if registers else {},
        judging=judging_from(options) | {"data_range": data_range, "tol": tol},
        black_is_outside=options["black_border"].value == "outside",
        placed=placed_by_viewer(moving, fixed) if given is None and not registers else None,
        region=None if shapes is None else region_of(shapes, fixed, target.plane_shape).whole_mask(),
        note=_note(moving, fixed, target.plane_shape) if registers else "",
        wants_affine=registers and options["result"].value == AFFINE,
    )


def refuse_unfit(moving: Any, fixed: Any, registered: Any, pixels: Sequence[LayerPixels]) -> None:
    """Stop at layers that cannot be the images of one registration.

    Parameters
    ----------
    moving, fixed, registered : napari.layers.Image
        What was chosen; registered may be None.
    """
    for one in pixels:
        if one.luminance == "absolute":
            raise InputError(f"{one.name!r} holds light in cd/m2; registrations are judged on display codes.")
    if moving is fixed:
        raise InputError(f"{moving.name!r} is both the moving and the fixed image. Choose two layers.")
    if registered is None:
        return
    if registered is moving or registered is fixed:
        raise InputError(f"{registered.name!r} is chosen twice. Choose the registered image, or none to register here.")
    if pixels[2].plane_shape != pixels[1].plane_shape:
        (height, width), (own_height, own_width) = pixels[1].plane_shape, pixels[2].plane_shape
        raise InputError(
            f"The registered image {registered.name!r} has {own_height} x {own_width} pixels and the fixed image "
            f"{fixed.name!r} {height} x {width}; they must lie on one grid."
        )
    if not lie_alike(registered, fixed, pixels[1].plane_shape):
        raise InputError(
            f"The viewer shows {registered.name!r} elsewhere than {fixed.name!r} (scale, translate or affine differ), "
            "so their pixels do not belong together. If it was registered by its transform, choose it as the moving "
            f"image with the method {AS_PLACED!r}; if not, give it the transform of {fixed.name!r}."
        )


def _note(moving: Any, fixed: Any, shape: tuple[int, int]) -> str:
    """Say that what is compared is not what the viewer shows, where that is so."""
    if lie_alike(moving, fixed, shape):
        return ""
    return (
        "The viewer shows the two layers in different places or sizes; the judgement starts from their pixels as they "
        f"are, row on row and column on column. To judge what the viewer shows, choose the method {AS_PLACED!r}."
    )


def _limits(layer: Any) -> tuple[float, float] | None:
    """Give the values between which a grey layer is shown."""
    if layer.rgb:
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)
