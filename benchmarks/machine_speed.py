"""How fast machine-perceived quality is on one thread, beside well-known measures, all in one run.

Prints tables; times are medians of runs that take turns, so that a busy machine slows all of them alike, and what
counts are the ratios. Times do not depend on weights: without --weights, networks that do not ship get random ones.

    python benchmarks/machine_speed.py
    python benchmarks/machine_speed.py --side 512 --repeats 5

The photograph is in colour for machine-perceived quality; the others see its luminance. SSIM is scikit-image's map, and
sees a noisy copy beside it. Small pictures are scored one by one, as a user does, and many at once, as 'iqmaps evaluate
machine' does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from blind_common import parser, print_table
from safetensors.torch import save_file
from skimage import data
from skimage.measure import blur_effect
from skimage.metrics import structural_similarity
from threshold_map import take_turns
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import napari_iqmaps as iq
from napari_iqmaps.core import models as registered
from napari_iqmaps.core.errors import WeightsError
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.core.networks.blind import DIQA
from napari_iqmaps.core.networks.metrifier import Metrifier, with_border
from napari_iqmaps.training.evaluation.machine import Distorted, metrifier_scores
from napari_iqmaps.training.hardware import keep_freed_memory

MATRIX = 2048
"""Side of the matrices whose product tells what the machine can do."""

SMALL, PICTURES = 32, 64
"""Side of small pictures, and how many are scored in a turn."""


def photograph(side: int) -> np.ndarray:
    """Make a colour picture of a photograph, mirrored to fill it."""
    image = data.astronaut()
    image = np.pad(image, [*((0, max(side - n, 0)) for n in image.shape[:2]), (0, 0)], mode="symmetric")
    return np.ascontiguousarray(image[:side, :side])


def small_pictures(image: np.ndarray) -> np.ndarray:
    """Cut small pictures out of a large one, ``(pictures, 32, 32, 3)``."""
    across = image.shape[1] // SMALL
    corners = [divmod(number, across) for number in range(PICTURES)]
    return np.stack([image[SMALL * row :, SMALL * column :][:SMALL, :SMALL] for row, column in corners])


def weights_of(network: str, make: Callable[[], nn.Module], given: list[str], folder: Path) -> str:
    """Give the path or name of a network's weights: those given, those that ship, or random ones."""
    for name in given:
        try:
            return str(registered.find(name, network).path)
        except WeightsError:
            continue
    try:
        return registered.default_name(network)
    except WeightsError:
        path = folder / f"{network}.safetensors"
        save_file(make().state_dict(), path, metadata={"network": network})
        return str(path)


def operations(side: int) -> float:
    """Count the metrifier's floating-point operations on a picture, a product and its sum as two."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        Metrifier().eval()(with_border(torch.zeros(1, 3, side, side)))
    return float(counter.get_total_flops())


def main() -> None:
    """Print the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("--side", type=int, default=1024, help="of the image, in pixels (%(default)s)")
    arguments.add_argument("--repeats", type=int, default=3, help="rounds of which the median is taken (%(default)s)")
    given = arguments.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    image = photograph(given.side)
    grey = as_planes(image, channel_axis=-1).read((), slice(None), slice(None))
    noisy = np.clip(grey + np.random.default_rng(0).normal(0, 8, grey.shape), 0, 255).astype(np.float32)
    megapixels = grey.size / 1e6
    pictures = small_pictures(photograph(512))
    rows = pd.DataFrame({"number": range(PICTURES)})
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(0)
        metrifier = weights_of("metrifier", Metrifier, given.weights, Path(folder))
        diqa = weights_of("diqa", DIQA, given.weights, Path(folder))
        colour = {"channel_axis": -1, "weights": metrifier, "device": "cpu"}
        square = torch.randn(MATRIX, MATRIX)
        large: dict[str, Callable[[], object]] = {
            "iq.machine_quality": partial(iq.machine_quality, image, **colour),
            "iq.machine_quality_map": partial(iq.machine_quality_map, image, **colour),
            "iq.quality, diqa": partial(iq.quality, grey, data_range=255, model="diqa", weights=diqa, device="cpu"),
            "SSIM map": lambda: structural_similarity(noisy, grey, data_range=255, gaussian_weights=True, sigma=1.5,
                                                      use_sample_covariance=False, full=True),
            "blur_effect": lambda: blur_effect(grey),
        }  # fmt: skip
        parts: dict[str, Callable[[], object]] = {
            "one by one": lambda: [iq.machine_quality(picture, **colour) for picture in pictures],
            "many at once": lambda: metrifier_scores(Distorted(rows, lambda some: pictures[some["number"]]),
                                                     np.arange(PICTURES), metrifier, device="cpu"),
            "matrix product": lambda: square @ square,
        }  # fmt: skip
        with torch.inference_mode():
            medians = take_turns(large | parts, given.repeats)
    rate = 2 * MATRIX**3 / medians["matrix product"]
    print(f"\ntorch {torch.__version__}, 1 thread, {given.side}x{given.side} pixels; a product of {MATRIX}x{MATRIX} "
          f"float32 matrices runs at {rate / 1e9:.0f} GFLOP/s\n")  # fmt: skip
    unit = medians["SSIM map"]
    print_table(
        ("", "seconds per megapixel", "in SSIM maps"),
        ((name, f"{medians[name] / megapixels:.2f}", f"{medians[name] / unit:.1f}") for name in large),
    )
    count = operations(SMALL)
    print(f"\nPictures of {SMALL}x{SMALL} pixels; {count / 1e6:.0f} million operations each\n")
    print_table(
        ("", "milliseconds each", "share of the matrix product's rate"),
        ((name, f"{1000 * medians[name] / PICTURES:.2f}", f"{100 * count * PICTURES / medians[name] / rate:.0f} %")
         for name in ("one by one", "many at once")),
    )  # fmt: skip


if __name__ == "__main__":
    main()
