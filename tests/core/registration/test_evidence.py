"""The judge: what is right is accepted, what is wrong is not, and the corners' distance is measured."""

from __future__ import annotations

import numpy as np
import pytest

from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.dense import normalise
from napari_iqmaps.core.registration.evidence import corner_drift, far_rival, judge, near_rival, search_blocks
from napari_iqmaps.core.registration.geometry import corner_error

from .scenes_for_registration import TRUTH, as_pair_of, checkerboard, photograph, seen_by

OPTIONS = Options()


def shifted(matrix: np.ndarray, x: float, y: float = 0.0) -> np.ndarray:
    return np.array([(1, 0, x), (0, 1, y), (0, 0, 1.0)]) @ matrix


def test_the_truth_is_accepted():
    moving, fixed = seen_by(photograph(), TRUTH)
    evidence = judge(as_pair_of(moving, fixed), TRUTH, OPTIONS).evidence
    assert evidence.objection(OPTIONS) == ""
    assert evidence.share > 0.95
    assert evidence.correlation > 0.9
    assert evidence.drift < 0.3


@pytest.mark.parametrize("off", [(6, 0), (0, -8), (15, 15)])
def test_a_wrong_matrix_is_not(off):
    moving, fixed = seen_by(photograph(), TRUTH)
    assert judge(as_pair_of(moving, fixed), shifted(TRUTH, *off), OPTIONS).evidence.objection(OPTIONS)


@pytest.mark.parametrize("off", [0.0, 0.5, 1.5])
def test_the_corners_distance_from_where_they_belong_is_measured(off):
    moving, fixed = seen_by(photograph(), TRUTH)
    matrix = shifted(TRUTH, off)
    evidence = judge(as_pair_of(moving, fixed), matrix, OPTIONS).evidence
    assert evidence.drift == pytest.approx(corner_error(matrix, TRUTH, moving.shape), abs=0.3)


def test_corner_drift_of_an_exact_correction_is_exact():
    places = np.random.default_rng(2).uniform(0, 100, (40, 2))
    drift, doubt = corner_drift(places, np.tile([3.0, -4.0], (40, 1)), np.eye(3), (100, 100))
    assert drift == pytest.approx(5)
    assert doubt < 0.2
    alone = corner_drift(places[:5] * 0.01, np.zeros((5, 2)), np.eye(3), (100, 100))
    assert alone[1] > 20 * doubt
    assert np.isinf(corner_drift(places[:3], np.zeros((3, 2)), np.eye(3), (100, 100))).all()


def test_a_pattern_that_repeats_has_a_rival_near_or_far():
    for square, rival in ((8, near_rival), (40, far_rival)):
        board = normalise(checkerboard((240, 240), square).astype(np.float32))
        known = np.ones(board.shape, bool)
        if rival is near_rival:
            assert near_rival(search_blocks(board, board, known).surface) > 0.9
        else:
            assert far_rival(board, board, known, known) > 0.9
    picture = normalise(photograph(240).astype(np.float32))
    known = np.ones(picture.shape, bool)
    assert near_rival(search_blocks(picture, picture, known).surface) < 0.5
    assert far_rival(picture, picture, known, known) < 0.5


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.array([(-1, 0, 159.0), (0, 1, 0), (0, 0, 1)]), "turn the image over"),
        (np.array([(0.1, 0, 60.0), (0, 0.1, 60), (0, 0, 1)]), "area"),
        (np.array([(1, 0, 120.0), (0, 1, 0), (0, 0, 1)]), "overlap"),
    ],
)
def test_implausible_geometry_is_named(matrix, says):
    pair = as_pair_of(photograph(), photograph())
    assert says in judge(pair, matrix, OPTIONS).evidence.objection(OPTIONS)


def test_the_callers_limit_on_the_shift_is_kept():
    moving, fixed = seen_by(photograph(), TRUTH)
    objection = judge(as_pair_of(moving, fixed), TRUTH, OPTIONS).evidence.objection(Options(max_shift=2))
    assert "max_shift=2" in objection
