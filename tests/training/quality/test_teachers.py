"""What measures with a reference say, against other programs and by what they have to do."""

import numpy as np
import pytest
from scipy import ndimage, signal
from skimage import metrics

import napari_iqmaps as iq
from napari_iqmaps.core.io.reading import read_image
from napari_iqmaps.training.evaluation.measures import gmsd
from napari_iqmaps.training.quality.teachers import NUMBERS, teachers_of, vif


@pytest.fixture(scope="module")
def reference(photographs):
    return read_image(photographs[1]).array[:100, :116, 1].astype(np.float32)


def noisy(reference, level, seed=0):
    changed = reference + np.random.default_rng(seed).normal(0, level, reference.shape)
    return np.clip(np.rint(changed), 0, 255).astype(np.float32)


def number(name, test, reference):
    return teachers_of(test, reference).numbers[NUMBERS.index(name)]


def test_equal_images_are_faultless(reference):
    teachers = teachers_of(reference, reference.copy())
    np.testing.assert_allclose(teachers.numbers, 0, atol=1e-3)
    assert teachers.visible.max() == 0
    assert teachers.visible.shape == (25, 29)
    flat = np.full((64, 64), 100, np.float32)
    np.testing.assert_allclose(teachers_of(flat, flat).numbers, 0, atol=1e-3)


def test_every_number_rises_with_noise_and_blur(reference):
    for change in (lambda level: noisy(reference, 5 * level), lambda level: ndimage.gaussian_filter(reference, level)):
        levels = np.stack([teachers_of(change(level), reference).numbers for level in (0.5, 1, 2, 4)])
        assert np.all(np.diff(levels, axis=0) > 0)
        assert levels.min() >= 0
        assert levels.max() < 1.3


def test_vif_is_its_formula(reference):
    """The definition with SciPy's convolution and one window after the other."""
    test = np.clip(ndimage.gaussian_filter(noisy(reference, 6), 0.7) * 1.1, 0, 255).astype(np.float32)
    kept = there = 0.0
    first, second = reference.astype(float), test.astype(float)
    for scale in range(1, 5):
        side = 2 ** (5 - scale) + 1
        window = signal.windows.gaussian(side, side / 5)
        window = np.outer(window, window) / window.sum() ** 2
        if scale > 1:
            first, second = (signal.convolve2d(plane, window, "valid")[::2, ::2] for plane in (first, second))
        means, squares = ([signal.convolve2d(plane, window, "valid") for plane in planes]
                          for planes in ((first, second), (first**2, second**2)))  # fmt: skip
        product = signal.convolve2d(first * second, window, "valid")
        variances = [square - mean**2 for mean, square in zip(means, squares, strict=True)]
        gain = (product - means[0] * means[1]) / variances[0]
        noise = np.where(gain < 0, variances[1], variances[1] - gain * (product - means[0] * means[1]))
        gain = np.maximum(gain, 0)
        kept += np.log2(1 + gain**2 * variances[0] / (noise + 2)).sum()
        there += np.log2(1 + variances[0] / 2).sum()
    assert vif(test, reference) == pytest.approx(kept / there, rel=1e-6)
    assert 0.1 < vif(test, reference) < 0.9


def test_vif_knows_more_contrast_from_less(reference):
    low = 100 + 0.5 * (reference - reference.mean())
    assert vif(100 + 1.3 * (low - 100), low) > 1
    assert vif(100 + 0.7 * (low - 100), low) < 1


def test_ssim_and_gmsd_are_those_of_others(reference):
    test = noisy(reference, 10)
    theirs = metrics.structural_similarity(reference, test, data_range=255, gaussian_weights=True, sigma=1.5,
                                           use_sample_covariance=False)  # fmt: skip
    assert number("ssim", test, reference) == pytest.approx(np.sqrt(1 - theirs), abs=1e-4)
    assert number("gmsd", test, reference) == pytest.approx(gmsd(test, reference) / 0.35, rel=1e-5)
    brighter = np.minimum(reference + 20, 255)
    assert number("structure", brighter, reference) < number("ssim", brighter, reference)


def test_visible_is_where_the_distortion_is_and_of_the_size_of_the_map(reference):
    test = reference.copy()
    test[60:92, 64:104] = noisy(reference, 30)[60:92, 64:104]
    teachers = teachers_of(test, reference)
    rows, columns = np.mgrid[:25, :29]
    inside = (rows >= 17) & (rows < 21) & (columns >= 18) & (columns < 24)
    outside = (rows < 7) | (columns < 8)  # the map's channels reach 25 pixels far
    assert teachers.visible[inside].min() > 0.15
    assert teachers.visible[outside].max() < 0.02
    seen = iq.visibility_map(test, reference, model="contrast", data_range=(0, 255))
    assert teachers.numbers[0] == pytest.approx(float(seen.score), rel=1e-6)
    expected = 1 - (1 - seen.values[76, 84]) ** seen.info["mixing"]
    assert teachers.visible[19, 21] == pytest.approx(expected, abs=0.1)
