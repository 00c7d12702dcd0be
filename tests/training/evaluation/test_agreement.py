"""Figures of agreement against scipy and against what is known by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from napari_iqmaps.training.evaluation.agreement import agreement, fit_logistic


@pytest.fixture
def sample():
    rng = np.random.default_rng(3)
    judged = rng.uniform(0, 1, 60)
    scores = judged + rng.normal(0, 0.2, 60)
    return scores.round(1), judged, np.repeat([f"s{n}" for n in range(10)], 6)


def test_correlations_are_scipys(sample):
    scores, judged, scenes = sample
    found = agreement(scores, judged, scenes)
    assert found.srcc.value == pytest.approx(stats.spearmanr(scores, judged).statistic)
    assert found.plcc.value == pytest.approx(stats.pearsonr(scores, judged).statistic)
    for figure in (found.srcc, found.plcc, found.plcc_logistic, found.rmse):
        assert figure.low < figure.value < figure.high
    assert (found.images, found.scenes) == (60, 10)


def test_a_bent_scale_is_straightened_by_the_logistic():
    scores = np.linspace(-4, 9, 50)
    judged = 3 + 40 / (1 + np.exp(-(scores - 2) / 0.7))
    found = agreement(scores, judged, np.repeat(list("abcde"), 10))
    assert found.srcc.value == pytest.approx(1)
    assert found.plcc.value < 0.96
    assert found.plcc_logistic.value == pytest.approx(1, abs=1e-6)
    assert found.rmse.value == pytest.approx(0, abs=1e-3)
    curve, _ = fit_logistic(scores, judged)
    np.testing.assert_allclose(curve(np.array([2.0])), 23, atol=1e-3)


def test_falling_scores_have_negative_rank_and_positive_fit():
    scores = np.linspace(50, 20, 30)
    found = agreement(scores, 1 / (1 + np.exp((scores - 35) / 3)), np.repeat(list("abc"), 10))
    assert found.srcc.value == pytest.approx(-1)
    assert found.plcc_logistic.value == pytest.approx(1, abs=1e-6)


def test_intervals_count_scenes_not_images():
    rng = np.random.default_rng(0)
    offsets = np.repeat(rng.normal(0, 1, 8), 25)
    judged = np.tile(np.linspace(0, 1, 25), 8)
    scores = judged + offsets
    by_scene = agreement(scores, judged, np.repeat([f"s{n}" for n in range(8)], 25)).plcc
    by_image = agreement(scores, judged, np.array([f"i{n}" for n in range(200)])).plcc
    assert by_scene.value == by_image.value
    assert by_scene.high - by_scene.low > 1.2 * (by_image.high - by_image.low)


def test_no_number_without_evidence(sample):
    scores, judged, scenes = sample
    for bad, reason in (
        ((scores[:4], judged[:4], scenes[:4]), "4 images"),
        ((np.ones(60), judged, scenes), "equal"),
        ((np.where(scores > 0.5, np.nan, scores), judged, scenes), "missing"),
    ):
        figure = agreement(*bad).srcc
        assert math.isnan(figure.value)
        assert reason in figure.reason
        assert reason in str(figure)
    two = agreement(scores, judged, np.repeat(["a", "b"], 30)).srcc
    assert math.isnan(two.low)
    assert two.reason.startswith("fewer than 3 scenes")


def test_infinite_psnr_keeps_its_rank():
    scores = np.array([20.0, 25, 30, 35, 40, np.inf])
    found = agreement(scores, np.array([0.9, 0.7, 0.5, 0.3, 0.2, 0.0]), np.array(list("aabbcc")))
    assert found.srcc.value == pytest.approx(-1)
