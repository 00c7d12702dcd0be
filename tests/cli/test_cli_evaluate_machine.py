"""``iqmaps evaluate machine``: tables on the screen and in files, from labels as 'iqmaps label' writes them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.cli.evaluate import evaluate
from napari_iqmaps.core.networks.metrifier import Metrifier
from napari_iqmaps.training.evaluation import agreement
from napari_iqmaps.training.machine.labels import record_path, write_frame
from napari_iqmaps.training.machine.pictures import read_pictures
from napari_iqmaps.training.weights import write_weights


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "DRAWS", 40)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A data set, labels by two workers and by a third, and a random metrifier that left jpeg out."""
    folder, rng = tmp_path_factory.mktemp("study"), np.random.default_rng(0)
    photograph = data.astronaut()
    rows = []
    for image in range(6):
        name = f"{('cat', 'dog')[image % 2]}/{image}.png"
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph[20 + 25 * image :, 200:232][:32]).save(folder / "data" / name)
        steps = [(kind, severity) for kind in ("gaussian_noise", "jpeg") for severity in (1, 3, 5)]
        for kind, severity in [("none", 0), *steps]:
            one, two, three = np.clip(0.9 - 0.03 * image - 0.1 * severity + rng.uniform(0, 0.2, 3), 0, 1)
            rows.append({"image": name, "class": name[:3], "distortion": kind, "severity": severity, "seed": image,
                         "p_one": one, "c_one": one, "p_two": two, "c_two": two, "p_three": three, "c_three": three,
                         "mean": (one + two) / 2, "spread": abs(one - two) / 2, "consistency": (one + two) / 2,
                         "top1": float(one > 0.5) / 2 + float(two > 0.5) / 2})  # fmt: skip
    table = pd.DataFrame(rows)
    record = {"pictures": {**read_pictures(folder / "data").record(), "asked_size": None}}
    for stem, dropped in (("labels", ["p_three", "c_three"]), ("third", ["p_one", "c_one", "p_two", "c_two"])):
        write_frame(table.drop(columns=dropped), folder / f"{stem}.csv")
        record_path(folder / f"{stem}.csv").write_text(json.dumps(record))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        write_weights(folder / "metrifier.safetensors", "metrifier", Metrifier(), {"left_out": "jpeg, haze"})
    return folder


def run(study, *words):
    command = ["machine", "--labels", study / "labels.csv", "--data", study / "data", "--device", "cpu", "--quiet",
               "--weights", study / "metrifier.safetensors", *words]  # fmt: skip
    return CliRunner().invoke(evaluate, list(map(str, command)), catch_exceptions=False, env={"COLUMNS": "260"})


def test_figures_and_falls(study, tmp_path):
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "json", "markdown", "scores", "falls")}
    command = ["--other-labels", study / "third.csv", "--runs", tmp_path / "runs"]
    for name, path in files.items():
        command += [f"--{name}", path]
    result = run(study, *command)
    assert result.exit_code == 0
    assert "mean (95 % intervals over scenes)" in result.output
    assert "SRCC with mean, by distortion" in result.output
    table = pd.read_csv(files["csv"]).set_index(["target", "type", "method"])
    targets = {"mean", "consistency", "top1", "p_one", "c_one", "p_two", "c_two", "p_three", "c_three"}
    assert set(table.index.get_level_values("target")) == targets
    assert table.loc[("mean", "left out of training", "PSNR"), "images"] == 18
    assert table.loc[("mean", "all", "severity"), "srcc_low"] > 0.5
    assert np.isfinite(table.loc[("p_three", "all", "labels (mean)"), "srcc"])
    assert {row["target"] for row in json.loads(files["json"].read_text())} == targets
    assert "| p_three | left out of training | PSNR |" in files["markdown"].read_text()
    falls = pd.read_csv(files["falls"]).set_index("type")
    assert falls["ladders"].to_dict() == {"gaussian_noise": 6, "jpeg": 6}
    assert falls.loc["jpeg", "mean within"] < -0.8
    scores = pd.read_csv(files["scores"])
    row = scores.iloc[9]
    picture = np.asarray(Image.open(study / "data" / row["image"]))
    picture = iq.distort(picture, row["distortion"], row["severity"], seed=row["seed"], channel_axis=-1)
    user = iq.machine_quality(picture, channel_axis=-1, weights=study / "metrifier.safetensors", device="cpu")
    assert row["machine quality (metrifier)"] == pytest.approx(user.value, abs=1e-6)
    assert sorted(path.name[:9] for path in (tmp_path / "runs").iterdir()) == ["measures.", "metrifier", "residuals"]


def test_only_what_is_asked_for(study, tmp_path):
    run(study, "--target", "p_two", "--left-out", "gaussian_noise", "--csv", tmp_path / "o.csv")
    table = pd.read_csv(tmp_path / "o.csv").set_index(["target", "type", "method"])
    assert set(table.index.get_level_values("target")) == {"p_two"}
    both = [table.xs(kind, level="type")["srcc"].to_list() for kind in ("left out of training", "gaussian_noise")]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--target", "p_nobody"], "no label 'p_nobody'. Choose of mean, consistency"),
        (["--left-out", "haze"], "no picture with haze"),
        (["--left-out", "nonsense"], "no distortion 'nonsense'"),
        (["--other-labels", "labels.csv"], "'one' is in two tables"),
        (["--weights", "nothing"], "no weights 'nothing'"),
    ],
)
def test_wrong_use_is_named(more, message, study):
    more = [str(study / word) if word.endswith(".csv") else word for word in more]
    with pytest.raises((iq.InputError, iq.WeightsError), match=message):
        run(study, *more)
