"""Scores are the product's, folds are kept, and tables say what they rest on."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps import InputError
from napari_iqmaps.training import evaluate
from napari_iqmaps.training.manifest import read_manifest
from napari_iqmaps.training.tables import as_markdown, for_screen, write_tables


@pytest.fixture
def manifest(tiny_data):
    return read_manifest(tiny_data)


def test_scores_are_those_a_user_gets(manifest):
    scores = evaluate.fixed_scores([manifest], [("contrast", None)])
    row = scores.iloc[7]
    pair = [np.asarray(Image.open(row[name])) for name in ("file", "reference")]
    assert row["contrast"] == pytest.approx(iq.visibility_map(*pair, model="contrast").score, rel=1e-6)
    assert list(scores.columns[-4:]) == ["PSNR", "SSIM", "GMSD", "contrast"]


def test_folds_are_trained_once_and_their_scores_kept(manifest, small_recipe, tmp_path):
    recipes = [small_recipe("contrast", steps=2)]
    told = []
    first = evaluate.held_out_scores(
        [manifest], recipes, "leave-one-scene-out", tmp_path, report=lambda what, done, total: told.append(what)
    )
    assert first["contrast"].notna().all()
    assert any("training contrast" in what for what in told)
    fold = next((tmp_path / "contrast").iterdir())
    kept = pd.read_csv(fold / "held_out.csv")
    assert kept["scene"].nunique() == 1
    told.clear()
    again = evaluate.held_out_scores(
        [manifest], recipes, "leave-one-scene-out", tmp_path, report=lambda what, done, total: told.append(what)
    )
    assert told == []
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(InputError, match="another recipe"):
        evaluate.held_out_scores([manifest], [small_recipe("contrast", steps=3)], "leave-one-scene-out", tmp_path)


def test_left_out_types_cover_all_images(manifest, small_recipe, tmp_path):
    scores = evaluate.held_out_scores([manifest], [small_recipe("contrast", steps=1)], "leave-types-out", tmp_path)
    assert len(scores) == len(manifest.table)
    with pytest.raises(InputError, match="no protocol"):
        evaluate.held_out_scores([manifest], [], "guess", tmp_path)


@pytest.mark.parametrize("rule", ["test", "reference", "geometric", "smaller"])
def test_patches_score_much_as_the_map_does(rule, manifest, small_recipe, tmp_path):
    recipe = small_recipe("contrast", steps=1, thresholds=rule)
    ways = [
        evaluate.held_out_scores([manifest], [recipe], "leave-one-scene-out", tmp_path, scoring=scoring)["contrast"]
        for scoring in ("map", "patches")
    ]
    assert not ways[0].equals(ways[1])
    assert np.corrcoef(*ways)[0, 1] > (0.97 if rule == "geometric" else 0.7)  # the map's rule


def test_tables(manifest, tmp_path):
    figures = evaluate.agreements(evaluate.fixed_scores([manifest], [("contrast", None)]))
    assert set(figures["type"]) == {"all", "noise", "blur"}
    noise = figures[figures["type"] == "noise"].set_index("method")
    assert all(noise.loc[method, "srcc"].value > 0.5 for method in ("PSNR", "SSIM", "GMSD", "contrast"))
    write_tables(figures, tmp_path / "f.csv", tmp_path / "f.json", tmp_path / "f.md")
    table = pd.read_csv(tmp_path / "f.csv")
    assert {"srcc", "srcc_low", "srcc_high", "rmse_high", "reason"} <= set(table.columns)
    assert len(json.loads((tmp_path / "f.json").read_text())) == len(figures)
    assert (tmp_path / "f.md").read_text() == as_markdown(figures)
    assert len(for_screen(figures)) == 1


def test_too_few_images_give_a_reason_not_a_number(manifest):
    scores = evaluate.fixed_scores([manifest], [("contrast", None)]).iloc[:3]
    cell = evaluate.agreements(scores).iloc[0]["srcc"]
    assert math.isnan(cell.value)
    assert "fewer than 5" in str(cell)
