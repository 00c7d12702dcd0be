"""What one pass gives, as an object: fixed, picklable, lazy or not."""

import pickle

import dask.array as da
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

PHOTO = data.camera()[100:220, 180:310]


def test_it_travels_between_processes(blind_weights):
    found = iq.assess(PHOTO, weights=blind_weights["deepbqa"])
    again = pickle.loads(pickle.dumps(found))
    assert list(again.maps) == list(found.maps)
    assert again.score.value == found.score.value
    np.testing.assert_array_equal(again.maps["error"].values, found.maps["error"].values)
    assert again.maps["error"].info == found.maps["error"].info


def test_a_lazy_one_travels_before_it_is_computed(blind_weights):
    lazy = iq.assess(da.from_array(PHOTO), weights=blind_weights["deepbqa"])
    again = pickle.loads(pickle.dumps(lazy))
    assert again.is_lazy
    assert again.compute().score.value == pytest.approx(lazy.score.value)


def test_the_score_is_made_once(blind_weights):
    found = iq.assess(PHOTO, weights=blind_weights["diqa"], model="diqa")
    assert found.score is found.score
    with pytest.raises(AttributeError):
        found.maps = {}
    with pytest.raises(TypeError):
        found.maps["error"] = None


def test_answers_that_dask_has_cached_are_taken(blind_weights, machine_weights):
    """As in napari, whose cache puts what was computed back into the graph in place of its tasks."""
    pytest.importorskip("cachey")
    from dask.cache import Cache

    lazy = da.from_array(PHOTO)
    for assessed in (
        iq.assess(lazy, weights=blind_weights["deepbqa"]),
        iq.machine_assess(lazy, weights=machine_weights),
    ):
        assert assessed.sentence() == "Quality: not computed yet."
        with Cache(1e9, limit=0):
            first, again = assessed.compute(), assessed.compute()
        assert first.sentence() == first.score.sentence() == again.sentence()
        for kind, result in first.maps.items():
            np.testing.assert_array_equal(result.values, again.maps[kind].values)
