"""Pairs of images with a known motion between them, and pairs that nothing can register; made from photographs.

Nothing is printed here; `registration.py` and `judging.py` use it. A matrix maps a pixel ``(x, y)`` of the moving image
to the fixed one. Scenes are scikit-image's own photographs, or those of a folder; everything follows from the seed.

Three levels of ordinary pairs (a camera that shakes): "plain" (weak noise), "light" (gain, offset, gradient and gamma
differ between the two images) and "hard" (stronger light, noise of 6 to 9 grey levels, blur).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage import data
from skimage.io import imread

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

LEVELS = ("plain", "light", "hard")
IMPOSSIBLE = ("unrelated", "flat", "noise", "periodic", "mirrored", "apart", "one flat", "same frame")
PHOTOGRAPHS = ("camera", "astronaut", "coffee", "chelsea", "rocket", "coins", "brick", "gravel", "grass", "moon",
               "immunohistochemistry", "hubble_deep_field", "retina", "page")  # fmt: skip
SIDE = 512
START = (6.0, 17.0)
"""Range of the start error, the mean movement of a corner, in pixels."""


@dataclass(frozen=True)
class SyntheticPair:
    """A moving and a fixed image, uint8, and the true matrix; None where there is none to be found."""

    name: str
    level: str
    moving: Bytes
    fixed: Bytes
    matrix: Array | None


def scenes(folder: Path | None = None, *, start: int = 0, count: int | None = None) -> list[tuple[str, Bytes]]:
    """Read photographs as grey levels: those of scikit-image, or ``count`` of a folder in the order of names."""
    if folder is None:
        read = [(name, getattr(data, name)()) for name in PHOTOGRAPHS]
    else:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif"))
        read = [(path.stem, imread(path)) for path in files[start : None if count is None else start + count]]
    return [(name, _grey(image)) for name, image in read]


def corner_points(shape: tuple[int, int]) -> Array:
    """Give the corner pixels of an image, ``(4, 2)``, each ``(x, y)``."""
    bottom, right = shape[0] - 1.0, shape[1] - 1.0
    return np.array([(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)])


def moved(matrix: Array, points: Array) -> Array:
    """Move points by a matrix."""
    projected = points @ matrix[:, :2].T + matrix[:, 2]
    return projected[:, :2] / projected[:, 2:]


def corner_error(matrix: Array, truth: Array, shape: tuple[int, int]) -> float:
    """Measure the mean distance of the corners of the moving image under two matrices, in pixels."""
    apart = moved(matrix, corner_points(shape)) - moved(truth, corner_points(shape))
    return float(np.hypot(*apart.T).mean())


def shaking_motion(shape: tuple[int, int], rng: np.random.Generator, *, start: tuple[float, float] = START) -> Array:
    """Draw the motion of a shaking camera: shift, up to 2 degrees, up to 5 % scale, perspective of a few pixels."""
    height, width = shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    angle, scale = np.deg2rad(rng.uniform(-2, 2)), 1 + rng.uniform(-0.05, 0.05)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = corner_points(shape)
    shifts = (corners - middle) @ turn.T + middle - corners
    shifts = shifts + rng.uniform(-10, 10, 2) + rng.uniform(-3, 3, (4, 2))
    # Scaled to a drawn start error, so that easy and hard motions are equally common whatever the size.
    shifts *= rng.uniform(*start) / np.hypot(*shifts.T).mean()
    found = cv2.getPerspectiveTransform(corners.astype(np.float32), (corners + shifts).astype(np.float32))
    return np.asarray(found, np.float64)


def ordinary_pairs(
    images: list[tuple[str, Bytes]],
    *,
    count: int = 48,
    seed: int = 0,
    side: int = SIDE,
    start: tuple[float, float] = START,
) -> Iterator[SyntheticPair]:
    """Make pairs of a shaking camera under changing light, the three levels in turn, every scene in turn."""
    for number in range(count):
        rng = np.random.default_rng([seed, 1, number])
        name, image = images[(number // len(LEVELS) + seed) % len(images)]
        level = LEVELS[number % len(LEVELS)]
        yield shaken_pair(image, level, rng, name=name, side=side, start=start)


def shaken_pair(
    image: Bytes,
    level: str,
    rng: np.random.Generator,
    *,
    name: str = "",
    side: int = SIDE,
    start: tuple[float, float] = START,
) -> SyntheticPair:
    """Make one pair of a shaking camera from a scene, which is mirrored at its border where the motion sees past it."""
    shape = (min(side, image.shape[0]), min(side, image.shape[1]))
    top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.shape, shape, strict=True))
    truth = shaking_motion(shape, rng, start=start)
    window = np.array([(1.0, 0.0, -left), (0.0, 1.0, -top), (0.0, 0.0, 1.0)])
    fixed = image[top : top + shape[0], left : left + shape[1]].astype(np.float64)
    moving = _view(image, np.linalg.inv(truth) @ window, shape)
    moving, fixed = _lit(moving, level, rng), _lit(fixed, level, rng)
    return SyntheticPair(name, level, _taken(moving, level, rng), _taken(fixed, level, rng), truth)


def viewpoint_pairs(
    images: list[tuple[str, Bytes]], *, count: int = 36, seed: int = 0, side: int = SIDE
) -> Iterator[SyntheticPair]:
    """Make pairs of a plane seen from the front, and under 30 to 60 degrees, turned, up to twice as large."""
    for number in range(count):
        rng = np.random.default_rng([seed, 2, number])
        name, image = images[(number + seed) % len(images)]
        surround = images[(number + seed + 1 + int(rng.integers(len(images) - 1))) % len(images)][1]
        shape = (min(side, image.shape[0]), min(side, image.shape[1]))
        angle, zoom = 30.0 + 30.0 * (number % 3) / 2, rng.uniform(1.0, 2.0)
        truth = tilted_view(shape, angle, zoom, rng)
        fixed = _on_surround(image[: shape[0], : shape[1]], surround, truth, shape)
        moving = image[: shape[0], : shape[1]].astype(np.float64)
        moving, fixed = _lit(moving, "light", rng), _lit(fixed, "light", rng)
        yield SyntheticPair(
            name, f"{angle:.0f} degrees", _taken(moving, "plain", rng), _taken(fixed, "plain", rng), truth
        )


def tilted_view(shape: tuple[int, int], angle: float, zoom: float, rng: np.random.Generator) -> Array:
    """Give the matrix from a plane's frontal view to one under an angle in degrees (focal length: 1.2 widths)."""
    height, width = shape
    focal = 1.2 * max(shape)
    direction, turn = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(-30, 30))
    axis = np.array([np.cos(direction), np.sin(direction), 0.0]) * np.deg2rad(angle)
    tilt, _ = cv2.Rodrigues(axis)
    roll = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    rotation = tilt @ roll
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1.0]])
    camera = np.diag([focal, focal, 1.0])
    # The plane lies at distance 1, one pixel of the frontal view being 1 / focal wide; the camera looks at its middle.
    place = np.column_stack([rotation[:, 0], rotation[:, 1], np.array([0.0, 0.0, 1 / zoom])])
    matrix = middle @ camera @ place @ np.diag([1 / focal, 1 / focal, 1.0]) @ np.linalg.inv(middle)
    return np.asarray(matrix / matrix[2, 2])


def impossible_pairs(
    images: list[tuple[str, Bytes]], *, count: int = 48, seed: int = 0, side: int = SIDE
) -> Iterator[SyntheticPair]:
    """Make pairs that no method can register, every kind of `IMPOSSIBLE` in turn."""
    for number in range(count):
        rng = np.random.default_rng([seed, 3, number])
        kind = IMPOSSIBLE[number % len(IMPOSSIBLE)]
        first = (number // len(IMPOSSIBLE) + seed) % len(images)
        second = (first + 1 + int(rng.integers(len(images) - 1))) % len(images)
        name, image = images[first]
        other = images[second][1]
        moving, fixed = _impossible(kind, image, other, rng, side)
        label = f"{name}, {images[second][0]}" if kind in ("unrelated", "same frame") else name
        yield SyntheticPair(label, kind, _taken(moving, "plain", rng), _taken(fixed, "plain", rng), None)


def periodic(kind: str, shape: tuple[int, int], period: float, phase: tuple[float, float]) -> Array:
    """Draw a periodic pattern, 0..255: "checkerboard", "stripes", "waves", "dots" or "grid"."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    x, y = (x - phase[1]) / period, (y - phase[0]) / period
    if kind == "checkerboard":
        return 30 + 190.0 * ((np.floor(2 * x) + np.floor(2 * y)) % 2)
    if kind == "stripes":
        return 30 + 190.0 * (x % 1 < 0.5)
    if kind == "waves":
        return 128 + 50 * (np.sin(2 * np.pi * x) + np.sin(2 * np.pi * y))
    if kind == "dots":
        return 30 + 190.0 * (np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.3)
    return 220 - 190.0 * ((x % 1 < 0.15) | (y % 1 < 0.15))


def _impossible(kind: str, image: Bytes, other: Bytes, rng: np.random.Generator, side: int) -> tuple[Array, Array]:
    shape = (min(side, image.shape[0]), min(side, image.shape[1]))
    frame = image[: shape[0], : shape[1]].astype(np.float64)
    flat = np.full(shape, rng.uniform(60, 190))
    if kind == "unrelated":
        return frame, _fitted(other, shape)
    if kind == "flat":
        return flat, np.full(shape, rng.uniform(60, 190))
    if kind == "one flat":
        return (frame, flat) if rng.random() < 0.5 else (flat, frame)
    if kind == "noise":
        coarse = rng.uniform(0.0, 4.0)
        return _noise(shape, coarse, rng), _noise(shape, coarse, rng)
    if kind == "periodic":
        pattern = ("checkerboard", "stripes", "waves", "dots", "grid")[int(rng.integers(5))]
        period = float(rng.choice([16, 24, 32, 48, 64]))
        half = (period / 2, 0.0) if pattern == "checkerboard" else tuple(rng.uniform(0, period, 2))
        return periodic(pattern, shape, period, (0.0, 0.0)), periodic(pattern, shape, period, half)
    if kind == "mirrored":
        return frame, frame[:, ::-1] if rng.random() < 0.5 else frame[::-1]
    if kind == "apart":  # two halves of one scene, which share its kind of texture and an edge, but no pixels
        middle = shape[1] // 2
        return frame[:, :middle], frame[:, middle : 2 * middle]
    # Different scenes behind one black frame with a caption, as scanners and recorders draw them.
    framed = [frame.astype(np.uint8), _fitted(other, shape).astype(np.uint8)]
    band = shape[0] // 12
    for one in framed:
        one[:band] = one[-band:] = 0
        cv2.putText(one, "CAM 1  2026-01-01", (10, band - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255.0,), 2)
    return framed[0].astype(np.float64), framed[1].astype(np.float64)


def _noise(shape: tuple[int, int], coarse: float, rng: np.random.Generator) -> Array:
    noise = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), coarse) if coarse > 0.3 else rng.standard_normal(shape)
    return np.asarray(128 + 40 * noise / noise.std())


def _fitted(image: Bytes, shape: tuple[int, int]) -> Array:
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.float64)


def _view(image: Bytes, matrix: Array, shape: tuple[int, int]) -> Array:
    """Resample a scene; finer than the scene where it is larger, and averaged where it is smaller."""
    size = (shape[1], shape[0])
    seen = cv2.warpPerspective(
        image.astype(np.float32), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(seen, np.float64)


def _on_surround(image: Bytes, surround: Bytes, matrix: Array, shape: tuple[int, int]) -> Array:
    # Three times as fine, then averaged: a tilted plane is compressed, and would alias.
    fine = 3
    enlarge = np.array([(fine, 0, (fine - 1) / 2), (0, fine, (fine - 1) / 2), (0, 0, 1.0)])
    size = (shape[1] * fine, shape[0] * fine)
    seen = cv2.warpPerspective(image.astype(np.float32), enlarge @ matrix, size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpPerspective(np.ones(image.shape, np.float32), enlarge @ matrix, size, flags=cv2.INTER_LINEAR)
    seen, inside = (cv2.resize(one, shape[::-1], interpolation=cv2.INTER_AREA) for one in (seen, inside))
    return np.asarray(seen + (1 - inside) * _fitted(surround, shape), np.float64)


def _lit(image: Array, level: str, rng: np.random.Generator) -> Array:
    if level == "plain":
        return image
    strong = 2.0 if level == "hard" else 1.0
    unit = np.clip(image / 255, 0, 1) ** np.exp(rng.uniform(-0.25, 0.25) * strong)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    gradient = 1 + rng.uniform(0, 0.2) * strong * (np.cos(angle) * x + np.sin(angle) * y)
    gain, offset = 1 + rng.uniform(-0.15, 0.15) * strong, rng.uniform(-10, 10) * strong
    return np.asarray((255 * unit * gradient - 128) * gain + 128 + offset)


def _taken(image: Array, level: str, rng: np.random.Generator) -> Bytes:
    if level == "hard":
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    noise = rng.uniform(6, 9) if level == "hard" else 2.0
    return np.clip(np.rint(image + rng.normal(0, noise, image.shape)), 0, 255).astype(np.uint8)


def _grey(image: npt.NDArray[np.uint8]) -> Bytes:
    if image.ndim == 2:
        return image
    return np.clip(np.rint(image[..., :3] @ np.array([0.2126, 0.7152, 0.0722])), 0, 255).astype(np.uint8)
