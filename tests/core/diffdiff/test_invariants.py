"""What holds for any three images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff
from napari_iqmaps.core.diffdiff import differences

LIGHTS = ("none", "before", "each", "local")
ANTISYMMETRIC = ("none", "each", "local")  # "before" moves the fixed image with the moving one
SIDES = st.integers(9, 70)


def images(seed, rows, columns, levels=256):
    """Blobs and edges with noise: three images that have something in common."""
    rng = np.random.default_rng(seed)
    base = np.kron(rng.integers(0, levels, (rows // 4 + 2, columns // 4 + 2)), np.ones((4, 4), int))
    return [
        (base[i : rows + i, j : columns + j] * 0.8 + rng.integers(0, levels // 5 + 1, (rows, columns))).astype(np.uint8)
        for i, j in rng.integers(0, 5, (3, 2))
    ]


def numbers(score):
    """All numbers of a score and of its blocks."""
    return [value for row in (score.row(), *(block.features() for block in score.blocks)) for value in row.values()
            if not isinstance(value, str)]  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), SIDES, SIDES, st.sampled_from(ANTISYMMETRIC), st.sampled_from([None, (5, 5), (2, 3)]))
def test_swapping_moving_and_registered_turns_everything_round(seed, rows, columns, light, grid):
    moving, registered, fixed = images(seed, rows, columns)
    options = {"tol": 7.0, "illumination": light, "grid": grid}
    one = diffdiff.diff_diff_assess(moving, registered, fixed, **options)
    other = diffdiff.diff_diff_assess(registered, moving, fixed, **options)
    assert np.array_equal(one.maps["diff_diff"].values, -other.maps["diff_diff"].values)
    assert (one.score.better, one.score.worse) == (other.score.worse, other.score.better)
    assert one.score.evidence == pytest.approx(-other.score.evidence, abs=1e-12)
    assert one.score.soft == pytest.approx(-other.score.soft, abs=1e-12)
    if one.score.scored:
        assert one.score.score == pytest.approx(1 - other.score.score)
        assert one.score.interval == pytest.approx([1 - end for end in other.score.interval[::-1]])
    swapped = {"better": "worse", "worse": "better"}
    assert swapped.get(other.score.verdict, other.score.verdict) == one.score.verdict


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), SIDES, SIDES, st.sampled_from(LIGHTS))
def test_an_identity_warp_is_unscored_and_unchanged(seed, rows, columns, light):
    moving, _, fixed = images(seed, rows, columns)
    score = iq.diff_diff_score(moving, moving, fixed, illumination=light)
    assert (score.count, score.scored, score.verdict, score.evidence) == (0, False, "unchanged", 0.0)
    assert np.isnan(score.score)
    assert score.local_ncc_before == score.local_ncc_after or np.isnan(score.local_ncc_before)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 90))
def test_with_each_a_brighter_fixed_image_changes_nothing_at_all(seed, brighter):
    """Exactly: blocks of 16 x 8 pixels have means that a float holds."""
    moving, registered, fixed = (image.astype(np.float32) for image in images(seed, 80, 40, levels=128))
    options = {"illumination": "each", "tol": 5.0, "data_range": 255}
    one = diffdiff.diff_diff_assess(moving, registered, fixed, **options)
    other = diffdiff.diff_diff_assess(moving, registered, fixed + np.float32(brighter), **options)
    assert np.array_equal(one.maps["diff_diff"].values, other.maps["diff_diff"].values)
    assert (one.score.score, one.score.count) == (other.score.score, other.score.count) or one.score.count < 100


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), SIDES, SIDES, st.sampled_from(LIGHTS))
def test_transposing_all_images_transposes_everything(seed, rows, columns, light):
    trio = images(seed, rows, columns)
    one = diffdiff.diff_diff_assess(*trio, illumination=light, grid=(3, 2), tol=6.0)
    other = diffdiff.diff_diff_assess(*(image.T for image in trio), illumination=light, grid=(2, 3), tol=6.0)
    assert np.allclose(one.maps["diff_diff"].values.T, other.maps["diff_diff"].values, atol=1e-3)
    assert one.score.evidence == pytest.approx(other.score.evidence, abs=1e-5)
    theirs = {(block.row, block.column): block for block in other.score.blocks}
    for block in one.score.blocks:
        mirrored = theirs[block.column, block.row]
        assert (block.top, block.left, block.height, block.width) == (
            mirrored.left, mirrored.top, mirrored.width, mirrored.height)  # fmt: skip
        assert abs(block.count - mirrored.count) <= 1  # a pixel on the tolerance, by the last digit of a filter


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(24, 70), st.integers(24, 70), st.sampled_from(LIGHTS), st.booleans())
def test_invalid_pixels_never_change_any_number(seed, rows, columns, light, as_nan):
    rng = np.random.default_rng(seed)
    trio = [image.astype(np.float32) for image in images(seed, rows, columns)]
    valid = np.ones((rows, columns), bool)
    valid[: rng.integers(1, 12)] = valid[:, -rng.integers(1, 12) :] = False
    valid[rng.integers(0, rows, 9), rng.integers(0, columns, 9)] = False
    spoilt = [np.where(valid, image, rng.uniform(0, 255, image.shape)).astype(np.float32) for image in trio]
    if as_nan:
        spoilt[int(rng.integers(3))][~valid] = np.nan
    options = {"illumination": light, "data_range": 255, "smooth": float(rng.choice([0, 1.5]))}
    one = diffdiff.diff_diff_assess(*trio, valid=valid, **options)
    other = diffdiff.diff_diff_assess(*spoilt, valid=valid, **options)
    assert np.array_equal(one.maps["diff_diff"].values, other.maps["diff_diff"].values, equal_nan=True)
    assert np.array_equal(np.isnan(one.maps["diff_diff"].values), ~valid)
    assert np.array_equal(numbers(one.score), numbers(other.score), equal_nan=True)
    assert one.score.n_valid == valid.sum()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0, 3, 5]), st.sampled_from([None, (5, 5)]))
def test_a_larger_tolerance_never_counts_more(seed, median, grid):
    trio = images(seed, 40, 50)
    assessment = diffdiff.diff_diff_assess(*trio, tol=0, median=median, grid=grid, illumination="none")
    scores = [diffdiff.recounted(assessment, tol=tol).score for tol in (0, 1, 4, 10, 11, 30, 90, 300)]
    counts = [score.count for score in scores]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    assert all(score.verdict == scores[0].verdict for score in scores)  # the evidence has no tolerance


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), SIDES, SIDES, st.sampled_from(LIGHTS))
def test_all_types_of_numbers_give_the_same(seed, rows, columns, light):
    trio = images(seed, rows, columns)
    one = diffdiff.diff_diff_assess(*trio, illumination=light)
    wide = diffdiff.diff_diff_assess(*(image.astype(np.uint16) * 257 for image in trio), illumination=light)
    real = diffdiff.diff_diff_assess(*(image / 255 for image in trio), illumination=light, data_range=(0, 1))
    assert np.array_equal(one.maps["diff_diff"].values, wide.maps["diff_diff"].values)
    assert np.array_equal(numbers(one.score), numbers(wide.score), equal_nan=True)
    assert np.allclose(one.maps["diff_diff"].values, real.maps["diff_diff"].values, atol=1e-3)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("grid", [None, (2, 1)])
def test_a_frame_read_in_tiles_gives_what_one_tile_gives(monkeypatch, light, grid):
    trio = images(3, 150, 190)
    valid = np.ones((150, 190), bool)
    valid[:7, :] = valid[80:90, 100:130] = False
    options = {"illumination": light, "grid": grid, "valid": valid, "smooth": 1.5}
    one = diffdiff.diff_diff_assess(*trio, **options)
    monkeypatch.setattr(differences, "TILE", 32)
    other = diffdiff.diff_diff_assess(*trio, **options)
    assert np.allclose(one.maps["diff_diff"].values, other.maps["diff_diff"].values, atol=2e-3, equal_nan=True)
    for name in ("evidence", "soft", "tol", "local_ncc_before", "local_ncc_after"):
        assert getattr(one.score, name) == pytest.approx(getattr(other.score, name), abs=1e-4)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(LIGHTS))
def test_a_stack_is_its_planes(seed, light):
    stacks = [np.stack(planes) for planes in zip(*(images(seed + k, 40, 36) for k in range(3)), strict=True)]
    whole = diffdiff.diff_diff_assess(*stacks, illumination=light)
    for index, trio in enumerate(zip(*stacks, strict=True)):
        alone = diffdiff.diff_diff_assess(*trio, illumination=light)
        part = whole.score.planes[index]
        assert np.array_equal(whole.maps["diff_diff"].values[index], alone.maps["diff_diff"].values)
        assert whole.maps["diff_diff"].score[index] == alone.maps["diff_diff"].score
        assert np.array_equal(numbers(part)[:20], numbers(alone.score)[:20], equal_nan=True)
        assert {block.plane for block in part.blocks} == {(index,)}
    assert whole.score.count == sum(part.count for part in whole.score.planes)
    assert whole.score.n_valid == 3 * 40 * 36
    assert len(whole.score.blocks) == sum(len(part.blocks) for part in whole.score.planes)
