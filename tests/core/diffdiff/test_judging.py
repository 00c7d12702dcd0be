"""What a judgement says, and what it can be told: verdicts, masks, regions, weights, stacks, progress."""

import inspect
import pickle
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff
from napari_iqmaps.core.diffdiff.verdict import decide


@pytest.fixture(scope="module")
def good(trio):
    return diffdiff.diff_diff_assess(*trio)


def test_the_map_is_the_published_formula(trio):
    moving, registered, fixed = (image.astype(float) for image in trio)
    found = iq.diff_diff(*trio, illumination="none")
    assert np.array_equal(found.values, np.abs(moving - fixed) - np.abs(registered - fixed))
    assert found.values.dtype == np.float32
    assert found.kind == "diff_diff"
    assert (found.info["illumination"], found.info["smooth"]) == ("none", 0.0)


def test_a_good_registration_is_better_a_reversed_one_worse(trio, good):
    moving, registered, fixed = trio
    assert good.score.verdict == "better"
    assert good.score.score > 0.9
    assert good.score.local_ncc_after > good.score.local_ncc_before + 0.5
    assert good.score.blocks_better >= 20
    assert good.score.blocks_worse == 0
    worse = iq.diff_diff_score(registered, moving, fixed)
    assert worse.verdict == "worse"
    assert worse.score < 0.1
    assert worse.blocks_worse >= 20


@pytest.mark.parametrize("light", ["none", "before", "each"])
def test_the_verdict_does_not_hang_on_the_light_or_the_tolerance(trio, good, light):
    other = iq.diff_diff_score(*trio, illumination=light, tol=30)
    assert other.verdict == good.score.verdict
    for name in ("evidence", "rms", "evidence_interval", "local_ncc_before", "local_ncc_after"):
        assert getattr(other, name) == pytest.approx(getattr(good.score, name), rel=1e-5), name


def test_the_same_figures_as_ever(good):
    """Frozen; a change of them is a change of the method."""
    score = good.score
    assert (score.n_valid, len(score.blocks)) == (32000, 25)
    assert score.tol == pytest.approx(3.905, rel=1e-3)
    assert score.evidence == pytest.approx(0.6766, abs=2e-3)
    assert score.soft == pytest.approx(0.6584, abs=2e-3)
    assert score.score == pytest.approx(0.9988, abs=1e-3)
    assert score.local_ncc_after == pytest.approx(0.9912, abs=2e-3)


def test_a_change_of_light_hides_a_good_registration_from_the_plain_difference_only(trio):
    """On the right the fixed image is 90 levels brighter, more than there is structure: what is left is chance."""
    moving, registered, fixed = (40 + image * 0.4 for image in trio)
    lit = fixed + np.where(np.arange(fixed.shape[1]) < 100, 0, 90)
    scores = {
        light: iq.diff_diff_score(
            moving, registered, lit, illumination=light, data_range=255, tol=8, region=np.s_[:, 110:]
        )
        for light in ("none", "before", "each", "local")
    }
    assert scores["none"].score == pytest.approx(0.5, abs=0.15)
    assert min(scores[light].score for light in ("before", "each", "local")) > 0.9
    assert {score.verdict for score in scores.values()} == {"better"}


def test_moving_the_wrong_way_is_worse(scene):
    """The negative control: 10 pixels off to either side become 20."""
    fixed, moving = scene[20:180, 20:220], scene[25:185, 25:225]
    wrong = scene[30:190, 30:230]
    right = diffdiff.diff_diff_assess(moving, fixed, fixed, border=10).score
    score = diffdiff.diff_diff_assess(moving, wrong, fixed, border=10).score
    assert score.score < 0.5 < right.score
    assert score.verdict == "worse"


def test_half_better_and_half_worse_is_undecided_and_the_map_says_where(scene):
    fixed, far = scene[20:180, 20:220], scene[26:186, 26:226]
    left = np.zeros(fixed.shape, bool)
    left[:, :100] = True
    found = diffdiff.diff_diff_assess(np.where(left, far, fixed), np.where(left, fixed, far), fixed, grid=(4, 4))
    assert found.score.verdict == "undecided"
    assert "outweigh each other" in found.score.reason
    ways = {(block.column < 2): set() for block in found.score.blocks}
    for block in found.score.blocks:
        ways[block.column < 2].add(block.verdict)
    assert ways[True] <= {"better", "undecided"}
    assert ways[False] <= {"worse", "undecided"}
    assert np.nanmean(found.maps["diff_diff"].values[left]) > 0 > np.nanmean(found.maps["diff_diff"].values[~left])


def test_unchanged_says_whether_it_was_good_already(trio):
    moving, registered, fixed = trio
    already = iq.diff_diff_score(registered, registered, fixed)
    poor = iq.diff_diff_score(moving, moving, fixed)
    assert already.verdict == poor.verdict == "unchanged"
    assert "well aligned already" in already.reason
    assert "poorly as before" in poor.reason


@pytest.mark.parametrize(
    ("change", "verdict", "told"),
    [
        ({}, "better", ""),
        ({"evidence": -0.5, "evidence_interval": (-0.6, -0.4), "local_ncc_after": 0.0}, "worse", "says the contrary"),
        ({"evidence_interval": (-0.01, 0.2)}, "undecided", "between -0.01 and 0.20"),
        ({"evidence_interval": (np.nan, np.nan)}, "undecided", "one block only"),
        ({"local_ncc_after": 0.2}, "undecided", "went from 0.3"),
        ({"local_ncc_before": -0.02, "local_ncc_after": 0.05}, "better", ""),
        ({"local_ncc_before": -0.02, "local_ncc_after": 0.05, "rms": 1.9}, "undecided", "next to nothing in common"),
        ({"local_ncc_before": np.nan, "local_ncc_after": np.nan, "rms": 1.9}, "undecided", "no detail"),
        ({"interval": (0.2, 0.4), "score": 0.3}, "better", "says the contrary (30 %"),
        ({"rms": 0.05}, "unchanged", "nothing to speak of"),
        ({"rms": 0.5}, "unchanged", "below the noise of 2"),
        ({"n_valid": 0}, "not enough evidence", "0 %"),
    ],
)
def test_the_rules_of_the_verdict(good, change, verdict, told):
    fraction = {"valid_fraction": 0.0} if "n_valid" in change else {}
    found, reason = decide(replace(good.score, **change, **fraction), min_valid=0.25, noise=2.0)
    assert found == verdict
    assert told in reason
    assert bool(told) == bool(reason)


def test_one_block_is_undecided_and_no_grid_is_not(trio):
    assert iq.diff_diff_score(*trio, grid=(1, 1)).verdict == "undecided"
    whole = iq.diff_diff_score(*trio, grid=None)
    assert (whole.verdict, whole.blocks) == ("better", ())
    assert whole.interval[0] < whole.score <= whole.interval[1]


def test_the_sentence_says_it_all(good):
    text = str(good.score)
    assert text.startswith("Better: ")
    assert "changed pixels came closer to the fixed image" in text
    assert "25 better, 0 worse of 25" in text
    assert "local correlation" in text
    row = good.score.row()
    assert row["verdict"] == "better"
    assert next(iter(row)) == "verdict"
    assert list(row)[-1] == "reason"
    assert good.score.blocks[7].features()["verdict"] == "better"


@pytest.mark.parametrize("verdict", ["better", "worse"])
def test_the_sentence_says_on_what_the_verdict_rests(good, verdict):
    sign = 1 if verdict == "better" else -1
    share = 0.5 + 0.3 * sign
    asked = {"illumination": "none"}
    known = {"verdict": verdict, "evidence": 0.66 * sign, "evidence_interval": (0.66 * sign - 0.1, 0.66 * sign + 0.1)}
    clear = replace(good.score, **known, score=share, interval=(share - 0.1, share + 0.1), info=asked)
    assert "evidence" not in clear.sentence()
    for score, interval in ((0.53, (0.44, 0.62)), (0.54, (0.51, 0.57)), (1 - share, (0.5 - 0.4 * sign,) * 2)):
        text = replace(clear, score=score, interval=interval).sentence()
        assert text.startswith(f"{verdict.capitalize()}: by the evidence of {0.66 * sign:.2f} (90 % interval")
        assert "changed pixels with illumination 'none' came closer" in text
    unscored = replace(clear, score=np.nan, interval=(np.nan, np.nan), scored=False).sentence()
    assert "by the evidence of" in unscored
    assert "%" in unscored
    assert "nan" not in unscored
    assert "evidence" not in replace(clear, score=0.5, evidence=np.nan).sentence()


def test_a_region_is_judged_by_itself(trio):
    whole, part = (iq.diff_diff(*trio, illumination="none", region=region) for region in (None, np.s_[40:110, 30:150]))
    assert np.array_equal(part.values[40:110, 30:150], whole.values[40:110, 30:150])
    assert np.isfinite(part.values).sum() == 70 * 120
    mask = np.zeros(trio[0].shape, bool)
    mask[40:110, 30:150] = True
    for light in ("before", "local"):
        one, other = (
            iq.diff_diff_score(*trio, region=area, illumination=light) for area in (np.s_[40:110, 30:150], mask)
        )
        assert one.row() == other.row()
    assert min(block.top for block in one.blocks) == 40
    mask[40:60, 30:60] = False
    holed = iq.diff_diff_score(*trio, region=mask)
    assert (holed.n_valid, holed.valid_fraction) == (70 * 120 - 20 * 30, 1.0)


def test_weights_count_pixels_for_more(trio):
    weight = np.ones(trio[0].shape)
    weight[:, :100] = 3
    options = {"grid": None, "illumination": "before"}
    plain, even, heavy = (iq.diff_diff_score(*trio, weight=w, **options) for w in (None, 0 * weight + 2, weight))
    assert even.soft == pytest.approx(plain.soft)
    assert even.evidence == pytest.approx(plain.evidence)
    assert even.count == heavy.count == plain.count
    better, worse = diffdiff.marks(iq.diff_diff(*trio, **options).values, plain.tol)
    assert heavy.score == pytest.approx(weight[better].sum() / weight[better | worse].sum())
    weight[:, :100] = 0
    left_out = iq.diff_diff(*trio, weight=weight)
    assert np.isnan(left_out.values[:, :100]).all()
    assert np.isfinite(left_out.values[:, 100:]).all()


def test_the_black_border_of_a_warp_is_found(trio):
    moving, registered, fixed = trio
    registered = registered.clip(1)
    warped, mask = registered.copy(), np.ones(fixed.shape, bool)
    warped[:6], warped[:, -9:] = 0, 0
    mask[:7], mask[:, -10:] = False, False  # and what was interpolated with it
    warped[50:60, 50:60] = 0  # a dark thing inside is no border
    given, found = (iq.diff_diff_score(moving, warped, fixed, valid=valid) for valid in (mask, "border"))
    assert given.row() == found.row()
    assert found.n_valid == mask.sum()
    assert iq.diff_diff_score(moving, registered, fixed, valid="border").n_valid == fixed.size


def test_holes_of_any_image_are_left_out(trio):
    images = [image.astype(np.float32) for image in trio]
    for which, (row, column) in enumerate([(10, 20), (50, 60), (90, 100)]):
        images[which][row, column] = [np.nan, np.inf, -np.inf][which]
    found = iq.diff_diff(*images, data_range=255)
    assert np.argwhere(np.isnan(found.values)).tolist() == [[10, 20], [50, 60], [90, 100]]
    masked = np.ma.masked_array(trio[1], np.zeros(trio[1].shape, bool))
    masked[3, 4] = np.ma.masked
    assert np.isnan(iq.diff_diff(trio[0], masked, trio[2]).values[3, 4])
    empty = iq.diff_diff_score(np.full((20, 20), np.nan), *(image[:20, :20] for image in images[1:]), data_range=255)
    assert empty.verdict == "not enough evidence"


def test_one_fixed_image_against_a_stack_of_the_others(trio):
    moving, registered, fixed = trio
    stacks = np.stack([moving, registered]), np.stack([registered, moving])
    found = diffdiff.diff_diff_assess(*stacks, fixed)
    assert [part.verdict for part in found.score.planes] == ["better", "worse"]
    assert found.score.verdict == "undecided"
    assert "2 planes: 1 better, 1 worse." in str(found.score)
    assert found.maps["diff_diff"].score.shape == (2,)
    assert found.maps["diff_diff"].score[0] > 0 > found.maps["diff_diff"].score[1]
    assert np.shape(found.maps["diff_diff"].info["tol"]) == (2,)
    one = diffdiff.diff_diff_assess(moving, np.stack([registered, moving]), fixed).score
    assert [part.verdict for part in one.planes] == ["better", "unchanged"]


def test_dask_and_colours(trio, good):
    lazy = diffdiff.diff_diff_assess(*(da.from_array(image, chunks=50) for image in trio))
    assert np.array_equal(lazy.maps["diff_diff"].values, good.maps["diff_diff"].values)
    colours = diffdiff.diff_diff_assess(*(np.stack([image] * 3, -1) for image in trio), channel_axis=-1)
    assert np.allclose(colours.maps["diff_diff"].values, good.maps["diff_diff"].values, atol=1e-2)


def test_the_map_goes_through_a_file(trio, good, tmp_path):
    iq.write_map(good.maps["diff_diff"], tmp_path / "map.tif")
    back = iq.read_map(tmp_path / "map.tif")
    assert np.array_equal(back.values, good.maps["diff_diff"].values)
    assert back.score == pytest.approx(good.score.soft)
    assert back.info["tol"] == good.score.tol
    again = iq.QualityMap.of(back.values, "diff_diff", back.info)
    assert again.score == pytest.approx(back.score, abs=1e-6)
    low, high = back.meaning.display_limits(back.values)
    assert low == -high


def test_counting_again_is_what_judging_anew_gives(trio, good):
    for tol, median in ((3.0, 0), (9.0, 3)):
        again = diffdiff.recounted(good, tol=tol, median=median)
        anew = diffdiff.diff_diff_assess(*trio, tol=tol, median=median)
        assert again.score.row() == anew.score.row()
        assert again.maps["diff_diff"].score == anew.maps["diff_diff"].score
        assert again.maps["diff_diff"].info["tol"] == anew.maps["diff_diff"].info["tol"] == tol
        assert str(again.score.blocks) == str(anew.score.blocks)
    with pytest.raises(iq.InputError, match="median is 4"):
        diffdiff.recounted(good, tol=3, median=4)


def test_progress_ends_at_its_total_and_can_stop_the_work(trio):
    told = []
    iq.diff_diff_score(*trio, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(29))
    assert {total for _, total in told} == {28}

    def stop(done, total):
        if done == 3:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.diff_diff(*trio, progress=stop)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"illumination": "sun"}, "'sun'.*'none', 'before', 'each', 'local'"),
        ({"grid": (0, 5)}, r"grid is \(0, 5\)"),
        ({"grid": 5}, "grid is 5"),
        ({"border": -1}, "border is -1"),
        ({"border": 80}, "border of 80 .* 160x200"),
        ({"smooth": -2}, "smooth is -2"),
        ({"median": 4}, "median is 4"),
        ({"limits": 5}, "limits is 5"),
        ({"valid": "frame"}, "valid is 'frame'"),
        ({"valid": np.ones((3, 4), bool)}, r"valid has shape \(3, 4\).*160, 200"),
        ({"valid": np.full((160, 200), 0.5)}, "valid is an array of float64"),
        ({"weight": np.full((160, 200), -1)}, "weight goes from -1"),
        ({"weight": np.zeros((160, 200))}, "not all 0"),
        ({"region": np.s_[200:300, 0:10]}, "has no pixel"),
        ({"region": (1, 2, 3)}, "pair of slices"),
        ({"region": np.zeros((160, 200), bool)}, "has no pixel inside the border"),
        ({"compat": "matlab"}, "'matlab'"),
    ],
)
def test_an_impossible_option_is_refused_with_its_value(trio, change, told):
    with pytest.raises(iq.InputError, match=told):
        iq.diff_diff_score(*trio, **change)


@pytest.mark.parametrize(
    ("limit", "value"), [("min_valid", 2), ("min_total", 1.5), ("min_block", -1), ("min_block", True)]
)
def test_an_impossible_limit_is_refused_with_its_value(limit, value):
    with pytest.raises(iq.InputError, match=f"{limit} is {value}"):
        iq.ScoreLimits(**{limit: value})


def test_map_score_and_assessment_have_the_same_defaults(trio, good):
    """The map is what the score counts: its own score is the soft sum."""
    found, score = iq.diff_diff(*trio), iq.diff_diff_score(*trio)
    assert found.info["illumination"] == score.info["illumination"] == "local"
    assert found.score == score.soft == good.score.soft
    assert score.row() == good.score.row()
    np.testing.assert_array_equal(found.values, good.maps["diff_diff"].values)
    defaults = [
        {name: own.default for name, own in inspect.signature(function).parameters.items()}
        for function in (iq.diff_diff, iq.diff_diff_score, iq.diff_diff_assess)
    ]
    for name in set(defaults[0]).union(*defaults):
        assert len({repr(own[name]) for own in defaults if name in own}) == 1, name


def test_an_assessment_has_the_shape_of_all_assessments(good):
    assert list(good.maps) == ["diff_diff"]
    assert good.sentence() == str(good) == good.score.sentence()
    with pytest.raises(TypeError):
        good.maps["diff_diff"] = None
    again = pickle.loads(pickle.dumps(good))
    np.testing.assert_array_equal(again.maps["diff_diff"].values, good.maps["diff_diff"].values)
    assert again.sentence() == good.sentence()


def test_images_that_do_not_belong_together_are_refused(trio):
    moving, registered, fixed = trio
    with pytest.raises(iq.InputError, match=r"moving image 150x200, registered image 160x200.*crop or pad"):
        iq.diff_diff(moving[:150], registered, fixed)
    with pytest.raises(iq.InputError, match="leading axes"):
        iq.diff_diff(np.stack([moving] * 2), np.stack([registered] * 3), fixed)
    with pytest.raises(iq.InputError, match=r"float64, uint8, and one data_range of \(0, 1\)"):
        iq.diff_diff(moving, registered / 255, fixed, data_range=(0, 1))
    mixed = iq.diff_diff(moving, registered.astype(float), fixed, data_range=255)
    assert np.array_equal(mixed.values, iq.diff_diff(*trio).values)
