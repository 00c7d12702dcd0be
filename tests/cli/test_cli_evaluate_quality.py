"""``iqmaps evaluate quality``: tables on the screen and in files."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import ndimage

from napari_iqmaps import InputError
from napari_iqmaps.cli.evaluate import changed, evaluate
from napari_iqmaps.training.evaluation import agreement
from napari_iqmaps.training.quality.recipe import BLIND_NETWORKS, QualityConfig


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 40)


@pytest.fixture
def live(tmp_path):
    """A manifest that is called like LIVE: three scenes, three strengths of noise and of blur."""
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(3):
        reference = np.clip(ndimage.gaussian_filter(rng.normal(0, 150, (64, 72)), 1) + 128, 0, 255)
        Image.fromarray(reference.astype(np.uint8)).save(tmp_path / f"r{scene}.png")
        for level in range(3):
            noisy = reference + rng.normal(0, 3 + 9 * level, reference.shape)
            for kind, pixels in (("noise", noisy), ("blur", ndimage.gaussian_filter(reference, 0.6 + level))):
                name = f"{kind}{scene}{level}.png"
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / name)
                rows.append(f"{name},r{scene}.png,{20 + 30 * level},{kind}")
    path = tmp_path / "live.csv"
    path.write_text("# best: 0\n# worst: 100\nfile,reference,score,type\n" + "\n".join(rows) + "\n")
    return path


def run(*words):
    return CliRunner().invoke(evaluate, ["quality", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "220"})


def test_given_weights(live, untrained, tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "json", "markdown")}
    command = ["--data", live, "--quiet", "--splits", 3, "--test-share", 0.4, "--scores", tmp_path / "scores.csv"]
    for network in ("diqa", "deepbqa"):
        command += ["--weights", untrained[network]]
    for name, path in files.items():
        command += [f"--{name}", path]
    result = run(*command)
    assert "live (95 % intervals over scenes" in result.output
    assert "published figures are medians over random splits" in result.output
    table = pd.read_csv(files["csv"]).set_index(["type", "method"])
    methods = {"PSNR", "SSIM", "blur_effect", "estimate_sigma", "shannon_entropy", "diqa (diqa)", "deepbqa (deepbqa)"}
    assert methods <= set(table.loc["all"].index)
    assert table.loc[("all", "DeepBQA (published)"), "srcc"] == 0.97
    assert table.loc[("blur", "blur_effect"), "srcc"] > 0.8
    assert np.isfinite(table.loc[("all", "deepbqa (deepbqa)"), ["srcc", "plcc", "srcc_median"]].astype(float)).all()
    assert "| live | all | BRISQUE (published) | 0.939 |" in files["markdown"].read_text()
    assert {row["note"] for row in json.loads(files["json"].read_text()) if "(published)" not in row["method"]} == {""}
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 18


def test_trained_without_what_is_judged(live, untrained, tmp_path):
    result = run("--data", live, "--model", "diqa", "--protocol", "leave-one-scene-out", "--start",
                 untrained["diqa"], "--runs", tmp_path / "runs", "--set", "stage2_steps=2", "--set",
                 "diqa.dropout=0", "--quiet", "--csv", tmp_path / "o.csv")  # fmt: skip
    assert result.exit_code == 0
    assert len(list((tmp_path / "runs/diqa").glob("scene-*"))) == 3
    assert len(pd.read_csv(tmp_path / "runs/residuals_diqa.csv")) == 18
    assert "diqa" in set(pd.read_csv(tmp_path / "o.csv")["method"])


def test_a_dry_run_computes_nothing(live, tmp_path):
    result = run("--data", live, "--dry-run", "--json", tmp_path / "found.json")
    assert "types     2: noise 9, blur 9" in result.output
    assert json.loads((tmp_path / "found.json").read_text())["databases"][0]["images"] == 18


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--protocol", "cross-database"], "--runs FOLDER"),
        (["--protocol", "splits", "--runs", "runs"], "--start FILE"),
        (["--protocol", "splits", "--runs", "runs", "--weights", "diqa"], "trains its own"),
        (["--protocol", "cross-database", "--runs", "runs", "--splits", "3"], "judges every image once"),
        (["--protocol", "cross-database", "--runs", "runs", "--start", "WEIGHTS"], "at least two"),
        (["--weights", "nonsense"], "nonsense"),
        (["--set", "error_map=1"], r"see 'iqmaps train diqa --help'"),
    ],
)
def test_wrong_use_is_named(more, message, live, untrained):
    words = [str(untrained["deepbqa"]) if word == "WEIGHTS" else word for word in more]
    found = CliRunner().invoke(evaluate, ["quality", "--data", str(live), "--quiet", *words]).exception
    assert message in str(found)


def test_settings_of_several_words():
    default = QualityConfig.default("diqa")
    found = changed(default, ["left-out=jpeg,gaussian_blur"], BLIND_NETWORKS, "iqmaps train diqa")
    assert found.left_out == ("jpeg", "gaussian_blur")
    with pytest.raises(InputError, match="--set"):
        changed(default, ["of_stage=1"], BLIND_NETWORKS, "iqmaps train diqa")
