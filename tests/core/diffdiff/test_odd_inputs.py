"""Images, masks and weights as they should not be, but are: the numbers stay right, or the error says what is wrong."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff


def expected(moving, registered, fixed, valid, illumination):
    """The map of one block in double precision."""
    before, after = (image.astype(float) - fixed for image in (moving, registered))
    if illumination != "none":
        after = after - (before if illumination == "before" else after)[valid].mean()
        before = before - before[valid].mean()
    return np.where(valid, np.abs(before) - np.abs(after), np.nan)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 4), (2, 2), (3, 1), (1, 30), (30, 1)])
@pytest.mark.parametrize("illumination", ["none", "before", "each"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_of_few_pixels_has_its_numbers(shape, illumination, dtype):
    """One pixel, or four in a column, are what OpenCV takes for a number beside an array."""
    rng = np.random.default_rng(sum(shape))
    images = [rng.integers(0, 256, shape) for _ in range(3)]
    typed = [(image * (257 if dtype is np.uint16 else 1)).astype(dtype) for image in images]
    masks = [np.ones(shape, bool), rng.random(shape) < 0.6]
    for valid in masks:
        valid.flat[0] = True
        options = {"valid": valid, "illumination": illumination, "tol": 20, "grid": (1, 1)}
        limits = iq.ScoreLimits(min_block=1, min_total=1, min_valid=0)
        values = expected(*images, valid, illumination)
        np.testing.assert_allclose(iq.diff_diff(*typed, **options).values, values, atol=2e-3)
        score = iq.diff_diff_score(*typed, limits=limits, **options)
        assert (score.better, score.worse) == (np.sum(values > 20), np.sum(values < -20))
        assert score.soft == pytest.approx(np.nanmean(np.clip(values / 40, -1, 1)), abs=1e-4)


def test_weights_spread_over_the_planes_of_a_stack_as_numpy_spreads_them(trio):
    weight = np.ones(trio[0].shape, np.float32)
    weight[:, :60] = 0.5
    alone = iq.diff_diff_score(*trio, weight=weight)
    moving, registered = (np.stack([image] * 3) for image in trio[:2])
    for given in (weight, weight[np.newaxis], np.stack([weight] * 3)):
        assert iq.diff_diff_score(moving, registered, trio[2], weight=given).soft == pytest.approx(alone.soft)
    twice = np.stack([moving] * 2)
    for given in (np.stack([weight] * 3), np.stack([weight[np.newaxis]] * 2)):
        assert iq.diff_diff_score(twice, registered, trio[2], weight=given).soft == pytest.approx(alone.soft)


def test_a_weight_on_few_pixels_leaves_tolerance_and_noise_what_they_are(trio):
    """Of a threshold of edges no window is half full."""
    strong = diffdiff.edge_weight(trio[2]) > 12
    assert 0.02 < strong.mean() < 0.2
    score = iq.diff_diff_score(*trio, weight=strong, illumination="before")
    assert score.tol == iq.diff_diff_score(*trio, illumination="before").tol
    assert (score.verdict, score.scored) == ("better", True)


def test_a_mask_with_few_pixels_in_every_window_still_gives_a_tolerance(trio):
    valid = np.zeros(trio[0].shape, bool)
    valid[::3] = True
    score = iq.diff_diff_score(*trio, valid=valid)
    assert score.tol == pytest.approx(iq.diff_diff_score(*trio).tol, rel=0.2)
    assert score.count > 0


def test_a_verdict_without_a_score_says_why_there_is_none(trio):
    score = iq.diff_diff_score(*trio, tol=200)
    assert (score.verdict, score.scored) == ("better", False)
    assert np.isnan(score.score)
    assert score.reason.startswith("no score: ")
    assert "tolerance of 200 grey levels" in str(score)
    assert "a score takes 100." in score.reason


def test_whole_numbers_may_be_floating_point(trio):
    one = iq.diff_diff_score(*trio, border=2.0, median=3.0, limits=iq.ScoreLimits(min_block=20.0), grid=(4.0, 4))
    other = iq.diff_diff_score(*trio, border=2, median=3, grid=(4, 4))
    assert (one.count, one.score, one.n_valid) == (other.count, other.score, other.n_valid)


@pytest.mark.parametrize("grid", [None, (5, 5)])
def test_the_original_knows_no_masked_pixels(trio, grid):
    masked = np.ma.masked_array(trio[0], mask=trio[0] > 200)
    with pytest.raises(iq.InputError, match=r"knows no mask, and \d+ pixels of the moving image"):
        iq.diff_diff_score(masked, *trio[1:], compat="notebook", grid=grid)


def test_memory_order_byte_order_and_write_protection_do_not_matter(trio):
    plain = iq.diff_diff_score(*trio)
    forms = {
        "backwards": [image[::-1, ::-1].copy()[::-1, ::-1] for image in trio],
        "columns first": [np.asfortranarray(image) for image in trio],
        "big-endian": [image.astype(">u2") * 257 for image in trio],
        "protected": [image.copy() for image in trio],
        "lists": [image.tolist() for image in trio],
    }
    for image in forms["protected"]:
        image.flags.writeable = False
    for name, images in forms.items():
        score = iq.diff_diff_score(*images, data_range=255 if name == "lists" else None)
        assert (score.count, score.score, score.verdict) == (plain.count, plain.score, plain.verdict), name
