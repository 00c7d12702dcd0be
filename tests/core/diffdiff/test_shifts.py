"""Every whole-pixel shift at once: the same numbers as warping and counting one by one."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from napari_iqmaps.core.diffdiff.lighting import comparable, evened
from napari_iqmaps.core.diffdiff.surface import score_surface, shift_scores
from napari_iqmaps.core.errors import Cancelled, InputError

PHOTOGRAPH = cv2.resize(data.camera(), (96, 72), interpolation=cv2.INTER_AREA)


def one_by_one(moving, fixed, radius, tol):
    """Warp by each shift, take the difference of differences, count: in float64, over the common window."""
    window = (slice(radius, moving.shape[0] - radius), slice(radius, moving.shape[1] - radius))
    before = np.abs(moving.astype(float) - fixed)[window]
    found = np.zeros((3, 2 * radius + 1, 2 * radius + 1))
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            matrix = np.array([[1.0, 0, dx], [0, 1, dy]])
            moved = cv2.warpAffine(moving, matrix, moving.shape[::-1])
            dd = before - np.abs(moved.astype(float) - fixed)[window]
            numbers = (dd > tol).sum(), (dd < -tol).sum(), np.clip(dd / (2 * tol), -1, 1).mean()
            found[:, dy + radius, dx + radius] = numbers
    return found


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    radius=st.integers(0, 4),
    tol=st.sampled_from([0.5, 7.0, 30.25, 50.0, 127.6, 200.0]),
    is_bytes=st.booleans(),
)
def test_all_shifts_equal_a_warp_and_a_count_for_each(seed, radius, tol, is_bytes):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2 * radius + 8, 40, 2))
    images = [rng.integers(0, 256, shape).astype(np.float32) for _ in range(2)]
    if not is_bytes:  # halves are exact in float32 as well, so that ties stay ties
        images = [image + 0.5 for image in images]
    surface = shift_scores(*images, radius=radius, tol=tol)
    better, worse, soft = one_by_one(*images, radius, tol)
    np.testing.assert_array_equal(surface.better, better)
    np.testing.assert_array_equal(surface.worse, worse)
    np.testing.assert_allclose(surface.soft, soft, atol=1e-6)
    assert surface.n_valid == (shape[0] - 2 * radius) * (shape[1] - 2 * radius)
    assert surface.count[radius, radius] == 0
    assert surface.soft[radius, radius] == 0


def test_bytes_and_floats_give_the_same_numbers():
    # A tall image is worked on in several bands.
    moving = np.vstack([PHOTOGRAPH] * 30).astype(np.float32)
    fixed = np.roll(moving, (2, 1), (0, 1))
    as_bytes = shift_scores(moving, fixed, radius=2, tol=20.3)
    fixed_by_halves = fixed.copy()
    fixed_by_halves[0, 0] += 0.5  # outside the window: only the kind of arithmetic changes
    as_floats = shift_scores(moving, fixed_by_halves, radius=2, tol=20.3)
    np.testing.assert_array_equal(as_bytes.better, as_floats.better)
    np.testing.assert_array_equal(as_bytes.worse, as_floats.worse)
    np.testing.assert_allclose(as_bytes.soft, as_floats.soft, atol=1e-6)


def test_holes_count_under_no_shift():
    moving, fixed = PHOTOGRAPH.astype(np.float32), np.roll(PHOTOGRAPH, 3, axis=1).astype(np.float32)
    holes = moving.copy(), fixed.copy()
    holes[0][20:23, 30:34] = np.nan
    holes[1][50, 60] = np.nan
    surface = shift_scores(*holes, radius=4, tol=10.0)
    inside = (72 - 8) * (96 - 8)
    assert surface.n_valid == inside - (3 + 8) * (4 + 8) - 1  # a hole of the moving image spreads by the radius
    filled = [np.nan_to_num(image, nan=value) for image, value in zip(holes, (250.0, 3.0), strict=True)]
    usable = np.ones((72, 96), bool)
    usable[16:27, 26:38] = usable[50, 60] = False
    moved = np.roll(filled[0], (1, 3), (0, 1))
    change = np.abs(filled[0] - filled[1]) - np.abs(moved - filled[1])
    change = change[4:-4, 4:-4][usable[4:-4, 4:-4]]
    assert surface.at(1, 3)["better"] == (change > 10).sum()
    assert surface.at(1, 3)["worse"] == (change < -10).sum()


def test_the_best_of_equals_is_the_smaller_shift():
    flat = np.full((40, 40), 100, np.uint8)
    surface = score_surface(flat, flat, radius=3, tol=5)
    assert surface.best == (0, 0)
    assert surface.best_by("ratio") == (0, 0)
    stripes = np.tile(np.repeat(np.array([0, 200], np.uint8), 4), (40, 6))  # period 8
    moved = np.roll(stripes, 3, axis=1)
    assert score_surface(stripes, moved, radius=6, tol=5, illumination="none").best == (0, 3)  # and not (0, -5)


def test_q4_the_ratio_saturates_long_before_the_truth_and_gain_does_not():
    moving = data.coins()
    fixed = np.roll(moving, (4, 6), (0, 1))
    surface = score_surface(moving, fixed, radius=8, tol=50, illumination="none")
    halfway, truth = surface.at(2, 3), surface.at(4, 6)
    assert halfway["ratio"] > 0.85 * truth["ratio"]
    assert halfway["gain"] < 0.5 * truth["gain"]
    assert halfway["soft"] < 0.5 * truth["soft"]
    assert surface.best_by("gain") == surface.best_by("soft") == (4, 6)


@pytest.mark.parametrize("illumination", ["before", "local"])
def test_lighting_does_not_move_the_best_shift(illumination):
    moving = PHOTOGRAPH.astype(np.float32)
    light = np.linspace(0.6, 1.2, 96, dtype=np.float32) * np.roll(moving, (3, -2), (0, 1)) + 10
    surface = score_surface(moving, light, radius=5, illumination=illumination, data_range=255)
    assert surface.best == (3, -2)


def test_before_moves_the_fixed_image_to_the_mean_of_each_block():
    rng = np.random.default_rng(0)
    moving, fixed = rng.uniform(0, 255, (2, 53, 61)).astype(np.float32)
    fixed[3:9, 4] = np.nan
    same, moved = evened(moving, fixed, "before")
    np.testing.assert_array_equal(same, moving)
    for top, bottom in [(0, 10), (10, 21), (42, 53)]:
        known = np.isfinite(fixed[top:bottom, :12])
        means = [plane[top:bottom, :12][known].mean() for plane in (moving, moved)]
        assert means[0] == pytest.approx(means[1], abs=1e-3)
    assert np.isnan(moved).sum() == 6


def test_local_leaves_nothing_of_gain_and_offset():
    moving = PHOTOGRAPH.astype(np.float32)
    first, second = evened(moving, 0.5 * moving + 60, "local")
    scale = np.std(first) / np.std(second)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.995
    assert 0.9 < scale < 1.2  # flat places have more than their share of the 2 grey levels


def test_the_automatic_tolerance_is_that_of_the_score():
    from napari_iqmaps.core.diffdiff.tolerance import auto_tolerance

    planes = PHOTOGRAPH.astype(np.float32), np.roll(PHOTOGRAPH, 1).astype(np.float32)
    expected = auto_tolerance(*planes, data_range=255)
    assert comparable(*planes, "none", "auto")[2] == pytest.approx(expected)
    assert score_surface(*planes, radius=1, data_range=255).tol == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": 33}, r"radius of 33 pixels leaves 6 x 30 of 72 x 96.*at most 32"),
        ({"radius": -1}, "radius is -1"),
        ({"radius": 2.5}, "radius is 2.5"),
        ({"tol": -1}, "tol is -1"),  # Q33
        ({"tol": float("nan")}, "tol is nan"),
        ({"illumination": "dim"}, "illumination is 'dim'; choose one of none, frame"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(InputError, match=message):
        score_surface(PHOTOGRAPH, PHOTOGRAPH, **options)


def test_a_stack_is_refused():
    with pytest.raises(InputError, match="is a stack"):
        score_surface(np.stack([PHOTOGRAPH] * 2), PHOTOGRAPH)


def test_progress_cancels():
    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        score_surface(PHOTOGRAPH, PHOTOGRAPH, radius=3, progress=stop)
