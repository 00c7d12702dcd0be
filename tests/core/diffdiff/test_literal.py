"""compat="notebook" gives the original's own numbers, also where they are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_iqmaps as iq


def case(number):
    """Three images with much or little change, of any shape, with the options that go with them."""
    rng = np.random.default_rng(number)
    rows = int(rng.integers(12, 90))
    columns = rows if number % 2 else int(rng.integers(12, 90))
    dtype = [np.uint8, np.uint8, np.uint16, np.int32][int(rng.integers(4))]
    contrast = int(rng.choice([6, 60, 128, 256]))
    images = [rng.integers(0, contrast, (rows, columns)).astype(dtype) for _ in range(3)]
    if rng.random() < 0.5:
        images[0] = (images[0] // 2 + rng.integers(0, 100)).astype(dtype)
    if rng.random() < 0.3:
        images[1] = images[0].copy()
        images[1][: rows // 3, : columns // 2] += dtype(3)
    return images, int(rng.choice([0, 1, 5, 20, 50])), int(rng.choice([0, 0, 1, 3, rows // 4, rows // 2]))


def given_by(function, *arguments):
    try:
        return function(*arguments)
    except (ValueError, ZeroDivisionError, IndexError) as error:
        return type(error)


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_both_scores_equal_the_original_bit_for_bit_in_200_cases(notebook, start):
    for number in range(start, start + 50):
        images, tol, crop = case(number)
        options = {"tol": tol, "border": crop, "compat": "notebook"}
        whole = iq.diff_diff_score(*images, grid=None, **options)
        assert (whole.score, whole.count) == notebook.frame_score(*images, tol, crop), number
        theirs = given_by(notebook.block_score, *images, tol, crop)
        if isinstance(theirs, type):
            with pytest.raises(iq.InputError, match="The original makes blocks of"):
                iq.diff_diff_score(*images, grid=(5, 5), **options)
        else:
            blocks = iq.diff_diff_score(*images, grid=(5, 5), **options)
            assert (blocks.score, blocks.count) == theirs, number


def test_the_cases_have_all_kinds_of_answers(notebook):
    """What the test above compares: scores between 0 and 1, unscored pairs, errors; square, tall and wide."""
    kinds = set()
    for number in range(200):
        images, tol, crop = case(number)
        rows, columns = images[0].shape
        answer = given_by(notebook.block_score, *images, tol, crop)
        kinds.add(answer if isinstance(answer, type) else "unscored" if answer[1] == 0 else "scored")
        kinds.add("wide" if columns > rows else "tall" if rows > columns else "square")
    assert kinds == {ValueError, "unscored", "scored", "wide", "tall", "square"}


def test_its_tolerance_is_50_and_blocks_are_its_default(notebook, trio):
    score = iq.diff_diff_score(*trio, compat="notebook")
    assert score.tol == 50
    assert (score.score, score.count) == notebook.block_score(*trio, 50, 0)
    assert len(score.blocks) == 25
    assert max(block.left + block.width for block in score.blocks) == 160  # it looks at as many columns as rows
    assert score.info["compat"] == "notebook"


def test_q02_columns_are_measured_by_rows(notebook):
    """A wide pair that changes only on the right: the original does not look there, the corrected score does."""
    moving = np.full((50, 100), 50, np.uint8)
    registered = moving.copy()
    fixed = moving.copy()
    fixed[:, 60:80] = registered[:, 60:80] = np.where(np.arange(20) % 2, 200, 60)
    assert notebook.block_score(moving, registered, fixed, 50, 0) == (0.5, 0)
    literal = iq.diff_diff_score(moving, registered, fixed, compat="notebook")
    assert (literal.score, literal.count, literal.scored) == (0.5, 0, False)
    assert iq.diff_diff_score(moving, registered, fixed, tol=50, illumination="none").score == 1.0


def test_q02_a_tall_frame_has_blocks_of_its_own_border(notebook):
    """500 x 300 with a crop of 20: the original takes 16 zeroed columns for image."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (500, 300)).astype(np.uint8) for _ in range(3)]
    literal = iq.diff_diff_score(*images, compat="notebook", border=20)
    assert {(block.height, block.width) for block in literal.blocks} == {(92, 92)}
    assert max(block.left + block.width for block in literal.blocks) == 296
    ours = iq.diff_diff_score(*images, border=20, tol=50)
    assert max(block.left + block.width for block in ours.blocks) == 280


def test_q13_small_blocks_are_counted_before_they_are_left_out():
    """One block of 25 changed pixels and six of 15: 115 are enough for the original, whose score then rests on 25."""
    moving, fixed = np.full((100, 100), 10, np.uint8), np.full((100, 100), 10, np.uint8)
    for block, number in enumerate([25] + 6 * [15]):
        rows, columns = np.divmod(np.arange(number), 5)
        moving[(block // 5) * 20 + rows, (block % 5) * 20 + columns] = 200
    literal = iq.diff_diff_score(moving, fixed, fixed, compat="notebook")
    assert (literal.score, literal.count) == (1.0, 25)
    ours = iq.diff_diff_score(moving, fixed, fixed, tol=50, illumination="none")
    assert not ours.scored
    assert np.isnan(ours.score)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("illumination", "each"),
        ("smooth", 1.0),
        ("median", 3),
        ("valid", "border"),
        ("limits", iq.ScoreLimits(min_total=10)),
    ],
)
def test_an_option_that_the_original_lacks_is_refused(trio, option, value):
    with pytest.raises(iq.InputError, match=f"has no {option}"):
        iq.diff_diff_score(*trio, compat="notebook", **{option: value})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"compat": "matlab"}, "'matlab'"),
        ({"grid": (4, 4)}, r"\(4, 4\)"),
        ({"tol": -1}, "-1"),
        ({"border": 0.5}, "0.5"),
    ],
)
def test_an_impossible_option_is_refused_with_its_value(trio, change, told):
    with pytest.raises(iq.InputError, match=told):
        iq.diff_diff_score(*trio, **{"compat": "notebook", **change})


def test_it_takes_whole_numbers_of_one_size(trio):
    with pytest.raises(iq.InputError, match=r"whole numbers.*float64"):
        iq.diff_diff_score(*(image / 255 for image in trio), compat="notebook")
    with pytest.raises(iq.InputError, match=r"moving image 150x200, .*fixed image 160x200"):
        iq.diff_diff_score(trio[0][:150], *trio[1:], compat="notebook", grid=None)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 130), st.integers(10, 130))
def test_q07_the_original_loses_the_last_windows(notebook, seed, rows, columns):
    image = np.random.default_rng(seed).integers(0, 255, (rows, columns)).astype(np.uint8)
    measured = iq.local_contrast(image, compat="notebook", window=10)
    if min(rows, columns) <= 10:  # a mean of nothing; the package says so with NaN
        assert measured.windows == 0
        assert np.isnan(measured.mean_contrast)
        return
    theirs = notebook.contrast(image, 10)
    assert (measured.mean_contrast, measured.brightness_variation, measured.contrast_variation) == theirs


def test_the_tolerance_of_the_original(notebook, scene):
    assert iq.auto_tolerance(scene, compat="notebook") == pytest.approx(notebook.tolerance(scene), rel=1e-14)
