"""Between the stages the sensitivity alone learns, the same from the same seed, and to follow what is visible."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from napari_iqmaps import Cancelled, InputError, WeightsError
from napari_iqmaps.training.quality.sensitivity import fit_sensitivity, needs_sensitivity
from napari_iqmaps.training.quality.training import fit


def test_only_the_sensitivity_changes(first_stage, photographs, small_recipe, tmp_path):
    made = fit_sensitivity(small_recipe("deepbqa"), first_stage["deepbqa"], photographs, tmp_path / "run")
    before, after = load_file(first_stage["deepbqa"]), load_file(made)
    changed = {
        name.split(".")[0] for name in after if not torch.allclose(before[name], after[name], 0, 0, equal_nan=True)
    }
    assert changed == {"sensitivity"}
    with safe_open(made, framework="numpy") as file:
        assert file.metadata()["stage"] == "sensitivity"


def test_same_bytes_when_interrupted(first_stage, photographs, small_recipe, tmp_path):
    recipe, start = small_recipe("deepbqa"), first_stage["deepbqa"]
    whole = fit_sensitivity(recipe, start, photographs, tmp_path / "whole")

    def stop(done, total):
        assert total == 4
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        fit_sensitivity(recipe, start, photographs, tmp_path / "parts", progress=stop)
    parts = fit_sensitivity(recipe, start, photographs, tmp_path / "parts")
    assert parts.read_bytes() == whole.read_bytes()
    with pytest.raises(InputError, match="another recipe"):
        fit_sensitivity(small_recipe("deepbqa", first_sensitivity_rate=1.0), start, photographs, tmp_path / "parts")


def test_it_learns_what_is_visible(first_stage, photographs, small_recipe, tmp_path):
    recipe = small_recipe("deepbqa", sensitivity_steps=40, first_sensitivity_rate=5e-3, averaging=0.0)
    fit_sensitivity(recipe, first_stage["deepbqa"], photographs, tmp_path / "run")
    table = np.genfromtxt(tmp_path / "run" / "metrics.csv", delimiter=",", names=True)
    assert table["loss"][-1] < 0.7 * table["loss"][0]


def test_which_starts_need_it(first_stage, photographs, scored, small_recipe, tmp_path):
    recipe = small_recipe("deepbqa", stage2_steps=2, pseudo_variants=0, crop_side=64)
    assert needs_sensitivity(recipe, first_stage["deepbqa"])
    assert not needs_sensitivity(small_recipe("diqa"), first_stage["deepbqa"])
    assert not needs_sensitivity(small_recipe("deepbqa", sensitivity_steps=0), first_stage["deepbqa"])
    with pytest.raises(WeightsError, match="cannot start deepbqa"):
        needs_sensitivity(recipe, first_stage["diqa"])
    run = tmp_path / "run"
    fit(recipe, scored[:1], run, photographs=photographs, start=first_stage["deepbqa"])
    made = run / "sensitivity" / "sensitivity.safetensors"
    assert not needs_sensitivity(recipe, made)
    fit(recipe, scored[:1], tmp_path / "again", photographs=photographs, start=made)
    assert not (tmp_path / "again" / "sensitivity").exists()
    assert (tmp_path / "again" / "deepbqa.safetensors").stat().st_size
