"""``iqmaps evaluate``: tables on the screen and in files."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from napari_iqmaps import InputError
from napari_iqmaps.cli.evaluate import evaluate, recipe
from napari_iqmaps.training.evaluation import agreement


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 60)


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


@pytest.fixture
def kadid(tmp_path):
    """KADID-10k in small: three references, two types, three levels; its scores rise with quality."""
    folder, lines = tmp_path / "KADID-10k", ["dist_img,ref_img,dmos,var"]
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for scene in (1, 2, 3):
        reference = rng.integers(60, 200, (40, 48), dtype=np.uint8)
        Image.fromarray(reference).save(folder / "images" / f"I{scene:02d}.png")
        for kind in (11, 13):
            for level in (1, 2, 3):
                test = np.clip(reference + rng.normal(0, kind * level, reference.shape), 0, 255).astype(np.uint8)
                name = f"I{scene:02d}_{kind}_{level:02d}.png"
                Image.fromarray(test).save(folder / "images" / name)
                lines.append(f"{name},I{scene:02d}.png,{5 - level - kind / 40 - scene / 50:.3f},0.1")
    (folder / "dmos.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_folder_as_it_unpacks(kadid, tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "json")}
    command = ["visibility", "--data", str(kadid), "--model", "contrast", "--quiet", "--splits", "7", "--test-share",
               "0.4", "--csv", str(files["csv"]), "--json", str(files["json"]), "--scores",
               str(tmp_path / "scores.csv")]  # fmt: skip
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False, env={"COLUMNS": "200"})
    assert "kadid10k (95 % intervals over scenes; RMSE in DMOS, 5 best .. 1 worst)" in result.output
    assert "kadid10k (median and middle 95 % over 7 splits of 40 % of the scenes; RMSE in DMOS" in result.output
    table = pd.read_csv(files["csv"]).set_index(["type", "method"])
    # Noise is worse the more there is of it: the direction of the scores was understood.
    assert (table.loc["gaussian_noise", "srcc"] > 0.8).all()
    assert (table.loc["all", "srcc_median"] > 0.8).all()
    assert (table.loc[("all", "contrast"), ["splits", "test_share", "left_out"]] == [7, 0.4, 0]).all()
    assert json.loads(files["json"].read_text())[0]["best"] == 5
    assert "images/I01_11_01.png" in set(pd.read_csv(tmp_path / "scores.csv")["file"])


def test_a_dry_run_reports_and_computes_nothing(kadid, manifest, tmp_path):
    command = ["visibility", "--data", str(kadid), "--data", str(manifest), "--dry-run"]
    result = CliRunner().invoke(evaluate, [*command, "--json", str(tmp_path / "found.json")], catch_exceptions=False)
    assert result.exit_code == 0
    assert "kadid10k: KADID-10k in" in result.output
    assert "images    18 of 3 references, 3 scenes" in result.output
    assert "types     2: gaussian_noise 9, impulse_noise 9" in result.output
    assert "DMOS, higher is better: 5 best, 1 worst" in result.output
    assert "shared scenes: 0" in result.output
    assert json.loads((tmp_path / "found.json").read_text())["databases"][1]["name"] == "own"
    (kadid / "images" / "I02.png").unlink()
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert result.exit_code == 1
    assert "missing   1 files, needed by 6 images" in result.output
    assert CliRunner().invoke(evaluate, [*command, "--skip-missing"]).exit_code == 0


def test_missing_images_stop_or_are_recorded(kadid, tmp_path):
    (kadid / "images" / "I02_11_01.png").unlink()
    command = ["visibility", "--data", str(kadid), "--model", "contrast", "--quiet", "--csv", str(tmp_path / "o.csv")]
    assert "1 of the 21 images" in str(CliRunner().invoke(evaluate, command).exception)
    result = CliRunner().invoke(evaluate, [*command, "--splits", "2", "--skip-missing"], catch_exceptions=False)
    assert "kadid10k: 1 of 18 images are left out, because their files are missing." in result.output
    table = pd.read_csv(tmp_path / "o.csv")
    assert set(table["left_out"]) == {1}
    assert set(table.loc[table["type"] == "all", "images"]) == {17}


def test_random_shares_that_are_trained(kadid, tmp_path):
    command = ["visibility", "--data", str(kadid), "--model", "contrast", "--protocol", "splits", "--splits", "2"]
    command += ["--runs", str(tmp_path / "runs"), "--set", "contrast.steps=2", "--set", "images=4", "--quiet"]
    command += ["--scoring", "patches", "--csv", str(tmp_path / "o.csv")]
    result = CliRunner().invoke(evaluate, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert len(list((tmp_path / "runs" / "contrast").iterdir())) == 2
    assert set(pd.read_csv(tmp_path / "o.csv")["method"]) == {"PSNR", "SSIM", "GMSD", "contrast"}


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
        (["--protocol", "splits"], "--runs FOLDER"),
        (["--protocol", "leave-types-out", "--runs", str(tmp_path / "r"), "--splits", "3"], "judges every image once"),
    ):
        assert message in str(CliRunner().invoke(evaluate, base + more).exception)


def test_settings_change_the_recipe():
    settings = ("steps=7", "pnet.balance=no", "contrast.learning-rate=0.5")
    assert (recipe("pnet", settings).steps, recipe("pnet", settings).balance) == (7, False)
    assert recipe("contrast", settings).learning_rate == 0.5
    for wrong in ("steps", "nothing=1", "network=pnet", "other.steps=1", "steps=many", "balance=perhaps"):
        with pytest.raises(InputError, match="--set"):
            recipe("pnet", (wrong,))
