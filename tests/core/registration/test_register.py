"""Registration as a whole: known motions are recovered, and what cannot be registered is refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.registration.geometry import corner_error

from .scenes_for_registration import TRUTH, checkerboard, photograph, seen_by


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    return seen_by(photograph(), TRUTH)


@pytest.fixture(scope="module")
def registered(pair) -> iq.Registration:
    return iq.register(*pair)


def test_a_known_motion_is_recovered(pair, registered):
    moving, fixed = pair
    assert registered.accepted, registered.reason
    assert corner_error(registered.matrix, TRUTH, moving.shape) < 0.3
    assert registered.registered.dtype == np.uint8
    assert registered.registered.shape == registered.valid.shape == fixed.shape
    apart = np.abs(registered.registered.astype(int) - fixed)[registered.valid]
    assert apart.mean() < 4
    assert not registered.registered[~registered.valid].any()
    assert registered.info["local_ncc_after"] > 0.9 > registered.info["local_ncc_before"]
    assert registered.inliers >= 20


@pytest.mark.parametrize("method", ["fast", "features", "flow", "ecc"])
def test_every_method_recovers_it(pair, method):
    result = iq.register(*pair, method=method)
    assert result.accepted, result.reason
    assert corner_error(result.matrix, TRUTH, pair[0].shape) < (2 if method == "flow" else 0.3)


def test_equal_seeds_give_equal_results(pair, registered):
    again = iq.register(*pair)
    np.testing.assert_array_equal(again.matrix, registered.matrix)
    np.testing.assert_array_equal(again.registered, registered.registered)


def test_transposed_images_give_the_transposed_motion(pair, registered):
    swapped = iq.register(pair[0].T, pair[1].T)
    swap = np.array([(0, 1, 0), (1, 0, 0), (0, 0, 1.0)])
    assert corner_error(swap @ swapped.matrix @ swap, registered.matrix, pair[0].shape) < 0.3


@pytest.mark.parametrize("kind", ["uint16 in a corner of its range", "float", "colour", "channels first"])
def test_dtypes_ranges_and_colours_agree(pair, registered, kind):
    moving, fixed = pair
    options: dict[str, object] = {}
    if kind.startswith("uint16"):
        moving, fixed = (image.astype(np.uint16) * 10 for image in pair)
    elif kind == "float":
        moving, fixed = (image.astype(np.float32) / 255 for image in pair)
        options = {"data_range": 1.0}
    elif kind == "colour":
        moving, options = np.stack([moving] * 3, axis=-1), {"channel_axis": -1}
    else:
        moving, options = np.stack([moving] * 3), {"channel_axis": 0}
    result = iq.register(moving, fixed, method="fast", **options)
    assert result.accepted, result.reason
    assert corner_error(result.matrix, registered.matrix, pair[0].shape) < 0.15
    assert result.registered.dtype == moving.dtype
    assert result.registered.shape == moving.shape


def test_sizes_may_differ(pair):
    moving, fixed = pair
    result = iq.register(moving[10:, 20:], fixed[:150])
    truth = TRUTH @ np.array([(1, 0, 20.0), (0, 1, 10.0), (0, 0, 1)])
    assert corner_error(result.matrix, truth, (150, 140)) < 0.4
    assert result.registered.shape == (150, 160)


def test_holes_are_left_out(pair):
    moving = pair[0].astype(np.float32)
    moving[40:60, 50:90] = np.nan
    result = iq.register(moving, pair[1].astype(np.float32), data_range=255)
    assert corner_error(result.matrix, TRUTH, moving.shape) < 0.3
    assert np.isnan(result.registered[~result.valid]).all()
    assert np.isfinite(result.registered[result.valid]).all()
    assert not result.valid[50, 70]


def test_what_is_aligned_already_is_accepted_as_such():
    moving, fixed = seen_by(photograph(), np.eye(3), noise=3)
    result = iq.register(moving, fixed)
    assert result.accepted, result.reason
    assert result.largest_shift < 0.3


def test_a_strong_change_of_viewpoint():
    tilted = np.array([(1.1, 0.45, -20.0), (-0.1, 0.55, 40.0), (2e-4, 9e-4, 1.0)])
    image = photograph(240)
    moving, fixed = seen_by(image, tilted)
    result = iq.register(moving, fixed)
    assert result.accepted, result.reason
    assert corner_error(result.matrix, tilted, image.shape) < 2


def impossible(kind: str) -> tuple[np.ndarray, np.ndarray]:
    image = photograph()
    rng = np.random.default_rng(4)
    if kind == "mirrored":
        return image, image[:, ::-1]
    if kind == "flat":
        return np.full((96, 96), 90, np.uint8), np.full((96, 96), 120, np.uint8)
    if kind == "noise":
        return tuple(rng.integers(0, 256, (2, 96, 96)).astype(np.uint8))
    if kind == "a board moved by half a period":
        return checkerboard((160, 160), 16), checkerboard((160, 160), 16, 16)
    if kind == "stripes":
        return tuple(np.tile(checkerboard((1, 160), 10, shift), (160, 1)) for shift in (0, 4))
    if kind == "one flat":
        return image[:96, :96], np.full((96, 96), 128, np.uint8)
    from skimage import data

    return image, np.ascontiguousarray(data.brick()[:160, :160])


@pytest.mark.parametrize(
    "kind", ["mirrored", "flat", "noise", "a board moved by half a period", "stripes", "one flat", "unrelated"]
)
def test_what_cannot_be_registered_is_refused(kind):
    moving, fixed = impossible(kind)
    result = iq.register(moving, fixed)
    assert not result.accepted
    assert result.reason.endswith(".")
    np.testing.assert_array_equal(result.matrix, np.eye(3))
    np.testing.assert_array_equal(result.registered, moving)
    assert result.valid.all()
    assert not any(trial["accepted"] for trial in result.info["candidates"])


def test_a_stiff_transform_of_another_motion_is_refused_and_a_shift_is_found():
    turned = np.array([(0.97, -0.24, 20.0), (0.24, 0.97, -18.0), (0, 0, 1)])
    refused = iq.register(*seen_by(photograph(), turned), method="features", transform="translation")
    assert not refused.accepted
    shift = np.array([(1, 0, 7.0), (0, 1, -4.5), (0, 0, 1)])
    found = iq.register(*seen_by(photograph(), shift), transform="translation")
    np.testing.assert_allclose(found.matrix, shift, atol=0.15)
    assert found.as_napari_affine()[0, 2] == pytest.approx(-4.5, abs=0.15)


def test_limits_are_kept(pair):
    assert "max_shift=1" in iq.register(*pair, method="fast", max_shift=1).reason
    assert "min_inliers=100000" in iq.register(*pair, method="fast", min_inliers=100000).reason


def test_it_can_be_cancelled_while_it_runs(pair):
    calls = []

    def cancel(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) > 3:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.register(*pair, progress=cancel)
    assert len(calls) == 4


def test_progress_rises_to_its_end(pair):
    calls: list[tuple[int, int]] = []
    iq.register(*pair, method="fast", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "magic"}, "choose one of auto"),
        ({"transform": "elastic"}, "choose one of homography"),
        ({"max_shift": -1}, "max_shift is -1"),
        ({"min_overlap": 2}, "from 0 to 1"),
        ({"min_inliers": 2.5}, "whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**40}, "from 0 to 2147483646"),
        ({"method": "matches"}, "needs matched points"),
        ({"method": "ecc", "matches": object()}, "does not use them"),
    ],
)
def test_wrong_options_are_named(pair, options, says):
    with pytest.raises(iq.InputError, match=says):
        iq.register(*pair, **options)


def test_stacks_and_scraps_are_refused(pair):
    with pytest.raises(iq.InputError, match="register_series"):
        iq.register(np.stack([pair[0]] * 2), pair[1])
    with pytest.raises(iq.InputError, match="8x160"):
        iq.register(pair[0][:8], pair[1])
    with pytest.raises(iq.InputError, match="no pixel with a value"):
        iq.register(np.full((40, 40), np.nan), pair[1].astype(float), data_range=255)


@pytest.mark.parametrize("other", [np.uint16, np.float32])
def test_one_range_that_cannot_suit_both_is_refused(other):
    fixed = np.full((40, 40), 9, np.uint8)
    with pytest.raises(iq.InputError, match="does not suit all of them"):
        iq.register(fixed.astype(other), fixed, data_range=(0, 1))
