"""The samples are there without a network, and show what they promise."""

import socket

import numpy as np
import pytest
from napari.layers import Layer

from napari_iqmaps import threshold_map, visibility_map
from napari_iqmaps.plugin import samples

ALL = (samples.photo, samples.marked_photo, samples.distorted_pair, samples.nuclei, samples.nuclei_stack)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a sample asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("sample", ALL)
def test_every_sample_is_a_layer_that_can_be_mapped(sample):
    for data, options, kind in sample():
        layer = Layer.create(data, options, kind)
        axis = -1 if layer.rgb else None
        score = threshold_map(layer.data, model="contrast", stride=8, channel_axis=axis).score
        assert np.all(np.asarray(score) > 0)


def test_the_mark_has_its_amplitude_and_is_seen_best_where_the_photo_is_smooth():
    (clean, *_), (marked, *_) = samples.marked_photo()
    difference = marked.astype(int) - clean
    assert set(np.unique(difference)) <= set(range(samples.MARK_AMPLITUDE + 1))
    visibility = visibility_map(marked, clean, model="contrast", channel_axis=-1).values
    threshold = threshold_map(clean, model="contrast", channel_axis=-1).values
    inside = (difference == samples.MARK_AMPLITUDE).all(axis=-1)
    smooth = threshold < np.median(threshold[inside])
    assert visibility[inside & smooth].mean() > visibility[inside & ~smooth].mean()


def test_the_distorted_copy_differs_from_its_reference():
    (reference, *_), (distorted, *_) = samples.distorted_pair()
    assert reference.shape == distorted.shape
    assert visibility_map(distorted, reference, model="contrast", channel_axis=-1).score > 0.05


def test_the_nuclei_are_in_micrometres_and_the_same_every_time():
    ((image, options, _),) = samples.nuclei()
    assert image.dtype == np.uint16
    layer = Layer.create(image, options, "image")
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    np.testing.assert_array_equal(samples.nuclei()[0][0], image)
    ((stack, options, _),) = samples.nuclei_stack()
    assert stack.ndim == len(options["scale"]) == 3
