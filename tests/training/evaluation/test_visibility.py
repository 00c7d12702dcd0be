"""Scores are the product's, folds are kept, and tables say what they rest on."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import napari_iqmaps as iq
from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.evaluation import agreement, evaluator, visibility
from napari_iqmaps.training.evaluation.figures import (
    agreements,
    agreements_over_splits,
    as_markdown,
    for_screen,
    with_databases,
    write_tables,
)
from napari_iqmaps.training.evaluation.protocols import Shares


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 60)  # of the intervals, which test_agreement is about


@pytest.fixture
def manifest(tiny_data):
    return read_manifest(tiny_data)


def test_scores_are_those_a_user_gets(manifest):
    scores = visibility.fixed_scores([manifest], [("contrast", None)])
    row = scores.iloc[7]
    pair = [np.asarray(Image.open(row[name])) for name in ("file", "reference")]
    assert row["contrast"] == pytest.approx(iq.visibility_map(*pair, model="contrast").score, rel=1e-6)
    assert list(scores.columns[-4:]) == ["PSNR", "SSIM", "GMSD", "contrast"]


def test_folds_are_trained_once_and_their_scores_kept(manifest, small_recipe, tmp_path):
    recipes = [small_recipe("contrast", steps=2)]
    told = []
    first = visibility.held_out_scores(
        [manifest], recipes, "leave-one-scene-out", tmp_path, report=lambda what, done, total: told.append(what)
    )
    assert first["contrast"].notna().all()
    assert any("training contrast" in what for what in told)
    fold = next((tmp_path / "contrast").iterdir())
    kept = pd.read_csv(fold / "held_out.csv")
    assert kept["scene"].nunique() == 1
    told.clear()
    again = visibility.held_out_scores(
        [manifest], recipes, "leave-one-scene-out", tmp_path, report=lambda what, done, total: told.append(what)
    )
    assert told == []
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(InputError, match="another recipe"):
        visibility.held_out_scores([manifest], [small_recipe("contrast", steps=3)], "leave-one-scene-out", tmp_path)


def test_left_out_types_cover_all_images(manifest, small_recipe, tmp_path):
    scores = visibility.held_out_scores([manifest], [small_recipe("contrast", steps=1)], "leave-types-out", tmp_path)
    assert len(scores) == len(manifest.table)
    with pytest.raises(InputError, match="no protocol"):
        visibility.held_out_scores([manifest], [], "guess", tmp_path)


@pytest.mark.parametrize("rule", ["test", "reference", "geometric", "smaller"])
def test_patches_score_much_as_the_map_does(rule, manifest, small_recipe, tmp_path):
    recipe = small_recipe("contrast", steps=1, thresholds=rule)
    ways = [
        visibility.held_out_scores([manifest], [recipe], "leave-one-scene-out", tmp_path, scoring=scoring)["contrast"]
        for scoring in ("map", "patches")
    ]
    assert not ways[0].equals(ways[1])
    assert np.corrcoef(*ways)[0, 1] > (0.97 if rule == "geometric" else 0.7)  # the map's rule


def test_given_weights_go_on_where_they_were_stopped(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluator, "CHUNK", 4)
    whole = visibility.fixed_scores([manifest], [("contrast", None)])

    def stop(what, done, total):
        if what == "scores of contrast" and done == 14:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        visibility.fixed_scores([manifest], [("contrast", None)], folder=tmp_path, report=stop)
    told = []
    again = visibility.fixed_scores(
        [manifest], [("contrast", None)], folder=tmp_path, report=lambda what, done, total: told.append((what, done))
    )
    assert told == [("scores of contrast", done) for done in range(13, 19)]  # whole references are kept
    pd.testing.assert_frame_equal(whole, again)
    # Another stride is another score.
    visibility.fixed_scores([manifest], [("contrast", None)], folder=tmp_path, stride=8)
    assert len(list(tmp_path.glob("contrast_*.csv"))) == 2


def test_random_shares_are_trained_and_judged_one_by_one(manifest, small_recipe, tmp_path):
    shares = Shares(2, 0.3, seed=1)
    recipe = small_recipe("contrast", steps=1)
    scores = visibility.held_out_scores([manifest], [recipe], "splits", tmp_path, shares=shares, scoring="patches")
    assert scores.groupby("split")["scene"].nunique().tolist() == [1, 1]
    assert len(scores) == 12
    assert scores["contrast"].notna().all()
    figures = agreements_over_splits(scores)
    row = figures.set_index(["type", "method"]).loc[("all", "PSNR")]
    by_hand = [
        stats.spearmanr(-part["PSNR"], part["score"]).statistic for _, part in scores.groupby("split")
    ]  # fmt: skip
    assert row["srcc_median"].value == pytest.approx(np.median(by_hand))
    assert row["splits"] == 2
    noise = figures.set_index(["type", "method"]).loc[("noise", "PSNR"), "srcc_median"]
    assert "2 of 2 splits have none: 3 images, fewer than 5" in str(noise)


def test_errors_are_in_the_databases_own_units(manifest):
    scores = visibility.fixed_scores([manifest], []).assign(type="all")
    row = agreements(scores).iloc[0]
    turned = scores.assign(score=5 - scores["score"] / 25, best=5.0, worst=1.0)
    other = agreements(turned).iloc[0]
    assert other["srcc"].value == pytest.approx(row["srcc"].value)
    assert other["plcc_logistic"].value == pytest.approx(row["plcc_logistic"].value, abs=1e-5)
    assert other["rmse"].value == pytest.approx(row["rmse"].value / 25, rel=1e-4)


def test_medians_over_splits_of_given_scores(manifest):
    scores = visibility.fixed_scores([manifest], [])
    folds = Shares(30, 0.5).folds(scores)
    figures = agreements_over_splits(scores, folds)
    assert list(figures["method"].unique()) == ["PSNR", "SSIM", "GMSD"]
    assert list(figures["type"].unique()) == ["all", "blur", "noise"]
    values = [agreement_of(scores.iloc[fold.test]) for fold in folds]
    first = figures.iloc[0]["srcc_median"]
    assert (first.low, first.value, first.high) == pytest.approx(tuple(np.percentile(values, [2.5, 50, 97.5])))


def agreement_of(part):
    return stats.spearmanr(part["PSNR"].replace(np.inf, 999), -part["score"]).statistic


def test_a_type_that_no_split_tests_has_a_reason(manifest):
    scores = visibility.fixed_scores([manifest], [])
    rare = scores.assign(type=["rare" if n == 0 else "other" for n in range(len(scores))])
    figures = agreements_over_splits(rare, Shares(3, 0.3).folds(rare)[:1])
    cell = figures[figures["type"] == "rare"].iloc[0]["srcc_median"]
    assert math.isnan(cell.value)
    assert "1 of 1 splits have none" in cell.reason


def test_tables(manifest, tmp_path):
    scores = visibility.fixed_scores([manifest], [("contrast", None)])
    figures = agreements(scores)
    assert set(figures["type"]) == {"all", "noise", "blur"}
    noise = figures[figures["type"] == "noise"].set_index("method")
    assert all(noise.loc[method, "srcc"].value > 0.5 for method in ("PSNR", "SSIM", "GMSD", "contrast"))
    write_tables(figures, tmp_path / "f.csv", tmp_path / "f.json", tmp_path / "f.md")
    table = pd.read_csv(tmp_path / "f.csv")
    assert {"srcc", "srcc_low", "srcc_high", "rmse_high", "reason"} <= set(table.columns)
    assert len(json.loads((tmp_path / "f.json").read_text())) == len(figures)
    assert (tmp_path / "f.md").read_text() == as_markdown(figures)
    assert len(for_screen(figures)) == 1
    both = figures.merge(
        agreements_over_splits(scores, Shares(5, 0.5).folds(scores)), on=["database", "type", "method"]
    )
    told = with_databases(both, [manifest])
    titles = [str(table.title) for table in for_screen(told)]
    assert titles[0] == "tiny (95 % intervals over scenes; RMSE in score, 0 best .. 100 worst)"
    assert titles[1].startswith("tiny (median and middle 95 % over 5 splits")
    write_tables(told, json_file=tmp_path / "g.json")
    record = json.loads((tmp_path / "g.json").read_text())[0]
    assert record["srcc_median_low"] <= record["srcc_median"] <= record["srcc_median_high"]
    assert (record["splits"], record["measure"], record["left_out"]) == (5, "score", 0)


def test_too_few_images_give_a_reason_not_a_number(manifest):
    scores = visibility.fixed_scores([manifest], [("contrast", None)]).iloc[:3]
    cell = agreements(scores).iloc[0]["srcc"]
    assert math.isnan(cell.value)
    assert "fewer than 5" in str(cell)
