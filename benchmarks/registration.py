"""How well and how fast images are registered, beside other methods, on pairs with a known motion; and what is refused.

    python benchmarks/registration.py                        # a shaking camera under changing light
    python benchmarks/registration.py --viewpoint            # planes under 30 to 60 degrees
    python benchmarks/registration.py --impossible           # pairs that nothing can register
    python benchmarks/registration.py --images FOLDER --seed 3 --count 96
    python benchmarks/registration.py --methods auto,fast,dd --others none

Errors are mean distances of the moving image's corners from where they belong, in pixels. A refusal is no failure and
is counted apart; "over 3" counts what was accepted (or, for methods that refuse nothing, all) and is off by more. Times
are CPU seconds for a pair on one thread. The limits of the judge were chosen on BSDS500 photographs with other seeds
than the default.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from registration_pairs import (
    LEVELS,
    Array,
    Bytes,
    SyntheticPair,
    corner_error,
    impossible_pairs,
    ordinary_pairs,
    scenes,
    viewpoint_pairs,
)

import napari_iqmaps as iq

FAILED = 3.0
WRONG = 5.0
OTHERS = ("identity", "sift+ransac", "orb+ransac", "plain ecc", "phase correlation", "pystackreg", "simpleitk")


class Outcome(NamedTuple):
    """What one method did with one pair."""

    level: str
    error: float
    accepted: bool
    seconds: float
    note: str


def main() -> None:
    arguments = _parser().parse_args()
    cv2.setNumThreads(1)
    images = scenes(arguments.images, start=arguments.first, count=arguments.scenes)
    make = impossible_pairs if arguments.impossible else viewpoint_pairs if arguments.viewpoint else ordinary_pairs
    count = arguments.count or (48 if make is not viewpoint_pairs else 36)
    pairs = list(make(images, count=count, seed=arguments.seed, side=arguments.side))
    methods: dict[str, Callable[[SyntheticPair], tuple[Array | None, str]]] = {}
    for name in _names(arguments.methods):
        methods[name] = _ours(name)
    for name in _names(arguments.others):
        methods[name] = _theirs(name)
    outcomes = {name: [_timed(run, pair, arguments.verbose, name) for pair in pairs] for name, run in methods.items()}
    where = arguments.images.name if arguments.images else "scikit-image"
    print(f"\n{len(pairs)} pairs from {len(images)} photographs ({where}), seed {arguments.seed}")
    if arguments.impossible:
        _print_impossible(outcomes)
    else:
        _print_errors(outcomes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--viewpoint", action="store_true", help="planes under 30, 45 and 60 degrees")
    kind.add_argument("--impossible", action="store_true", help="pairs that nothing can register")
    parser.add_argument("--images", type=Path, help="a folder of photographs instead of scikit-image's")
    parser.add_argument("--first", type=int, default=0, help="first photograph of the folder")
    parser.add_argument("--scenes", type=int, help="how many photographs of the folder")
    parser.add_argument("--count", type=int, help="how many pairs")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--side", type=int, default=512, help="longest side of an image in pixels")
    parser.add_argument("--methods", default="auto,fast", help="of iq.register, separated by commas, or none")
    parser.add_argument("--others", default="none", help=f"all, none, or of {', '.join(OTHERS)}")
    parser.add_argument("--verbose", action="store_true", help="print a line for every pair")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return OTHERS if text == "all" else () if text == "none" else tuple(text.split(","))


def _timed(
    run: Callable[[SyntheticPair], tuple[Array | None, str]], pair: SyntheticPair, verbose: bool, name: str
) -> Outcome:
    start = time.process_time()
    matrix, note = run(pair)
    seconds = time.process_time() - start
    error = np.inf
    if matrix is not None and pair.matrix is not None:
        error = corner_error(matrix, pair.matrix, (pair.moving.shape[0], pair.moving.shape[1]))
    outcome = Outcome(pair.level, error, matrix is not None, seconds, note)
    if verbose:
        state = f"{error:8.2f}" if outcome.accepted else " refused"
        print(f"{name:18s}{pair.name:22s}{pair.level:12s}{state} {seconds:6.2f} s  {note}", flush=True)
    return outcome


def _ours(method: str) -> Callable[[SyntheticPair], tuple[Array | None, str]]:
    def run(pair: SyntheticPair) -> tuple[Array | None, str]:
        result = iq.register(pair.moving, pair.fixed, method=method)
        return (result.matrix if result.accepted else None), result.sentence()

    return run


def _theirs(name: str) -> Callable[[SyntheticPair], tuple[Array | None, str]]:
    methods: dict[str, Callable[[Bytes, Bytes], Array | None]] = {
        "identity": lambda moving, fixed: np.eye(3),
        "sift+ransac": lambda moving, fixed: _by_points(moving, fixed, cv2.SIFT_create(), cv2.NORM_L2),
        "orb+ransac": lambda moving, fixed: _by_points(moving, fixed, cv2.ORB_create(3000), cv2.NORM_HAMMING),
        "plain ecc": _by_ecc,
        "phase correlation": _by_phase,
        "pystackreg": _by_stackreg,
        "simpleitk": _by_simpleitk,
    }
    return lambda pair: (methods[name](pair.moving, pair.fixed), "")


def _by_points(moving: Bytes, fixed: Bytes, detector: cv2.Feature2D, norm: int) -> Array | None:
    """Register the textbook's way: key points, ratio test, RANSAC with OpenCV's own settings."""
    points, descriptors = zip(*(detector.detectAndCompute(image, None) for image in (moving, fixed)), strict=True)
    if any(one is None or len(one) < 2 for one in descriptors):
        return None
    matches = cv2.BFMatcher(norm).knnMatch(descriptors[0], descriptors[1], k=2)
    good = [match[0] for match in matches if len(match) == 2 and match[0].distance < 0.75 * match[1].distance]
    if len(good) < 4:
        return None
    starts = np.array([points[0][match.queryIdx].pt for match in good])
    ends = np.array([points[1][match.trainIdx].pt for match in good])
    return cv2.findHomography(starts, ends, cv2.RANSAC)[0]


def _by_ecc(moving: Bytes, fixed: Bytes) -> Array | None:
    if moving.shape != fixed.shape:
        return None
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)
    try:
        _, found = cv2.findTransformECC(
            fixed, moving, np.eye(3, dtype=np.float32), cv2.MOTION_HOMOGRAPHY, criteria, None, 5
        )
    except cv2.error:
        return None
    inverse = np.linalg.inv(found.astype(np.float64))
    return inverse / inverse[2, 2]


def _by_phase(moving: Bytes, fixed: Bytes) -> Array | None:
    from skimage.registration import phase_cross_correlation

    shift, *_ = phase_cross_correlation(fixed, moving, upsample_factor=10)
    matrix = np.eye(3)
    matrix[:2, 2] = shift[::-1]
    return matrix


def _by_stackreg(moving: Bytes, fixed: Bytes) -> Array | None:
    from pystackreg import StackReg

    found = StackReg(StackReg.AFFINE).register(fixed.astype(float), moving.astype(float))
    return np.asarray(np.linalg.inv(found))


def _by_simpleitk(moving: Bytes, fixed: Bytes) -> Array | None:
    """Register by Mattes' mutual information, affine, three levels: the settings of SimpleITK's own examples."""
    import SimpleITK as sitk  # noqa: N813

    images = [sitk.GetImageFromArray(image.astype(np.float32)) for image in (fixed, moving)]
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(learningRate=1.0, numberOfIterations=100)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = sitk.CenteredTransformInitializer(
        images[0], images[1], sitk.AffineTransform(2), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(*images)
    here = np.array([(0.0, 0.0), (100.0, 0.0), (0.0, 100.0)])
    there = np.array([found.TransformPoint(point) for point in here.tolist()])
    inverse = np.vstack([cv2.getAffineTransform(here.astype(np.float32), there.astype(np.float32)), [0, 0, 1]])
    return np.asarray(np.linalg.inv(inverse))


def _print_errors(outcomes: dict[str, list[Outcome]]) -> None:
    levels = list(dict.fromkeys(outcome.level for results in outcomes.values() for outcome in results))
    levels = [level for level in LEVELS if level in levels] or sorted(levels)
    heads = "".join(f"{level:>12s}" for level in levels)
    print(f"{'method':18s}{'median':>8s}{'90 %':>8s}{'worst':>9s}{'over 3':>8s}{'over 5':>8s}{'refused':>9s}"
          f"{'CPU s':>8s}{'longest':>8s}   median by level:{heads}")  # fmt: skip
    for name, results in outcomes.items():
        errors = np.array([outcome.error for outcome in results if outcome.accepted])
        seconds = [outcome.seconds for outcome in results]
        parts = []
        for level in levels:
            of_level = [outcome.error for outcome in results if outcome.accepted and outcome.level == level]
            parts.append(f"{np.median(of_level):12.2f}" if of_level else f"{'--':>12s}")
        if not len(errors):
            print(f"{name:18s}  nothing accepted")
            continue
        print(
            f"{name:18s}{np.median(errors):8.2f}{np.quantile(errors, 0.9):8.2f}{errors.max():9.2f}"
            f"{int((errors > FAILED).sum()):8d}{int((errors > WRONG).sum()):8d}{len(results) - len(errors):9d}"
            f"{np.mean(seconds):8.2f}{max(seconds):8.2f}   {'':16s}{''.join(parts)}"
        )


def _print_impossible(outcomes: dict[str, list[Outcome]]) -> None:
    kinds = list(dict.fromkeys(outcome.level for results in outcomes.values() for outcome in results))
    print(f"{'method':18s}{'accepted':>9s}{'of':>5s}{'CPU s':>8s}   " + "".join(f"{kind:>12s}" for kind in kinds))
    for name, results in outcomes.items():
        counts = [sum(outcome.accepted for outcome in results if outcome.level == kind) for kind in kinds]
        seconds = np.mean([outcome.seconds for outcome in results])
        row = "".join(f"{number:12d}" for number in counts)
        print(f"{name:18s}{sum(counts):9d}{len(results):5d}{seconds:8.2f}   {row}")


if __name__ == "__main__":
    main()
