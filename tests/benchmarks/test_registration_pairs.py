"""The synthetic pairs of the registration benchmark: what they claim to be the truth is the truth."""

from __future__ import annotations

import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def pairs(monkeypatch):
    """The generator, whose folder is no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("registration_pairs")


@pytest.fixture
def images():
    return [("camera", data.camera()[:200, :240]), ("coins", data.coins()[:200, :240])]


def likeness(pair, matrix: np.ndarray) -> float:
    """Correlation, over pixels that both images see, of the moving image under a matrix with the fixed one."""
    size = pair.fixed.shape[::-1]
    registered = cv2.warpPerspective(pair.moving, matrix, size).astype(float)
    seen = cv2.warpPerspective(np.full(pair.moving.shape, 255, np.uint8), matrix, size) == 255
    return float(np.corrcoef(registered[seen], pair.fixed[seen])[0, 1])


def test_the_truth_aligns_ordinary_pairs_and_nothing_near_it_does(pairs, images):
    made = list(pairs.ordinary_pairs(images, count=6, seed=3, side=200))
    assert [pair.level for pair in made] == list(pairs.LEVELS) * 2
    for pair in made:
        start = pairs.corner_error(np.eye(3), pair.matrix, pair.moving.shape)
        assert pairs.START[0] - 0.01 <= start <= pairs.START[1] + 0.01
        beside = np.array([(1, 0, 3.0), (0, 1, 0), (0, 0, 1)]) @ pair.matrix
        assert likeness(pair, pair.matrix) > max(0.6, likeness(pair, beside))


def test_the_truth_aligns_views_from_the_side(pairs, images):
    for pair in pairs.viewpoint_pairs(images, count=3, seed=1, side=200):
        assert likeness(pair, pair.matrix) > 0.85


def test_equal_seeds_give_equal_pairs_and_others_do_not(pairs, images):
    first, again, other = (next(pairs.ordinary_pairs(images, count=1, seed=seed, side=64)) for seed in (0, 0, 2))
    np.testing.assert_array_equal(first.moving, again.moving)
    assert not np.array_equal(first.matrix, other.matrix)


def test_impossible_pairs_have_no_truth(pairs, images):
    made = list(pairs.impossible_pairs(images, count=len(pairs.IMPOSSIBLE), side=128))
    assert [pair.level for pair in made] == list(pairs.IMPOSSIBLE)
    assert all(pair.matrix is None for pair in made)


def test_a_board_moved_by_half_a_period_is_its_own_negative(pairs):
    board, moved = (pairs.periodic("checkerboard", (64, 64), 16, (0.0, shift)) for shift in (0.0, 8.0))
    assert set(np.unique(board + moved)) == {250.0}
