"""``iqmaps train``: options are the recipe's fields, and what was trained can be registered."""

import json
import tomllib
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from napari_iqmaps import training
from napari_iqmaps.cli.train import train
from napari_iqmaps.core.models import sha256_of
from napari_iqmaps.core.networks.blind import DIQA
from napari_iqmaps.training.visibility.recipe import NETWORKS, TrainingConfig
from napari_iqmaps.training.weights import write_weights

FAST = ["--steps", "2", "--images", "4", "--patches", "2", "--quiet"]


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(2):
        reference = rng.integers(60, 200, (48, 56), dtype=np.uint8)
        Image.fromarray(reference).save(tmp_path / f"r{scene}.png")
        for level in range(3):
            test = np.clip(reference + rng.normal(0, 3 + 9 * level, reference.shape), 0, 255).astype(np.uint8)
            Image.fromarray(test).save(tmp_path / f"t{scene}{level}.png")
            rows.append(f"t{scene}{level}.png,r{scene}.png,{20 + 30 * level}")
    path = tmp_path / "own.csv"
    path.write_text("# best: 0\n# worst: 100\nfile,reference,score\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("network", NETWORKS)
def test_every_field_is_an_option_with_its_help(network):
    text = " ".join(CliRunner().invoke(train, [network, "--help"], terminal_width=200).output.split())
    for entry in fields(TrainingConfig):
        if entry.name != "network":
            assert f"--{entry.name.replace('_', '-')}" in text
            assert entry.metadata["help"][:40] in text


def test_a_run_from_the_command_line(manifest, tmp_path):
    out = tmp_path / "run"
    command = ["contrast", "--data", str(manifest), "--out", str(out), "--no-balance", *FAST]
    result = CliRunner().invoke(train, command, catch_exceptions=False)
    assert result.output.strip() == str(out / "contrast.safetensors")
    with safe_open(out / "contrast.safetensors", framework="numpy") as file:
        said = file.metadata()["trained_by"]
    assert said == "iqmaps train contrast --data own.csv --steps 2 --images 4 --patches 2 --no-balance"


def test_wrong_use_is_named(manifest, tmp_path):
    runner = CliRunner()
    assert "Missing option '--data'" in runner.invoke(train, ["pnet", "--out", "x"]).output
    assert "--steps" in runner.invoke(train, ["pnet", "--data", "m", "--out", "x", "--steps", "0"]).output
    result = runner.invoke(train, ["pnet", "--data", str(tmp_path / "no.csv"), "--out", str(tmp_path / "x")])
    assert "There is no manifest" in str(result.exception)
    command = ["pnet", "--data", str(manifest), "--out", str(tmp_path / "x"), "--photographs", str(tmp_path / "none")]
    assert "names no pictures" in str(runner.invoke(train, command).exception)


def test_without_the_extra_it_says_what_to_install(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "EXTRA", ("lightning", "no_such_library"))
    result = CliRunner().invoke(train, ["pnet", "--data", str(manifest), "--out", str(tmp_path / "x")])
    assert 'no_such_library, which is not installed. Install the extra: pip install "napari-iqmaps[train]"' in str(
        result.exception
    )


def test_a_dry_run_needs_no_folder_and_trains_nothing(manifest, tmp_path):
    runner = CliRunner()
    result = runner.invoke(train, ["pnet", "--data", str(manifest), "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "images    6 of 2 references" in result.output
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", *[".png"] * 8]
    assert "Missing option '--out'" in runner.invoke(train, ["pnet", "--data", str(manifest)]).output


def test_missing_images_can_be_left_out_and_the_command_says_so(manifest, tmp_path):
    (tmp_path / "t00.png").unlink()
    command = ["contrast", "--data", str(manifest), "--out", str(tmp_path / "run"), *FAST]
    assert "1 of the 8 images" in str(CliRunner().invoke(train, command).exception)
    result = CliRunner().invoke(train, [*command, "--skip-missing"], catch_exceptions=False)
    assert "own: 1 of 6 images are left out" in result.output
    with safe_open(tmp_path / "run" / "contrast.safetensors", framework="numpy") as file:
        assert "--data own.csv --skip-missing" in file.metadata()["trained_by"]


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "run.safetensors"
    torch.manual_seed(0)
    write_weights(path, "diqa", DIQA(), {"trained_by": "iqmaps train diqa", "seed": "3", "scale": "live"})
    return path


@pytest.fixture
def figures(tmp_path):
    """What 'iqmaps evaluate --json' writes, as far as it matters here."""
    rows = [
        {"database": name, "type": kind, "method": method, "srcc": srcc}
        for name, kind, method, srcc in (
            ("live", "all", "diqa", 0.91234),
            ("live", "jpeg", "diqa", 0.8),
            ("live", "all", "PSNR", 0.7),
            ("tid2013", "all", "diqa", 0.8),
        )
    ]
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(rows))
    return path


def register(trained, figures, into, *words):
    into.mkdir(exist_ok=True)
    command = ["register", str(trained), "--figures", str(figures), "--into", str(into), "--data", 'LIVE, "ours"']
    return CliRunner().invoke(train, [*command, "--licence", "BSD-3-Clause", *words])


def test_trained_weights_get_into_the_registry(trained, figures, tmp_path):
    folder = tmp_path / "weights"
    result = register(trained, figures, folder, "--name", "exact")
    assert result.exit_code == 0, result.exception
    assert register(trained, figures, folder, "--name", "small", "--half").exit_code == 0
    records = tomllib.loads((folder / "registry.toml").read_text())["weights"]
    assert list(records) == ["exact", "small"]
    record, file = records["exact"], folder / "exact.safetensors"
    assert record["sha256"] == sha256_of(file)
    assert record["bytes"] == file.stat().st_size
    assert result.stdout.strip() == f"exact.safetensors: {file.stat().st_size:,} bytes, {record['sha256']}"
    assert record["figures"] == {"srcc_live": 0.912, "srcc_tid2013": 0.8}
    assert (record["network"], record["seed"], record["default"]) == ("diqa", 3, True)
    assert (record["command"], record["data"]) == ("iqmaps train diqa", 'LIVE, "ours"')
    assert file.read_bytes() == trained.read_bytes()
    # What is large is rounded, what a distance is made of and the few scalars are not.
    before, after = load_file(trained), load_file(folder / "small.safetensors")
    for name, tensor in before.items():
        rounded = tensor.numel() > 1000 and not name.startswith("evidence.")
        assert after[name].dtype == (torch.float16 if rounded else tensor.dtype), name


def test_registered_weights_know_their_uncertainty(trained, figures, tmp_path):
    scores = np.linspace(0, 100, 40)
    residuals = tmp_path / "residuals.csv"
    pd.DataFrame({"score": scores, "target": scores + 5.0}).to_csv(residuals, index=False)
    folder = tmp_path / "weights"
    assert register(trained, figures, folder, "--name", "diqa", "--residuals", str(residuals)).exit_code == 0
    deviations = load_file(folder / "diqa.safetensors")["uncertainty.deviations"]
    np.testing.assert_allclose(deviations, 5.0, rtol=1e-6)


def test_what_cannot_be_registered_is_named(trained, figures, tmp_path):
    folder = tmp_path / "weights"
    write_weights(tmp_path / "bare.safetensors", "diqa", DIQA(), {})
    said = register(tmp_path / "bare.safetensors", figures, folder, "--name", "diqa").exception
    assert "has no trained_by" in str(said)
    figures.write_text(json.dumps([{"database": "live", "type": "all", "method": "deepbqa", "srcc": 1.0}]))
    said = register(trained, figures, folder, "--name", "diqa").exception
    assert "has no figures of diqa over all types" in str(said)
    said = register(trained, trained, folder, "--name", "diqa").exception
    assert "Give what 'iqmaps evaluate --json' wrote" in str(said)
    assert not list(folder.iterdir())
