"""How far is a judgement pulled by resampling alone? A registered image is smoother than the moving one, noise and all.

python benchmarks/judging_subpixel.py
python benchmarks/judging_subpixel.py --images FOLDER --count 40

The moving image is off by a part of a pixel, the registered one (linear interpolation) by another part in the opposite
direction; no light changes. For each pair of errors: what our verdict is, and in what share of the cases the diff-diff
and the local NCC (as it is, and of images smoothed as ours are) come out in favour of the registered image. Where both
errors are equal, an unpulled judge would be in favour of either image as often; where the registered image has the
larger error, it should not be called better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from blind_common import print_table
from judging_cases import Array, Bytes, Case
from judging_judges import assessed, likeness_judges
from registration_pairs import scenes

from napari_iqmaps.core.diffdiff import VERDICTS

ERRORS = ((0.0, 0.1), (0.0, 0.35), (0.2, 0.2), (0.2, 0.3), (0.2, 0.4), (0.35, 0.35), (0.35, 0.45), (0.35, 0.6),
          (0.7, 0.7), (0.7, 0.8), (0.7, 1.0))  # fmt: skip
NOISE = (2.0, 7.0)
MARGIN = 8
LOCAL = "local NCC, 9x9"


def off_by(image: Bytes, noise: float, before: float, after: float, side: int, rng: np.random.Generator) -> Case:
    """Take two images of a scene that are ``before`` pixels apart, and register them to be ``after`` pixels apart."""
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.cos(angle), np.sin(angle)
    shape = min(side, image.shape[0] - 2 * MARGIN), min(side, image.shape[1] - 2 * MARGIN)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)

    def taken(distance: float) -> Bytes:
        seen = _seen(image, x + MARGIN + distance * towards[0], y + MARGIN + distance * towards[1], cv2.INTER_CUBIC)
        return np.clip(np.rint(seen + rng.normal(0, noise, shape)), 0, 255).astype(np.uint8)

    fixed, moving, whole = taken(0.0), taken(before), before + after
    registered = _seen(moving, x - whole * towards[0], y - whole * towards[1], cv2.INTER_LINEAR)
    valid = np.zeros(shape, bool)
    valid[3:-3, 3:-3] = True
    bytes_of = np.clip(np.rint(registered), 0, 255).astype(np.uint8)
    return Case("", f"noise {noise:g}", moving, bytes_of, fixed, valid, np.full(shape, before), np.full(shape, after))


def _seen(image: Bytes, x: Array, y: Array, interpolation: int) -> Array:
    places = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(image.astype(np.float32), *places, interpolation), np.float64)


def judged(cases: Sequence[Case]) -> tuple[Counter[str], list[float]]:
    """Give our verdicts, and the share of cases in which each of three judges is in favour of the registered image."""
    verdicts: Counter[str] = Counter()
    favours = []
    for case in cases:
        ours = assessed(case)
        told = likeness_judges(case)
        verdicts[ours.score.verdict] += 1
        favours.append([value > 0 for value in (ours.score.evidence, told[f"{LOCAL}, smoothed"], told[LOCAL])])
    return verdicts, [float(share) for share in np.mean(favours, axis=0)]


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of photographs.")
@click.option("--start", default=0, help="First photograph of the folder, in the order of names.")
@click.option("--count", type=int, help="How many photographs of the folder.")
@click.option("--side", default=224, help="Pixels to the side.")
@click.option("--seed", default=0)
def main(images: Path | None, start: int, count: int | None, side: int, seed: int) -> None:
    cv2.setNumThreads(1)
    photographs = scenes(images, start=start, count=count)
    rows = []
    for before, after in ERRORS:
        rng = np.random.default_rng([seed, 10])
        cases = (off_by(image, noise, before, after, side, rng) for noise in NOISE for _, image in photographs)
        verdicts, favours = judged(list(cases))
        told = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict])
        rows.append((before, after, told, *(f"{100 * share:.0f} %" for share in favours)))
    names = (f"in favour: {judge}" for judge in ("evidence", f"{LOCAL}, smoothed", LOCAL))
    print_table(("moving off by", "registered off by", "our verdict", *names), rows)


if __name__ == "__main__":
    main()
