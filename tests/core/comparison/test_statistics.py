"""Differences pair by pair: against numbers made by hand and scipy, and intervals that know what hangs together."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from napari_iqmaps import InputError
from napari_iqmaps.core.comparison.outcome import Outcome
from napari_iqmaps.core.comparison.summary import MEASURES, mean_figure, paired


def judged(method, soft, pair=("a", "b")):
    score = 0.5 + soft / 2
    facts = {"accepted": True, "scored": True, "score": score, "soft": soft, "evidence": soft, "local_ncc_after": soft}
    return Outcome(*pair, method, "smooth", **facts)


def apart(count):
    return [(f"m{number}", f"f{number}") for number in range(count)]


def test_q23_differences_are_taken_pair_by_pair():
    rng = np.random.default_rng(0)
    hard = rng.uniform(-0.9, 0.8, 30)  # pairs differ far more than methods do
    gains = rng.normal(0.03, 0.02, 30)
    outcomes = [judged("old", soft, pair) for soft, pair in zip(hard, apart(30), strict=True)]
    outcomes += [judged("new", soft, pair) for soft, pair in zip(hard + gains, apart(30), strict=True)]
    found = {one.measure: one for one in paired(outcomes, "old")}
    assert set(found) == set(MEASURES)
    one = found["soft"]
    assert (one.method, one.baseline, one.pairs, one.resampled) == ("new", "old", 30, "pairs")
    assert one.difference.value == pytest.approx(gains.mean())
    assert one.median == pytest.approx(np.median(gains))
    assert (one.higher, one.lower, one.equal) == ((gains > 0).sum(), (gains < 0).sum(), 0)
    assert one.p_value == pytest.approx(stats.binomtest(one.higher, 30).pvalue)
    # scipy's bootstrap of the same mean: both are drawn, so they agree to a tenth of the width.
    theirs = stats.bootstrap((gains,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    width = theirs.high - theirs.low
    assert [one.difference.low, one.difference.high] == pytest.approx([theirs.low, theirs.high], abs=0.1 * width)
    assert one.difference.low > 0
    assert found["score"].difference.value == pytest.approx(gains.mean() / 2)


@pytest.mark.parametrize(("higher", "lower"), [(5, 0), (0, 7), (4, 4), (9, 3), (2, 30), (1, 1)])
def test_the_sign_test_is_scipys(higher, lower):
    pairs = apart(higher + lower + 2)
    signs = [1] * higher + [-1] * lower + [0, 0]  # equal ones do not count
    outcomes = [judged("old", 0.0, pair) for pair in pairs]
    outcomes += [judged("new", 0.1 * sign, pair) for sign, pair in zip(signs, pairs, strict=True)]
    (one,) = paired(outcomes, "old", measures=["soft"])
    assert (one.higher, one.lower, one.equal) == (higher, lower, 2)
    assert one.p_value == pytest.approx(stats.binomtest(higher, higher + lower).pvalue)


def test_swapping_method_and_baseline_turns_the_sign():
    rng = np.random.default_rng(3)
    outcomes = [judged(name, soft, pair) for pair in apart(12) for name, soft in (("x", rng.uniform()), ("y", 0.3))]
    one, other = (paired(outcomes, name, measures=["soft"])[0] for name in ("x", "y"))
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert (one.difference.low, one.difference.high) == pytest.approx((-other.difference.high, -other.difference.low))
    assert one.p_value == other.p_value


def test_refusing_what_is_hard_wins_nothing():
    careful, bold = [], []
    for number, pair in enumerate(apart(20)):
        soft = 0.4 if number % 2 else -0.2  # every other pair goes wrong, and the careful one refuses it
        bold.append(judged("bold", soft, pair))
        refused = Outcome(*pair, "careful", "smooth", reason="too few inliers")
        careful.append(judged("careful", soft, pair) if soft > 0 else refused)
    timid = [Outcome(*pair, "timid", "smooth", reason="too few inliers") for pair in apart(20)]
    found = {(one.method, one.measure): one for one in paired([*bold, *careful, *timid], "bold")}
    assert found["careful", "soft"].pairs == 10
    assert found["careful", "soft"].difference.value == 0
    assert found["careful", "soft_or_unchanged"].pairs == 20
    assert found["careful", "soft_or_unchanged"].difference.value == pytest.approx(0.1)
    # Who refuses everything is as good as no registration: behind one that gains 0.1 in the mean.
    assert found["timid", "soft_or_unchanged"].difference.value == pytest.approx(-0.1)
    assert found["timid", "soft"].pairs == 0
    assert math.isnan(found["timid", "soft"].difference.value)
    assert math.isnan(found["timid", "soft"].p_value)


def test_failed_and_unscored_pairs_are_no_zeros():
    outcomes = [judged("old", 0.2, pair) for pair in apart(6)] + [judged("new", 0.3, pair) for pair in apart(6)]
    outcomes[6] = Outcome(*outcomes[6].pair, "new", "smooth", error="cannot be read")
    outcomes[7] = replace(outcomes[7], scored=False, score=math.nan)
    found = {one.measure: one for one in paired(outcomes, "old")}
    assert [found[name].pairs for name in ("soft", "soft_or_unchanged", "score")] == [5, 5, 4]
    for one in found.values():
        assert one.difference.value == pytest.approx(0.1 if one.measure != "score" else 0.05)


def test_pairs_that_share_images_count_for_less():
    # What a pair gains is mostly in its images, so that 45 pairs of 10 images are no 45 pairs.
    rng = np.random.default_rng(7)
    images = [f"i{number}" for number in range(10)]
    effect = dict(zip(images, rng.normal(0, 1, 10), strict=True))
    pairs = list(combinations(images, 2))
    values = np.array([effect[one] + effect[other] for one, other in pairs])
    shared, what = mean_figure(values, pairs)
    alone, which = mean_figure(values, apart(45))
    assert (what, which) == ("images", "pairs")
    assert shared.value == alone.value
    assert shared.high - shared.low > 1.8 * (alone.high - alone.low)


def test_intervals_over_images_hold_what_they_promise():
    # 24 comparisons with a true mean of 0: intervals over images hold it nearly always, those over pairs far less.
    rng = np.random.default_rng(2)
    images = [f"i{number}" for number in range(12)]
    pairs = list(combinations(images, 2))
    held = {"images": 0, "pairs": 0}
    for _ in range(24):
        effect = dict(zip(images, rng.normal(0, 1, 12), strict=True))
        values = np.array([effect[one] + effect[other] + rng.normal(0, 0.5) for one, other in pairs])
        for of in (pairs, apart(len(pairs))):
            figure, what = mean_figure(values, of)
            held[what] += figure.low <= 0 <= figure.high
    assert held["images"] >= 20
    assert held["pairs"] <= 17


def test_one_image_for_all_pairs_is_not_drawn():
    values = np.linspace(-1, 2, 9)
    star = [(f"m{number}", "first") for number in range(9)]
    assert mean_figure(values, star) == mean_figure(values, apart(9))


def test_no_interval_from_few_and_the_same_for_the_same_seed():
    figure, _ = mean_figure(np.array([0.1, 0.3]), apart(2))
    assert figure.value == pytest.approx(0.2)
    assert math.isnan(figure.low)
    assert "2 pairs, fewer than 5" in figure.reason
    values = np.random.default_rng(1).normal(size=20)
    assert mean_figure(values, apart(20), seed=3) == mean_figure(values, apart(20), seed=3)
    assert mean_figure(values, apart(20), seed=3) != mean_figure(values, apart(20), seed=4)


def test_what_cannot_be_compared():
    with pytest.raises(InputError, match="'best' is none of the methods compared: old"):
        paired([judged("old", 0.1)], "best")
    with pytest.raises(InputError, match="no measure 'luck'"):
        paired([judged("old", 0.1)], "old", measures=["luck"])
    assert paired([], "old") == []
