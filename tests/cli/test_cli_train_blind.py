"""``iqmaps train diqa|deepbqa``: options are the recipe's fields."""

from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

from napari_iqmaps.cli.train import train
from napari_iqmaps.training.quality.config import BLIND_NETWORKS, QualityConfig

FAST = ["--stage1-steps", "1", "--side", "48", "--crop-cells", "2", "--photographs-per-step", "1",
        "--variants-per-step", "1", "--quiet"]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(rng.integers(0, 256, (64, 72, 3), dtype=np.uint8)).save(pictures / f"{number}.png")
    return pictures


@pytest.mark.parametrize("network", BLIND_NETWORKS)
def test_every_field_is_an_option_with_its_help(network):
    text = " ".join(CliRunner().invoke(train, [network, "--help"], terminal_width=200).output.split())
    for entry in fields(QualityConfig):
        if entry.name != "network":
            assert f"--{entry.metadata.get('flag', entry.name.replace('_', '-'))}" in text
            assert entry.metadata["help"][:40] in text


def test_a_run_from_the_command_line(folder, tmp_path):
    out = tmp_path / "run"
    command = ["diqa", "--photographs", str(folder), "--out", str(out), "--stage", "1", "--leave-out", "jpeg",
               "--leave-out", "haze", "--no-reliability-weighting", *FAST]  # fmt: skip
    result = CliRunner().invoke(train, command, catch_exceptions=False)
    weights = out / "stage1" / "stage1.safetensors"
    assert result.output.strip() == str(weights)
    with safe_open(weights, framework="numpy") as file:
        said = file.metadata()["trained_by"]
    assert said.startswith("iqmaps train diqa --photographs pictures ")
    for words in ("--crop-cells 2", "--side 48", "--stage1-steps 1", "--no-reliability-weighting"):
        assert f" {words}" in said
    assert "--leave-out jpeg --leave-out haze" in said
    assert "--seed" not in said
    assert str(tmp_path) not in said
    again = CliRunner().invoke(train, [*command, "--no-resume"])
    assert "holds a run already" in str(again.exception)


def test_wrong_use_is_named(folder, tmp_path):
    def said(*words):
        result = CliRunner().invoke(train, ["deepbqa", *words])
        assert result.exit_code
        return f"{result.output} {result.exception}"

    assert "Missing option '--out'" in said("--photographs", str(folder))
    out = ("--out", str(tmp_path / "run"))
    assert "no photographs to learn from" in said(*out)
    assert "names no pictures" in said(*out, "--photographs", str(tmp_path / "none"))
    assert "smaller than the windows of 96" in said(*out, "--photographs", str(folder), "--side", "96")
    assert "'jpg' is not one of" in said(*out, "--photographs", str(folder), "--leave-out", "jpg")
