"""Does machine-perceived quality behave? The score against severity, and tiles against the whole.

Prints tables for photographs that scikit-image brings along, which no training image is one of. What the shipped
metrifier was trained on is much smaller (its card says what), so these photographs are also far from its training.

    python benchmarks/machine_behaviour.py
    python benchmarks/machine_behaviour.py --weights metrifier.safetensors --distortion jpeg --side 256
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from blind_behaviour import largest_improvement
from blind_common import parser, print_table
from scipy import stats
from skimage import data
from skimage.transform import resize

import napari_iqmaps as iq
from napari_iqmaps.core import models as registered
from napari_iqmaps.core.distortions import distortion
from napari_iqmaps.core.machine import NETWORK
from napari_iqmaps.training.visibility.behaviour import PHOTOGRAPHS

SEVERITIES = (0, 1, 2, 3, 4, 5)
FAILS_BELOW = 0.5
TILES = (64, 200)
WHOLE = 4096


def photograph(name: str, side: int) -> npt.NDArray[np.uint8]:
    """Give a photograph in colour, its shorter side brought to some pixels; a grey one as three equal colours."""
    image = getattr(data, name)()
    image = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    scale = side / min(image.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(image)
    shape = (round(scale * image.shape[0]), round(scale * image.shape[1]), 3)
    return np.rint(255 * resize(image, shape, anti_aliasing=True)).astype(np.uint8)


def fall(scores: npt.NDArray[np.float64]) -> float:
    """Rank correlation of scores with severity, over those that there are; 0 if they do not change."""
    known = np.isfinite(scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        found = float(stats.spearmanr(np.asarray(SEVERITIES)[known], scores[known]).statistic)
    return found if np.isfinite(found) else 0.0


def curves(names: list[str], weights: str, side: int) -> None:
    """Tell how scores go with severity."""
    print(f"\nScores of {len(PHOTOGRAPHS)} photographs, shorter side {side}: the mean at each severity; the rank "
          "correlation with severity, mean and highest; by how much a more distorted one is called better, at most; "
          f"how many fall below {FAILS_BELOW:g}, and the median severity where they do\n")  # fmt: skip
    images = {name: photograph(name, side) for name in PHOTOGRAPHS}
    rows = []
    for name in names:
        found = [iq.machine_curve(image, name, severities=SEVERITIES, fails_below=FAILS_BELOW, channel_axis=-1,
                                  weights=weights) for image in images.values()]  # fmt: skip
        scores = np.stack([curve.scores for curve in found])
        falls = [fall(each) for each in scores]
        fails = np.array([curve.fails_at for curve in found])
        fails = fails[np.isfinite(fails)]
        slack = max(largest_improvement(each[np.isfinite(each)]) for each in scores)
        means = " ".join(f"{mean:.2f}" for mean in np.nanmean(scores, axis=0))
        where = f"{np.median(fails):.1f}" if len(fails) else "-"
        rows.append((name, means, f"{np.mean(falls):.2f}", f"{max(falls):.2f}", f"{slack:.2f}",
                     f"{len(fails)} of {len(found)}", where))  # fmt: skip
    print_table(
        ("distortion", "mean score at 0 to 5", "rank correlation", "highest", "called better", "fail", "at"), rows
    )


def tiles(weights: str, side: int) -> None:
    """Compare map and score in tiles with those of the whole image at once."""
    print("\nTiles against the whole image, coffee with noise: largest difference\n")
    image = iq.distort(photograph("coffee", side), "gaussian_noise", 2, channel_axis=-1)
    whole = iq.machine_assess(image, channel_axis=-1, weights=weights, tile=WHOLE)
    rows = []
    for tile in TILES:
        parts = iq.machine_assess(image, channel_axis=-1, weights=weights, tile=tile)
        largest = float(np.abs(parts.maps["machine_quality"].values - whole.maps["machine_quality"].values).max())
        rows.append((tile, f"{largest:.1e}", f"{abs(parts.score.value - whole.score.value):.1e}"))
    print_table(("tile", "map", "score"), rows)


def main() -> None:
    """Print the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("--distortion", action="append", metavar="NAME", help="may be given several times (all)")
    arguments.add_argument("--side", type=int, default=256, help="pixels of the shorter side (%(default)s)")
    given = arguments.parse_args()
    weights = given.weights[0] if given.weights else registered.default_name(NETWORK)
    names = given.distortion or list(iq.distortions())
    for name in names:
        distortion(name)
    tiles(weights, given.side)
    curves(names, weights, given.side)


if __name__ == "__main__":
    main()
