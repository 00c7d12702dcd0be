"""Contrast, noise and the tolerance that follows from them."""

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.diffdiff.tolerance import local_tolerance, noise_left, noise_of, tolerance_of


def test_the_contrast_is_that_of_the_windows(notebook, scene):
    image = scene[:151, :201]  # with a row and a column over, the original loses nothing
    measured = iq.local_contrast(image)
    theirs = notebook.contrast(image)
    assert measured.windows == 12
    assert (measured.mean_contrast, measured.brightness_variation, measured.contrast_variation) == pytest.approx(theirs)
    assert measured.mean_brightness == pytest.approx(image[:150, :200].mean())
    assert measured.tolerance == pytest.approx(notebook.tolerance(image))


def test_a_flat_image_has_the_smallest_tolerance():
    assert iq.auto_tolerance(np.full((60, 60), 7, np.uint8)) == pytest.approx(1.88)


def test_a_stack_is_all_its_windows_and_holes_are_left_out(scene):
    planes = scene[:100, :100].astype(np.float32), scene[100:200, 100:200].astype(np.float32)
    both = iq.local_contrast(np.stack(planes), data_range=255)
    assert both.windows == 8
    assert both.mean_contrast == pytest.approx(
        np.mean([iq.local_contrast(plane, data_range=255).mean_contrast for plane in planes])
    )
    holed = planes[0].copy()
    holed[:50, :50] = np.nan  # a window without pixels
    holed[60, 60] = np.nan
    assert iq.local_contrast(holed, data_range=255).windows == 3
    nothing = iq.local_contrast(np.full((60, 60), np.nan), data_range=255)
    assert nothing.windows == 0
    assert np.isnan(nothing.tolerance)
    assert np.isnan(iq.auto_tolerance(np.full((60, 60), np.nan), data_range=255))


def test_all_types_have_the_same_tolerance(scene):
    plain = iq.auto_tolerance(scene)
    assert iq.auto_tolerance(scene.astype(np.uint16) * 257) == plain
    assert iq.auto_tolerance(scene / 255, data_range=1) == pytest.approx(plain, rel=1e-5)
    assert iq.auto_tolerance(np.stack([scene] * 3, -1), channel_axis=-1) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("sigma", [2, 8, 20])
def test_the_noise_is_found_in_flat_and_in_textured_images(sigma):
    """Independent reference: the noise that was put in. Texture passes for a little noise, never for less."""
    rng = np.random.default_rng(sigma)
    noise = rng.normal(0, sigma, (256, 256))
    assert noise_of((128 + noise).astype(np.float32)) == pytest.approx(sigma, rel=0.03)
    textured = data.coins()[:256, :256].astype(np.float32)
    assert sigma * 0.97 < noise_of((textured + noise).astype(np.float32)) < sigma + 2.5
    large = np.tile(128 + noise, (4, 4)).astype(np.float32)  # only parts of it are looked at
    large[::7, 5] = np.nan
    assert noise_of(large) == pytest.approx(sigma, rel=0.05)


def test_the_tolerance_is_above_the_noise():
    rng = np.random.default_rng(0)
    moving, fixed = (rng.normal(128, 8, (200, 200)).astype(np.float32) for _ in range(2))
    spread = float(np.std(moving - fixed))
    tol, found = tolerance_of((moving, fixed))
    assert (tol, found) == (pytest.approx(2 * spread, rel=0.05), "noise")
    assert iq.auto_tolerance(moving, fixed, data_range=255) == pytest.approx(tol)
    assert tolerance_of((moving, fixed), smooth=1.5)[0] == pytest.approx(spread, rel=0.05)


def test_the_noise_that_smoothing_leaves():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    moving, fixed = (rng.normal(128, 10, (300, 300)).astype(np.float32) for _ in range(2))
    left = float(np.std(gaussian_filter(moving, 1.5) - gaussian_filter(fixed, 1.5)))
    assert noise_left((moving, fixed), 1.5) == pytest.approx(left, rel=0.05)
    assert local_tolerance(10.0, (moving, fixed), 1.5) == (pytest.approx(2 * left, rel=0.05), "noise")
    assert local_tolerance(60.0, (moving, fixed), 1.5) == (pytest.approx(9.0), "local contrast")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: iq.auto_tolerance(), "got no image"),
        (lambda: iq.local_contrast(np.zeros((9, 9)), window=0), "window is 0"),
        (lambda: iq.local_contrast(np.zeros((9, 9), np.uint8), compat="octave"), "'octave'"),
        (lambda: iq.local_contrast(np.zeros((2, 9, 9), np.uint8), compat="notebook"), "one grey image"),
        (lambda: iq.local_contrast(np.zeros((9, 9))), "data_range"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, told):
    with pytest.raises(iq.InputError, match=told):
        call()
