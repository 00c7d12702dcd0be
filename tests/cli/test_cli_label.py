"""``iqmaps train worker`` and ``iqmaps label``, from pictures to a table."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_iqmaps.training.machine.labels import read_labels


@pytest.fixture
def data(tmp_path):
    """Reddish and bluish noise, sixteen pictures each."""
    rng = np.random.default_rng(0)
    for number, name in ((0, "red"), (2, "blue")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(16):
            pixels = rng.integers(60, 190, (24, 24, 3), dtype=np.uint8)
            pixels[..., number] += 60
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{index:02}.png")
    (tmp_path / "data" / "red" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "data"


SMALL = ("--width", 4, "--epochs", 8, "--batch", 8, "--precision", "32-true", "--rate", 0.02, "--quiet")
FEW = ("--distortion", "jpeg", "--distortion", "gaussian_noise", "--variants", 2, "--quiet")


def test_from_pictures_to_workers_to_labels(iqmaps, data, tmp_path):
    run = tmp_path / "plain"
    words = ("train", "worker", "--data", data, "--part", "0:0.5", "--validate-part", "0.5:", "--out", run, *SMALL)
    said = iqmaps(*words)
    assert said.exit_code == 0
    weights = run / "worker.safetensors"
    assert str(weights) in said.stdout
    held_out = int(said.stdout.split(" of ")[1].split()[0])
    config = json.loads((run / "config.json").read_text())
    assert 32 <= held_out + config["pictures"]["pictures"] <= 33
    assert float(said.stdout.splitlines()[-1].split("%")[0]) > 70
    before = weights.stat().st_mtime_ns
    assert iqmaps(*words).stdout == said.stdout
    assert weights.stat().st_mtime_ns == before

    out = tmp_path / "labels.csv"
    words = ("label", "--data", data, "--part", "0.5:1", "--worker", weights, "--worker", f"again={weights}", *FEW)
    said = iqmaps(*words, "--severities", "2,4", "--out", out)
    assert said.exit_code == 0
    assert f"{3 * held_out} rows of {held_out} pictures" in said.stdout
    table = read_labels(out)
    assert table.workers == ("plain", "again")
    assert set(table.frame["severity"]) == {0, 2, 4}
    assert set(table.frame["distortion"]) == {"none", "jpeg", "gaussian_noise"}
    np.testing.assert_array_equal(table.frame["p_plain"], table.frame["p_again"])
    assert table.record["workers"][0]["sha256"] == table.record["workers"][1]["sha256"] != ""
    assert iqmaps(*words, "--severities", "2,4", "--out", out).stdout == said.stdout
    said = iqmaps(*words, "--out", out)
    assert said.exit_code == 2
    assert "holds labels of another request: request severities was [2.0, 4.0]" in said.stderr


def test_what_cannot_be_done_is_said(iqmaps, data, tmp_path):
    def said(*words):
        result = iqmaps(*words)
        assert result.exit_code == 2
        return result.stderr

    train = ("train", "worker", "--data", data, "--out", tmp_path / "run")
    assert "overlaps --part 0:0.5" in said(*train, "--part", "0:0.5", "--validate-part", "0.4:1")
    assert "not of the form LOW:HIGH" in said(*train, "--part", "half")
    assert "not of the form LOW:HIGH" in said(*train, "--part", "0.5:0.1")
    assert "'vgg' is not one of" in said(*train, "--architecture", "vgg")
    label = ("label", "--data", data, "--out", tmp_path / "t.csv")
    assert "Missing option '--worker'" in said(*label)
    assert "There is no worker none.safetensors" in said(*label, "--worker", "none.safetensors")
    assert "'jpg' is not one of" in said(*label, "--worker", "x", "--distortion", "jpg")
    assert "are no numbers divided by commas" in said(*label, "--worker", "x", "--severities", "low")
    assert "does not exist. Create it first" in said(*label[:3], "--worker", "x", "--out", tmp_path / "no" / "t.csv")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "t.csv").exists()
