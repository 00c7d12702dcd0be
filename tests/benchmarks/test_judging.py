"""The cases that judges of a registration are tried on have the errors that they say, and the arithmetic is right."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skimage import data

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark, whose folder is no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def photographs():
    return [("camera", data.camera()), ("coins", data.coins())]


def shifted_pair(load, across, down, side=96):
    """Two parts of one photograph; what lies at x in the moving one lies at x + across in the fixed one."""
    image, top, left = data.camera(), 200, 180
    fixed = image[top : top + side, left : left + side]
    moving = image[top + down : top + down + side, left + across : left + across + side]
    matrix = np.array([(1.0, 0, across), (0, 1, down), (0, 0, 1)])
    return load("registration_pairs").SyntheticPair("camera", "plain", moving, fixed, matrix)


def case_of(load, pair, across=0.0, down=0.0):
    cases = load("judging_cases")
    shape = pair.fixed.shape
    error = np.full(shape, across), np.full(shape, down)
    registered, valid = cases.resampled(pair, *error)
    return cases.Case("camera", "plain", pair.moving, registered, pair.fixed, valid, np.ones(shape), np.hypot(*error))


def test_auc_and_detection_have_known_answers(load):
    statistics = load("judging_statistics")
    truth = np.array([True, True, False, False, False])
    assert statistics.auc(np.array([5.0, 2, 3, 1, 0]), truth) == pytest.approx(5 / 6)
    assert statistics.auc(np.array([1.0, 1, 1, 1, 1]), truth) == 0.5
    assert statistics.auc(np.array([np.nan, 1, -1, -2, -3]), truth) == 1
    assert np.isnan(statistics.auc(np.arange(5.0), np.ones(5, bool)))
    told, true = np.r_[np.arange(100.0), 98.5, 50.5], np.r_[np.zeros(100, bool), True, True]
    assert statistics.found(told, true, 0.05) == 0.5  # the threshold lies near 94
    assert statistics.found(told, true, 0.6) == 1
    assert statistics.right(np.array([1.0, -1, 0, 0]), np.array([True, False, True, False])) == 0.5


def test_scenes_are_drawn_whole(load):
    names = ["a", "b", "b", "a", "c"]
    for draw in load("judging_statistics").scene_draws(names, 20, seed=3):
        counts = np.bincount(draw, minlength=5)
        assert counts[0] == counts[3]
        assert counts[1] == counts[2]
        assert counts[0] + counts[1] + counts[4] == 3


def test_a_registration_has_the_error_that_is_planted(load):
    pair = shifted_pair(load, 5, -3)
    right, valid = load("judging_cases").resampled(pair, *np.zeros((2, 1, 1)))
    assert_array_equal(valid, np.pad(np.ones((93, 91), bool), ((0, 3), (5, 0))))
    assert_array_equal(right[valid], pair.fixed[valid])
    wrong = case_of(load, pair, across=2.0, down=-1.0)
    assert_array_equal(wrong.registered[5:90, 10:90], pair.fixed[4:89, 12:92])


def test_decisions_are_close_and_known(load, photographs):
    found = list(load("judging_cases").decisions(photographs, pairs=6, seed=5, side=96))
    assert len(found) > 10
    errors = np.array([(case.before[case.valid].mean(), case.after[case.valid].mean()) for case in found])
    apart = np.abs(np.log(errors[:, 0] / errors[:, 1]))
    assert (apart > 0.04).all()
    assert (apart < 0.7).all()  # what is not valid is left out of the mean, so it is not 0.5 exactly
    assert 0 < (errors[:, 1] < errors[:, 0]).sum() < len(found)
    assert {case.level for case in found} == {"plain", "light", "hard", "shadow"}


def test_a_drawn_matrix_has_the_mean_error_asked_for(load):
    cases = load("judging_cases")
    pair = shifted_pair(load, 4, 2)
    errors = [cases._error(pair, matrix) for matrix in (np.eye(3), pair.matrix)]
    assert_allclose(errors[0], np.hypot(4, 2))
    assert_allclose(errors[1], 0, atol=1e-9)
    drawn = cases._with_error(pair, 3.0, np.random.default_rng(1))
    assert cases._error(pair, drawn).mean() == pytest.approx(3, rel=0.02)


def test_planted_errors_are_small_in_most_places_and_large_in_some(load):
    for seed in range(4):
        across, down = load("judging_cases").planted_error((120, 160), np.random.default_rng(seed))
        size = np.hypot(across, down)
        assert np.quantile(size, 0.2) < 0.6
        assert 0.8 < size.max() < 12


def test_shadows_darken_parts(load):
    flat = np.full((64, 80), 128, np.uint8)
    found = load("judging_cases").shadowed(flat, np.random.default_rng(0))
    assert found.min() < 110 < found.max()


def test_all_judges_agree_where_it_is_plain(load):
    judges = load("judging_judges")
    pair = shifted_pair(load, 6, 4, side=160)
    good = case_of(load, pair)
    told = judges.frame_judges(good, judges.assessed(good))
    assert min(told.values()) > 0, told
    bad = judges.Case("camera", "plain", good.registered, good.moving, good.fixed, good.valid, good.after, good.before)
    assert max(judges.frame_judges(bad, judges.assessed(bad)).values()) < 0
    for judge, values in judges.block_judges(good, judges.assessed(good)).items():
        assert values.shape == (25,)
        assert (values > 0).mean() > 0.4, judge
        assert (values < 0).mean() < 0.1, judge


def test_evidence_of_a_map_is_that_of_the_score(load):
    judging, judges = load("judging"), load("judging_judges")
    case = case_of(load, shifted_pair(load, 3, 2), across=1.0)
    ours = judges.assessed(case)
    assert judging.frame_statistics(case, ours)["evidence"] == pytest.approx(ours.score.evidence, rel=1e-4)
    expected = [block.evidence for block in ours.score.blocks]
    assert_allclose(judging.block_statistics(case, ours)["evidence"], expected, rtol=1e-4, atol=1e-6)
    assert_array_equal(judges.evidence([0.0, 3.0], [0.0, 25.0]), [0, 0.6])


def test_local_correlation_knows_a_copy_a_negative_and_a_flat_image(load):
    correlation = load("judging_judges").local_correlation
    image = data.camera()[200:264, 180:244].astype(np.float32)
    lively = correlation(image, 2 * image + 3, 9)
    assert_allclose(lively[lively != 0], 1, atol=2e-3)
    assert (lively != 0).mean() > 0.9
    assert_allclose(correlation(image, -image, 9), -lively, atol=2e-3)
    assert_array_equal(correlation(image, np.zeros_like(image), 9), 0)


def test_both_tables_are_printed(load, photographs, capsys):
    judging = load("judging")
    judging.print_frames(photographs, pairs=2, seed=0, side=96, draws=3)
    judging.print_blocks(photographs, pairs=2, seed=0, side=96, draws=3)
    printed = capsys.readouterr().out
    assert printed.count("| diff-diff: evidence |") == 2
    assert "Our verdict: " in printed
    assert "Blocks that our verdict calls worse: " in printed


def test_parts_of_a_pixel_are_what_they_say(load):
    subpixel = load("judging_subpixel")
    draws = [np.random.default_rng(2) for _ in range(2)]
    nearer, farther = (
        subpixel.off_by(data.camera(), 0.0, before, after, 96, rng)
        for rng, (before, after) in zip(draws, [(0.8, 0.1), (0.1, 0.8)], strict=True)
    )

    def error(case, image):
        return np.abs(image[case.valid].astype(float) - case.fixed[case.valid]).mean()

    assert error(nearer, nearer.registered) < error(nearer, nearer.moving) / 2
    assert error(farther, farther.moving) < error(farther, farther.registered) / 2
    verdicts, favours = subpixel.judged([nearer, farther, farther])
    assert verdicts == {"better": 1, "worse": 2}
    assert_allclose(favours, 1 / 3)
