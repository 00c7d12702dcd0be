"""Nasty files among good ones: every command that goes over files does the good ones, and tells of the rest."""

from __future__ import annotations

import csv
import os
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image
from scipy import ndimage

import napari_iqmaps as iq
from napari_iqmaps.cli import main

from .bombs import tiff

GOOD = [f"a{number}.png" for number in range(5)]


def good(number: int):
    """A small picture, moved by one pixel a number."""
    rng = np.random.default_rng(3)
    scene = ndimage.gaussian_filter(rng.uniform(0, 255, (60, 70)), 1.5)
    scene = (scene - scene.min()) / np.ptp(scene) * 255
    return scene[number : number + 48, number : number + 56].astype(np.uint8)


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """A folder with five good files and eleven that cannot be read; the names of all, the good ones first."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(GOOD):
        Image.fromarray(good(number)).save(name)
    Path("b-empty.png").touch()
    tifffile.imwrite("b-whole.tif", good(0), rowsperstrip=8, compression="zlib")
    Path("b-cut.tif").write_bytes(Path("b-whole.tif").read_bytes()[:-200])
    Path("b-whole.tif").unlink()
    Path("b-narrow.tif").write_bytes(tiff(zlib.compress(bytes(48 * 56)), 0, 48))
    Path("b-bomb.tif").write_bytes(tiff(zlib.compress(bytes(100)), 40_000, 40_000))
    packed = bytearray(imagecodecs.zstd_encode(good(1).tobytes()))
    packed[20:60] = bytes(40)
    Path("b-zstd.tif").write_bytes(tiff(bytes(packed), 56, 48, compression=50000))
    os.mkfifo("b-pipe.png")
    Path("b-dangling.png").symlink_to("nowhere.png")
    Path("b-words.txt").write_text("No picture.\n")
    tifffile.imwrite("b-complex.tif", good(2).astype(np.complex64))
    names = sorted(path.name for path in Path().glob("b-*"))
    odd = os.fsdecode(b"b-\xff.png")
    Path(odd).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    return [*GOOD, *names, odd]


@pytest.fixture
def either(batch):
    """Files that some commands can take: a stack, and a picture with a description that no parser likes."""
    tifffile.imwrite("c-stack.tif", np.stack([good(0)] * 3), photometric="minisblack")
    deep = b"[" * 20_000
    head = struct.pack("<HHII", 270, 2, len(deep), 0)
    Path("c-deep.tif").write_bytes(tiff(good(0).tobytes(), 56, 48, compression=1, entry=head, behind=deep))
    return ["c-stack.tif", "c-deep.tif"]


def called(*words, status=1):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    assert result.exit_code == status, result.output[-2000:]
    return result


def rows(path="table.csv"):
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


COMMANDS = {
    "threshold": ("--model", "contrast"),
    "visibility": ("--reference", "a0.png", "--model", "contrast"),
    "errors": ("--maps", "error"),
    "quality": (),
    "machine": (),
    "hide": ("--text", "x", "--model", "contrast", "--out", "out"),
    "diffdiff": ("--fixed", "a0.png", "--register", "phase"),
    "register": ("--fixed", "a0.png", "--method", "phase", "--out", "out"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_good_ones_are_done(batch, either, command):
    called(command, *batch, *either, *COMMANDS[command], "--csv", "table.csv")
    found = {Path(row["file"]).name: row for row in rows()}
    scores = {name: [found[name].get(cell) for cell in ("score", "accepted", "verdict")] for name in GOOD}
    assert all(map(any, scores.values())), found
    assert not any(found[name]["error"] for name in GOOD)
    failed = [row for name, row in found.items() if name.startswith("b-")]
    assert len(failed) == len(batch) - len(GOOD)
    assert all(row["error"] and not row.get("score") for row in failed)


def test_machine_curves(batch):
    called("machine", *batch, "--curve", "jpeg", "--severity", "0,5", "--csv", "table.csv")
    done = {Path(row["file"]).name for row in rows() if not row["error"]}
    assert done == set(GOOD)


def test_distort(batch):
    called("distort", *batch, "--distortion", "jpeg", "--severity", 3, "--out", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == [f"a{number}_jpeg_3.png" for number in range(5)]


def test_compare(batch):
    called(
        "compare",
        *batch,
        "--pairs",
        "first",
        "--register",
        "phase",
        "--method",
        "none",
        "--no-pictures",
        "--out",
        "out",
    )
    done = [row for row in rows("out/pairs.csv") if not row["error"]]
    assert {Path(row["file"]).name for row in done} == set(GOOD[1:])


def test_diff_diff_of_matrices_and_of_registered_images(batch):
    iq.save_matrix("eye.json", np.eye(3))
    called("diffdiff", *batch, "--fixed", "a0.png", "--matrix", "eye.json", "--csv", "table.csv")
    assert {Path(row["file"]).name for row in rows() if not row["error"]} == set(GOOD)


def test_what_is_compared_with_is_nasty(batch):
    """One reference for all that cannot be read is no reason for a traceback, either."""
    for name in batch[len(GOOD) :]:
        result = CliRunner().invoke(main, ["visibility", "a0.png", "--reference", name, "--model", "contrast"])
        assert result.exception is None or isinstance(result.exception, SystemExit), (name, result.exception)
        assert result.exit_code in (1, 2), (name, result.output)


def test_label(batch, tmp_path):
    """Pictures that cannot be read are left out, and told."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("pandas")
    from safetensors.torch import save_file

    made = "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))"
    Path("mine.py").write_text(f"from torch import nn\n\ndef make():\n    return {made}\n")
    save_file({"2.weight": torch.eye(2, 3), "2.bias": torch.zeros(2)}, "w.safetensors")
    Path("mine.toml").write_text('worker = "mine.py:make@w.safetensors"\nclasses = ["one", "two"]\n')
    for folder, names in (("one", batch[:3]), ("two", batch[3:])):
        Path("data", folder).mkdir(parents=True)
        for name in names:
            Path(name).rename(Path("data", folder, name))
    words = (
        "--data",
        "data",
        "--worker",
        "mine.toml",
        "--distortion",
        "jpeg",
        "--variants",
        1,
        "--out",
        "labels.csv",
        "--quiet",
    )
    result = CliRunner().invoke(main, ["label", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (0, 1), result.output
    assert "could not be read" in result.output
    with Path("labels.csv").open(newline="") as file:
        lines = [line for line in file if not line.startswith("#")]
    assert {Path(row["image"]).name for row in csv.DictReader(lines)} == set(GOOD)
