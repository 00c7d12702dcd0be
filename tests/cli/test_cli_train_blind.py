"""``iqmaps train diqa|deepbqa``: options are the recipe's fields."""

from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

from napari_iqmaps.cli.train import train
from napari_iqmaps.training.quality.recipe import BLIND_NETWORKS, QualityConfig

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


def test_both_stages_from_the_command_line(folder, tmp_path):
    rows, reference = [], np.array(Image.open(folder / "0.png"))
    for score in (1, 20, 60):
        Image.fromarray(reference // 80 * 80 + np.uint8(score)).save(tmp_path / f"{score}.png")
        rows.append(f"{score}.png,pictures/0.png,{score},only")
    (tmp_path / "tiny.csv").write_text("\n".join(["# best: 0", "# worst: 80", "file,reference,score,scene", *rows]))
    data = ("--data", str(tmp_path / "tiny.csv"))
    survey = CliRunner().invoke(train, ["diqa", *data, "--dry-run"], catch_exceptions=False)
    assert "tiny" in survey.output
    out = tmp_path / "run"
    command = ["diqa", *data, "--photographs", str(folder), "--out", str(out), "--stage2-steps", "2",
               "--pseudo-variants", "1", *FAST]  # fmt: skip
    result = CliRunner().invoke(train, command, catch_exceptions=False)
    weights = out / "diqa.safetensors"
    assert result.output.strip() == str(weights)
    with safe_open(weights, framework="numpy") as file:
        said = file.metadata()["trained_by"]
    assert said.startswith("iqmaps train diqa --data tiny.csv --photographs pictures --crop-cells 2 ")
    assert "--stage " not in said
    start = out / "stage1" / "stage1.safetensors"
    command = ["diqa", *data, "--start", str(start), "--out", str(tmp_path / "second"), "--stage2-steps", "1"]
    CliRunner().invoke(train, command, catch_exceptions=False)
    with safe_open(tmp_path / "second" / "diqa.safetensors", framework="numpy") as file:
        assert file.metadata()["trained_by"].endswith("--data tiny.csv --start stage1.safetensors --stage2-steps 1")


def test_wrong_use_is_named(folder, tmp_path):
    def said(*words):
        result = CliRunner().invoke(train, ["deepbqa", *words])
        assert result.exit_code
        return f"{result.output} {result.exception}"

    assert "Missing option '--out'" in said("--photographs", str(folder))
    out = ("--out", str(tmp_path / "run"))
    assert "Missing option '--data', images with scores; or take --stage 1" in said(*out)
    assert "--start stands for the first stage" in said(*out, "--stage", "1", "--start", "stage1.safetensors")
    first = (*out, "--stage", "1")
    assert "no photographs to learn from" in said(*first)
    assert "names no pictures" in said(*first, "--photographs", str(tmp_path / "none"))
    assert "smaller than the windows of 96" in said(*first, "--photographs", str(folder), "--side", "96")
    assert "'jpg' is not one of" in said(*out, "--photographs", str(folder), "--leave-out", "jpg")
