"""The second stage is the same from the same seed, goes on where it was stopped, learns, and judges as it is used."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from scipy import stats

import napari_iqmaps as iq
from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.training.quality.second_stage import fit_scores_on, scores_of
from napari_iqmaps.training.quality.training import fit
from napari_iqmaps.training.visibility.samples import read_luminance

ALL = np.arange(36)


@pytest.mark.parametrize(
    ("network", "changes"), [("diqa", {}), ("deepbqa", {"averaging2": 0.9, "precision": "bf16-mixed"})]
)
def test_same_seed_same_bytes_also_when_interrupted(network, changes, banks, score_recipe, tmp_path):
    bank, recipe = copy.copy(banks[network]), score_recipe(network, stage2_steps=6, **changes)
    bank.config = recipe
    whole = fit_scores_on(bank, ALL, recipe, tmp_path / "whole")

    def stop(done, total):
        if done == 4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        fit_scores_on(bank, ALL, recipe, tmp_path / "parts", progress=stop)
    assert not (tmp_path / "parts" / f"{network}.safetensors").exists()
    seen = []
    parts = fit_scores_on(bank, ALL, recipe, tmp_path / "parts", progress=lambda *done: seen.append(done))
    assert seen == [(5, 6), (6, 6)]
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


@pytest.mark.parametrize(
    ("network", "changes"),
    [("diqa", {"stage2_steps": 80, "rate2": 5e-3}), ("deepbqa", {"stage2_steps": 20, "sensitivity_rate": 1.0})],
)
def test_it_learns_scores_on_the_scale_of_the_first_database(network, changes, banks, score_recipe, tmp_path):
    bank, recipe = banks[network], score_recipe(network, pseudo2=0.2, **changes)
    weights = fit_scores_on(bank, ALL, recipe, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run/metrics.csv")
    assert {"step", "loss", "absolute", "uncorrelated", "pseudo"} <= set(table)
    assert table["loss"].iloc[-1] < table["loss"].iloc[0]
    scores, aims = scores_of(bank, weights, ALL), 100 * bank.table["impairment"].to_numpy()
    if network == "diqa":
        assert stats.pearsonr(scores[:18], aims[:18])[0] > 0.9
        assert np.abs(scores[:18] - aims[:18]).mean() < 10
        # The second database scores the same distortions half as high, on a scale of its own.
        assert scores[18:].mean() > 1.4 * aims[18:].mean()
    for row in (2, 20):
        image = read_luminance(bank.table["file"].iloc[row])
        judged = iq.quality(image, model=network, weights=weights, data_range=(0, 255))
        assert scores[row] == pytest.approx(judged.value, abs=0.02)


def test_a_result_says_what_it_was_made_of(banks, score_recipe, tmp_path):
    bank, recipe, rows = banks["diqa"], score_recipe(stage2_steps=2, left_out=()), ALL[:18]
    weights = fit_scores_on(bank, rows, recipe, tmp_path / "run", command="iqmaps train diqa")
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
    assert header["network"] == "diqa"
    assert header["scale"] == header["data"] == "first"
    assert (header["images"], header["distorted_photographs"], header["stage"]) == ("18", "8", "2")
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert record["rows"]["number"] == 18
    assert "stage1_steps" not in record["config"]
    assert [each["manifest"] for each in record["data"]] == ["first.csv", "second.csv"]
    assert str(tmp_path.parent) not in json.dumps(record)

    tensors = load_file(weights)
    vectors = np.concatenate([bank.scored.vectors()[rows], bank.distorted.vectors()])
    np.testing.assert_allclose(tensors["evidence.mean"], vectors.mean(0), rtol=1e-4, atol=1e-6)
    assert torch.isfinite(tensors["evidence.limit"])
    assert torch.isnan(tensors["uncertainty.deviations"]).all()

    stamp = weights.stat().st_mtime_ns
    assert fit_scores_on(bank, rows, recipe, tmp_path / "run").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match=r"rows\.number was 18, is 36"):
        fit_scores_on(bank, ALL, recipe, tmp_path / "run")
    with pytest.raises(InputError, match=r"config\.noise was 0\.1, is 0\.2"):
        fit_scores_on(bank, rows, score_recipe(stage2_steps=2, noise=0.2), tmp_path / "run")
    with pytest.raises(InputError, match="holds a run already"):
        fit_scores_on(bank, rows, recipe, tmp_path / "run", resume=False)
    with pytest.raises(InputError, match="checkpoint_every is 0"):
        fit_scores_on(bank, rows, recipe, tmp_path / "other", checkpoint_every=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"correlation2": 0.0, "pseudo2": 0.0, "hand_crafted": False, "dropout": 0.0, "noise": 0.0},
        {"keep_hidden": True, "averaging2": 0.5, "warm_up2": 0.5, "pseudo_images": 3},
    ],
)
def test_every_choice_of_diqa_runs(changes, banks, score_recipe, tmp_path):
    assert fit_scores_on(banks["diqa"], ALL, score_recipe(stage2_steps=2, **changes), tmp_path / "run").is_file()


@pytest.mark.parametrize("changes", [{"total_variation": 0.0, "averaging2": 0.0}, {"crop_cells": 0, "crops": 1}])
def test_every_choice_of_deepbqa_runs(changes, banks, score_recipe, tmp_path):
    recipe = score_recipe("deepbqa", stage2_steps=2, **changes)
    assert fit_scores_on(banks["deepbqa"], ALL, recipe, tmp_path / "run").is_file()


def test_both_stages_in_one_run(photographs, scored, score_recipe, tmp_path):
    recipe = score_recipe("deepbqa", stage1_steps=2, stage2_steps=2, pseudo_variants=1)
    run = tmp_path / "run"
    weights = fit(recipe, scored[:1], run, photographs=photographs)
    assert weights == run / "deepbqa.safetensors"
    assert weights.read_bytes() == (run / "stage2/deepbqa.safetensors").read_bytes()
    errors = load_file(run / "stage1/stage1.safetensors")
    scores = load_file(weights)
    for name, tensor in errors.items():
        if name.startswith("trunk."):
            assert torch.equal(scores[name], tensor)
    assert not torch.equal(scores["hidden.weight"], errors["hidden.weight"])

    weights.write_bytes(weights.read_bytes() + b" ")  # as if its uncertainty had been set
    size = weights.stat().st_size
    assert fit(recipe, scored[:1], run, photographs=photographs).stat().st_size == size

    started = fit(
        score_recipe(stage2_steps=2, pseudo_variants=0), scored[:1], tmp_path / "started",
        start=run / "stage1/stage1.safetensors",
    )  # fmt: skip
    assert started.name == "diqa.safetensors"
    assert not (tmp_path / "started/stage1").exists()
    assert torch.equal(load_file(started)["trunk.error.weight"], errors["trunk.error.weight"])
    with pytest.raises(InputError, match="No manifest was given"):
        fit(recipe, [], tmp_path / "none", photographs=photographs)
