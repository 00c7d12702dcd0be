"""What a map says about itself."""

import pickle

import dask.array as da
import matplotlib
import numpy as np
import pytest

from napari_iqmaps import KINDS, InputError, QualityMap
from napari_iqmaps.core.maps import lazy_mean_of_valid, mean_of_valid


def quality_map(values, kind="visibility", **info):
    return QualityMap.of(values, kind, {"mixing": 1.0, **info})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_row_of_the_table_can_be_shown_and_read(kind):
    assert kind.limits[0] < kind.limits[1]
    assert kind.colormap in matplotlib.colormaps
    assert "{score}" in kind.score_means
    low, high = kind.display_limits(np.array([[kind.limits[0], kind.limits[1], np.nan]], np.float32))
    assert kind.limits[0] <= high <= kind.limits[1] or low < high


def test_a_few_extreme_pixels_do_not_darken_the_rest():
    values = np.full((100, 100), 3.0, np.float32)
    values[0, :5] = 100
    assert KINDS["threshold"].display_limits(values) == (0, 3)
    assert KINDS["visibility"].display_limits(values) == (0, 1)
    assert KINDS["threshold"].display_limits(np.full((3, 3), np.nan)) == KINDS["threshold"].limits


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'beauty'.*threshold, visibility"):
        QualityMap.of(np.zeros((2, 2)), "beauty", {})


def test_the_mean_is_over_valid_pixels_of_each_plane():
    values = np.array([[[0, 1], [np.nan, 0.5]], [[np.nan, np.nan], [np.nan, np.nan]]], np.float32)
    assert np.array_equal(mean_of_valid(values), [0.5, np.nan], equal_nan=True)
    assert mean_of_valid(values[0]) == 0.5
    assert isinstance(mean_of_valid(values[0]), float)
    lazy = lazy_mean_of_valid(da.from_array(values, chunks=1))
    assert np.array_equal(lazy.compute(), [0.5, np.nan], equal_nan=True)


def test_the_mean_of_many_pixels_keeps_its_digits():
    values = np.full((4096, 4096), 0.1, np.float32)
    assert mean_of_valid(values) == pytest.approx(float(np.float32(0.1)), rel=1e-9)


def test_the_score_of_visibility_is_a_power_mean():
    """A map of one value has its impairment as the score; of maps of one mean, the one with a bad part is worse."""
    even = np.full((10, 10), 0.3, np.float32)
    assert quality_map(even).score == pytest.approx(0.3)
    assert quality_map(even, mixing=0.5).score == pytest.approx(1 - np.sqrt(0.7))
    patchy = np.zeros((10, 10), np.float32)
    patchy[:5] = 0.6
    assert quality_map(patchy).score == pytest.approx(0.6 * 0.5**0.4)
    assert quality_map(patchy).score > quality_map(even).score


def test_the_sentence_says_who_looks_if_that_is_not_the_usual():
    one = np.full((2, 2), 0.25, np.float32)
    assert "observer" not in quality_map(one, observer="everyday", pixels_per_degree=35.0).sentence()
    said = quality_map(one, observer="practised", pixels_per_degree=60).sentence()
    assert said.endswith("For the practised observer at 60 pixels per degree.")
    assert "everyday observer at 120 pixels" in quality_map(one, observer="everyday", pixels_per_degree=120).sentence()


def test_the_sentence_gives_the_score_and_its_reservations():
    one = np.full((2, 2), 0.25, np.float32)
    assert "0.25" in quality_map(one).sentence()
    stack = np.stack([one, one * 3, one * np.nan])
    said = quality_map(stack).sentence()
    assert "0.5" in said
    assert "2 planes" in said
    assert "from 0.25 to 0.75" in said
    assert "1 planes have no answer" in said
    assert "no answer" in quality_map(one * np.nan).sentence()
    assert "Not enough evidence: too small" in quality_map(one, not_enough_evidence="too small").sentence()


def test_a_plane_has_a_sentence_of_its_own():
    one = np.full((2, 2), 0.25, np.float32)
    stack = quality_map(np.stack([one, one * 3, one * np.nan]))
    assert stack.plane_sentence((1,)) == f"Plane 1: {quality_map(one * 3).sentence()}"
    assert stack.plane_sentence((2,)) == "Plane 2: no answer."
    assert quality_map(one).plane_sentence(()) == quality_map(one).sentence()
    lazy = QualityMap.of(da.from_array(stack.values, chunks=2), stack.kind, stack.info)
    assert lazy.plane_sentence((1,)) == stack.plane_sentence((1,))
    for wrong in ((3,), (-1,), (), (0, 0)):
        with pytest.raises(InputError, match=r"no plane .* from \(0,\) to \(2,\)"):
            stack.plane_sentence(wrong)


def test_a_lazy_map_says_so_and_computes_to_the_same_numbers():
    values = np.random.default_rng(0).random((2, 5, 6)).astype(np.float32)
    array = da.from_array(values, chunks=3)
    lazy = QualityMap.of(array, "visibility", {"mixing": 0.5})
    assert lazy.is_lazy
    assert "not computed" in repr(lazy)
    eager = lazy.compute()
    assert not eager.is_lazy
    assert eager.compute() is eager
    assert np.array_equal(eager.values, values)
    impairment = 1 - np.sqrt(1 - values.astype(float))
    np.testing.assert_allclose(eager.score, (impairment**2.5).mean((1, 2)) ** (1 / 2.5), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(lazy.score), eager.score, rtol=1e-6)


def test_the_record_cannot_be_changed_and_survives_pickling():
    original = quality_map(np.zeros((2, 2), np.float32), model="pnet")
    with pytest.raises(TypeError):
        original.info["model"] = "other"
    copy = pickle.loads(pickle.dumps(original))
    assert copy.info == original.info
    assert np.array_equal(copy.values, original.values)
