"""What a comparison says in words: what is shown, what is not, and what is too little to matter."""

import numpy as np
import pytest

from napari_iqmaps.cli.compare import print_comparison, sentences
from napari_iqmaps.core.comparison.compare import Comparison
from napari_iqmaps.core.comparison.outcome import Outcome


def compared(differences, scorings=("smooth",)):
    softs = np.linspace(-0.2, 0.6, len(differences))
    outcomes = [
        Outcome(f"m{number}", f"f{number}", name, scoring, accepted=True, scored=True, score=0.5 + soft / 2, soft=soft)
        for scoring in scorings
        for name, values in (("old", softs), ("new", softs + differences))
        for number, soft in enumerate(values)
    ]
    return Comparison(tuple(outcomes), "old", {"seed": 0})


@pytest.mark.parametrize(
    ("differences", "says"),
    [
        (np.linspace(0.05, 0.15, 12), "new against old: better; soft gain +0.1 (95 %: +0.0"),
        (np.linspace(-0.15, -0.05, 12), "new against old: worse; soft gain -0.1 (95 %: -0.1"),
        (np.linspace(0.0005, 0.0015, 12), "new against old: better, but by very little; soft gain +0.001"),
        (np.linspace(-0.1, 0.12, 12), "new against old: not shown to differ; soft gain +0.01"),
        (np.full(3, 0.1), "new against old: not shown to differ; soft gain +0.1 on 3 pairs, higher on 3, lower on 0"),
        (np.zeros(8), "new against old: no difference on any of 8 pairs."),
    ],
)
def test_what_is_shown_of_a_difference(differences, says):
    first, *_ = sentences(compared(differences))
    assert first.startswith(says)


def test_one_method_is_compared_with_nothing_and_pairs_may_be_left_as_they_are():
    single = Comparison(compared(np.zeros(4)).outcomes[:4], "old", {})
    assert list(sentences(single)) == []
    *_, last = sentences(compared(np.linspace(0.05, 0.15, 12)))
    assert last == "The best method, pair by pair: new 10; on 2 none made it better."


def test_every_scoring_has_its_table_and_empty_columns_are_left_out(capsys):
    print_comparison(compared(np.linspace(0.05, 0.15, 12), scorings=("smooth", "none")))
    printed = capsys.readouterr().out
    assert "judged on 'smooth'" in printed
    assert "Judging on 'none' gives the same order of methods as judging on 'smooth' (Kendall's tau 1.00)" in printed
    assert "unscored" in printed
    assert "refused" not in printed
