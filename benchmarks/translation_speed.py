"""How fast every shift is tried: the search of this package beside a warp, a crop and a count for each shift.

    python benchmarks/translation_speed.py
    python benchmarks/translation_speed.py --side 1024 --radius 20

The loop is what the original notebook does for one shift (its arithmetic, over all shifts instead of its 90 or 210):
warp, set the frame to 0 on copies of the three images, subtract in 64-bit integers, filter, count. Both sides' counts
are compared shift by shift before anything is timed. Times are CPU seconds on one thread, the median of runs that take
turns; the loop is timed on a share of the shifts and scaled to all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from skimage import data

from napari_iqmaps.core.diffdiff.lighting import evened
from napari_iqmaps.core.diffdiff.surface import shift_scores

Image = npt.NDArray[np.uint8]

TOLERANCE = 50
SHARE = 31
"""Every how many-th shift the loop is timed on."""


def scene(side: int) -> tuple[Image, Image]:
    """Make a moving and a fixed image: a photograph, and it 6 pixels to the right, 4 up and darker."""
    image = cv2.resize(data.camera(), (side, side), interpolation=cv2.INTER_AREA)
    moved = np.roll(image, (-4, 6), (0, 1)).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 3, moved.shape)
    return image, np.clip(0.9 * moved + noise, 0, 255).astype(np.uint8)


def cropped(image: Image, crop: int) -> Image:
    """Set the frame of a copy to 0."""
    image = image.copy()
    if crop:
        image[:crop] = 0
        image[-crop:] = 0
        image[:, :crop] = 0
        image[:, -crop:] = 0
    return image


def one_shift(moving: Image, fixed: Image, dy: int, dx: int, crop: int) -> tuple[int, int]:
    """Give pixels better and worse for one shift, the way of the notebook."""
    warped = cv2.warpAffine(moving, np.array([[1, 0, dx], [0, 1, dy]], np.float32), moving.shape[::-1])
    images = [cropped(image, crop) for image in (moving, warped, fixed)]
    first, second, third = (cropped(image, crop).astype(np.int64) for image in images)  # it crops twice
    change = np.abs(first - third) - np.abs(second - third)
    kept = change[np.abs(change) > TOLERANCE]
    return len(np.where(kept > TOLERANCE)[0]), len(np.where(kept < -TOLERANCE)[0])


def check(moving: Image, fixed: Image, radius: int) -> int:
    """Compare the counts of all shifts; give how many shifts there were."""
    planes = moving.astype(np.float32), fixed.astype(np.float32)
    surface = shift_scores(*planes, radius=radius, tol=TOLERANCE)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            found = surface.at(dy, dx)
            counts = one_shift(moving, fixed, dy, dx, radius)
            if counts != (found["better"], found["worse"]):
                raise SystemExit(f"shift ({dx}, {dy}): the loop counts {counts}, the search {found}")
    print(f"best shift {surface.best[::-1]} (true: (6, -4)); {surface.count.size} shifts, all counts equal")
    return int(surface.count.size)


def cpu_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="pixels to a side (default: 512)")
    parser.add_argument("--radius", type=int, default=15, help="largest shift (default: 15)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each, of which the median counts (default: 5)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    moving, fixed = scene(options.side)
    radius = options.radius
    count = check(moving, fixed, radius)
    shifts = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)][::SHARE]
    planes = moving.astype(np.float32), fixed.astype(np.float32)
    even = evened(*planes, "before")
    work: dict[str, tuple[float, Callable[[], object]]] = {
        "loop": (
            count / len(shifts),
            lambda: [one_shift(moving, fixed, dy, dx, radius) for dy, dx in shifts],
        ),
        "search, counts": (1, lambda: shift_scores(*planes, radius=radius, tol=TOLERANCE, soft=False)),
        "search, counts and soft": (1, lambda: shift_scores(*planes, radius=radius, tol=TOLERANCE)),
        "search, lighting taken out": (1, lambda: shift_scores(*even, radius=radius, tol=TOLERANCE)),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.repeats):
        for name, (scale, function) in work.items():
            times[name].append(scale * cpu_seconds(function))
    loop = np.median(times["loop"])
    print(f"{options.side} x {options.side} pixels, {count} shifts, one thread")
    for name, values in times.items():
        print(f"{name:28s} {np.median(values):8.3f} s   {loop / np.median(values):6.1f} times the loop")


if __name__ == "__main__":
    main()
