"""The exhaustive search for a shift, and the notebook's two searches."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.images import as_pair
from napari_iqmaps.core.registration.translation import propose_translation

SCENE = cv2.resize(data.camera(), (160, 120), interpolation=cv2.INTER_AREA)
WIDE = cv2.resize(data.camera(), (220, 180), interpolation=cv2.INTER_AREA)


def moved(dx, dy, source=WIDE, shape=(120, 160), at=25):
    """A window of a larger scene, whose content lies dx to the right and dy below that of moved(0, 0)."""
    return source[at - dy : at - dy + shape[0], at - dx : at - dx + shape[1]]


def notebook_score(first, second, third, tol, crop=0):
    """better / changed and changed, in 64-bit integers over the cropped frame."""
    images = [image.astype(np.int64) for image in (first, second, third)]
    for image in images:
        if crop:
            image[:crop] = image[-crop:] = 0
            image[:, :crop] = image[:, -crop:] = 0
    dd = abs(images[0] - images[2]) - abs(images[1] - images[2])
    changed = int((abs(dd) > tol).sum())
    return (0.5, 0) if changed == 0 else (int((dd > tol).sum()) / changed, changed)


def notebook_scatter(first, second, tol=50):
    rows, columns = first.shape
    scores = []
    for dx in range(10):
        for dy in range(1, 10):
            warped = cv2.warpAffine(first, np.float32([[1, 0, dx], [0, 1, dy]]), (columns, rows))
            scores.append(notebook_score(first, warped, second, tol, crop=15))
    return scores


def notebook_search(first, second, tol=50):
    rows, columns = first.shape
    left, right, top, bottom = int(rows * 0.05), int(rows * 0.95), int(columns * 0.05), int(columns * 0.95)
    scores = []
    for dx in range(15):
        for dy in range(1, 15):
            warped = cv2.warpAffine(first, np.float32([[1, 0, dx], [0, 1, dy]]), (columns, rows))
            parts = [image[top:bottom, left:right] for image in (first, warped, second)]
            scores.append(notebook_score(*parts, tol))
    return scores


@settings(max_examples=10, deadline=None)
@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9), objective=st.sampled_from(["soft", "gain"]))
def test_any_shift_is_found(dx, dy, objective):
    result = iq.search_translation(moved(0, 0), moved(dx, dy), radius=9, objective=objective)
    assert result.accepted, result.reason
    np.testing.assert_array_equal(result.matrix, [[1, 0, dx], [0, 1, dy], [0, 0, 1]])
    assert result.info["best"] == (dy, dx)
    assert result.info["at_edge"] == (max(abs(dx), abs(dy)) == 9)


def test_q5_a_negative_shift_none_and_one_along_an_axis_are_tried():
    for dx, dy in [(-6, 3), (0, 0), (4, 0)]:
        literal = iq.search_translation(moved(0, 0), moved(dx, dy), compat="notebook-scatter")
        assert tuple(literal.matrix[:2, 2]) != (dx, dy)
        proper = iq.search_translation(moved(0, 0), moved(dx, dy))
        assert tuple(proper.matrix[:2, 2]) == (dx, dy)


def test_the_registered_image_is_the_moving_one_shifted_and_its_border_not_valid():
    moving, fixed = moved(0, 0), moved(5, -3)
    result = iq.search_translation(moving, fixed)
    np.testing.assert_array_equal(result.registered[result.valid], fixed[result.valid])
    assert result.registered.dtype == np.uint8
    assert not result.valid[:, :5].any()
    assert not result.valid[-3:].any()
    assert result.valid[:-3, 5:].all()


def test_q34_a_shift_may_not_throw_the_image_out():
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (40, 120)).astype(np.uint8)
    moving, fixed = strip[:, :64], strip[:, 36:100]  # the true shift leaves 28 of 64 columns
    free = iq.search_translation(moving, fixed, radius=12, min_overlap=0.0)
    bound = iq.search_translation(moving, fixed, radius=12, min_overlap=0.9)
    assert abs(free.matrix[0, 2]) <= 12
    overlap = (64 - abs(bound.info["best"][1])) * (40 - abs(bound.info["best"][0])) / (64 * 40)
    assert overlap >= 0.9


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_changed_light_and_other_types_give_the_same_shift(gain):
    light = np.linspace(gain, 1, 160) * moved(-4, 7) + 12
    for dtype, scale in ((np.float32, 1 / 255), (np.uint16, 257)):
        moving = (moved(0, 0).astype(np.float64) * scale).astype(dtype)
        fixed = (light.clip(0, 255) * scale).astype(dtype)
        result = iq.search_translation(moving, fixed, data_range=1 if dtype == np.float32 else None)
        assert tuple(result.matrix[:2, 2]) == (-4, 7)
        assert result.registered.dtype == dtype


def test_colours_stay_colours():
    moving, fixed = (np.stack([moved(*shift)] * 3, axis=axis) for shift, axis in (((0, 0), 0), ((3, 2), 0)))
    result = iq.search_translation(moving, fixed, channel_axis=0)
    assert result.registered.shape == (3, 120, 160)
    assert tuple(result.matrix[:2, 2]) == (3, 2)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        ((np.full((64, 64), 50, np.uint8), np.full((64, 64), 90, np.uint8)), "show too little"),
        (np.random.default_rng(0).integers(0, 256, (2, 64, 64)).astype(np.uint8), "show too little"),
        ((SCENE, SCENE[:, ::-1]), "may not show the same"),
        ((SCENE, cv2.resize(data.coins(), (160, 120))), "may not show the same"),
        ((np.tile(np.kron([[9, 200], [200, 9]], np.ones((6, 6))), (8, 8)).astype(np.uint8),) * 2, "repeat themselves"),
    ],
    ids=["flat", "noise", "mirrored", "unrelated", "periodic"],
)
def test_what_cannot_be_told_is_refused_with_a_reason(pair, reason):
    result = iq.search_translation(*pair)
    assert not result.accepted
    assert reason in result.reason
    np.testing.assert_array_equal(result.matrix, np.eye(3))
    np.testing.assert_array_equal(result.registered, pair[0])
    (candidate,) = propose_translation(as_pair(*pair), Options())
    assert candidate.matrix is None
    assert reason in candidate.reason


def test_proposed_for_a_registration():
    (candidate,) = propose_translation(as_pair(moved(0, 0), moved(-8, 2)), Options())
    np.testing.assert_array_equal(candidate.matrix[:2, 2], [-8, 2])
    (short,) = propose_translation(as_pair(moved(0, 0), moved(-8, 2)), Options(max_shift=3.0))
    assert short.info["radius"] == 3


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), mode=st.sampled_from(["notebook-scatter", "notebook-search"]))
def test_the_literal_searches_give_the_notebooks_numbers(seed, mode):
    rng = np.random.default_rng(seed)
    # Small and oblong as well: windows that are cut off, empty, or closer to the border than the shift.
    shape = (60, 60) if seed % 2 else tuple(rng.integers(20, 90, 2))
    images = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    result = iq.search_translation(*images, compat=mode)
    expected = (notebook_scatter if mode == "notebook-scatter" else notebook_search)(*images)
    np.testing.assert_array_equal(result.info["scores"], [score for score, _ in expected])
    np.testing.assert_array_equal(result.info["counts"], [count for _, count in expected])
    best = np.argmax([score for score, _ in expected]) if mode == "notebook-scatter" else np.argmax(expected)
    if best < len(expected):
        assert tuple(result.matrix[:2, 2]) == (result.info["dx"][best], result.info["dy"][best])
    else:
        assert not result.accepted
        assert "IndexError" in result.reason  # Q8: an argmax over scores and counts together


def test_the_literal_order_of_shifts():
    info = iq.search_translation(SCENE, SCENE, compat="notebook-search", tol=30).info
    assert len(info["dx"]) == 14 * 15
    assert (info["dx"][:15].tolist(), info["dy"][:15].tolist()) == ([0] * 14 + [1], [*range(1, 15), 1])
    assert info["tol"] == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "best"}, "objective is 'best'; choose one of gain, soft, ratio"),
        ({"min_overlap": 2}, "min_overlap is 2"),
        ({"min_overlap": "half"}, "min_overlap is 'half'"),
        ({"tol": None}, "tol is None"),
        ({"tol": 0}, "tolerance of 0 has no soft score"),
        ({"radius": 60}, "radius of 60 pixels leaves 0 x 40"),
        ({"compat": "notebook"}, "choose one of notebook-scatter, notebook-search"),
        ({"compat": "notebook-search", "tol": -1}, "tol is -1"),
    ],
)
def test_refusals_of_options(options, message):
    with pytest.raises(iq.InputError, match=message):
        iq.search_translation(SCENE, SCENE, **options)


def test_the_literal_searches_take_what_the_notebook_reads():
    with pytest.raises(iq.InputError, match="two grey uint8 images of one size"):
        iq.search_translation(SCENE, SCENE[:-1], compat="notebook-search")


def test_cancelling():
    def stop(done, total):
        raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.search_translation(SCENE, SCENE, progress=stop)
