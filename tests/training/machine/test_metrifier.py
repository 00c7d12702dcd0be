"""The training is the same from the same seed, goes on where it was stopped, learns, and says what it learnt from."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

import napari_iqmaps as iq
from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.cli.train import train
from napari_iqmaps.training.machine.labels import pictures_of, read_labels, record_path
from napari_iqmaps.training.machine.metrifier import fit_metrifier
from napari_iqmaps.training.machine.pictures import read_pictures
from napari_iqmaps.training.machine.recipe import MetrifierConfig

SMALL = MetrifierConfig(batch=4, steps=5, precision="32-true")
VARIANTS = (("none", 0), ("gaussian_noise", 5), ("gaussian_noise", 3))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes of smooth pictures of 20 pixels a side."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(4)
    for index, name in enumerate(("blue", "red")):
        (folder / name).mkdir()
        for number in range(6):
            ramp = np.linspace(60, 60 + rng.integers(20, 120), 20)
            picture = np.stack([np.add.outer(ramp, ramp) / 2] * 3, -1)
            picture[..., 2 - 2 * index] += 40
            Image.fromarray(picture.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def labels(data):
    """Labels that fall with the noise, as a table of one worker that minds nothing else."""
    pictures = read_pictures(data)
    rows = [
        {"image": name, "class": name.split("/")[0], "distortion": distortion, "severity": float(severity),
         "seed": 10 * number + severity, "p_one": 1 - severity / 6, "mean": 1 - severity / 6, "spread": 0.0,
         "consistency": 1 - severity / 10, "top1": float(severity < 5)}
        for number, name in enumerate(pictures.names)
        for distortion, severity in VARIANTS
    ]  # fmt: skip
    path = data.parent / "labels.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    record = {"pictures": pictures.record(), "workers": [{"name": "one", "sha256": "0"}], "rows": len(rows)}
    record_path(path).write_text(json.dumps(record))
    return path


@pytest.fixture(scope="module")
def known(labels, data):
    table = read_labels(labels)
    return table, pictures_of(table, data)


def test_same_seed_same_bytes_also_when_interrupted(known, tmp_path):
    made = []
    whole = fit_metrifier(SMALL, *known, tmp_path / "whole", making=lambda *done: made.append(done))
    assert made == [(16, 36), (32, 36), (36, 36)]

    def stop(done, total):
        if done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        fit_metrifier(SMALL, *known, tmp_path / "parts", making=stop_at_once)
    with pytest.raises(Cancelled, match="enough"):
        fit_metrifier(SMALL, *known, tmp_path / "parts", progress=stop)
    assert not (tmp_path / "parts/metrifier.safetensors").exists()
    seen = []
    parts = fit_metrifier(SMALL, *known, tmp_path / "parts", progress=lambda *done: seen.append(done))
    assert seen == [(4, 5), (5, 5)]
    assert parts.read_bytes() == whole.read_bytes()
    assert (tmp_path / "parts/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()

    stamp = whole.stat().st_mtime_ns
    assert fit_metrifier(SMALL, *known, tmp_path / "whole").stat().st_mtime_ns == stamp
    whole.unlink()  # as if stopped between the last step and the result
    assert fit_metrifier(SMALL, *known, tmp_path / "whole").read_bytes() == parts.read_bytes()
    with pytest.raises(InputError, match="config.target was .*mean.*, is .*top1"):
        fit_metrifier(replace(SMALL, target="top1"), *known, tmp_path / "whole")


def stop_at_once(done, total):
    raise Cancelled("enough")


def test_it_learns_what_the_labels_say_and_inference_says_the_same(known, tmp_path):
    config = replace(SMALL, steps=24, batch=8, auxiliary=0.1, warm_up=0.0)
    table, pictures = known
    weights = fit_metrifier(config, table, pictures, tmp_path / "run")
    losses = pd.read_csv(tmp_path / "run/metrics.csv")
    assert {"step", "loss", "score", "answers", "deviation"} <= set(losses)
    picture = pictures.pixels[0]
    noisy = iq.distort(picture, "gaussian_noise", 5, seed=1, channel_axis=-1)
    clean, worse = (
        iq.machine_quality(each, channel_axis=-1, weights=weights, device="cpu").value for each in (picture, noisy)
    )
    assert clean > 0.75
    assert worse < 0.4


def test_a_result_says_what_it_was_made_of(known, tmp_path):
    config = replace(SMALL, steps=1, left_out=("gaussian_noise",), target="consistency", auxiliary=0)
    weights = fit_metrifier(config, *known, tmp_path / "run", command="iqmaps train metrifier")
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
        assert not [name for name in file.keys() if name.startswith("classifier")]  # noqa: SIM118 - no mapping
        assert file.get_tensor("trained_side") == 20
    assert header["network"] == "metrifier"
    assert (header["images"], header["rows"], header["target"]) == ("12", "12", "consistency")
    assert (header["workers"], header["left_out"], header["data"]) == ("one", "gaussian_noise", "data0")
    record = json.loads((tmp_path / "run/config.json").read_text())
    assert record["labels"]["sha256"] == header["labels_sha256"]
    assert str(tmp_path.parent) not in json.dumps(record)


def test_other_pictures_are_refused(known, data, tmp_path):
    table, _ = known
    with pytest.raises(InputError, match=r"labels\.csv was made of other pictures"):
        fit_metrifier(SMALL, table, read_pictures(data, size=19), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pictures_that_are_too_small_are_named(data, labels, tmp_path):
    small = read_pictures(data, size=18)
    table = read_labels(labels)
    table = replace(table, record={**table.record, "pictures": small.record()})
    with pytest.raises(InputError, match="have 18x18 pixels; the metrifier needs at least 19 a side"):
        fit_metrifier(SMALL, table, small, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_from_the_command_line(data, labels, tmp_path):
    command = ["metrifier", "--labels", str(labels), "--data", str(data), "--out", str(tmp_path / "run"), "--quiet",
               "--steps", "1", "--batch", "4", "--leave-out", "jpeg", "--no-flip"]  # fmt: skip
    result = CliRunner().invoke(train, command, catch_exceptions=False)
    assert result.output.strip() == str(tmp_path / "run/metrifier.safetensors")
    with safe_open(tmp_path / "run/metrifier.safetensors", framework="numpy") as file:
        said = file.metadata()["trained_by"]
    assert said == (
        "iqmaps train metrifier --labels labels.csv --data data0 --leave-out jpeg --steps 1 --batch 4 --no-flip"
    )
    again = CliRunner().invoke(train, [*command, "--no-resume"])
    assert "holds a run already" in str(again.exception)


def test_every_field_is_an_option_with_its_help():
    text = " ".join(CliRunner().invoke(train, ["metrifier", "--help"], terminal_width=200).output.split())
    for name, entry in MetrifierConfig.__dataclass_fields__.items():
        if name != "network":
            assert f"--{entry.metadata.get('flag', name.replace('_', '-'))}" in text
            assert entry.metadata["help"][:40] in text
            assert entry.metadata["help"].endswith(".")
