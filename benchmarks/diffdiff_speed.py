"""How fast a registration is judged, beside the original's arithmetic on the same images.

    python benchmarks/diffdiff_speed.py                    # 2048 x 2048, with the processors that there are
    python benchmarks/diffdiff_speed.py --threads 1 --side 1024

The original's map and block score are those of tests/core/diffdiff/notebook.py, in 64-bit integers. The first row does
the same with the same tolerance and the correction "before", and is checked to give the same map and, but for blocks
whose correction the original rounds, the same counts. The others do more: the evidence, the local correlations.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NOTEBOOK = Path(__file__).resolve().parents[1] / "tests" / "core" / "diffdiff" / "notebook.py"


def arithmetic() -> Any:
    spec = importlib.util.spec_from_file_location("notebook_arithmetic", NOTEBOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give parts of an enlarged photograph, moving, registered and fixed, with noise of their own."""
    import cv2
    from skimage import data

    rng = np.random.default_rng(0)
    scene = cv2.resize(data.camera(), (side + 16, side + 16), interpolation=cv2.INTER_CUBIC)
    parts = (scene[5 : side + 5, 3 : side + 3], scene[8 : side + 8, 8 : side + 8], scene[8 : side + 8, 8 : side + 8])
    return tuple((part + rng.normal(0, 3, part.shape)).clip(0, 255).astype(np.uint8) for part in parts)  # type: ignore[return-value]


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """Give the shortest of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def check(notebook: Any, trio: tuple[np.ndarray, ...], tol: float) -> None:
    from napari_iqmaps.core import diffdiff

    assert np.array_equal(notebook.change_of_difference(*trio), diffdiff.diff_diff(*trio, illumination="none").values)
    score, count = notebook.block_score(*trio, tol, 0)
    literal = diffdiff.diff_diff_score(*trio, tol=tol, compat="notebook")
    assert (literal.score, literal.count) == (score, count)
    ours = diffdiff.diff_diff_score(*trio, tol=tol, illumination="before")
    assert abs(ours.score - score) < 0.01
    assert abs(ours.count - count) < 0.02 * count + 50, (ours.count, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048, help="of the images, pixels")
    parser.add_argument("--threads", type=int, default=0, help="of OpenCV; 0 takes its own number")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tol", type=float, default=50.0)
    args = parser.parse_args()

    import cv2

    from napari_iqmaps.core import diffdiff

    if args.threads:
        cv2.setNumThreads(args.threads)
    notebook, trio = arithmetic(), images(args.side)
    check(notebook, trio, args.tol)

    def original() -> None:
        notebook.change_of_difference(*trio)
        notebook.block_score(*trio, args.tol, 0)

    rows = {
        "original: map and block score": original,
        "map with its counts, 'before', the same tolerance": lambda: diffdiff.diff_diff(
            *trio, tol=args.tol, illumination="before"
        ),
        "map alone, the formula itself": lambda: diffdiff.diff_diff(*trio, illumination="none"),
        "score, 'before' (evidence and local correlation too)": lambda: diffdiff.diff_diff_score(
            *trio, illumination="before"
        ),
        "map and score of one pass, default": lambda: diffdiff.diff_diff_assess(*trio),
    }
    assessment = diffdiff.diff_diff_assess(*trio)
    rows["counting again at another tolerance"] = lambda: diffdiff.recounted(assessment, tol=9)
    print(f"{args.side} x {args.side}, uint8; {cv2.getNumThreads()} of {os.cpu_count()} threads\n")
    print(f"| what | seconds | times as fast as the original |\n|{'-' * 53}|---|---|")
    reference = None
    for name, work in rows.items():
        taken = seconds(work, args.repeats)
        reference = reference or taken
        print(f"| {name:51} | {taken:.3f} | {reference / taken:.1f} |")


if __name__ == "__main__":
    main()
