"""Thresholds and visible differences, as a user calls them."""

import dask.array as da
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core import models
from napari_iqmaps.core.models import read_network
from napari_iqmaps.core.observers import OBSERVERS
from napari_iqmaps.core.tiling import reflected
from napari_iqmaps.core.visibility import MODELS, STRIDES, surroundings

PHOTO = data.camera()[150:290, 180:331]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return request.param


def noisy(image, sigma, seed=0):
    return np.clip(image + np.random.default_rng(seed).normal(0, sigma, image.shape), 0, 255).round().astype(np.uint8)


def cut_out_patches(image, centres_y, centres_x):
    """The 38x38 neighbourhoods around centres between pixels, one array a patch, border reflected."""
    offsets = np.arange(-18, 20)
    patches = [
        image[np.ix_(reflected(int(y) + offsets, image.shape[0]), reflected(int(x) + offsets, image.shape[1]))]
        for y in centres_y
        for x in centres_x
    ]
    return torch.from_numpy(np.stack(patches)).float()[:, None]


@pytest.mark.parametrize("stride", STRIDES)
def test_the_dense_map_is_the_patch_by_patch_one_interpolated(model, stride):
    """An independent way to the map: cut out every patch, evaluate it alone, interpolate linearly at its centre."""
    image = PHOTO[:53, :46]
    network = read_network(model, str(models.find(models.default_name(model), model).path))
    first = (stride - 1) / 2 - (stride if stride > 1 else 0)
    centres = [np.arange(first, size + stride, stride) for size in image.shape]
    if stride == 1:
        centres = [np.arange(-0.5, size + 0.5) for size in image.shape]
    with torch.inference_mode():
        patches = cut_out_patches(image, *[np.floor(line) for line in centres])
        cells = torch.cat([network(batch, 1) for batch in patches.split(256)]).numpy()
    cells = cells.reshape(*map(len, centres)).astype(float)
    rows = np.stack([np.interp(np.arange(image.shape[0]), centres[0], column) for column in cells.T], axis=1)
    expected = np.stack([np.interp(np.arange(image.shape[1]), centres[1], row) for row in rows])
    found = iq.threshold_map(image, model=model, stride=stride).values
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("tile", [1, 37, 64, 4096])
def test_tiles_equal_the_whole(model, tile):
    image = PHOTO[:70, :90] if tile == 1 else PHOTO
    whole = iq.threshold_map(image, model=model, stride=8, tile=4096)
    tiled = iq.threshold_map(image, model=model, stride=8, tile=tile)
    np.testing.assert_allclose(tiled.values, whole.values, rtol=1e-5)
    assert tiled.score == pytest.approx(whole.score, rel=1e-5)


def test_dask_equals_numpy_and_is_lazy(model):
    stack = np.stack([PHOTO, PHOTO[::-1]])
    eager = iq.threshold_map(stack, model=model)
    lazy = iq.threshold_map(da.from_array(stack, chunks=(1, 50, 60)), model=model, tile=64)
    assert lazy.is_lazy
    assert lazy.values.shape == stack.shape
    np.testing.assert_allclose(lazy.compute().values, eager.values, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(lazy.score), eager.score, rtol=1e-5)
    pair = iq.visibility_map(da.from_array(noisy(PHOTO, 4), chunks=77), PHOTO, model=model)
    assert pair.is_lazy
    np.testing.assert_allclose(pair.values, iq.visibility_map(noisy(PHOTO, 4), PHOTO, model=model).values, atol=1e-5)


def test_the_same_picture_gives_the_same_map_whatever_its_type(model):
    expected = iq.threshold_map(PHOTO, model=model).values
    same = [
        (PHOTO.astype(np.uint16) * 257, {}),
        (PHOTO.astype(">u2") * 257, {}),
        (PHOTO.astype(np.int32) - 100, {"data_range": (-100, 155)}),
        (PHOTO.astype(np.float16), {"data_range": 255}),
        (PHOTO / 255, {"data_range": (0, 1)}),
        (np.repeat(PHOTO[..., None], 3, axis=-1), {"channel_axis": -1}),
        (PHOTO[::-1, ::-1].copy()[::-1, ::-1], {}),
    ]
    for image, options in same:
        image.flags.writeable = False
        found = iq.threshold_map(image, model=model, **options)
        np.testing.assert_allclose(found.values, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (1, 1), (3, 3), (2, 77), (41, 33)])
def test_every_size_gets_an_answer_at_every_pixel(model, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    result = iq.threshold_map(image, model=model)
    assert result.values.shape == shape
    assert result.values.dtype == np.float32
    assert np.isfinite(result.values).all()
    assert ((result.values >= 0.01) & (result.values <= 100)).all()
    assert ("not_enough_evidence" in result.info) == (image.size < 32 * 32)


@pytest.mark.parametrize(
    "image", [np.zeros((50, 60), np.uint8), np.full((50, 60), 255, np.uint8), np.ones((50, 60), bool)]
)
def test_a_constant_image_has_a_constant_map(model, image):
    values = iq.threshold_map(image, model=model).values
    np.testing.assert_allclose(values, values[0, 0], rtol=1e-5)


def test_holes_stay_holes_and_harm_nothing_else(model):
    image = PHOTO.astype(np.float32)
    whole = iq.threshold_map(image, model=model, data_range=255).values
    holed = image.copy()
    holed[60, 70] = np.nan
    holed[64:66, 70:73] = np.inf
    result = iq.threshold_map(holed, model=model, data_range=255)
    holes = ~np.isfinite(holed)
    assert np.array_equal(np.isnan(result.values), holes)
    far = np.ones_like(holes)
    far[60 - 24 : 66 + 24, 70 - 24 : 73 + 24] = False
    np.testing.assert_allclose(result.values[far], whole[far], rtol=1e-5)
    near = ~far & ~holes
    np.testing.assert_allclose(result.values[near], whole[near], rtol=0.1)
    assert result.score == pytest.approx(np.nanmean(result.values), rel=1e-5)
    tiled = iq.threshold_map(holed, model=model, data_range=255, tile=20)
    np.testing.assert_allclose(tiled.values, result.values, rtol=1e-5)
    lazy = iq.threshold_map(da.from_array(holed, chunks=40), model=model, data_range=255, tile=32)
    np.testing.assert_allclose(lazy.values, result.values, rtol=1e-5)


def test_nothing_but_holes_has_no_score(model):
    result = iq.threshold_map(np.full((40, 40), np.nan), model=model, data_range=1)
    assert np.isnan(result.score)
    assert np.isnan(result.values).all()
    assert "no valid pixel" in result.sentence()


def test_a_stack_is_one_map_and_one_score_a_plane(model):
    stack = np.stack([PHOTO, PHOTO // 2, PHOTO[::-1]])[:, None]
    result = iq.threshold_map(stack, model=model)
    assert result.values.shape == stack.shape
    assert result.score.shape == (3, 1)
    single = iq.threshold_map(stack[1, 0], model=model)
    np.testing.assert_allclose(result.values[1, 0], single.values, rtol=1e-6)
    assert result.score[1, 0] == pytest.approx(single.score)


def test_equal_images_show_no_difference(model):
    result = iq.visibility_map(PHOTO, PHOTO, model=model)
    assert not result.values.any()
    assert result.score == 0


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 100), st.sampled_from(MODELS))
def test_visibility_is_a_probability(seed, model):
    rng = np.random.default_rng(seed)
    test, reference = rng.integers(0, 256, (2, 40, 45)).astype(np.uint8)
    values = iq.visibility_map(test, reference, model=model).values
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("observer", OBSERVERS.values(), ids=OBSERVERS.keys())
def test_a_difference_as_large_as_the_threshold_is_seen_with_63_percent(model, observer):
    """What the unit of the map means: q(T) = 1 - 1/e; a uniform difference is in the coarsest channel alone."""
    options = {"model": model, "data_range": 255, "observer": observer.name}
    reference = np.full((80, 80), 100.0)
    test = reference + iq.threshold_map(reference, **options).score / observer.gains[-1]
    values = iq.visibility_map(test, reference, **options).values
    np.testing.assert_allclose(values, 1 - np.exp(-1), rtol=0.02)


def test_more_noise_is_never_less_visible(model):
    scores = [iq.visibility_map(noisy(PHOTO, sigma), PHOTO, model=model).score for sigma in (1, 2, 4, 8, 16, 32)]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] > 0.2


def test_the_window_pools_the_difference():
    """A mean of cubes moves them about and loses none: their sum is that of the smallest window."""
    reference = np.full((90, 90), 100, np.uint8)
    test = reference.copy()
    test[45, 45] = 112
    threshold = np.sqrt(
        iq.threshold_map(test, model="contrast").values * iq.threshold_map(reference, model="contrast").values
    )
    highest, sums = [], []
    for window in (1, 5, 11):
        values = iq.visibility_map(test, reference, model="contrast", window=window).values
        highest.append(values.max())
        sums.append(((-np.log1p(-values.astype(float)) * threshold) ** 3).sum())
    assert highest == sorted(highest, reverse=True)
    assert highest[-1] < 0.6 * highest[0]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-4)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_the_score_is_the_stated_reduction_of_the_map(model, observer):
    result = iq.visibility_map(noisy(PHOTO, 6), PHOTO, model=model, observer=observer)
    mixing = result.info["mixing"]
    assert 0 < mixing < 1
    impairment = 1 - (1 - result.values.astype(float)) ** mixing
    assert result.score == pytest.approx(np.mean(impairment**2.5) ** 0.4, rel=1e-5)


def test_swapping_test_and_reference_changes_nothing(model):
    there = iq.visibility_map(noisy(PHOTO, 6), PHOTO, model=model).values
    back = iq.visibility_map(PHOTO, noisy(PHOTO, 6), model=model).values
    np.testing.assert_allclose(there, back, rtol=1e-5)


def test_a_hole_in_either_image_is_a_hole_of_the_pair(model):
    reference = PHOTO.astype(float)
    test = noisy(PHOTO, 5).astype(float)
    whole = iq.visibility_map(test, reference, model=model, data_range=255).values
    test[60, 70] = np.nan
    reference[90, 80] = np.inf
    values = iq.visibility_map(test, reference, model=model, data_range=255).values
    assert np.argwhere(np.isnan(values)).tolist() == [[60, 70], [90, 80]]
    far = 60 - 29 - 16  # beyond the widest channel and half the window
    np.testing.assert_allclose(values[:far], whole[:far], rtol=1e-5)
    near = np.isfinite(values)
    np.testing.assert_allclose(values[near], whole[near], rtol=0.05)


def test_the_practised_observer_has_lower_thresholds_by_one_factor(model):
    everyday = iq.threshold_map(PHOTO, model=model)
    practised = iq.threshold_map(PHOTO, model=model, observer="practised")
    factor = OBSERVERS["practised"].threshold_factor
    assert 0 < factor < 1
    np.testing.assert_allclose(practised.values, factor * everyday.values, rtol=1e-6)
    assert (everyday.info["observer"], practised.info["observer"]) == ("everyday", "practised")
    assert practised.sentence().endswith("For the practised observer.")


@pytest.mark.parametrize(("seen_at", "window"), [(4, 3), (35, 33), (60, 57), (120, 113), (200, 189)])
def test_the_automatic_window_spans_the_same_angle(seen_at, window):
    tiny = np.zeros((3, 4), np.uint8)
    info = iq.visibility_map(tiny, tiny, model="contrast", pixels_per_degree=seen_at).info
    assert info["window"] == window
    assert info["pixels_per_degree"] == seen_at


def test_a_picture_twice_as_large_from_twice_as_far_looks_the_same():
    """The same in the eye, so the same difference there; the thresholds are of pixels, and a flat field has one."""
    small = np.zeros((60, 60))
    small[28:32, 25:35] = 12
    base = {"model": "contrast", "data_range": 255}
    near = iq.visibility_map(100 + small, np.full((60, 60), 100), pixels_per_degree=30, window=31, **base)
    large = np.kron(small, np.ones((2, 2)))
    far = iq.visibility_map(100 + large, np.full((120, 120), 100), pixels_per_degree=60, window=61, **base)
    # Twice as many pixels of the same texture: only the edges' contrast, and so the threshold, differs a little.
    assert far.values.max() == pytest.approx(near.values.max(), rel=0.05)


def test_tiles_and_dask_of_a_pair_equal_the_whole(model):
    options = {"model": model, "stride": 8, "observer": "practised", "pixels_per_degree": 60, "data_range": 255}
    test, reference = np.stack([noisy(PHOTO, 3), PHOTO]), np.stack([PHOTO, noisy(PHOTO, 1)])
    test = test.astype(np.float32)
    test[0, 50, 60] = np.nan
    whole = iq.visibility_map(test, reference, tile=4096, **options)
    tiled = iq.visibility_map(test, reference, tile=40, **options)
    np.testing.assert_allclose(tiled.values, whole.values, atol=1e-5)
    np.testing.assert_allclose(tiled.score, whole.score, rtol=1e-5)
    lazy = iq.visibility_map(da.from_array(test, chunks=(1, 64, 70)), reference, tile=64, **options)
    assert lazy.is_lazy
    assert lazy.info["mixing"] == whole.info["mixing"]
    np.testing.assert_allclose(np.asarray(lazy.score), whole.score, rtol=1e-5)
    np.testing.assert_allclose(lazy.compute().score, whole.score, rtol=1e-5)
    np.testing.assert_allclose(lazy.values, whole.values, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"pixels_per_degree": 80}, {"window": 121, "stride": 8}])
def test_a_part_with_its_surroundings_has_the_values_of_the_whole(options):
    options |= {"model": "contrast", "observer": "practised"}
    margin = surroundings(**options)
    start = 8 * (margin // 8 + 2)  # of the part, whose cells have to lie where those of the whole do
    size = 2 * start + 10
    reference = np.random.default_rng(3).integers(90, 160, (size, size), dtype=np.uint8)
    test = noisy(reference, 2)
    low = (start - margin) // 8 * 8
    crop = np.s_[low : start + 10 + margin, low : start + 10 + margin]
    assert low > 0
    whole = iq.visibility_map(test, reference, **options).values[start : start + 10, start : start + 10]
    part = iq.visibility_map(test[crop], reference[crop], **options).values
    np.testing.assert_allclose(part[start - low :, start - low :][:10, :10], whole, rtol=1e-4)


def test_the_record_says_how_to_repeat_the_map(model):
    info = iq.threshold_map(PHOTO, model=model, stride=8).info
    record = models.find(models.default_name(model), model)
    assert info["weights_sha256"] == record.sha256
    assert info["version"] == iq.__version__
    assert (info["method"], info["model"], info["stride"], info["data_range"]) == ("threshold_map", model, 8, (0, 255))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "best"}, "model 'best'.*pnet, contrast"),
        ({"stride": 3}, "stride is 3.*1, 2, 4, 8"),
        ({"device": "abacus"}, "device 'abacus'.*auto, cpu, cuda, mps"),
        ({"device": "cpu:nine"}, "device 'cpu:nine'"),
        ({"tile": 0}, "tile is 0"),
        ({"observer": "expert"}, "no observer 'expert'.*everyday, practised"),
    ],
)
def test_bad_options_are_refused_with_what_would_do(options, says):
    with pytest.raises(iq.InputError, match=says):
        iq.threshold_map(PHOTO, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 4}, "window is 4.*odd"),
        ({"window": 64.5}, "window is 64.5"),
        ({"pixels_per_degree": 3}, "pixels_per_degree is 3.*from 4 to 600"),
        ({"pixels_per_degree": float("nan")}, "pixels_per_degree is nan"),
        ({"pixels_per_degree": "35"}, "pixels_per_degree is '35'"),
        ({"observer": "expert"}, "no observer 'expert'"),
    ],
)
def test_bad_options_of_a_pair_are_refused(options, says):
    with pytest.raises(iq.InputError, match=says):
        iq.visibility_map(PHOTO, PHOTO, model="contrast", **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(iq.InputError, match="no usable 'cuda'"):
        iq.threshold_map(PHOTO, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_with_the_cpu(model):
    gpu = iq.threshold_map(PHOTO, model=model, device="cuda").values
    np.testing.assert_allclose(gpu, iq.threshold_map(PHOTO, model=model, device="cpu").values, rtol=1e-3)


def test_a_pair_of_different_sizes_is_refused():
    with pytest.raises(iq.InputError, match=r"test image.*reference image.*140x151, 140x150.*[Rr]egister"):
        iq.visibility_map(PHOTO, PHOTO[:, 1:])


def test_cancelling_leaves_by_the_exception_that_was_raised():
    def progress(done, total):
        if done:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.threshold_map(PHOTO, tile=32, progress=progress)
