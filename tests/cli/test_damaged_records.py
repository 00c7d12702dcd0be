"""A damaged table, matrix, manifest or weights file is one clear line; a damaged output is made anew."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image, PngImagePlugin

import napari_iqmaps as iq
from napari_iqmaps.cli import main
from napari_iqmaps.core.io.map_file import KEY, read_record

DAMAGED = {
    "empty": b"",
    "brackets": b"[" * 20_000,
    "noise": bytes(np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8)),
    "UTF-16": "a,b\n1,2\n".encode("utf-16"),
    "one column": b"file\na.png\n",
    "scalar": b"5",
    "NUL": b"moving,fixed\0\n",
}


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(pixels).save("a.png")
    Image.fromarray(np.roll(pixels, 2, axis=1)).save("b.png")
    return tmp_path


def call(*words):
    return CliRunner().invoke(main, list(map(str, words)))


COMMANDS = {
    "matrix": (1, ["diffdiff", "a.png", "--fixed", "b.png", "--matrix"], ".json"),
    "matches": (1, ["register", "a.png", "--fixed", "b.png", "--matches"], ".csv"),
    "pairs": (2, ["compare", "--out", "out", "--method", "none", "--no-pictures"], ".csv"),
    "weights": (2, ["threshold", "a.png", "--model", "contrast", "--weights"], ".safetensors"),
    "blind weights": (2, ["quality", "a.png", "--weights"], ".safetensors"),
}


@pytest.mark.parametrize("kind", [*DAMAGED, "folder", "device", "pipe", "long name", "nothing"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_read_is_one_line(command, kind, pair):
    status, words, suffix = COMMANDS[command]
    path = Path(f"x{suffix}")
    if kind in DAMAGED:
        path.write_bytes(DAMAGED[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "long name":
        path = Path("n" * 300 + suffix)
    result = call(*words, path)
    assert (
        result.exit_code in {status, 2}
        if kind in ("nothing", "long name")
        else result.exit_code == status or ((command, kind) == ("pairs", "UTF-16"))
    )
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    assert "Unexpected" not in result.output
    assert "Traceback" not in result.output


# --- outputs of an earlier run


def damaged_map(path, change):
    """Change the record of a map, its values left as they are."""
    record = change(read_record(path))
    with tifffile.TiffFile(path) as file:
        values = file.asarray()
    tifffile.imwrite(path, values, metadata={"axes": "YX", KEY: record})


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record | {"info": [1]},
        lambda record: record | {"info": "text"},
        lambda record: {name: value for name, value in record.items() if name != "info"},
        lambda record: {name: value for name, value in record.items() if name != "score"},
        lambda record: {name: value for name, value in record.items() if name != "unit"},
        lambda record: record | {"score": "high"},
        lambda record: record | {"score": [[1], [2, 3]]},
        lambda record: record | {"kind": 5},
        lambda record: record | {"info": record["info"] | {"notes": 5}},
        lambda record: record | {"info": record["info"] | {"not_enough_evidence": 5}},
        lambda record: record | {"info": record["info"] | {"beside": 5}},
        lambda record: record | {"info": record["info"] | {"beside": [5]}},
        lambda record: record | {"info": record["info"] | {"beside": ["../../../../../../../../etc/passwd"]}},
        lambda record: [record],
        lambda record: "text",
        lambda record: None,
    ],
)
def test_a_map_with_a_damaged_record_is_computed_anew(change, pair):
    words = ("threshold", "a.png", "--model", "contrast", "--out", "maps", "--json")
    assert call(*words).exit_code == 0
    assert json.loads(call(*words).stdout)["kept"] == 1
    damaged_map(Path("maps/a_threshold.tif"), change)
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["computed"] == 1
    assert "passwd" not in result.output
    assert json.loads(call(*words).stdout)["kept"] == 1


@pytest.mark.parametrize(
    "content", [None, 5, "text", [1], {}, {"score": "high"}, {"score": None}, {"score": 0.5, "evidence": "much"}]
)
def test_a_judgement_whose_row_is_damaged_is_made_anew(content, pair):
    iq.save_matrix("m.json", [[1, 0, 2], [0, 1, 0], [0, 0, 1]], moving_shape=(64, 64), fixed_shape=(64, 64))
    words = ("diffdiff", "a.png", "--fixed", "b.png", "--matrix", "m.json", "--out", "maps", "--json")
    assert call(*words).exit_code == 0
    damaged_map(Path("maps/a_diff_diff.tif"), lambda record: record | {"info": record["info"] | {"judged": content}})
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["computed"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"row": None},
        {"row": [1]},
        {"row": {}},
        {"row": {"accepted": True, "largest_shift": "far"}},
        {"beside": None},
        {"beside": "a"},
        {"beside": [5]},
        {"beside": ["/etc/passwd"]},
        {"beside": ["../a.png"]},
    ],
)
def test_a_registration_whose_record_is_damaged_is_made_anew(changes, pair):
    words = ("register", "a.png", "--fixed", "b.png", "--out", "out", "--method", "translation", "--json")
    first = call(*words)
    assert first.exit_code == 0, first.output
    assert json.loads(call(*words).stdout)["kept"] == 1
    path = Path("out/a_matrix.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"info": content["info"] | changes}))
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["computed"] == 1


def test_a_frame_that_cannot_be_read_is_named_and_not_what_it_lacks(pair):
    for folder in ("frames", "fixed", "registered"):
        Path(folder).mkdir()
    Path("frames/a.png").write_bytes(Path("a.png").read_bytes())
    Path("frames/empty.tif").write_bytes(b"")
    Path("frames/noise.png").write_bytes(b"no picture")
    Path("registered/a_registered.png").write_bytes(Path("b.png").read_bytes())
    result = call("diffdiff", "frames", "--fixed", "b.png", "--registered", "registered", "--valid", "none", "--json")
    assert result.exit_code == 1
    errors = {Path(row["file"]).name: row.get("error", "") for row in json.loads(result.stdout)["rows"]}
    assert errors["a.png"] == ""
    assert "is empty (0 bytes)" in errors["empty.tif"]
    assert "not an image" in errors["noise.png"]
    assert "registered holds no" not in result.output


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: 5,
        lambda rows: ["text", *rows],
        lambda rows: [row | {"score": "high"} for row in rows],
        lambda rows: [row | {"severity": [3]} for row in rows],
        lambda rows: [row | {"fails_below": "low"} for row in rows],
        lambda rows: [{name: value for name, value in row.items() if name != "distortion"} for row in rows],
    ],
)
def test_a_curve_whose_plot_has_damaged_rows_is_made_anew(change, pair):
    words = ("machine", "a.png", "--curve", "jpeg", "--severity", "0,3", "--plot", "p.png", "--json")
    first = call(*words)
    assert first.exit_code == 0, first.stderr
    assert json.loads(call(*words).stdout)["kept"] == 2
    with Image.open("p.png") as picture:
        record = json.loads(picture.info[KEY])
        record["info"]["rows"] = change(record["info"]["rows"])
        text = PngImagePlugin.PngInfo()
        text.add_text(KEY, json.dumps(record))
        picture.save("q.png", pnginfo=text)
    Path("q.png").replace("p.png")
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["score"] for row in rows] == [row["score"] for row in json.loads(first.stdout)["rows"]]
