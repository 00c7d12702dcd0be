"""Every training and every evaluator gives the losses, the weights and the tables that it gave.

All of it goes through the command line, on tiny made-up databases, for a few steps. A value that is not finite is kept
as a word; of a tensor, its norm is kept.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from scipy import ndimage

from napari_iqmaps.cli import main

ARCHITECTURES = ("plain", "residual", "separable", "patches")

EXACT = ("--precision", "32-true", "--device", "cpu", "--quiet")

BLIND = ("--stage1-steps", 5, "--sensitivity-steps", 5, "--sensitivity-variants", 2, "--stage2-steps", 5,
         "--side", 64, "--photographs-per-step", 2, "--variants-per-step", 2, "--variants", 3, "--crop-cells", 3,
         "--pseudo-variants", 2, "--crops", 5, "--crop-side", 64, *EXACT)  # fmt: skip

# Where the fit of the logistic ends depends, in its sixth digit, on how sums are rounded, and so on where arrays lie in
# memory. What comes of it is kept as Markdown has it, with three decimals.
FITTED = re.compile("(plcc_logistic|rmse(?!_unfitted))")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def iqmaps(*words):
    """Call the command line; gives what it prints on standard output."""
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def number(text):
    """Give a cell of a table as a number if it is a finite one."""
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def table(path):
    """Give a CSV file's columns by their names."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [number(row[name]) for row in rows] for name in rows[0]}


def tensors(path):
    """Give what weights say of themselves, and the shape and the norm of each tensor."""
    with safe_open(path, framework="numpy") as file:
        header = {name: text for name, text in sorted(file.metadata().items()) if "sha256" not in name}
        found = {name: file.get_tensor(name) for name in sorted(file.keys())}
    norms = {
        name: [f"{each.dtype} {each.shape}", number(str(np.linalg.norm(each.astype(float))))]
        for name, each in found.items()
    }
    return {"header": header, "tensors": norms}


def run_of(folder):
    """Give the losses of a run or of its stages, and its weights."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        "files": files,
        "losses": {name: table(folder / name) for name in files if name.endswith("metrics.csv")},
        "weights": {
            name: tensors(folder / name)
            for name in files
            if name.endswith(".safetensors") and not name.endswith("seen.safetensors")
        },
    }


def trained(folder, network, *words):
    """Train, and give what came out."""
    out = folder / network
    iqmaps("train", network, "--out", out, *words)
    return run_of(out)


def drawn(rng, shape):
    """Colours with smooth parts, edges and texture."""
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (*shape, 3)), (9, 9, 0))
    texture = ndimage.gaussian_filter(rng.normal(0, 1, shape), 1)[..., np.newaxis]
    return 128 + 900 * smooth + 40 * texture + np.where(smooth[..., :1] > 0, 35, -35)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("golden") / "photographs", np.random.default_rng(3)
    for index, shape in enumerate(((96, 96), (100, 116), (97, 98), (120, 96))):
        save(folder / f"{index}.png", drawn(rng, shape))
    return folder


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Three scenes with noise, which have intervals, and two with noise and blur, which are too few for them."""
    folder, rng, found = tmp_path_factory.mktemp("golden"), np.random.default_rng(5), []
    for name, scale, scenes, levels in (("first", 1.0, 3, (0.5, 1, 1.5, 2)), ("live", 0.5, 2, (0.5, 1.5))):
        rows = []
        for scene in range(scenes):
            reference = drawn(rng, (96 + 2 * scene, 102))
            save(folder / f"{name}{scene}.png", reference)
            for level in levels:
                kinds = {"noise": reference + rng.normal(0, 8 * level, (*reference.shape[:2], 1))}
                if name == "live":
                    kinds["blur"] = ndimage.gaussian_filter(reference, (level, level, 0))
                for kind, pixels in kinds.items():
                    file = f"{name}{scene}_{kind}{level}.png"
                    save(folder / file, pixels)
                    score = scale * (30 * level - 5 * (kind == "blur") + 3 * scene)
                    rows.append(f"{file},{name}{scene}.png,{score},{name}{scene}" + f",{kind}" * (name == "live"))
        found.append(folder / f"{name}.csv")
        columns = "file,reference,score,scene" + ",type" * (name == "live")
        found[-1].write_text("\n".join(["# best: 0", "# worst: 100", columns, *rows, ""]))
    return found


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Reddish and bluish pictures in a folder for each class."""
    folder, rng = tmp_path_factory.mktemp("golden") / "classes", np.random.default_rng(4)
    for channel, name in ((2, "blue"), (0, "red")):
        for index in range(8):
            ramp = np.linspace(50, 60 + rng.integers(20, 130), 24)
            picture = np.stack([np.add.outer(ramp, ramp[::-1]) / 2] * 3, -1) + rng.normal(0, 8, (24, 24, 3))
            picture[..., channel] += 40
            save(folder / name / f"{index}.png", picture)
    return folder


@pytest.fixture(scope="module")
def workers(classes, tmp_path_factory):
    """One run of each architecture."""
    folder = tmp_path_factory.mktemp("golden")
    words = ("--data", classes, "--width", 4, "--epochs", 2.5, "--batch", 8, "--shift", 2, *EXACT)
    said = {}
    for name in ARCHITECTURES:
        command = ("train", "worker", "--out", folder / name, "--architecture", name, *words)
        said[name] = iqmaps(*command).replace(str(folder), "")
    return folder, said


@pytest.fixture(scope="module")
def labels(workers, classes, tmp_path_factory):
    """A folder with a table of labels by two workers, and one by a third."""
    out, (folder, _) = tmp_path_factory.mktemp("golden"), workers
    words = ("--data", classes, "--distortion", "gaussian_noise", "--distortion", "jpeg", "--grid",
             "--severities", "1,3,5", "--quiet")  # fmt: skip
    for name, asked in (("labels", ("plain", "residual")), ("third", ("separable",))):
        asking = [word for each in asked for word in ("--worker", f"{each}={folder / each / 'worker.safetensors'}")]
        iqmaps("label", *words, *asking, "--out", out / f"{name}.csv")
    return out


@pytest.fixture(scope="module")
def falling(labels, tmp_path_factory):
    """The same with labels that fall with severity, so that what is fitted to them is well determined."""
    folder = tmp_path_factory.mktemp("golden") / "falling"
    shutil.copytree(labels, folder)
    for path in folder.glob("*.csv"):
        columns = table(path)
        for name in columns:
            if name.startswith("p_") or name in ("mean", "consistency"):
                pairs = zip(columns[name], columns["severity"], strict=True)
                columns[name] = [label * (1 - severity / 8) for label, severity in pairs]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
    return folder


@pytest.fixture(scope="module")
def metrifier(falling, classes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden") / "metrifier"
    words = ("--steps", 5, "--batch", 4, "--leave-out", "jpeg", "--precision", "32-true", "--device", "cpu", "--quiet")
    iqmaps("train", "metrifier", "--labels", falling / "labels.csv", "--data", classes, "--out", folder, *words)
    return folder


@pytest.fixture(scope="module")
def diqa(scored, photographs, tmp_path_factory):
    out = tmp_path_factory.mktemp("golden") / "diqa"
    words = ("--data", scored[0], "--data", scored[1], "--photographs", photographs, *BLIND)
    iqmaps("train", "diqa", "--out", out, *words)
    return out


@pytest.mark.parametrize(
    ("name", "network", "more"),
    [
        ("contrast", "contrast", ()),
        ("pnet", "pnet", ()),
        ("pnet_regularised", "pnet", ("--pull", 0.1, "--invariance", 0.1, "--brightness", 10, "--seed", 1)),
        ("pnet_by_patches", "pnet", ("--loss", "patch", "--calibration", "power", "--schedule", "cosine",
                                     "--thresholds", "smaller", "--dropout", 0.1)),
    ],
)  # fmt: skip
def test_thresholds(name, network, more, scored, photographs, tmp_path, frozen):
    words = ("--data", scored[0], "--data", scored[1], "--photographs", photographs, "--steps", 5, "--images", 6,
             "--patches", 2, "--clean-patches", 8, *EXACT, *more)  # fmt: skip
    frozen(f"train_{name}", trained(tmp_path, network, *words))


def test_diqa(diqa, frozen):
    frozen("train_diqa", run_of(diqa))


def test_deepbqa(scored, photographs, tmp_path, frozen):
    frozen("train_deepbqa", trained(tmp_path, "deepbqa", "--data", scored[0], "--photographs", photographs, *BLIND))


def test_deepbqa_first_stage_of_pairs(scored, tmp_path, frozen):
    words = ("--stage", 1, "--pairs", scored[0], "--leave-out", "jpeg", *BLIND)
    frozen("train_deepbqa_of_pairs", trained(tmp_path, "deepbqa", *words))


def test_workers(workers, frozen):
    folder, said = workers
    frozen("train_worker", {"said": said, **{name: run_of(folder / name) for name in ARCHITECTURES}})


def test_a_worker_judged_on_another_part(classes, tmp_path, frozen):
    words = (
        "--data",
        classes,
        "--part",
        "0:0.6",
        "--validate-part",
        "0.6:1",
        "--width",
        4,
        "--epochs",
        2,
        "--batch",
        4,
    )
    said = iqmaps("train", "worker", "--out", tmp_path / "run", *words, *EXACT)
    frozen("train_worker_of_a_part", {"said": said.replace(str(tmp_path), ""), **run_of(tmp_path / "run")})


def test_labels(labels, frozen):
    frozen("labels", {path.stem: table(path) for path in sorted(labels.glob("*.csv"))})


def test_metrifier(metrifier, frozen):
    frozen("train_metrifier", run_of(metrifier))


@pytest.fixture
def judged(tmp_path):
    """Call an evaluator; gives its tables."""

    def call(*words):
        files = {name: tmp_path / f"figures.{name}" for name in ("csv", "json", "markdown", "scores")}
        for name, path in files.items():
            words += (f"--{name}", path)
        iqmaps("evaluate", *words, "--quiet", "--device", "cpu")
        figures = table(files["csv"])
        return {
            "columns": list(figures),
            "figures": {name: column for name, column in figures.items() if not FITTED.match(name)},
            "scores": table(files["scores"]),
            "fields": list(json.loads(files["json"].read_text())[0]),
            "markdown": files["markdown"].read_text().splitlines(),
        }

    return call


def test_evaluate_visibility(scored, judged, frozen):
    frozen("evaluate_visibility", judged("visibility", "--data", scored[0], "--splits", 4, "--test-share", 0.4))


def test_evaluate_visibility_without_what_is_judged(scored, judged, tmp_path, frozen):
    words = ("--data", scored[1], "--model", "contrast", "--protocol", "leave-one-scene-out", "--runs",
             tmp_path / "runs", "--set", "contrast.steps=2", "--set", "images=4")  # fmt: skip
    frozen("evaluate_visibility_scenes", judged("visibility", *words))


def test_evaluate_quality(scored, judged, frozen):
    frozen("evaluate_quality", judged("quality", "--data", scored[1], "--splits", 4, "--test-share", 0.4))


def test_evaluate_quality_without_what_is_judged(scored, diqa, judged, tmp_path, frozen):
    words = ("--data", scored[0], "--data", scored[1], "--model", "diqa", "--protocol", "cross-database",
             "--start", diqa / "stage1" / "stage1.safetensors", "--runs", tmp_path / "runs",
             "--set", "stage2_steps=2")  # fmt: skip
    found = judged("quality", *words)
    frozen("evaluate_quality_databases", {**found, "residuals": table(tmp_path / "runs" / "residuals_diqa.csv")})


def test_evaluate_machine(falling, classes, metrifier, judged, tmp_path, frozen):
    words = ("--labels", falling / "labels.csv", "--other-labels", falling / "third.csv", "--data", classes,
             "--weights", metrifier / "metrifier.safetensors", "--target", "mean", "--target", "p_separable",
             "--falls", tmp_path / "falls.csv")  # fmt: skip
    found = judged("machine", *words)
    frozen("evaluate_machine", {**found, "falls": table(tmp_path / "falls.csv")})


def test_surveys(scored, tmp_path, frozen):
    found = {}
    for name in ("visibility", "quality"):
        path = tmp_path / f"{name}.json"
        words = ("--data", scored[0], "--data", scored[1], "--dry-run", "--json", path)
        iqmaps("evaluate", name, *words)
        found[name] = json.loads(path.read_text().replace(str(scored[0].parent), ""))
    frozen("evaluate_surveys", found)
