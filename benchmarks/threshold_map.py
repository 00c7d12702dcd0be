"""How fast the threshold map of the P-net is, how exact, and how much memory it takes.

Prints a table; every figure is a ratio or a median of runs that take turns, so that a busy machine slows all of
them alike. Weights are random: the time does not depend on them.

    python benchmarks/threshold_map.py                      # everything, some minutes
    python benchmarks/threshold_map.py ratios memory --threads 1
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from skimage import data, transform
from torch import Tensor

SOURCE = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))

from napari_iqmaps.core.networks.pnet import DensePNet, PNet  # noqa: E402

STRIDE = 4
PATCHES_AT_ONCE = 256


def photograph(side: int) -> Tensor:
    """Make a luminance image (1, 1, side, side) in code values from a photograph, mirrored to fill it."""
    image = data.camera().astype(np.float32)
    if side < 512:
        image = transform.resize(image, (side, side), anti_aliasing=True, preserve_range=True).astype(np.float32)
    image = np.pad(image, [(0, max(side - n, 0)) for n in image.shape], mode="symmetric")
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


def network(scale: float = 1.0) -> PNet:
    """Make a P-net with reproducible random weights; `scale` makes log T vary that much more."""
    torch.manual_seed(0)
    net = PNet().eval().requires_grad_(False)
    net.output.weight.mul_(scale)
    return net


def patch_by_patch(net: PNet, x: Tensor, stride: int = STRIDE) -> Tensor:
    """Cut out every patch and evaluate it alone, in batches: what the dense evaluation replaces."""
    windows = x[0, 0].unfold(0, net.NEIGHBOURHOOD, stride).unfold(1, net.NEIGHBOURHOOD, stride)
    rows, columns = windows.shape[:2]
    cells = torch.arange(rows * columns).split(PATCHES_AT_ONCE)
    with torch.inference_mode():
        some = [net(windows[index // columns, index % columns][:, None]) for index in cells]
        return torch.cat(some).view(1, 1, rows, columns)


def plain(net: PNet, x: Tensor) -> Tensor:
    """Evaluate the image in one convolutional pass."""
    with torch.inference_mode():
        return net(x, STRIDE)


def in_tiles(evaluate: Callable[[Tensor], Tensor], x: Tensor, tile: int) -> Tensor:
    """Evaluate an image of any size in tiles of `tile` pixels and their halo."""
    rows, columns = ((n - PNet.NEIGHBOURHOOD) // STRIDE + 1 for n in x.shape[-2:])
    side = tile // STRIDE
    halo = PNet.NEIGHBOURHOOD - STRIDE
    result = torch.empty(1, 1, rows, columns)
    for row, column in product(range(0, rows, side), range(0, columns, side)):
        target = result[..., row : row + side, column : column + side]
        top, left = row * STRIDE, column * STRIDE
        height, width = (n * STRIDE + halo for n in target.shape[-2:])
        target.copy_(evaluate(x[..., top : top + height, left : left + width]))
    return result


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def take_turns(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each function, after one call to warm up."""
    for function in functions.values():
        function()
    rounds = [{name: seconds(function) for name, function in functions.items()} for _ in range(repeats)]
    return {name: statistics.median(each[name] for each in rounds) for name in functions}


def ratios(arguments: argparse.Namespace) -> None:
    """Fast : plain : patch by patch on one 512x512 tile, and what the fast one loses in exactness."""
    x, net = photograph(512), network()
    dense = DensePNet(net, STRIDE)
    first = seconds(lambda: dense(x))
    medians = take_turns(
        {
            "fast": lambda: dense(x),
            "fast, table included": lambda: DensePNet(net, STRIDE)(x),
            "plain pass": lambda: plain(net, x),
            "patch by patch": lambda: patch_by_patch(net, x),
        },
        arguments.repeats,
    )
    print(f"\n512x512, stride {STRIDE}, {PATCHES_AT_ONCE} patches at once; very first call {1e3 * first:.0f} ms")
    for name, value in medians.items():
        print(f"  {name:24}{1e3 * value:8.0f} ms   patch by patch / this {medians['patch by patch'] / value:6.1f}")
    print("  largest relative difference from patch by patch:")
    for scale in (1.0, 8.0):
        varied = network(scale)
        expected = patch_by_patch(varied, x)
        error = float(((DensePNet(varied, STRIDE)(x) - expected) / expected).abs().max())
        print(f"    {error:.1e} where T runs from {expected.min():.2f} to {expected.max():.2f}")


def shares(arguments: argparse.Namespace) -> None:
    """Where the time of one 512x512 tile goes."""
    x, net = photograph(512), network()
    dense = DensePNet(net, STRIDE)
    dense(x)
    with torch.inference_mode():
        rows, columns = ((n - net.NEIGHBOURHOOD) // STRIDE + 1 for n in x.shape[-2:])
        corners = list(product(dense._starts(rows), dense._starts(columns)))
        at_once = dense._BLOCKS_AT_ONCE
        groups = [corners[first : first + at_once] for first in range(0, len(corners), at_once)]
        features = dense._features(x, rows, columns)
        blocks = [dense._gather(features, group) for group in groups]
        spectra = [torch.stack(list(dense._spectra(each))) for each in blocks]
        correlations = [dense._correlation(each) for each in blocks]
        table = dense._transformed_weights()

        def products() -> None:
            for group in spectra:
                for spectrum, weights in zip(group, table, strict=True):
                    dense._multiply(spectrum, weights)

        def forward() -> None:
            for each in blocks:
                for _ in dense._spectra(each):
                    pass

        medians = take_turns(
            {
                "all": lambda: dense(x),
                "augment": lambda: dense._net.augment(x),
                "augment, convolve 5x5": lambda: dense._features(x, rows, columns),
                "gather the blocks": lambda: [dense._gather(features, group) for group in groups],
                "transform": forward,
                "products with the table": products,
                "transform, products, back along x": lambda: [dense._correlation(each) for each in blocks],
                "back along y, last layer": lambda: [dense._log_threshold(each) for each in correlations],
                "(once) make the table": dense._transformed_weights,
            },
            max(arguments.repeats, 7),
        )
    print("\nparts of one 512x512 tile, as a share of the whole (some lines include others)")
    for name, value in medians.items():
        print(f"  {name:36}{1e3 * value:8.1f} ms {100 * value / medians['all']:5.0f} %")


def linearity(arguments: argparse.Namespace) -> None:
    """Time per megapixel from 512 to the largest side, in tiles."""
    dense = DensePNet(network(), STRIDE)
    sides = [side for side in (512, 1024, 2048, 4096) if side <= arguments.largest]
    images = {side: photograph(side) for side in sides}
    in_tiles(dense, images[512], arguments.tile)
    print(f"\nin tiles of {arguments.tile} px")
    small = []
    for side in sides:
        # The small image again beside each large one: what else runs here changes over minutes.
        before = [seconds(lambda: in_tiles(dense, images[512], arguments.tile)) for _ in range(5)]
        taken = seconds(lambda side=side: in_tiles(dense, images[side], arguments.tile))  # type: ignore[misc]
        before += [seconds(lambda: in_tiles(dense, images[512], arguments.tile)) for _ in range(5)]
        small = statistics.median(before)
        pixels = (side / 512) ** 2
        print(f"  {side:5} px {taken:8.2f} s   per pixel, relative to 512 px {taken / pixels / small:5.2f}")


_CHILD = """
import sys
sys.path[:0] = sys.argv[1:3]
import torch, threshold_map as benchmark
torch.set_num_threads({threads})
net, x = benchmark.network(), benchmark.photograph({side})
benchmark.plain(net, x[..., :60, :60])
before = benchmark.resident()
{statement}
print(benchmark.most_resident() - before)
"""


def resident(line: str = "VmRSS") -> int:
    """Bytes of memory in use now, where the system says so; else the most used so far."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(each.split(":", 1) for each in status.read_text().splitlines())
        return 1024 * int(lines[line].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def most_resident() -> int:
    """Bytes of memory used at most. On Linux not from getrusage: there a child inherits its parent's maximum."""
    return resident("VmHWM")


def memory(arguments: argparse.Namespace) -> None:
    """Peak growth of resident memory, each case in a fresh process."""
    fast = "benchmark.DensePNet(net, {0})(x)"
    cases = {f"fast, 512 px, stride {stride}": (512, fast.format(stride)) for stride in (1, 2, 4, 8)}
    tiles = f"benchmark.in_tiles(benchmark.DensePNet(net, {STRIDE}), x, {arguments.tile})"
    cases[f"fast, 2048 px in tiles of {arguments.tile}"] = (2048, tiles)
    cases["plain, 512 px"] = (512, "benchmark.plain(net, x)")
    cases["patch by patch, 512 px"] = (512, "benchmark.patch_by_patch(net, x)")
    print("\npeak growth of memory over network and image (the table of weights included)")
    for name, (side, statement) in cases.items():
        program = _CHILD.format(threads=torch.get_num_threads(), side=side, statement=statement)
        command = [sys.executable, "-c", program, str(SOURCE), str(Path(__file__).parent)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"  {name:36}{int(answer) / 1e6:8.0f} MB")


def starts(arguments: argparse.Namespace) -> None:
    """How long the package and its command line take to start, beside Python itself."""
    programs = {
        "python": "pass",
        "import napari_iqmaps": "import napari_iqmaps",
        "iqmaps --help": "from napari_iqmaps.cli import main; main(['--help'])",
    }
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}

    def start(program: str) -> Callable[[], object]:
        command = [sys.executable, "-c", program]
        return lambda: subprocess.run(command, env=environment, check=True, capture_output=True)

    medians = take_turns({name: start(program) for name, program in programs.items()}, 11)
    print("\nstarting")
    for name, value in medians.items():
        print(f"  {name:24}{1e3 * value:8.0f} ms {value / medians['python']:6.1f} x python")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "starts": starts,
    "memory": memory,
    "ratios": ratios,
    "shares": shares,
    "linearity": linearity,
}


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--threads", type=int, help="of torch, for all alike (as torch chooses)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of which the median is taken (%(default)s)")
    parser.add_argument("--largest", type=int, default=4096, help="side of the largest image (%(default)s)")
    parser.add_argument("--tile", type=int, default=512, help="side of a tile in pixels (%(default)s)")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for part in arguments.parts or PARTS:
        PARTS[part](arguments)


if __name__ == "__main__":
    main()
