"""The noun of a score: what it says, what it refuses, and that it travels."""

import pickle

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.quality_score import summed_up


def test_one_image_says_its_score_with_scale_and_uncertainty():
    score = iq.QualityScore.of(37.4, uncertainty=8.2)
    assert score.planes.shape == score.uncertainty.shape == ()
    assert score.value == float(score) == 37.4
    assert str(score) == "Quality 37 of 100 (0 best, 100 worst), give or take 8."
    assert score.enough_evidence
    assert score.reason == ""
    assert "give or take" not in str(iq.QualityScore.of(37.4))


def test_a_scale_of_one_where_higher_is_better():
    score = iq.QualityScore.of(0.834, lower_is_better=False, range=(0, 1))
    assert str(score) == "Quality 0.83 of 1 (1 best, 0 worst)."


def test_a_reason_takes_the_evidence_away():
    score = iq.QualityScore.of(50, uncertainty=5, reasons=["it is too small."])
    assert not score.enough_evidence
    assert str(score).endswith("give or take 5. Not enough evidence: it is too small.")
    none = iq.QualityScore.of(np.nan, reasons=["it has no valid pixel."])
    assert str(none) == "Quality: no answer. Not enough evidence: it has no valid pixel."


def test_a_plane_has_a_sentence_of_its_own():
    score = iq.QualityScore.of([[20, np.nan], [70, 30]], uncertainty=6, reasons=["", "it is black.", "", "too small."])
    assert score.plane_sentence((1, 0)) == "Plane 1, 0: Quality 70 of 100 (0 best, 100 worst), give or take 6."
    assert score.plane_sentence((0, 1)) == "Plane 0, 1: Quality: no answer. Not enough evidence: it is black."
    assert score.plane_sentence((1, 1)).endswith("Not enough evidence: too small.")
    alone = iq.QualityScore.of(20)
    assert alone.plane_sentence(()) == alone.sentence()
    with pytest.raises(iq.InputError, match="no plane"):
        score.plane_sentence((2, 0))


def test_a_stack_is_the_mean_of_those_that_have_an_answer():
    score = iq.QualityScore.of([20, 30, np.nan, 70], uncertainty=6, reasons=["", "", "it is uniform.", ""])
    assert score.value == 40
    assert str(score) == (
        "Quality 40 of 100 (0 best, 100 worst) on average over 3 planes, which range from 20 to 70, give or take 6 "
        "each. 1 plane has no answer. Not enough evidence: plane 2: it is uniform."
    )
    assert np.isnan(iq.QualityScore.of([np.nan, np.nan]).value)


def test_reasons_are_gathered_by_what_they_say():
    assert summed_up(["a."], ()) == "a."
    assert summed_up(["a.", "a."], (2,)) == "a."
    assert summed_up(["", ""], (2,)) == ""
    assert summed_up(["a.", "", "b.", "a."], (2, 2)) == "planes (0, 0), (1, 1): a. plane (1, 0): b."
    many = [f"reason {number}." for number in range(6)]
    assert summed_up(["", *many], (7,)).endswith("plane 3: reason 2. and 3 more planes.")
    assert summed_up(["", *["a."] * 5], (6,)) == "planes 1, 2, 3 and 2 more: a."


def test_it_is_frozen_travels_and_hides_nothing():
    score = iq.QualityScore.of([1, 2], info={"model": "deepbqa"})
    with pytest.raises(AttributeError):
        score.value = 3
    with pytest.raises(TypeError):
        score.info["model"] = "other"
    again = pickle.loads(pickle.dumps(score))
    assert str(again) == str(score)
    assert again.info == {"model": "deepbqa"}
    np.testing.assert_array_equal(again.planes, score.planes)
    assert str(score) in repr(score)


def test_reasons_and_uncertainties_are_one_for_each_plane():
    with pytest.raises(iq.InputError, match="2 planes"):
        iq.QualityScore.of([1, 2], reasons=["only one."])
    good = iq.QualityScore.of([1, 2])
    with pytest.raises(iq.InputError, match="uncertainties of shape"):
        iq.QualityScore(1.5, good.planes, np.zeros(3), True, (0, 100), True, ("", ""), {})
