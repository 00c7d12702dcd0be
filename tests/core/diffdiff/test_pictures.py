"""Marks, overlays, the ladder of tolerances, the histogram, and weights."""

import numpy as np
import pytest
from scipy import ndimage

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff


@pytest.fixture(scope="module")
def found(trio):
    return iq.diff_diff(*trio, illumination="none")


def test_marks_are_strict_and_of_every_plane():
    values = np.array([[[5.0, 5.1, -5.0, -5.1, np.nan]]], np.float32)
    better, worse = diffdiff.marks(values, 5)
    assert better.tolist() == [[[False, True, False, False, False]]]
    assert worse.tolist() == [[[False, False, False, True, False]]]


def test_a_vote_is_a_majority_with_the_border_repeated():
    """Independent reference: more than half of the window, counted by a mean filter."""
    values = np.random.default_rng(0).normal(0, 10, (33, 21)).astype(np.float32)
    for median in (3, 5):
        better, _ = diffdiff.marks(values, 4, median=median)
        share = ndimage.uniform_filter((values > 4).astype(float), median, mode="nearest")
        assert np.array_equal(better, share > 0.5)


def test_the_marked_overlay_shows_the_registered_image(trio, found):
    _, registered, fixed = trio
    picture = diffdiff.marked_overlay(registered, fixed, found.values, 20)
    better, worse = diffdiff.marks(found.values, 20)
    assert (picture[better] == (255, 221, 0)).all()
    assert (picture[worse] == (0, 64, 255)).all()
    rest = ~(better | worse)
    assert np.array_equal(picture[..., 0][rest], registered[rest])
    assert np.array_equal(picture[..., 1][rest], fixed[rest])
    assert np.array_equal(picture[..., 2][rest], registered[rest])
    with pytest.raises(iq.InputError, match=r"map has shape \(10, 10\)"):
        diffdiff.marked_overlay(registered, fixed, found.values[:10, :10], 20)
    with pytest.raises(iq.InputError, match="differ in size"):
        diffdiff.overlay(registered[:9], fixed)


def test_an_overlay_of_a_stack_with_holes():
    planes = np.full((2, 3, 4), 0.5)
    planes[1, 0, 0] = np.nan
    picture = diffdiff.overlay(planes, planes, data_range=1)
    assert picture.shape == (2, 3, 4, 3)
    assert picture[1, 0, 0].tolist() == [0, 0, 0]
    assert picture[0, 0, 0].tolist() == [128, 128, 128]


def test_the_ladder_counts_what_the_score_counts(trio, found):
    ladder = diffdiff.tolerance_curve(found)
    assert [point.tol for point in ladder] == list(range(10, 91, 10))
    limits = iq.ScoreLimits(min_total=1)
    for point in ladder:
        score = iq.diff_diff_score(*trio, tol=point.tol, grid=None, illumination="none", limits=limits)
        assert (point.better, point.worse, point.count) == (score.better, score.worse, score.count)
        assert point.score == pytest.approx(score.score, nan_ok=True)
    assert np.isnan(diffdiff.tolerance_curve(found.values, [300])[0].score)


def test_the_histogram_has_17_bins_of_30(notebook, trio, found):
    edges, counts = diffdiff.histogram(found, tol=20)
    change = notebook.change_of_difference(*trio)
    theirs, their_edges = np.histogram(change[np.abs(change) > 20], bins=255 // 15, range=(-255, 255))
    assert np.array_equal(counts, theirs)
    assert np.array_equal(edges, their_edges)
    assert counts.sum() == (np.abs(change) > 20).sum()
    _, beyond = diffdiff.histogram(np.float32([[-300, 300, np.nan, 0]]), bins=2)
    assert beyond.tolist() == [1, 1]


def test_another_kind_of_map_is_refused(found):
    other = iq.QualityMap(found.values, "mark", 0.0, {})
    with pytest.raises(iq.InputError, match="kind 'mark'"):
        diffdiff.tolerance_curve(other)
    with pytest.raises(iq.InputError, match="bins is 0"):
        diffdiff.histogram(found, bins=0)


@pytest.mark.parametrize("kind", ["mean", "gaussian", "laplacian"])
def test_weights_are_large_at_edges(kind):
    image = np.zeros((60, 60), np.uint8)
    image[:, 30:] = 200
    weight = diffdiff.edge_weight(image, kind=kind, radius=9)
    assert weight.dtype == np.float32
    assert weight[30, 28:32].min() > 5
    assert weight[:, :20].max() == weight[:, 40:].max() == 0
    holed = image.astype(float)
    holed[30, 30] = np.nan
    assert diffdiff.edge_weight(holed, kind=kind, data_range=255)[30, 30] == 0
    assert diffdiff.edge_weight(np.stack([image] * 2), kind=kind).shape == (2, 60, 60)


def test_weights_are_the_filters_of_the_original():
    """Independent reference: scipy's filters, away from the border."""
    image = np.random.default_rng(0).integers(0, 255, (80, 70)).astype(np.uint8)
    inside = np.s_[20:-20, 20:-20]
    plain = image.astype(np.float32)
    mean = np.abs(plain - ndimage.uniform_filter(plain, 11))
    assert np.allclose(diffdiff.edge_weight(image, kind="mean", radius=11)[inside], mean[inside], atol=1e-2)
    sigma = 0.3 * ((11 - 1) * 0.5 - 1) + 0.8  # what the original's library takes for a window of 11
    gaussian = np.abs(plain - ndimage.gaussian_filter(plain, sigma, radius=5))
    assert np.allclose(diffdiff.edge_weight(image, radius=10)[inside], gaussian[inside], atol=1e-2)
    second = np.array([1, 2, -1, -4, -1, 2, 1], float)  # [1 -2 1], smoothed by [1 1] four times
    smooth = np.array([1, 6, 15, 20, 15, 6, 1], float)
    kernel = np.outer(second, smooth) + np.outer(smooth, second)
    laplacian = np.abs(ndimage.correlate(plain, kernel)) / 2 ** (2 * 7 - 4)
    assert np.allclose(diffdiff.edge_weight(image, kind="laplacian", radius=7)[inside], laplacian[inside], atol=1e-2)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"kind": "sobel"}, "'sobel'"), ({"radius": 0}, "radius is 0"), ({"kind": "laplacian", "radius": 33}, "up to 31")],
)
def test_an_impossible_weight_is_refused(options, told):
    with pytest.raises(iq.InputError, match=told):
        diffdiff.edge_weight(np.zeros((9, 9), np.uint8), **options)
