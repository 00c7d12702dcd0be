"""``iqmaps train``: options are the recipe's fields."""

from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

from napari_iqmaps import training
from napari_iqmaps.cli.train import train
from napari_iqmaps.training.config import NETWORKS, TrainingConfig

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
    assert "own: 1 of 6 images left out" in result.output
    with safe_open(tmp_path / "run" / "contrast.safetensors", framework="numpy") as file:
        assert "--data own.csv --skip-missing" in file.metadata()["trained_by"]
