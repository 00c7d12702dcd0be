"""``iqmaps evaluate``: tables on the screen and in files."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from napari_iqmaps import InputError
from napari_iqmaps.cli.evaluate import evaluate, recipe


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(3):
        reference = rng.integers(60, 200, (48, 56), dtype=np.uint8)
        Image.fromarray(reference).save(tmp_path / f"r{scene}.png")
        for level in range(3):
            test = np.clip(reference + rng.normal(0, 3 + 9 * level, reference.shape), 0, 255).astype(np.uint8)
            Image.fromarray(test).save(tmp_path / f"t{scene}{level}.png")
            rows.append(f"t{scene}{level}.png,r{scene}.png,{20 + 30 * level}")
    path = tmp_path / "own.csv"
    path.write_text("# best: 0\n# worst: 100\nfile,reference,score\n" + "\n".join(rows) + "\n")
    return path


def test_given_weights(manifest, tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "json", "markdown")}
    command = ["visibility", "--data", str(manifest), "--model", "contrast", "--quiet",
               "--scores", str(tmp_path / "scores.csv")]  # fmt: skip
    for name, path in files.items():
        command += [f"--{name}", str(path)]
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert "SRCC" in result.output
    assert set(pd.read_csv(files["csv"])["method"]) == {"PSNR", "SSIM", "GMSD", "contrast"}
    assert "| own | all | contrast |" in files["markdown"].read_text()
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 9


def test_scenes_left_out(manifest, tmp_path):
    command = ["visibility", "--data", str(manifest), "--model", "contrast", "--protocol", "leave-one-scene-out"]
    command += ["--runs", str(tmp_path / "runs"), "--set", "contrast.steps=2", "--set", "images=4", "--quiet"]
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert len(list((tmp_path / "runs" / "contrast").iterdir())) == 3
    assert (tmp_path / "runs" / "scores.csv").is_file()


def test_wrong_use_is_named(manifest, tmp_path):
    base = ["visibility", "--data", str(manifest), "--quiet"]
    for more, message in (
        (["--protocol", "leave-one-scene-out"], "--runs FOLDER"),
        (["--protocol", "leave-types-out", "--runs", str(tmp_path / "r"), "--weights", "pnet"], "trains its own"),
        (["--weights", "nonsense"], "nonsense"),
    ):
        assert message in str(CliRunner().invoke(evaluate, base + more).exception)


def test_settings_change_the_recipe():
    settings = ("steps=7", "pnet.balance=no", "contrast.learning-rate=0.5")
    assert (recipe("pnet", settings).steps, recipe("pnet", settings).balance) == (7, False)
    assert recipe("contrast", settings).learning_rate == 0.5
    for wrong in ("steps", "nothing=1", "network=pnet", "other.steps=1", "steps=many", "balance=perhaps"):
        with pytest.raises(InputError, match="--set"):
            recipe("pnet", (wrong,))
