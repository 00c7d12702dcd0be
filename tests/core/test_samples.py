"""The sample pictures: headless, bundled, and what the demonstration needs."""

import numpy as np

import napari_iqmaps as iq
from napari_iqmaps.core import samples


def test_samples_are_uint8_planes():
    test, reference = samples.distorted_pair()
    for image in (samples.photo(), samples.photo_with_mark(), test, reference, samples.micrograph()):
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert image.std() > 5
    np.testing.assert_array_equal(reference, samples.photo())
    assert test.shape == reference.shape


def test_the_mark_is_as_strong_in_the_sky_as_in_the_grass():
    mark = samples.text_mark((512, 512))
    assert (mark.min(), mark.max()) == (0, 1)
    assert 0.03 < mark[:100].mean() < 0.3
    assert 0.03 < mark[-150:].mean() < 0.3
    difference = samples.photo_with_mark(8).astype(int) - samples.photo()
    assert difference.max() == 8
    assert difference.min() >= 0


def test_the_mark_is_seen_more_in_the_sky_than_in_the_grass():
    answer = iq.visibility_map(samples.photo_with_mark(), samples.photo(), model="contrast", window=9).values
    mark = samples.text_mark((512, 512)) > 0.5
    sky, grass = np.zeros_like(mark), np.zeros_like(mark)
    sky[:60], grass[-100:, 380:] = True, True
    assert answer[mark & sky].mean() > answer[mark & grass].mean() + 0.1
