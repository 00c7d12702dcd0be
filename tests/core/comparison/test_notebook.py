"""The notebook's own statistics, against its arithmetic done again here, and the defects that they have."""

import math

import numpy as np
import pytest

from napari_iqmaps import InputError
from napari_iqmaps.core.comparison import notebook
from napari_iqmaps.core.comparison.outcome import Outcome
from napari_iqmaps.core.comparison.summary import summaries


def one_after_the_other(scores, counts):
    """Thirteen numbers and the best and worst pair, pair by pair in plain Python."""
    best, best_score, worst, worst_score = -1, 0, -1, 1
    for index, (score, count) in enumerate(zip(scores, counts, strict=True)):
        if score > best_score and count > 1:
            best, best_score = index, score
        if score < worst_score and count > 1:
            worst, worst_score = index, score

    def mean_std(values):
        mean = math.fsum(values) / len(values)
        return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))

    up, down = [s for s in scores if s > 0.5], [s for s in scores if s < 0.5]
    numbers = [
        sum(counts) / len(counts), sum(c == 0 for c in counts) / len(scores),
        *mean_std([s for s in scores if s != 0.5]), *mean_std(scores),
        len(up), len(down), len(scores) - len(up) - len(down), *mean_std(up), *mean_std(down),
    ]  # fmt: skip
    return numbers, (best, best_score, worst, worst_score)


def test_the_thirteen_numbers():
    rng = np.random.default_rng(4)
    for _ in range(20):
        counts = rng.choice([0, 1, 20, 300, 4000], 40).tolist()
        scores = [0.5 if count == 0 else round(float(rng.uniform()), 2) for count in counts]
        numbers, ends = one_after_the_other(scores, counts)
        assert list(notebook.block_statistics(scores, counts)) == pytest.approx(numbers, rel=1e-12)
        found = notebook.extremes(scores, counts)
        assert (found.best, found.best_score, found.worst, found.worst_score) == ends


SCORES, COUNTS = [0.9, 0.5, 0.5, 0.3], [400, 0, 300, 200]


def test_q6_changed_means_all_pairs_in_the_notebook():
    found = notebook.global_statistics(SCORES, COUNTS)
    assert found.changed_score_mean == pytest.approx(0.55)
    assert found.frac_unscored == 0.25
    assert found.mean_count == 225
    assert notebook.global_statistics([0.9, 0.5], [49, 0]).score_mean == 0.5  # under 50 pixels


def test_q6b_a_balanced_pair_is_unscored_in_the_notebook_and_a_tie_here():
    found = notebook.block_statistics(SCORES, COUNTS)
    assert found.changed_score_mean == pytest.approx(0.60)
    assert (found.num_better, found.num_worse, found.num_unscored) == (1, 1, 2)
    ours = [
        Outcome("m", f"{number}", "none", "smooth", accepted=True, score=score, scored=count > 0, count=count)
        for number, (score, count) in enumerate(zip(SCORES, COUNTS, strict=True))
    ]
    (summed,) = summaries(ours)
    assert (summed.better, summed.worse, summed.tie, summed.unscored) == (1, 1, 1, 1)
    right = np.mean([one.score for one in ours if one.scored])
    assert right == pytest.approx(0.5667, abs=1e-4)


def test_q22_no_better_pair_is_nan_without_a_warning():
    found = notebook.block_statistics([0.5, 0.2], [0, 50])
    assert math.isnan(found.mean_better)
    assert math.isnan(found.std_better)
    assert found.mean_worse == 0.2
    assert notebook.extremes([0.5, 0.5], [0, 1]) == notebook.Extremes(-1, 0.0, -1, 1.0)


def test_what_cannot_be_summed():
    for scores, counts in (([], []), ([0.5], []), ([0.5], [1, 2])):
        with pytest.raises(InputError, match="one of each for every pair"):
            notebook.block_statistics(scores, counts)
