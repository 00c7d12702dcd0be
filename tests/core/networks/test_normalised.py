"""The shared preprocessing against an independent one in scipy, and the promise that nothing is shifted."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data

from napari_iqmaps.core._network_pass import at_pixels
from napari_iqmaps.core.networks.blind import (
    CELL,
    NO_DIFFERENCE,
    NORMALISED_REACH,
    normalised,
    objective_error,
    quarter,
    reliability,
)

BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
PHOTO = data.camera()[100:196, 200:320]


def tensor(plane):
    return torch.from_numpy(np.ascontiguousarray(plane, np.float32))[None, None]


def smoothed(plane, gain=1):
    for axis in (0, 1):
        plane = ndimage.convolve1d(plane, gain * BINOMIAL, axis=axis, mode="mirror")
    return plane


def reference_quarter(plane):
    return smoothed(smoothed(plane)[::2, ::2])[::2, ::2]


def reference_normalised(plane):
    low = reference_quarter(plane)
    for _ in range(2):
        fine = np.zeros((2 * low.shape[0], 2 * low.shape[1]))
        fine[::2, ::2] = low
        low = smoothed(fine, gain=2)
    return plane - low


def test_the_normalised_image_is_that_of_an_independent_pyramid():
    found = normalised(tensor(PHOTO))[0, 0].numpy()
    expected = reference_normalised(PHOTO.astype(float))
    inner = (slice(NORMALISED_REACH, -NORMALISED_REACH),) * 2
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-4)
    np.testing.assert_allclose(quarter(tensor(PHOTO))[0, 0], reference_quarter(PHOTO.astype(float)), rtol=1e-6)


def test_a_pixel_reaches_just_as_far_as_stated():
    """At every place on the grid of cells: outside the reach nothing changes, at it something does."""
    farthest = 0
    for offset in range(CELL):
        one = torch.zeros(1, 1, 96, 96)
        one[..., 48 + offset, 48] = 255
        changed = (normalised(one)[0, 0].abs() > 1e-6).nonzero() - torch.tensor([48 + offset, 48])
        farthest = max(farthest, int(changed.abs().max()))
    assert farthest == NORMALISED_REACH


@pytest.mark.parametrize("take", [normalised, lambda plane: quarter(normalised(plane).abs())])
def test_an_impulse_on_a_cell_stays_symmetric(take):
    one = torch.zeros(1, 1, 96, 96)
    one[..., 48, 48] = 200
    answer = take(one)[0, 0]
    step = 96 // answer.shape[0]
    around = answer[1 : 96 // step, 1 : 96 // step]
    for turned in (around.flip(0), around.flip(1), around.T):
        torch.testing.assert_close(around, turned, atol=1e-5, rtol=0)
    assert around.argmax() == around.numel() // 2


def test_cells_lie_on_their_pixels():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    plane = (3 * rows - 2 * columns)[None, None]
    fine = at_pixels(plane)
    assert fine.shape == (1, 1, 20, 16)
    rows, columns = torch.meshgrid(torch.arange(20) / 4, torch.arange(16) / 4, indexing="ij")
    torch.testing.assert_close(fine[0, 0], 3 * rows - 2 * columns, atol=1e-5, rtol=0)
    noise = torch.rand(1, 1, 6, 5)
    torch.testing.assert_close(at_pixels(noise)[..., ::4, ::4], noise[..., :-1, :-1])


def test_equal_images_have_no_error_and_low_frequencies_are_none():
    detail = normalised(tensor(PHOTO))
    assert objective_error(detail, detail.clone()).max() == 0
    brighter = normalised(tensor(PHOTO + 20.0))
    assert 0 < (brighter - detail).abs().max() < NO_DIFFERENCE
    assert objective_error(detail, brighter).max() == 0


@pytest.mark.parametrize("difference", [0.02, 1, 40])
def test_the_error_is_the_stated_power_of_the_difference(difference):
    detail = torch.zeros(1, 1, 32, 32)
    expected = (difference / 255) ** 0.2
    assert objective_error(detail, detail + difference).mean() == pytest.approx(expected, rel=0.02)
    assert objective_error(detail + difference, detail).mean() == pytest.approx(expected, rel=0.02)


def test_reliability_is_the_papers_formula_and_zero_without_detail():
    detail = normalised(tensor(PHOTO))
    expected = reference_quarter(2 / (1 + np.exp(-0.7 * np.abs(detail[0, 0].double().numpy()))) - 1)
    np.testing.assert_allclose(reliability(detail, 0.7)[0, 0], expected, atol=1e-6)
    assert reliability(normalised(torch.full((1, 1, 32, 32), 255.0))).max() < 1e-5
    assert 0.99 < reliability(torch.full((1, 1, 32, 32), 255.0)).max() <= 1.000001
