"""What a comparison says of each method, and the tables that say it."""

import csv
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from napari_iqmaps.core.comparison.outcome import CATEGORIES, Outcome
from napari_iqmaps.core.comparison.summary import (
    as_latex,
    as_markdown,
    best_of_methods,
    extremes,
    sensitivity,
    summaries,
)
from napari_iqmaps.core.tables import as_csv, flat


def outcome(number, method="none", score=0.8, scoring="smooth", **more):
    facts = {
        "accepted": True, "scored": True, "score": score, "soft": (score - 0.5) / 2, "count": 400,
        "verdict": "better" if score > 0.5 else "worse", "local_ncc_before": 0.4, "local_ncc_after": 0.4 + score / 10,
        **more,
    }  # fmt: skip
    return Outcome(f"m{number}", f"f{number}", method, scoring, **facts)


@pytest.fixture
def one_of_each():
    return [
        outcome(0, score=0.9),
        outcome(1, score=0.2, reason="local correlation says otherwise"),
        outcome(2, score=0.5, verdict="undecided"),
        outcome(3, score=math.nan, scored=False, verdict="unchanged", soft=0.001, reason="12 pixels changed"),
        Outcome("m4", "f4", "none", "smooth", reason="3 inliers", matrix=tuple(np.eye(3).ravel().tolist())),
        Outcome("m5", "f5", "none", "smooth", error="f5 is damaged"),
    ]


def test_every_outcome_is_of_one_category(one_of_each):
    assert [one.category for one in one_of_each] == list(CATEGORIES)
    (summed,) = summaries(one_of_each)
    assert summed.pairs == 6
    assert all(getattr(summed, name) == 1 for name in CATEGORIES)
    assert (summed.clearly_better, summed.clearly_worse) == (1, 1)
    assert (summed.mean_better, summed.std_better, summed.mean_worse) == (0.9, 0, 0.2)
    assert summed.soft.value == pytest.approx((0.2 - 0.15 + 0 + 0.001) / 4)
    assert summed.soft_or_unchanged.value == pytest.approx((0.2 - 0.15 + 0 + 0.001) / 5)
    assert summed.local_ncc_gain.reason == "3 pairs, fewer than 5, so no interval"


def test_a_row_gives_its_outcome_back(one_of_each):
    rich = replace(
        one_of_each[0], matrix=(1.0, 0.1, 3.5, 0.0, 1.0, -2.0, 1e-5, 0.0, 1.0), inliers=12, tol=7.25, n_valid=9000
    )
    for one in (*one_of_each, rich):
        row = one.row()
        assert repr(Outcome.from_row(row)) == repr(one)  # NaN is not equal to itself
        # An empty cell of a file is left out, and a whole number comes back as one.
        kept = {name: value for name, value in row.items() if value not in (None, "")}
        assert repr(Outcome.from_row(kept)) == repr(one)
        assert (row["file"], row["category"]) == (one.moving, one.category)
        assert row["score"] is None or row["not_enough_evidence"] == ""
    assert rich.homography[0, 2] == 3.5
    assert one_of_each[4].row()["not_enough_evidence"] == "3 inliers"
    assert one_of_each[5].homography is None


def test_best_of_methods_rejects_what_is_not_better():
    outcomes = [
        outcome(0, "a", 0.7), outcome(0, "b", 0.8),
        # The ratio of few changed pixels is high; the soft sum says how much was won.
        outcome(1, "a", 0.75, soft=0.3), outcome(1, "b", 0.99, soft=0.01),
        outcome(2, "a", 0.3), Outcome("m2", "f2", "b", "smooth", reason="refused"),
        *(Outcome("m3", "f3", name, "smooth", error="m3 is damaged") for name in "ab"),
    ]  # fmt: skip
    chosen = best_of_methods(outcomes)
    assert [(one.moving, one.method) for one in chosen] == [("m0", "b"), ("m1", "a"), ("m2", "")]
    assert chosen[1].score == 0.75
    assert math.isnan(chosen[2].score)
    assert chosen[2].soft == 0


def test_q30_best_and_worst_are_of_scored_pairs():
    outcomes = [
        outcome(0, score=0.6), outcome(1, score=0.2), outcome(2, score=0.9, scored=False),
        outcome(3, score=0.6, soft=0.4), outcome(4, "other", 1.0),
    ]  # fmt: skip
    best, worst = extremes(outcomes, "smooth", "none")
    assert (best.moving, worst.moving) == ("m3", "m1")
    assert extremes(outcomes[2:3], "smooth", "none") is None


def test_q31_what_is_judged_on_tells_how_the_order_changes():
    outcomes = []
    for scoring, scores in (("smooth", (0.6, 0.7, 0.8)), ("a", (0.9, 0.7, 0.8)), ("bilateral", (0.61, 0.7, 0.8))):
        for method, score in zip(("a", "b", "c@fast"), scores, strict=True):
            outcomes += [outcome(number, method, score, scoring) for number in range(3)]
    orders = sensitivity(outcomes)
    assert [one.scoring for one in orders] == ["smooth", "a", "bilateral"]
    assert orders[0].methods == orders[2].methods == ("c@fast", "b", "a")
    assert orders[1].methods == ("a", "c@fast", "b")
    assert [one.agreement for one in orders] == pytest.approx([1, -1 / 3, 1])
    assert [one.sees_method for one in orders] == [(), ("a",), ()]


def test_q21_names_go_to_their_methods_whatever_the_order():
    outcomes = [outcome(number, "u", 0.8) for number in range(9)] + [outcome(number, "d", 0.7) for number in range(5)]
    names = {"u": "Unpreprocessed", "d": "Downsampled"}
    for summed in (summaries(outcomes), summaries(outcomes)[::-1]):
        for text in (as_latex(summed, names), as_markdown(summed, names)):
            lines = text.splitlines()
            (line,) = [line for line in lines if "Unpreprocessed" in line]
            assert re.findall(r"\b9\b", line)
            (line,) = [line for line in lines if "Downsampled" in line]
            assert re.findall(r"\b5\b", line)
            assert not re.findall(r"\b9\b", line)


def test_q22_latex_has_a_column_for_each_cell_and_dashes_for_none(one_of_each):
    text = as_latex(summaries([*one_of_each, outcome(0, "clahe_2 & 50 %", 0.7)]))
    (layout,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") + 1 for line in lines} == {len(layout)}
    assert lines[1] == r"\textbf{none} & 1 & $0.90 \pm 0.00$ & 1 & $0.20 \pm 0.00$ & 1 & 1 & 1 & 1 \\"
    assert lines[2] == r"\textbf{clahe\_2 \& 50 \%} & 1 & $0.70 \pm 0.00$ & 0 & -- & 0 & 0 & 0 & 0 \\"
    assert "nan" not in text


def test_csv_and_markdown_hold_what_the_summary_says(one_of_each):
    summed = summaries([*one_of_each, *(outcome(number, "x", 0.6 + number / 50) for number in range(6))])
    rows = list(csv.DictReader(io.StringIO(as_csv(summed))))
    assert [row["method"] for row in rows] == ["none", "x"]
    assert float(rows[1]["soft"]) == pytest.approx(summed[1].soft.value, rel=1e-8)
    assert float(rows[1]["soft_low"]) == pytest.approx(summed[1].soft.low, rel=1e-8)
    assert rows[1]["mean_worse"] == ""
    assert rows[0]["soft_reason"] == "4 pairs, fewer than 5, so no interval"
    assert flat(summed[0])["local_ncc_gain_low"] is None
    text = as_markdown(summed)
    (line,) = [line for line in text.splitlines() if line.startswith("| x ")]
    assert "0.65 ± 0.03" in line
    assert f"{summed[1].soft.value:.3f} ({summed[1].soft.low:.3f}" in line
    assert "nan" not in text
