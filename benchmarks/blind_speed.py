"""How fast the blind networks are on one thread, beside well-known measures and networks, all in one run.

Prints tables; times are medians of runs that take turns, so that a busy machine slows all of them alike, and what
counts are the ratios. Times do not depend on weights: without --weights, networks that do not ship get random ones.

    python benchmarks/blind_speed.py
    python benchmarks/blind_speed.py --side 512 --repeats 5 --weights deepbqa.safetensors

SSIM is scikit-image's map. FLIP needs flip-evaluator (the extra "benchmarks"). LPIPS compares the features of two
images in a network made for recognition: here are its two usual networks, VGG16 and AlexNet, up to their last
convolution, with random weights, on two images, without what LPIPS does with the features afterwards.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from blind_common import chosen, parser, print_table
from safetensors.torch import save_file
from skimage.metrics import structural_similarity
from threshold_map import photograph, take_turns
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import napari_iqmaps as iq
from napari_iqmaps.core.blind import MODELS
from napari_iqmaps.core.errors import WeightsError
from napari_iqmaps.core.models import find, load_network
from napari_iqmaps.core.networks.blind import DIQA, DeepBQA

VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
"""Channels of its 3x3 convolutions; 0 is a pooling."""

MATRIX = 2048
"""Side of the matrices whose product tells what the machine can do."""

TILE = 384
"""Side of the window on which memory orders are compared."""


def vgg16() -> nn.Module:
    """Make the convolutions of VGG16 with random weights."""
    layers: list[nn.Module] = []
    given = 3
    for made in VGG16:
        if not made:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(given, made, 3, padding=1), nn.ReLU()]
        given = made
    return nn.Sequential(*layers).eval()


def alexnet() -> nn.Module:
    """Make the convolutions of AlexNet (the one-tower variant that LPIPS uses) with random weights."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    ).eval()  # fmt: skip


def networks(names: list[str], folder: Path) -> dict[str, str]:
    """Give weights of both networks: those given, those that ship, or random ones."""
    found: dict[str, str] = dict(chosen(names)) if names else {}
    for model, kind in (("diqa", DIQA), ("deepbqa", DeepBQA)):
        if model in found:
            continue
        try:
            found |= {model: chosen([])[model]}  # type: ignore[index] # a model's name
        except WeightsError:
            path = folder / f"{model}.safetensors"
            save_file(kind().state_dict(), path, metadata={"network": model})
            found[model] = str(path)
    return found


def rivals(image: np.ndarray) -> dict[str, Callable[[], object]]:
    """Give what to compare with, on the image and a noisy copy of it."""
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 8, image.shape), 0, 255).astype(np.float32)
    colours = torch.from_numpy(np.stack([image, noisy])[:, None].repeat(3, 1)) / 255
    made: dict[str, Callable[[], object]] = {
        "SSIM map": lambda: structural_similarity(noisy, image, data_range=255, gaussian_weights=True, sigma=1.5,
                                                  use_sample_covariance=False, full=True),
        "VGG16, two images": partial(run, vgg16(), colours),
        "AlexNet, two images": partial(run, alexnet(), colours),
    }  # fmt: skip
    if importlib.util.find_spec("flip_evaluator"):
        import flip_evaluator

        pair = [np.repeat(each[..., None] / np.float32(255), 3, axis=2) for each in (image, noisy)]
        made["FLIP map"] = lambda: flip_evaluator.evaluate(pair[0], pair[1], "LDR", applyMagma=False)
    return made


def run(network: nn.Module, images: Tensor) -> Tensor:
    """Run a network."""
    with torch.inference_mode():
        answer: Tensor = network(images)
    return answer


def operations(network: nn.Module, side: int) -> float:
    """Count the floating-point operations of one pass, a product and its sum as two."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side))
    return float(counter.get_total_flops())


def main() -> None:
    """Print the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("--side", type=int, default=1024, help="of the image, in pixels (%(default)s)")
    arguments.add_argument("--repeats", type=int, default=3, help="rounds of which the median is taken (%(default)s)")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    image = photograph(given.side)[0, 0].numpy()
    megapixels = image.size / 1e6
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(0)
        weights = networks(given.weights, Path(folder))
        ours: dict[str, Callable[[], object]] = {}
        for model in MODELS:
            options = {"model": model, "weights": weights[model], "data_range": 255, "device": "cpu"}
            ours[f"iq.assess, {model} (all maps)"] = partial(iq.assess, image, **options)
            ours[f"iq.quality, {model} (score)"] = partial(iq.quality, image, **options)
        loaded = {model: load_network(find(weights[model], model), torch.device("cpu")) for model in MODELS}
        square = torch.randn(MATRIX, MATRIX)
        trunk = loaded["diqa"].trunk
        plain = type(trunk)().eval()
        plain.load_state_dict(trunk.state_dict())
        window = torch.randn(1, 1, TILE, TILE)
        last = window.contiguous(memory_format=torch.channels_last)
        parts: dict[str, Callable[[], object]] = {
            "matrix product": lambda: square @ square,
            "trunk, channels last": partial(run, trunk, last),
            "trunk, contiguous": partial(run, plain, window),
        }
        with torch.inference_mode():
            medians = take_turns(ours | rivals(image) | parts, given.repeats)
        counts = {model: operations(loaded[model], given.side) for model in MODELS}
    rate = 2 * MATRIX**3 / medians["matrix product"]
    print(f"\ntorch {torch.__version__}, 1 thread, {given.side}x{given.side} pixels; a product of {MATRIX}x{MATRIX} "
          f"float32 matrices runs at {rate / 1e9:.0f} GFLOP/s\n")  # fmt: skip
    unit = medians["SSIM map"]
    print_table(
        ("", "seconds per megapixel", "in SSIM maps"),
        ((name, f"{medians[name] / megapixels:.2f}", f"{medians[name] / unit:.1f}")
         for name in medians if name not in parts),
    )  # fmt: skip
    print("\nShare of the matrix product's rate: operations of the network on the image, over the time of everything\n")
    print_table(
        ("network", "operations per pixel", "iq.assess", "iq.quality"),
        ((model, f"{counts[model] / image.size:.0f}",
          *(f"{100 * counts[model] / medians[name] / rate:.0f} %" for name in ours if f" {model} " in name))
         for model in MODELS),
    )  # fmt: skip
    ratio = medians["trunk, contiguous"] / medians["trunk, channels last"]
    print(f"\nThe trunk on {TILE}x{TILE} pixels: contiguous tensors take {ratio:.2f} times as long as channels last.")


if __name__ == "__main__":
    main()
