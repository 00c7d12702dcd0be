"""The samples of registration are what they promise, and the same every time."""

import numpy as np
from skimage.metrics import structural_similarity

from napari_iqmaps.core import samples
from napari_iqmaps.core.registration.geometry import corner_shifts


def likeness(first, second, valid):
    """Look at structure alone, as far as a small window can: lamps and shadows are smooth."""
    _, local = structural_similarity(first, second, win_size=7, data_range=255, full=True)
    return local[valid].mean()


def block_means(image, side=5):
    height, width = (length // side for length in image.shape)
    return image[: height * side, : width * side].reshape(side, height, side, width).mean(axis=(1, 3))


def test_the_relit_registration_is_right_and_its_light_is_wrong():
    trio = samples.relit_trio()
    assert trio.moving.shape == trio.registered.shape == trio.fixed.shape == (400, 600)
    assert 5 < corner_shifts(trio.matrix, (400, 600)).max() < 20
    after = likeness(trio.registered, trio.fixed, trio.valid)
    assert after > likeness(trio.moving, trio.fixed, trio.valid) + 0.3
    apart = block_means(trio.registered.astype(float)) - block_means(trio.fixed.astype(float))
    assert apart.max() > 80
    assert 5 < apart.min() < 40
    assert trio.moving.max() < 255
    assert (trio.registered[~trio.valid] == 0).all()


def test_the_wrong_way_leads_away():
    trio = samples.wrong_way_trio()
    before, after = (likeness(image, trio.fixed, trio.valid) for image in (trio.moving, trio.registered))
    assert after < before - 0.1
    np.testing.assert_array_equal(trio.moving[3:, 4:], trio.fixed[:-3, :-4])
    np.testing.assert_array_equal(trio.registered[13:, 14:], trio.fixed[:-13, :-14])


def test_the_series_shakes_and_flickers():
    series = samples.shaking_series(4)
    assert series.shape == (4, 200, 300)
    np.testing.assert_array_equal(samples.shaking_series(4), series)
    np.testing.assert_array_equal(samples.shaking_series(2), series[:2])
    first = series[0].astype(float)
    for frame in series[1:]:
        assert np.abs(frame - first).mean() > 8
