"""Do blind scores and maps behave? More distortion is no improvement, tiles are the whole, and flat parts are doubtful.

Prints tables for photographs that scikit-image brings along, which no training image is one of.

    python benchmarks/blind_behaviour.py
    python benchmarks/blind_behaviour.py --weights diqa.safetensors --step 0.5
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from blind_common import chosen, parser, print_table
from scipy import ndimage
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.blind import BlindModel
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.training.visibility.behaviour import PHOTOGRAPHS, local_deviation

DISTORTIONS = ("gaussian_noise", "gaussian_blur", "jpeg")
TILES = (64, 200, 384)
WHOLE = 4096
BLURRED = 4.0
"""Severity of the blur that half of a photograph gets."""

WINDOW = 32
"""Pixels over which local contrast is averaged to find flat and textured parts."""

BORDER = 16
"""Pixels along a seam that count for neither part."""


def luminance(name: str) -> npt.NDArray[np.float32]:
    """Give the luminance of a photograph, 0..255: what the networks see of it."""
    image = getattr(data, name)()
    axis = None if image.ndim == 2 else -1
    return as_planes(image, channel_axis=axis).read((), slice(None), slice(None))


def distorted(image: npt.NDArray[np.float32], name: str, severity: float) -> npt.NDArray[np.uint8]:
    """Distort and round to 8 bits, as files are; severity 0 is the image."""
    whole = np.rint(image).astype(np.uint8)
    return whole if severity == 0 else iq.distort(whole, name, severity)


def largest_improvement(scores: npt.NDArray[np.float64]) -> float:
    """Give by how many points a more distorted image is called better than a less distorted one, at most."""
    return float(np.max(np.maximum.accumulate(scores) - scores))


def monotone(networks: dict[BlindModel, str], step: float) -> None:
    """Tell how scores go with severity."""
    severities = [0.0, *np.arange(1, 5 + 1e-9, step)]
    print(
        f"\nScores of {len(PHOTOGRAPHS)} photographs at severities 0, 1 to 5 in steps of {step:g}: how much better a "
        "more distorted one is called, at most (points of 100); the mean scores; how many have too little evidence\n"
    )
    rows = []
    for model, weights in networks.items():
        for name in DISTORTIONS:
            scores, doubtful = [], 0
            for photograph in PHOTOGRAPHS:
                image = luminance(photograph)
                found = [iq.quality(distorted(image, name, severity), model=model, weights=weights)
                         for severity in severities]  # fmt: skip
                scores.append([each.value for each in found])
                doubtful += sum(not each.enough_evidence for each in found)
            slack = [largest_improvement(np.array(each)[np.isfinite(each)]) for each in scores]
            worst = PHOTOGRAPHS[int(np.argmax(slack))]
            means = np.nanmean(np.array(scores), axis=0)
            rows.append((model, name, f"{max(slack):.1f} ({worst})", f"{np.median(slack):.1f}", f"{means[0]:.0f}",
                         f"{means[len(means) // 2]:.0f}", f"{means[-1]:.0f}",
                         f"{doubtful} of {len(scores) * len(severities)}"))  # fmt: skip
    headings = ("network", "distortion", "largest", "median", "mean at 0", "halfway", "mean at 5", "doubtful")
    print_table(headings, rows)


def tiles(networks: dict[BlindModel, str]) -> None:
    """Compare maps and score in tiles with those of the whole image at once."""
    print("\nTiles against the whole image, camera with noise: largest difference\n")
    image = distorted(luminance("camera"), "gaussian_noise", 2)
    rows = []
    for model, weights in networks.items():
        whole = iq.assess(image, model=model, weights=weights, tile=WHOLE)
        for tile in TILES:
            parts = iq.assess(image, model=model, weights=weights, tile=tile)
            maps = max(float(np.abs(parts.maps[kind].values - each.values).max()) for kind, each in whole.maps.items())
            score = abs(parts.score.value - whole.score.value)
            rows.append((model, tile, f"{maps:.1e}", f"{score:.1e}"))
    print_table(("network", "tile", "maps", "score, points"), rows)


def reliability() -> None:
    """Tell the reliability of flat and textured parts, and of what was blurred."""
    print("\nReliability (1 is the mean of an image; it rests on no weights): the tenth of a photograph with the least "
          f"and with the most local contrast; and its left half when that is blurred (severity {BLURRED:g}), before "
          "and after\n")  # fmt: skip
    rows = []
    for name in PHOTOGRAPHS:
        image = luminance(name)
        contrast = ndimage.uniform_filter(local_deviation(image.astype(np.float64)), WINDOW)
        low, high = np.quantile(contrast, (0.1, 0.9))
        whole = iq.reliability_map(image, data_range=255).values
        middle = image.shape[1] // 2
        half = np.rint(image).astype(np.uint8)
        half[:, :middle] = iq.distort(half, "gaussian_blur", BLURRED)[:, :middle]
        left = np.s_[:, : middle - BORDER]
        after = iq.reliability_map(half).values
        rows.append((name, *(f"{values.mean():.2f}" for values in (whole[contrast <= low], whole[contrast >= high],
                                                                   whole[left], after[left]))))  # fmt: skip
    print_table(("photograph", "flat", "textured", "left half", "left half, blurred"), rows)


def main() -> None:
    """Print the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("--step", type=float, default=0.5, help="between severities (%(default)s)")
    given = arguments.parse_args()
    networks = chosen(given.weights)
    reliability()
    tiles(networks)
    monotone(networks, given.step)


if __name__ == "__main__":
    main()
