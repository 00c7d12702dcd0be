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


def test_the_night_scene_is_light_and_finer_steps_are_seen_less():
    coarse, scene = samples.banded_pair(40)
    assert (scene.dtype, scene.shape) == (np.float32, (427, 640, 3))
    assert 5000 < scene.max() < 10_000
    assert 0 < np.median(scene) < 30
    options = {"luminance": "absolute", "channel_axis": -1, "model": "contrast", "stride": 8}
    corner = (slice(300, None), slice(0, 300))
    scores = [
        iq.visibility_map(test[corner], scene[corner], **options).score
        for test in (coarse, samples.banded_pair(320)[0])
    ]
    assert scores[0] > 2 * scores[1] > 0


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
    # The chance to miss it: in the sky hardly any is left.
    assert (1 - answer[mark & sky]).mean() < (1 - answer[mark & grass]).mean() / 2
