"""One small example for each defect of the original that concerns maps and scores, by its number."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff
from napari_iqmaps.core.diffdiff import images


def grey(*shape, value=100, dtype=np.uint8):
    return np.full(shape, value, dtype)


def test_q03_what_a_warp_brings_in_from_outside_is_not_scored(notebook):
    """20 x 20 of 200, moved 5 to the right: its match with itself has not become worse."""
    moving = grey(20, 20, value=200)
    registered, valid = moving.copy(), np.ones((20, 20), bool)
    registered[:, :5] = 0
    valid[:, :5] = False
    assert notebook.frame_score(moving, registered, moving) == (0.0, 100)
    for mask in (valid, "border"):
        score = iq.diff_diff_score(moving, registered, moving, valid=mask, tol=50, grid=None)
        assert (score.count, score.scored, score.verdict) == (0, False, "unchanged")
        assert score.valid_fraction == pytest.approx(0.75 if mask is valid else 0.7)  # 'border' takes one more column


def test_q03_too_little_of_the_frame_is_no_evidence(trio):
    valid = np.zeros(trio[0].shape, bool)
    valid[:, :40] = True
    score = iq.diff_diff_score(*trio, valid=valid)
    assert (score.verdict, score.scored) == ("not enough evidence", False)
    assert score.reason == "20 % of the pixels are valid, and a verdict takes 25 %."
    assert iq.diff_diff_score(*trio, valid=valid, limits=iq.ScoreLimits(min_valid=0.1)).verdict == "better"
    told = diffdiff.diff_diff_assess(*trio, valid=valid).maps["diff_diff"]
    assert told.info["not_enough_evidence"] == score.reason


def test_q07_the_last_full_window_counts():
    assert iq.local_contrast(grey(500, 500)).windows == 100
    assert iq.local_contrast(grey(500, 500), compat="notebook").windows == 81
    small = iq.local_contrast(np.arange(2500, dtype=np.uint16).reshape(50, 50), data_range=(0, 255))
    assert (small.windows, small.mean_contrast > 0) == (1, True)
    assert iq.local_contrast(grey(30, 20)).windows == 1  # smaller than a window


def test_q08_scores_compare_by_name():
    found = [iq.diff_diff_score(image, grey(40, 40), grey(40, 40), tol=10, illumination="none")
             for image in (grey(40, 40, value=90), grey(40, 40, value=130), grey(40, 40, value=150))]  # fmt: skip
    assert max(found, key=lambda score: (score.count, score.score)).count == 40 * 40


def test_q09_nothing_wraps_and_no_input_changes():
    """240 + 25 is no 9: a correction beyond 255 or below 0 stays what it is."""
    fixed = np.tile(np.uint8([0, 240]), (40, 20))
    moving = np.tile(np.uint8([40, 250]), (40, 20))  # on average 25 brighter
    registered = np.tile(np.uint8([25, 255]), (40, 20))
    kept = [image.copy() for image in (moving, registered, fixed)]
    found = iq.diff_diff(moving, registered, fixed, illumination="before", grid=None)
    assert np.allclose(found.values[:, 0::2], 15 - 0)  # |40 - 25| - |25 - 25|
    assert np.allclose(found.values[:, 1::2], 15 - 10)  # |250 - 265| - |255 - 265|
    assert all(np.array_equal(one, other) for one, other in zip(kept, (moving, registered, fixed), strict=True))


def test_q10_each_difference_is_centred_by_itself(notebook):
    """Equally aligned, but the warp brought a brighter part into the block: not a change for 'each'."""
    rng = np.random.default_rng(1)
    target = grey(200, 200, value=120)
    noise = [rng.normal(0, 12, target.shape) for _ in range(2)]
    moving, registered = (
        (120 + offset + part).round().astype(np.uint8) for offset, part in zip((0, 15), noise, strict=True)
    )
    assert notebook.block_score(moving, registered, target, 10, 0)[0] < 0.35
    assert iq.diff_diff_score(moving, registered, target, tol=10, illumination="before").score < 0.35
    each = iq.diff_diff_score(moving, registered, target, tol=10, illumination="each")
    assert each.score == pytest.approx(0.5, abs=0.02)
    assert each.verdict != "worse"


def test_q11_the_correction_is_not_rounded():
    """The moving image is .4 brighter: the fixed one is moved by .4, not by 0."""
    moving, fixed = np.tile(np.uint8([10, 10, 10, 10, 12]), (40, 8)), grey(40, 40, value=10)
    registered = grey(40, 40, value=11)
    found = iq.diff_diff(moving, registered, fixed, illumination="before", grid=(1, 1))
    assert np.allclose(found.values[0, :5], [-0.2, -0.2, -0.2, -0.2, 1.0], atol=1e-5)
    score = iq.diff_diff_score(moving, registered, fixed, illumination="before", grid=(1, 1))
    assert score.blocks[0].shift == pytest.approx(0.4)


def test_q12_blocks_fill_the_frame():
    assert images.edges(0, 103, 5) == [0, 20, 41, 61, 82, 103]
    rng = np.random.default_rng(0)
    score = iq.diff_diff_score(*(rng.integers(0, 255, (103, 77)).astype(np.uint8) for _ in range(3)), border=3)
    covered = np.zeros((103, 77), int)
    for block in score.blocks:
        covered[block.top : block.top + block.height, block.left : block.left + block.width] += 1
    assert covered[3:-3, 3:-3].min() == covered.max() == 1
    assert covered.sum() == score.n_valid == 97 * 71


@pytest.mark.parametrize(("counts", "scored"), [((99,), False), ((100,), True), ((85, 19), False), ((80, 20), True)])
def test_q13_the_total_is_of_blocks_that_count(counts, scored):
    moving = grey(100, 100)
    for block, count in enumerate(counts):
        rows, columns = np.divmod(np.arange(count), 20)
        moving[rows + 20 * block, columns] = 200
    score = iq.diff_diff_score(moving, grey(100, 100), grey(100, 100), tol=50, illumination="none")
    assert score.scored == scored
    assert score.count == sum(count for count in counts if count >= 20)
    assert [block.scored for block in score.blocks[: 5 * len(counts) : 5]] == [count >= 20 for count in counts]


def test_q14_a_tiny_image_has_fewer_blocks():
    rng = np.random.default_rng(0)
    trio = [rng.integers(0, 255, (24, 24)).astype(np.uint8) for _ in range(3)]
    assert len(iq.diff_diff_score(*trio).blocks) == 9
    assert len(iq.diff_diff_score(*trio, border=10).blocks) == 1
    with pytest.raises(iq.InputError, match=r"border of 12 .* 24x24"):
        iq.diff_diff_score(*trio, border=12)
    for side in (1, 2, 5):
        one = diffdiff.diff_diff_assess(*(image[:side, :side] for image in trio))
        assert one.maps["diff_diff"].values.shape == (side, side)


@pytest.mark.parametrize("light", ["none", "before", "local"])
@pytest.mark.parametrize("shift", [0.25, 0.5])
def test_q15_smoothing_noise_by_a_useless_warp_is_no_improvement(light, shift):
    """Flat with independent noise: the interpolated image is smoother, which the original takes for a better match."""
    from skimage.transform import AffineTransform, warp

    rng = np.random.default_rng(0)
    moving, fixed = (128 + rng.normal(0, 8, (150, 150)) for _ in range(2))
    registered = warp(moving, AffineTransform(translation=(shift, shift)).inverse, order=1, preserve_range=True)
    valid = np.ones(moving.shape, bool)
    valid[:1] = valid[:, :1] = False
    options = {"valid": valid, "data_range": 255, "illumination": light}
    noise = float(np.std(moving - fixed))
    few = iq.ScoreLimits(min_total=30)
    plain = iq.diff_diff_score(moving, registered, fixed, tol=noise, limits=few, grid=None, **options)
    score = iq.diff_diff_score(moving, registered, fixed, **options)
    assert light == "local" or plain.score > 0.85  # the trap is there
    assert not score.scored
    assert score.verdict == "unchanged"
    assert "below the noise" in score.reason or "nothing to speak of" in score.reason
    assert light == "local" or score.tol == pytest.approx(2 * noise, rel=0.1)
    smooth = iq.diff_diff_score(moving, registered, fixed, smooth=1.5, **options)
    assert smooth.count == 0


def test_q16_an_overlay_is_clipped():
    picture = diffdiff.overlay(np.array([[-1, 128]]), np.array([[256, 3]]), data_range=255)
    assert picture.tolist() == [[[0, 255, 0], [128, 3, 128]]]
    assert picture.dtype == np.uint8


def test_q17_an_overlay_takes_colours():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (2, 6, 5, 3)).astype(np.uint8)
    picture = diffdiff.overlay(*colours, channel_axis=-1)
    assert picture.shape == (6, 5, 3)
    assert np.abs(picture[..., 0] - colours[0] @ np.array([0.2126, 0.7152, 0.0722])).max() <= 0.51


def test_q19_a_vote_takes_single_pixels_out():
    """One pixel goes, of 3 x 3 a plus of five stays, and no pixel is better and worse."""
    values = np.zeros((30, 30), np.float32)
    values[3, 3] = 50
    values[10:13, 10:13] = 50
    values[20:23, 20:23] = -50
    better, worse = diffdiff.marks(values, 10, median=3)
    assert better.sum() == worse.sum() == 5
    assert better[11, 10:13].all()
    assert better[10:13, 11].all()
    assert not (better & worse).any()
    rng = np.random.default_rng(0)
    noisy = rng.normal(0, 20, (40, 40)).astype(np.float32)
    for median in (3, 5):
        better, worse = diffdiff.marks(noisy, 5, median=median)
        assert not (better & worse).any()
        assert better.sum() < (noisy > 5).sum()
    moving = (100 - values).astype(np.uint8)  # differs by 50 where it got better or worse
    score = iq.diff_diff_score(
        moving.clip(max=100), (100 + values.clip(max=0)).astype(np.uint8), grey(30, 30), tol=10, median=3, grid=None,
        illumination="none", limits=iq.ScoreLimits(min_total=1),
    )  # fmt: skip
    assert (score.better, score.worse) == (5, 5)


def test_q26_the_tolerance_does_not_come_from_the_registered_image(trio):
    moving, registered, fixed = trio
    with_border = registered.copy()
    with_border[:, :30] = 0
    for light in ("before", "local"):
        scores = [iq.diff_diff_score(moving, image, fixed, illumination=light) for image in (registered, with_border)]
        assert scores[0].tol == scores[1].tol
    plain = iq.diff_diff_score(*trio, illumination="before")
    assert plain.tol == pytest.approx(iq.auto_tolerance(moving, fixed))


def test_q30_an_unscored_pair_is_told_by_its_flag():
    """One half is a score too: as many better as worse."""
    moving, fixed = grey(40, 40), grey(40, 40)
    registered = moving.copy()
    moving[:20], registered[20:] = 150, 150
    balanced = iq.diff_diff_score(moving, registered, fixed, tol=10, illumination="none", grid=None)
    assert (balanced.score, balanced.scored) == (0.5, True)
    assert not iq.diff_diff_score(moving, moving, fixed, tol=10).scored


def test_q32_a_second_call_gives_the_same(trio):
    one, other = (diffdiff.diff_diff_assess(*trio) for _ in range(2))
    assert np.array_equal(one.maps["diff_diff"].values, other.maps["diff_diff"].values)
    assert str(one.score) == str(other.score)


@pytest.mark.parametrize("tol", [-1, np.nan, np.inf, "much", True])
def test_q33_an_impossible_tolerance_is_refused(trio, tol):
    with pytest.raises(iq.InputError, match="tol is"):
        iq.diff_diff(*trio, tol=tol)
