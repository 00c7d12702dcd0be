"""Registrations of known error to judge: a moving image, where a registration brought it, and a fixed image.

Nothing is printed here; `judging.py` uses it. Scenes, shaking and light are those of `registration_pairs.py`, with one
kind of light more: "shadow" adds soft shadows and the edge of a hard one to the moving image of "light". "hard" and
"shadow" are the hard light of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from registration_pairs import SyntheticPair, corner_points, moved, shaken_pair

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

LEVELS = ("plain", "light", "hard", "shadow")
HARD = ("hard", "shadow")
CLOSE = (0.08, 0.5)
"""By how much the errors of two alignments differ that are to be told apart, as a natural logarithm."""


@dataclass(frozen=True)
class Case:
    """A registration to judge.

    Attributes
    ----------
    scene, level : str
        Which photograph, and which light.
    moving, registered, fixed : numpy.ndarray of uint8
        Three images of one shape; outside of the moving image the registered one is 0.
    valid : numpy.ndarray of bool
        What all three have.
    before, after : numpy.ndarray
        By how many pixels the content of `moving` and of `registered` is away from its place in `fixed`.
    """

    scene: str
    level: str
    moving: Bytes
    registered: Bytes
    fixed: Bytes
    valid: Mask
    before: Array
    after: Array


def decisions(images: list[tuple[str, Bytes]], *, pairs: int, seed: int, side: int) -> Iterator[Case]:
    """Give alignments to decide between: which has the smaller mean error? Four of each pair of images.

    In two of the four, one alignment is the moving image as it is and the other a matrix of nearly the same error; in
    two, both are matrices. Errors are within a factor of 1.65 of each other.
    """
    for number in range(pairs):
        rng = np.random.default_rng([seed, 7, number])
        pair = _lit_pair(images, number, rng, side, start=(0.7, 6.0))
        start = float(_error(pair, np.eye(3)).mean())
        chosen: list[tuple[Array | None, Array]] = [
            (None, _with_error(pair, start * _ratio(rng), rng)) for _ in range(2)
        ]
        chosen += [
            (_with_error(pair, error, rng), _with_error(pair, error * _ratio(rng), rng))
            for error in np.exp(rng.uniform(np.log(0.3), np.log(6.0), 2))
        ]
        for first, second in chosen:
            moving, inside = (pair.moving, None) if first is None else _placed(pair, first)
            registered, valid = _placed(pair, second)
            valid = valid if inside is None else valid & inside
            before, after = _error(pair, np.eye(3) if first is None else first), _error(pair, second)
            if abs(np.log(after[valid].mean() / before[valid].mean())) > CLOSE[0] / 2:
                yield Case(pair.name, pair.level, moving, registered, pair.fixed, valid, before, after)


def planted(images: list[tuple[str, Bytes]], *, pairs: int, seed: int, side: int) -> Iterator[Case]:
    """Give registrations that are good in most places, and shifted by 1 to 4 pixels in two to five of them."""
    for number in range(pairs):
        rng = np.random.default_rng([seed, 8, number])
        pair = _lit_pair(images, number, rng, side, start=(0.5, 4.0))
        across, down = planted_error(pair.fixed.shape, rng)
        registered, valid = resampled(pair, across, down)
        before = _error(pair, np.eye(3))
        yield Case(pair.name, pair.level, pair.moving, registered, pair.fixed, valid, before, np.hypot(across, down))


def planted_error(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw a field of errors in pixels (x and y): about 0.2 everywhere, and bumps or squares of 1 to 4 pixels."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    across, down = (0.15 * _smooth(shape, 60, rng) + rng.normal(0, 0.15) for _ in range(2))
    elastic = rng.random() < 0.5
    for _ in range(int(rng.integers(2, 6))):
        angle, size = rng.uniform(0, 2 * np.pi), rng.uniform(1, 4)
        y, x = rows - rng.uniform(0, shape[0]), columns - rng.uniform(0, shape[1])
        radius = rng.uniform(0.1, 0.2) * np.sqrt(shape[0] * shape[1])
        if elastic:
            place = np.exp(-(x**2 + y**2) / (2 * radius**2))
        else:
            place = (np.maximum(abs(x), abs(y)) < radius).astype(np.float64)
        across, down = across + size * np.cos(angle) * place, down + size * np.sin(angle) * place
    return across, down


def resampled(pair: SyntheticPair, across: Array, down: Array) -> tuple[Bytes, Mask]:
    """Register a pair with its true matrix and an error at each pixel; give the image and what is valid of it."""
    assert pair.matrix is not None
    y, x = np.mgrid[: pair.fixed.shape[0], : pair.fixed.shape[1]].astype(np.float64)
    u, v = _mapped(np.linalg.inv(pair.matrix), x + across, y + down)
    height, width = pair.moving.shape
    seen = cv2.remap(pair.moving, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(seen, np.uint8), (u >= 0) & (v >= 0) & (u <= width - 1) & (v <= height - 1)


def shadowed(image: Bytes, rng: np.random.Generator) -> Bytes:
    """Put soft shadows and a shadow with an edge on an image."""
    light = 1 + rng.uniform(0.1, 0.3) * _smooth(image.shape, rng.uniform(0.07, 0.25) * min(image.shape), rng)
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in image.shape), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    inside = np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.3, 0.3)
    light *= 1 - rng.uniform(0.2, 0.6) / (1 + np.exp(-inside * rng.uniform(15, 200)))
    return np.clip(np.rint(image * light), 0, 255).astype(np.uint8)


def _lit_pair(
    images: list[tuple[str, Bytes]], number: int, rng: np.random.Generator, side: int, start: tuple[float, float]
) -> SyntheticPair:
    name, image = images[number % len(images)]
    level = LEVELS[(number + number // len(images)) % len(LEVELS)]
    shadow = level == "shadow"
    pair = shaken_pair(image, "light" if shadow else level, rng, name=name, side=side, start=start)
    return SyntheticPair(name, level, shadowed(pair.moving, rng) if shadow else pair.moving, pair.fixed, pair.matrix)


def _ratio(rng: np.random.Generator) -> float:
    return float(np.exp(rng.choice([-1, 1]) * rng.uniform(*CLOSE)))


def _with_error(pair: SyntheticPair, error: float, rng: np.random.Generator) -> Array:
    """Draw a matrix whose mean error over the fixed image is about the one asked for."""
    corners = corner_points(pair.fixed.shape)
    shifts = rng.normal(0, 1, (4, 2)) + rng.normal(0, 1, 2)
    shifts *= error / np.hypot(*shifts.T).mean()
    for _ in range(2):  # the error of the corners is not the mean error, yet nearly proportional to it
        change = cv2.getPerspectiveTransform(corners.astype(np.float32), (corners + shifts).astype(np.float32))
        matrix: Array = change @ pair.matrix
        shifts *= error / _error(pair, matrix).mean()
    return matrix


def _error(pair: SyntheticPair, matrix: Array) -> Array:
    """Measure how far a registration by `matrix` puts the content of the moving image from its place, per pixel."""
    y, x = np.mgrid[: pair.fixed.shape[0], : pair.fixed.shape[1]].astype(np.float64)
    u, v = _mapped(pair.matrix @ np.linalg.inv(matrix), x, y)
    return np.asarray(np.hypot(u - x, v - y))


def _placed(pair: SyntheticPair, matrix: Array) -> tuple[Bytes, Mask]:
    return resampled(SyntheticPair(pair.name, pair.level, pair.moving, pair.fixed, matrix), *np.zeros((2, 1, 1)))


def _mapped(matrix: Array, x: Array, y: Array) -> tuple[Array, Array]:
    points = moved(matrix, np.column_stack([x.ravel(), y.ravel()]))
    return points[:, 0].reshape(x.shape), points[:, 1].reshape(x.shape)


def _smooth(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Array:
    """Draw a smooth field of mean 0 and standard deviation 1."""
    step = max(1, int(sigma / 4))
    coarse = rng.standard_normal((shape[0] // step + 8, shape[1] // step + 8)).astype(np.float32)
    coarse = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
    field = np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float64)
    return np.asarray((field - field.mean()) / field.std())
