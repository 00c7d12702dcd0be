"""Training is the same from the same seed, goes on where it was stopped, and learns what is there to learn."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import napari_iqmaps as iq
from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.core.models import load_into
from napari_iqmaps.core.networks.pnet import ContrastModel
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.visibility.impairment import combined_thresholds, impairment, power_mean, thresholds
from napari_iqmaps.training.visibility.samples import (
    PatchSteps,
    ScoredImages,
    measure_of,
    read_luminance,
    statistics_of,
)
from napari_iqmaps.training.visibility.training import ThresholdTraining, fit

REGULARISED = {"pull": 0.1, "invariance": 0.1, "brightness": 10.0}


@pytest.mark.parametrize(("network", "changes"), [("contrast", {}), ("pnet", REGULARISED)])
def test_same_seed_same_bytes_also_when_interrupted(network, changes, tiny_data, small_recipe, tmp_path):
    recipe = small_recipe(network, **changes)
    whole = fit(recipe, [tiny_data], tmp_path / "whole")

    def stop(done, total):
        if done == 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        fit(recipe, [tiny_data], tmp_path / "parts", progress=stop)
    assert not (tmp_path / "parts" / f"{network}.safetensors").exists()
    parts = fit(recipe, [tiny_data], tmp_path / "parts")
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()
    other = fit(small_recipe(network, **changes, seed=1), [tiny_data], tmp_path / "other")
    assert other.read_bytes() != whole.read_bytes()


def test_a_run_folder_tells_everything(tiny_data, small_recipe, tmp_path):
    weights = fit(small_recipe("contrast"), [tiny_data], tmp_path / "run", command="iqmaps train contrast")
    folder = weights.parent
    config = json.loads((folder / "config.json").read_text())
    assert config["config"]["steps"] == 8
    assert config["data"][0]["manifest"] == "tiny.csv"
    assert len(config["data"][0]["sha256"]) == 64
    assert {"python", "torch", "numpy", "napari-iqmaps"} <= set(json.loads((folder / "versions.json").read_text()))
    assert {"step", "loss", "absolute"} <= set(pd.read_csv(folder / "metrics.csv").columns)
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
    assert header["network"] == "contrast"
    assert (header["trained_by"], header["seed"]) == ("iqmaps train contrast", "0")
    assert str(tiny_data.parent) not in json.dumps(config) + json.dumps(header)
    reference = np.asarray(Image.open(tiny_data.parent / "scene0.png"))
    assert 0.01 <= float(iq.threshold_map(reference, model="contrast", weights=weights).score) <= 100


def test_a_finished_run_is_kept_and_another_recipe_refused(tiny_data, small_recipe, tmp_path):
    weights = fit(small_recipe("contrast"), [tiny_data], tmp_path / "run")
    stamp = weights.stat().st_mtime_ns
    assert fit(small_recipe("contrast"), [tiny_data], tmp_path / "run").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match=r"config\.steps was 8, is 9"):
        fit(small_recipe("contrast", steps=9), [tiny_data], tmp_path / "run")
    with pytest.raises(InputError, match="holds a run already"):
        fit(small_recipe("contrast"), [tiny_data], tmp_path / "run", resume=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty and holds no training run"):
        fit(small_recipe("contrast"), [tiny_data], tmp_path / "full")


def test_ctrl_c_ends_after_the_step_with_a_checkpoint(tiny_data, small_recipe, tmp_path):
    recipe = small_recipe("contrast")
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(done, total):
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Cancelled, match="stopped after step 3 of 8"):
        fit(recipe, [tiny_data], tmp_path / "run", progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    seen = []
    weights = fit(recipe, [tiny_data], tmp_path / "run", progress=lambda done, total: seen.append(done))
    assert seen == [4, 5, 6, 7, 8]
    assert weights.read_bytes() == fit(recipe, [tiny_data], tmp_path / "whole").read_bytes()


_KILLED = """
import sys, time
from dataclasses import replace
from napari_iqmaps.training.visibility.recipe import TrainingConfig
from napari_iqmaps.training.visibility.training import fit
recipe = replace(TrainingConfig.default("contrast"), steps=8, images=6, patches=2, precision="32-true")
def hang(done, total):
    if done == 6:
        print("hanging", flush=True)
        time.sleep(60)
fit(recipe, [sys.argv[1]], sys.argv[2], checkpoint_every=2, progress=hang)
"""


def test_a_killed_run_goes_on_from_its_checkpoint(tiny_data, small_recipe, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tiny_data), str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "hanging\n"
        process.kill()
    seen = []
    recipe = small_recipe("contrast")
    weights = fit(recipe, [tiny_data], tmp_path / "run", progress=lambda done, total: seen.append(done))
    assert seen == [5, 6, 7, 8]
    assert weights.read_bytes() == fit(recipe, [tiny_data], tmp_path / "whole").read_bytes()


def test_a_damaged_checkpoint_is_named(tiny_data, small_recipe, tmp_path):
    with pytest.raises(Cancelled):
        fit(small_recipe("contrast"), [tiny_data], tmp_path, progress=_stop_at_once)
    (tmp_path / "last.ckpt").write_bytes(b"half")
    with pytest.raises(InputError, match="last.ckpt cannot be read"):
        fit(small_recipe("contrast"), [tiny_data], tmp_path)


def _stop_at_once(done, total):
    raise Cancelled("now")


def test_the_contrast_model_recovers_what_made_the_scores(tmp_path, small_recipe, write_manifest):
    truth = ContrastModel().eval()
    with torch.no_grad():
        for parameter, value in zip((truth.offset, truth.slope), (-1.0, 0.5), strict=True):
            parameter.fill_(value)
    rng = np.random.default_rng(1)
    rows = []
    for scene in range(6):
        reference = np.clip(rng.normal(128, 2 + 5 * scene, (70, 70)), 0, 255).astype(np.uint8)
        Image.fromarray(reference).save(tmp_path / f"r{scene}.png")
        for level in range(4):
            test = np.clip(reference + rng.normal(0, 1.5 * 2**level, reference.shape), 0, 255).astype(np.uint8)
            name = f"t{scene}_{level}.png"
            Image.fromarray(test).save(tmp_path / name)
            rows.append(f"{name},r{scene}.png,{_true_score(truth, tmp_path / name, tmp_path / f'r{scene}.png')}")
    manifest = write_manifest(tmp_path / "m.csv", rows, best=0, worst=1, columns="file,reference,score")
    plain = {
        "calibration": "none",
        "correlation": 0.0,
        "thresholds": "test",
        "channels": "none",
        "exponent": 1.0,
        "pooling": 1.0,
        "anchor": 0.0,
    }
    recipe = small_recipe("contrast", steps=250, images=24, patches=4, learning_rate=0.1, **plain)
    found = ContrastModel()
    load_into(found, fit(recipe, [manifest], tmp_path / "run"))
    contrast = torch.linspace(3, 25, 12)[:, None, None, None].expand(-1, 32, 32, 4)
    with torch.no_grad():
        ratio = thresholds(found, contrast) / thresholds(truth, contrast)
    torch.testing.assert_close(ratio, torch.ones(12), atol=0.05, rtol=0)


def _true_score(model, test_path, reference_path):
    test, reference = read_luminance(test_path), read_luminance(reference_path)
    statistics = statistics_of(test, "x", np.abs(test - reference)).float()
    patches = statistics.unfold(0, 32, 8).unfold(1, 32, 8).permute(0, 1, 3, 4, 2).flatten(0, 1)
    with torch.no_grad():
        return impairment(patches, thresholds(model, patches), model.mixing, 1.0).mean().item()


def test_the_pnet_learns(tiny_data, small_recipe, tmp_path):
    recipe = small_recipe("pnet", steps=30, dropout=0.1, calibration="none", correlation=0.0, anchor=0.0)
    weights = fit(recipe, [tiny_data], tmp_path)
    data = ScoredImages.read(read_manifest(tiny_data).table, measure_of(recipe))
    batch = PatchSteps(data, np.arange(len(data.table)), replace(recipe, images=18, patches=8)).step(99)
    errors = []
    for module in (ThresholdTraining(recipe, 1), ThresholdTraining(recipe, 1)):
        if errors:
            load_into(module.network, weights)
        with torch.no_grad():
            of_pair = thresholds(module.network, torch.cat([batch["test"], batch["reference"]]))
            seen = impairment(batch["test"], combined_thresholds(of_pair, "geometric"),
                              module.network.mixing, recipe.exponent)  # fmt: skip
        errors.append((power_mean(seen.view(18, 8), recipe.pooling) - batch["impairment"]).abs().mean().item())
    assert errors[1] < 0.8 * errors[0], errors


def test_anchoring_moves_thresholds_and_leaves_scores(tiny_data, small_recipe, tmp_path):
    recipes = [small_recipe("contrast", anchor=level) for level in (0.0, 4.0)]
    plain, anchored = (fit(recipe, [tiny_data], tmp_path / str(n)) for n, recipe in enumerate(recipes))
    pair = [np.asarray(Image.open(tiny_data.parent / name)) for name in ("noise2_1.png", "scene2.png")]
    scores = [iq.visibility_map(*pair, model="contrast", weights=weights).score for weights in (plain, anchored)]
    maps = [iq.threshold_map(pair[1], model="contrast", weights=weights).values for weights in (plain, anchored)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    assert (maps[1] / maps[0]).std() < 1e-4
    assert maps[1].min() == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; it has to be at least 1"),
        ({"steps": 2.5}, "give a whole number"),
        ({"dropout": 1.5}, "at most 0.99"),
        ({"loss": "mse"}, "choose one of image, patch"),
        ({"learning_rate": float("nan")}, "give a number"),
        ({"absolute": 0, "correlation": 0}, "nothing would be learnt"),
    ],
)
def test_recipes_that_cannot_work(changes, message, small_recipe):
    with pytest.raises(InputError, match=message):
        small_recipe("pnet", **changes)


@pytest.mark.parametrize("changes", [
    {"loss": "patch", "calibration": "power", "schedule": "cosine", "thresholds": "smaller"},
    {"thresholds": "larger", "schedule": "constant", "averaging": 0.0, "calibration": "none"},
    {"thresholds": "reference", "balance": False, "gradient_clip": 0.0, "steps": 1, "correlation": 0.0},
    {"thresholds": "test", "precision": "bf16-mixed", "absolute": 0.0, "images": 30},
])  # fmt: skip
def test_every_choice_runs(changes, tiny_data, small_recipe, tmp_path):
    assert fit(small_recipe("pnet", **{"steps": 2, **changes}), [tiny_data], tmp_path).is_file()
