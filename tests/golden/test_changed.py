"""What a registration made better or worse. The pictures are shifted by whole pixels, so no interpolation has a say."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

from .pictures import cat, noisy

PIXELS = {"better": 2, "worse": 2, "count": 3}
"""Pixels whose change is within rounding of the tolerance."""
SHARES = {
    "score": 0.002, "interval": 0.004, "score_low": 0.004, "score_high": 0.004, "gain": 0.0005, "evidence": 0.001,
    "evidence_interval": 0.002, "not_finite": 2,
}  # fmt: skip
"""What is made of such counts."""


def trio(left: int = 4, top: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture that is off by some pixels, the same brought back all but one pixel and in noise, and the fixed one."""
    photograph = data.chelsea()[..., 1]
    fixed = cat()
    moving = photograph[60 + top : 180 + top, 110 + left : 270 + left]
    registered = noisy(photograph[60:180, 111:271], 8)
    return moving.copy(), registered, fixed


def valid() -> np.ndarray:
    found = np.ones((120, 160), bool)
    found[:, -3:] = found[-4:] = False
    return found


def judged(score: iq.DiffDiffScore) -> dict[str, object]:
    return {"score": score, "row": score.row(), "sentence": score.sentence(),
            "blocks_better": score.blocks_better, "blocks_worse": score.blocks_worse}  # fmt: skip


@pytest.mark.parametrize("illumination", ["none", "before", "each", "local"])
def test_by_the_correction_of_light(frozen, illumination):
    moving, registered, fixed = trio()
    darker = (moving * 0.8).astype(np.uint8)
    options = {"illumination": illumination, "valid": valid()}
    result = {
        "map": iq.diff_diff(darker, registered, fixed, **options),
        "score": judged(iq.diff_diff_score(darker, registered, fixed, **options)),
        "no grid": judged(iq.diff_diff_score(darker, registered, fixed, grid=None, **options)),
        "map without a grid": iq.diff_diff(darker, registered, fixed, grid=None, **options),
    }
    result["sentence"] = result["map"].sentence()
    frozen(f"diff_diff_{illumination}", result, slack=PIXELS | SHARES)


def test_other_options(frozen):
    images = trio()
    rng = np.random.default_rng(5)
    weight = rng.random((120, 160)).astype(np.float32)
    region = np.zeros((120, 160), bool)
    region[30:100, 20:120] = True
    light = {"illumination": "before"}
    limits = iq.ScoreLimits(min_block=5, min_total=10, min_valid=0.9)
    scores = {
        "defaults": iq.diff_diff_score(*images),
        "median 3": iq.diff_diff_score(*images, median=3, **light),
        "median 5, tol": iq.diff_diff_score(*images, median=5, tol=12, grid=(3, 4), **light),
        "weight": iq.diff_diff_score(*images, weight=weight, **light),
        "region, border": iq.diff_diff_score(*images, region=region, border=8, **light),
        "smooth": iq.diff_diff_score(*images, smooth=2.5, **light),
        "too little": iq.diff_diff_score(
            *images, tol=200, limits=iq.ScoreLimits(min_block=50, min_total=3000), **light
        ),
        "limits": iq.diff_diff_score(*images, limits=limits, valid=region, **light),
        "notebook": iq.diff_diff_score(*images, compat="notebook"),
        "notebook, border": iq.diff_diff_score(*images, compat="notebook", border=10, grid=None),
        "worse": iq.diff_diff_score(images[1], images[0], images[2], **light),
        "unchanged": iq.diff_diff_score(images[0], images[0], images[2], **light),
    }
    maps = {
        "defaults": iq.diff_diff(*images),
        "median": iq.diff_diff(*images, median=3, **light),
        "weight, region": iq.diff_diff(*images, weight=weight, region=region, border=4, **light),
        "tol": iq.diff_diff(*images, tol=12, smooth=1, **light),
    }
    result = {
        "whole": {name: judged(scores.pop(name)) for name in ("defaults", "weight", "notebook")},
        "rows": {name: [score.row(), score.sentence(), score.interval] for name, score in scores.items()},
        "maps": maps,
    }
    frozen("diff_diff_options", result, slack=PIXELS | SHARES)


def test_other_images(frozen):
    moving, registered, fixed = trio()
    holes = [image.astype(np.float32) / np.float32(255) for image in trio()]
    holes[1][40:60, 50:90] = np.nan
    coloured = [np.dstack([image, image // 2, 255 - image]) for image in trio()]
    stacks = [np.stack([one, two]) for one, two in zip(trio(), trio(2, 6), strict=True)]
    deep = [image.astype(np.uint16) * np.uint16(100) for image in trio()]
    given = {
        "holes": (holes, {"data_range": 1}),
        "colour": (coloured, {"channel_axis": -1}),
        "stack": (stacks, {}),
        "uint16": (deep, {"data_range": 25500}),
        "one fixed for a stack": ((np.stack([moving, registered]), np.stack([registered, moving]), fixed), {}),
    }
    result = {}
    for name, (images, options) in given.items():
        fixed_one = images[2]
        if name == "one fixed for a stack":
            fixed_one = np.stack([fixed, fixed])
        score = iq.diff_diff_score(images[0], images[1], fixed_one, illumination="local", **options)
        result[name] = {
            "map": iq.diff_diff(images[0], images[1], fixed_one, illumination="local", **options),
            **judged(score),
            "planes": [plane.sentence() for plane in score.planes],
        }
    frozen("diff_diff_images", result, slack=PIXELS | SHARES)


def test_contrast_and_tolerance(frozen):
    moving, registered, fixed = trio()
    contrasts = {
        "plain": iq.local_contrast(fixed),
        "window": iq.local_contrast(fixed, window=20),
        "notebook": iq.local_contrast(fixed, compat="notebook"),
        "colour": iq.local_contrast(np.dstack([fixed, moving, registered]), channel_axis=-1),
        "float": iq.local_contrast(fixed / 255, data_range=1),
    }
    tolerances = {
        "one": iq.auto_tolerance(fixed),
        "three": iq.auto_tolerance(moving, registered, fixed),
        "window": iq.auto_tolerance(moving, fixed, window=16),
        "notebook": iq.auto_tolerance(moving, fixed, compat="notebook"),
    }
    result = {name: {"contrast": one, "tolerance": one.tolerance} for name, one in contrasts.items()}
    frozen("local_contrast", {"contrasts": result, "tolerances": tolerances})
