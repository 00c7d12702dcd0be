"""The first stage is the same from the same seed, goes on where it was stopped, and learns."""

import json
import os
import signal

import pandas as pd
import pytest
import torch
from safetensors import safe_open

from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.core.models import load_into
from napari_iqmaps.core.networks.blind import DIQA, DeepBQA
from napari_iqmaps.training.quality.first_stage import ErrorSteps, ErrorTraining, fit_errors, measured_errors
from napari_iqmaps.training.quality.pairs import PairBank
from napari_iqmaps.training.quality.windows import cells_of


@pytest.mark.parametrize(("network", "changes"), [("diqa", {}), ("deepbqa", {"precision": "bf16-mixed"})])
def test_same_seed_same_bytes_also_when_interrupted(network, changes, photographs, small_recipe, tmp_path):
    recipe = small_recipe(network, **changes, stage1_steps=4)
    whole = fit_errors(recipe, photographs, tmp_path / "whole")

    def stop(done, total):
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        fit_errors(recipe, photographs, tmp_path / "parts", progress=stop)
    assert not (tmp_path / "parts" / "stage1.safetensors").exists()
    parts = fit_errors(recipe, photographs, tmp_path / "parts")
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()
    other = fit_errors(small_recipe(network, **changes, seed=1, stage1_steps=1), photographs, tmp_path / "other")
    assert other.read_bytes() != whole.read_bytes()


def test_ctrl_c_ends_after_the_step_with_a_checkpoint(photographs, small_recipe, tmp_path):
    recipe = small_recipe()

    def interrupt(done, total):
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Cancelled, match="stopped after step 2 of 6"):
        fit_errors(recipe, photographs, tmp_path / "run", progress=interrupt)
    seen = []
    fit_errors(recipe, photographs, tmp_path / "run", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 6), (4, 6), (5, 6), (6, 6)]


def test_a_run_folder_tells_everything(photographs, small_recipe, tmp_path):
    recipe = small_recipe("deepbqa", left_out=("jpeg",), stage1_steps=2)
    weights = fit_errors(recipe, photographs, tmp_path / "run", command="iqmaps train deepbqa")
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert record["config"]["left_out"] == ["jpeg"]
    assert record["photographs"]["number"] == 4
    assert {"torch", "device", "precision"} <= set(json.loads((tmp_path / "run/versions.json").read_text()))
    columns = set(pd.read_csv(tmp_path / "run/metrics.csv").columns)
    assert {"step", "loss", "error", "within", "visible", "pseudo", "perceptual", "inside"} <= columns
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
    assert (header["network"], header["stage"], header["left_out"]) == ("deepbqa", "1", "jpeg")
    assert str(photographs[0].parent) not in json.dumps(record) + json.dumps(header)
    network = DeepBQA()
    load_into(network, weights)
    assert all(bool(tensor.isfinite().all()) for tensor in network.trunk.state_dict().values())

    stamp = weights.stat().st_mtime_ns
    assert fit_errors(recipe, photographs, tmp_path / "run").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match=r"config\.left_out was \[\"jpeg\"\], is \[\]"):
        fit_errors(small_recipe("deepbqa", stage1_steps=2), photographs, tmp_path / "run")
    with pytest.raises(InputError, match=r"photographs\.number was 4, is 3"):
        fit_errors(recipe, photographs[:3], tmp_path / "run")
    with pytest.raises(InputError, match="holds a run already"):
        fit_errors(recipe, photographs, tmp_path / "run", resume=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"devices": 3}, "3 devices cannot share 2 photographs a step evenly"),
        ({"photographs": ["no.png"]}, "1 photographs are not there; the first is no.png"),
    ],
)
def test_wrong_options_are_named(options, message, photographs, small_recipe, tmp_path):
    options = {"photographs": photographs, **options}
    with pytest.raises(InputError, match=message):
        fit_errors(small_recipe(), options.pop("photographs"), tmp_path / "run", **options)


def test_it_learns_where_errors_are(photographs, small_recipe, tmp_path):
    recipe = small_recipe("deepbqa", stage1_steps=40, rate=2e-3, averaging=0.0, photographs_per_step=4)
    batch = ErrorSteps(PairBank(recipe, photographs), recipe).step(1000)
    before = ErrorTraining(recipe, half=False)
    after = ErrorTraining(recipe, half=False)
    load_into(after.network, fit_errors(recipe, photographs, tmp_path))
    with torch.no_grad():
        parts = [training.losses(batch)[1] for training in (before, after)]
    for name in ("error", "perceptual"):
        assert parts[1][name] < 0.7 * parts[0][name], name
    assert parts[1]["inside"] > parts[0]["inside"]


@pytest.mark.parametrize("changes", [
    {"visible": 0.0, "pseudo": 0.0, "within": 0.0, "averaging": 0.0},
    {"reliability_weighting": False, "gradient_clip": 0.0, "warm_up": 0.0, "crop_cells": 0},
    {"error": 0.0, "perceptual": 0.0, "variants_per_step": 3, "precision": "bf16-mixed"},
])  # fmt: skip
@pytest.mark.parametrize("network", ["diqa", "deepbqa"])
def test_every_choice_runs(network, changes, photographs, small_recipe, tmp_path):
    assert fit_errors(small_recipe(network, **{"stage1_steps": 1, **changes}), photographs, tmp_path).is_file()


def test_the_published_loss_is_its_formula(photographs, small_recipe):
    recipe = small_recipe(within=0.0, visible=0.0, pseudo=0.0)
    training = ErrorTraining(recipe, half=False)
    batch = ErrorSteps(PairBank(recipe, photographs), recipe).step(0)
    with torch.no_grad():
        loss, _ = training.losses(batch)
        cells = training.network(batch["test"])
    inside = (..., slice(3, -3), slice(3, -3))
    raw, error = cells.reliability[inside].double(), cells.error[inside].double()
    target = measured_errors(batch)[inside].double()
    share = raw / raw.mean((2, 3), keepdim=True)
    assert loss.item() == pytest.approx((((error - target) * share) ** 2).mean().item() / 0.12**2, rel=0.02)


@pytest.mark.parametrize("network", [DIQA, DeepBQA])
def test_the_training_pass_is_the_networks_own(network, photographs, small_recipe):
    torch.manual_seed(0)
    made = network().to(memory_format=torch.channels_last)
    batch = ErrorSteps(PairBank(small_recipe(), photographs), small_recipe()).step(0)
    with torch.no_grad():
        own = made(batch["test"])
        exact, half = (cells_of(made, batch["test"], half=half) for half in (False, True))
    for name in own._fields:
        if getattr(own, name) is not None:
            torch.testing.assert_close(getattr(exact, name), getattr(own, name), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(half.reliability, own.reliability)  # no convolution of the pyramid is in bfloat16
    torch.testing.assert_close(half.low, own.low)
    scale = own.error.std()
    assert 0 < (half.error - own.error).abs().max() < 0.2 * scale


def test_diqa_keeps_the_first_layer_and_no_score_head_is_touched(photographs, small_recipe, tmp_path):
    start = ErrorTraining(small_recipe(), half=False).network.state_dict()
    found = DIQA()
    load_into(found, fit_errors(small_recipe(stage1_steps=2), photographs, tmp_path / "diqa"))
    assert not torch.equal(found.hidden.weight, start["hidden.weight"])
    assert torch.equal(found.output.weight, start["output.weight"])
