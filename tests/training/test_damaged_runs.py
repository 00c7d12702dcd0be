"""Run folders, labels and residuals that are damaged: named, and never half read."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from napari_iqmaps import InputError, WeightsError
from napari_iqmaps.core import models
from napari_iqmaps.core.networks.pnet import ContrastModel
from napari_iqmaps.training import engine, runs
from napari_iqmaps.training.evaluation.evaluator import image_names, kept_scores
from napari_iqmaps.training.limits import _read_residuals
from napari_iqmaps.training.machine.labels import KEYS, SUMMARY, read_labels
from napari_iqmaps.training.machine.pictures import read_pictures
from napari_iqmaps.training.machine.sources import open_worker
from napari_iqmaps.training.weights import held_out_figures, register, write_weights

# --- the folder of a run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "config.json is empty"),
        (b'{"config": {"seed"', "config.json is not JSON"),
        (b"[" * 20_000, "nested more than 50 deep"),
        (b'{"seed": NaN}', "holds NaN"),
        (b"\xff\xfe", "config.json"),
        (b"\x89PNG\0", "config.json"),
        (b"5", "another recipe or other data"),
        (b'"text"', "another recipe or other data"),
        (b"null", "another recipe or other data"),
        (b"[1, 2]", "another recipe or other data"),
        (b"{}", "seed was null, is 0"),
        (b'{"seed": "0"}', 'seed was "0", is 0'),
        (b'{"seed": 0, "network": "pnet"}', 'network was "pnet", is null'),
    ],
)
def test_a_run_with_a_damaged_recipe_is_not_continued(content, message, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        runs.prepare(tmp_path, {"seed": 0}, resume=True)


METRICS = "epoch,loss,step\n0,0.5,0\n0,,1\n0,0.25,2\n"


@pytest.mark.parametrize("text", [METRICS, METRICS.replace("\n", "\r\n"), METRICS + "0,0.1", METRICS + "0,0.125,3\n"])
def test_what_was_logged_before_a_step_is_read(text, tmp_path):
    (tmp_path / "metrics.csv").write_text(text, newline="")
    assert runs.metrics_until(tmp_path, 2) == [{"epoch": 0, "loss": 0.5, "step": 0}, {"epoch": 0, "step": 1}]


@pytest.mark.parametrize("text", ["", "epoch,loss", "epoch,loss,step"])
def test_a_log_that_was_cut_in_its_first_line_says_nothing(text, tmp_path):
    (tmp_path / "metrics.csv").write_text(text)
    assert runs.metrics_until(tmp_path, 2) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,loss\n0,1\n", "lacks the column step"),
        ("epoch,step\n0,1\n0\n", "line 3, has 1 cells instead of 2"),
        ("epoch,step\n0,high\n", "line 2: step is 'high'"),
        ("epoch,step\n0,\n", "line 2: step is empty"),
        ("loss,step\nlow,1\n", "line 2: loss is 'low'"),
        ("loss,step\n\0,1\n", "NUL character in line 2"),
    ],
)
def test_a_damaged_log_is_named(text, message, tmp_path):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        runs.metrics_until(tmp_path, 2)


WHOLE = {"global_step": 3, "state_dict": {"a": torch.zeros(2)}, "optimizer_states": [], "lr_schedulers": [],
         "loops": {}, "epoch": 0}  # fmt: skip


def test_a_whole_checkpoint_is_read(tmp_path):
    torch.save(WHOLE, tmp_path / "last.ckpt")
    assert engine._checkpoint(tmp_path / "last.ckpt")["global_step"] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "it is no checkpoint"),
        ({name: value for name, value in WHOLE.items() if name != "optimizer_states"}, "lacks optimizer_states"),
        ({name: value for name, value in WHOLE.items() if name != "state_dict"}, "lacks state_dict"),
        (WHOLE | {"global_step": "three"}, "it is of step 'three'"),
        (WHOLE | {"global_step": -1}, "it is of step -1"),
        (WHOLE | {"global_step": True}, "it is of step True"),
        (WHOLE | {"state_dict": [1]}, "it holds no tensors"),
        (WHOLE | {"state_dict": {"a": 5}}, "it holds no tensors"),
        (b"", "cannot be read"),
        (b"PK\3\4 cut", "cannot be read"),
        (b"\x80\x04K\x05.", "cannot be read"),
    ],
)
def test_a_damaged_checkpoint_is_named(content, message, tmp_path):
    path = tmp_path / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=rf"last\.ckpt cannot be read .*{message}|{message}"):
        engine._checkpoint(path)


def test_a_checkpoint_that_was_cut_is_named(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(WHOLE, path)
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError, match="Remove it to begin this run anew"):
            engine._checkpoint(path)


# --- scores that are kept between evaluations


@pytest.mark.parametrize("damage", ["", "cut", "noise", "text", "no column", "other file", "NUL"])
def test_kept_scores_that_are_damaged_are_made_anew(damage, tmp_path):
    table = pd.DataFrame({"database": ["d"] * 3, "file": ["a.png", "b.png", "c.png"], "reference": ["r", "r", "s"]})
    path, asked = tmp_path / "scores.csv", []

    def score(rows, _progress):
        asked.append(len(rows))
        return np.arange(len(rows), dtype=float)[:, None] + 0.5

    whole = kept_scores(path, table, "origin", ["mine"], score)
    text = path.read_text()
    changed = {
        "": text, "cut": text[: len(text) // 2], "noise": "\x07\x08", "text": text.replace("0.5", "half"),
        "no column": text.replace("mine", "other"), "other file": text.replace("d/a.png", "d/z.png"),
        "NUL": text.replace("origin", "ori\0gin"),
    }  # fmt: skip
    path.write_text(changed[damage])
    np.testing.assert_array_equal(kept_scores(path, table, "origin", ["mine"], score), whole)
    assert sum(asked) == (6 if damage else 3)
    assert image_names(table)[0] == "d/a.png"


# --- figures and residuals


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("5", "holds no list of figures"),
        ("{}", "holds no list of figures"),
        ("[" * 20_000, "nested more than 50 deep"),
        ("[1]", "Row 1 of .* holds 1; it should be an object"),
        ("[{}]", "lacks type"),
        ('[{"type": "all"}]', "lacks method"),
        ('[{"type": "all", "method": "diqa"}]', "lacks database"),
        ('[{"type": "all", "method": "diqa", "database": "live"}]', "lacks srcc"),
        ('[{"type": "all", "method": "diqa", "database": "live", "srcc": "high"}]', "srcc is 'high'"),
        ('[{"type": "all", "method": "diqa", "database": "live", "srcc": null}]', "srcc is None"),
        ('[{"type": "all", "method": "diqa", "database": "live", "srcc": NaN}]', "holds NaN"),
        ('[{"type": 5, "method": "diqa", "database": "live", "srcc": 1}]', "type is 5"),
        ("[]", "has no figures of diqa"),
    ],
)
def test_damaged_figures_are_named(content, message, tmp_path):
    path = tmp_path / "figures.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        held_out_figures(path, "diqa")


def test_a_name_of_weights_stays_in_its_folder_and_any_key_can_be_read_again(tmp_path):
    trained = tmp_path / "w.safetensors"
    write_weights(trained, "contrast", ContrastModel(), {"trained_by": "iqmaps", "seed": "0"})
    options = {"half": False, "figures": {"srcc_a b]": 0.5}, "data": "x\n\"'", "licence": "y"}
    for name in ("../x", "/tmp/x", "a/b", "..", ""):
        with pytest.raises(InputError, match="cannot be the name of a file"):
            register(trained, tmp_path, name, **options)
    register(trained, tmp_path, "my own [1]", **options)
    again = models.parse_registry((tmp_path / "registry.toml").read_text(), "registry.toml")
    assert again["my own [1]"]["figures"] == {"srcc_a b]": 0.5}
    assert again["my own [1]"]["data"] == "x\n\"'"
    (tmp_path / "registry.toml").write_text("[weights.a]\nfile = '../x'\n")
    with pytest.raises(WeightsError, match="lacks network"):
        register(trained, tmp_path, "other", **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("1.5", "high", 1), "line 2: score is 'high'"),
        (lambda text: text.replace("True", "maybe", 1), "line 2: enough_evidence is 'maybe'"),
        (lambda text: text.replace("1.5", "1_5", 1), "line 2: score is '1_5'"),
        (lambda text: text + "1,2\n", "line 27: enough_evidence is empty"),
        (lambda text: text + "1\n", "line 27, has 1 cells"),
        (lambda text: "\0" + text, "NUL character in line 1"),
        (lambda text: "", "is empty"),
        (lambda text: text.replace("True", "False"), "has 0 images that count"),
    ],
)
def test_damaged_residuals_are_named(change, message, tmp_path):
    path = tmp_path / "residuals.csv"
    text = "score,target,enough_evidence\n" + "1.5,2,True\n" * 25
    path.write_text(text)
    assert len(_read_residuals(path, "target", "")[0]) == 25
    path.write_text(change(text))
    with pytest.raises(InputError, match=message):
        _read_residuals(path, "target", "")


# --- labels and workers

RECORD = {"pictures": {"data": "d", "part": [0, 1], "pictures": 1, "asked_size": None, "sha256": "0"}}
ROW = {"image": "a/b.png", "class": "a", "distortion": "none", "severity": "0", "seed": "0", "p_one": "0.5",
       "c_one": "1", "mean": "0.5", "spread": "0", "consistency": "1", "top1": "1"}  # fmt: skip


def labels(folder, record=RECORD, **changes):
    row = ROW | changes
    (folder / "t.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    (folder / "t.csv.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return folder / "t.csv"


def test_labels_are_read(tmp_path):
    assert {*KEYS, *SUMMARY} <= set(read_labels(labels(tmp_path)).frame)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("p_one", "high"), ("p_one", "nan"), ("p_one", ""), ("p_one", "1.5"), ("c_one", "-0.1"), ("mean", "inf"),
        ("top1", "True,"), ("seed", "1.5"), ("seed", "-1"), ("severity", "-1"), ("severity", "strong"), ("mean", "\0"),
    ],
)  # fmt: skip
def test_damaged_labels_are_named(name, cell, tmp_path):
    with pytest.raises(InputError, match=rf"t\.csv.*({name} is|cannot be read|NUL|row)"):
        read_labels(labels(tmp_path, **{name: cell}))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("", "is empty"),
        ("[" * 20_000, "nested more than 50 deep"),
        ("5", "should be an object"),
        ({}, "lacks pictures"),
        ({"pictures": []}, "pictures is"),
        ({"pictures": RECORD["pictures"] | {"part": "all"}}, "part is 'all'"),
        ({"pictures": RECORD["pictures"] | {"part": [0]}}, "part is"),
        ({"pictures": RECORD["pictures"] | {"asked_size": "large"}}, "asked_size is 'large'"),
        ({"pictures": RECORD["pictures"] | {"sha256": None}}, "sha256 is None"),
    ],
)
def test_a_damaged_record_of_labels_is_named(record, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_labels(labels(tmp_path, record))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not name a worker"),
        ("worker = 5", "does not name a worker"),
        ("worker = " + "[" * 20_000, "cannot be read as TOML"),
        ('worker = "w.pt"\nname = 5', "name is 5; it must be a text"),
        ('worker = "/dev/zero"', "is a device"),
        ('worker = "none.pt"', "There is no worker"),
        ('worker = "w.pt"\nclasses = "/dev/zero"', "is a device"),
        ('worker = "w.pt"', "no TorchScript module|cannot be read"),
        ("\0", "NUL character"),
    ],
)
def test_a_damaged_description_of_a_worker_is_named(text, message, tmp_path):
    (tmp_path / "w.pt").write_bytes(b"no module")
    (tmp_path / "w.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        open_worker(tmp_path / "w.toml")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
@pytest.mark.parametrize("content", [b"", b"PK\3\4" + b"\0" * 40, b"[" * 20_000, b"\x1f\x8b\x08" + b"\0" * 30])
def test_a_damaged_archive_is_named(suffix, content, tmp_path):
    path = tmp_path / f"pictures{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a whole archive|class folders"):
        read_pictures(path)
