"""``iqmaps quality``: a score a file, kept in the table as it is made."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.cli import engine
from napari_iqmaps.cli.engine import Ledger
from napari_iqmaps.core import models
from napari_iqmaps.core.blind import COLUMNS
from napari_iqmaps.core.io.score_table import read_scores

RNG = np.random.default_rng(4)
LARGE = RNG.integers(0, 256, (120, 116), dtype=np.uint8)


@pytest.fixture
def words(untrained):
    return ("quality", "in", "--weights", untrained["deepbqa"])


def names(path):
    return [os.path.basename(row["file"]) for row in read_scores(path, COLUMNS)]  # noqa: PTH119


def test_the_scores_are_those_of_the_core_and_the_network_is_read_once(rows, words, images, untrained, tmp_path):
    Image.fromarray(LARGE).save(images / "large.png")
    tifffile.imwrite(images / "stack.tif", np.stack([LARGE, np.full_like(LARGE, 90)]), photometric="minisblack",
                     metadata={"axes": "TYX"})  # fmt: skip
    models._loaded.cache_clear()
    status, found = rows(*words, "--csv", "table.csv")
    assert status == 0
    assert models._loaded.cache_info().misses == 1
    by_name = {os.path.basename(row["file"]): row for row in found["rows"]}  # noqa: PTH119
    large, stack = by_name["large.png"], by_name["stack.tif"]
    for name in ("a.png", "large.png"):
        expected = iq.quality(iq.read_image(images / name).array, weights=untrained["deepbqa"])
        assert by_name[name]["score"] == expected.value
        assert by_name[name]["not_enough_evidence"] == expected.reason
    assert large["not_enough_evidence"] == ""
    assert (large["kind"], large["unit"]) == ("quality", "points, 0 best to 100 worst")
    assert stack["score"] == large["score"]
    assert stack["planes"] == [large["score"], None]
    assert stack["planes_enough_evidence"] == [True, False]
    assert "plane 1: it is nearly uniform" in stack["not_enough_evidence"]
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        cells = {os.path.basename(row["file"]): row for row in csv.DictReader(file)}  # noqa: PTH119
    assert float(cells["large.png"]["score"]) == large["score"]
    assert cells["stack.tif"]["planes"] == f"{large['score']} nan"
    assert not (tmp_path / "out").exists()


def test_the_spread_is_that_of_the_weights(rows, iqmaps, images, tmp_path):
    import torch

    from napari_iqmaps.core.networks.blind import DeepBQA
    from napari_iqmaps.training.weights import write_weights

    network = DeepBQA()
    for buffer in network.uncertainty.buffers():
        if torch.isnan(buffer).any():
            buffer.fill_(7.25)  # points, whatever the score
    write_weights(tmp_path / "own.safetensors", "deepbqa", network, {})
    Image.fromarray(LARGE).save(images / "large.png")
    words = ("quality", "in/large.png", "--weights", "own.safetensors")
    _, found = rows(*words)
    assert found["rows"][0]["uncertainty"] == 7.25
    said = " ".join(iqmaps(*words).stdout.split())
    assert "7.2" in said
    assert "give or take 7." in said
    assert "enough" in said


def test_diqa_is_another_network(rows, images, untrained):
    _, found = rows("quality", "in/a.png", "--model", "diqa", "--weights", untrained["diqa"])
    expected = iq.quality(iq.read_image(images / "a.png").array, model="diqa", weights=untrained["diqa"])
    assert found["rows"][0]["score"] == expected.value
    assert found["rows"][0]["model"] == "diqa"


def test_the_screen_shows_score_spread_and_evidence(iqmaps, words, images):
    (images / "aa.png").write_text("a text")
    Image.fromarray(LARGE).save(images / "large.png")
    Image.new("L", (60, 60), 90).save(images / "uniform.png")
    result = iqmaps(*words)
    assert result.exit_code == 1
    lines = {Path(line.split("│")[1].strip()).name: line for line in result.stdout.splitlines() if ".png" in line}
    assert [cell.strip() for cell in lines["large.png"].split("│")[3:5]] == ["unknown", "enough"]
    assert "not enough: it has about 2240" in lines["a.png"]
    assert "none" in lines["uniform.png"]
    assert "not enough: it is nearly uniform" in lines["uniform.png"]
    assert "not an image" in lines["aa.png"]
    assert "4 computed, 1 failed" not in result.stderr
    assert "5 computed, 1 failed" in result.stderr


# --- the table goes on


@pytest.mark.parametrize("table", ["table.csv", "table.json"])
def test_what_is_in_the_table_is_not_done_twice(rows, words, images, tmp_path, table):
    (images / "aa.png").write_text("a text")
    tifffile.imwrite(images / "stack.tif", np.stack([LARGE, np.full_like(LARGE, 90)]), photometric="minisblack",
                     metadata={"axes": "TYX"})  # fmt: skip
    words = (*words, "--csv", table)
    _, first = rows(*words)
    assert (first["computed"], first["failed"]) == (4, 1)
    before = (tmp_path / table).read_bytes()
    status, second = rows(*words)
    assert (status, second["computed"], second["kept"], second["failed"]) == (1, 0, 4, 1)
    assert second["rows"] == first["rows"]
    assert (tmp_path / table).read_bytes() == before
    # What failed is tried again, what changed is done again.
    Image.fromarray(LARGE).save(images / "aa.png")
    Image.fromarray(LARGE).save(images / "b.png")
    status, third = rows(*words)
    assert (status, third["computed"], third["kept"]) == (0, 2, 3)
    assert rows(*words, "--overwrite")[1]["kept"] == 0
    assert rows(*words, "--tile", 64)[1]["kept"] == 5
    assert rows(*words, "--data-range", 0, 200)[1]["kept"] == 0
    assert rows(*words)[1]["kept"] == 0


def test_a_table_of_something_else_is_replaced_only_by_force(rows, iqmaps, words, images, tmp_path):
    for text in ("a,b\n1,2\n", "not a table", '"'):
        (tmp_path / "table.csv").write_text(text)
        result = iqmaps(*words, "--csv", "table.csv")
        assert result.exit_code == 2
        assert "--force" in result.stderr
        assert (tmp_path / "table.csv").read_text() == text
        status, found = rows(*words, "--csv", "table.csv", "--force")
        assert (status, found["computed"]) == (0, 3)
        assert names(tmp_path / "table.csv") == ["a.png", "b.png", "c.png"]


def test_interrupted_and_started_again(rows, iqmaps, words, images, tmp_path, monkeypatch):
    def interrupt(path, **options):
        raise KeyboardInterrupt

    def interrupted_at(name):
        def stop(path, **options):
            if path.name == name:
                interrupt(path)
            return iq.read_image(path, **options)

        with monkeypatch.context() as patch:
            patch.setattr("napari_iqmaps.cli.inputs.read_image", stop)
            return iqmaps(*words, "--csv", "table.csv")

    result = interrupted_at("b.png")
    assert result.exit_code == 130
    assert "2 of 3 not done. The rows in the table are kept" in result.stderr
    assert names(tmp_path / "table.csv") == ["a.png"]
    status, found = rows(*words, "--csv", "table.csv")
    assert (status, found["computed"], found["kept"]) == (0, 2, 1)
    # A second run that is stopped early forgets nothing of the first.
    Image.fromarray(LARGE).save(images / "a.png")
    assert interrupted_at("a.png").exit_code == 130
    assert names(tmp_path / "table.csv") == ["a.png", "b.png", "c.png"]
    status, found = rows(*words, "--csv", "table.csv")
    assert (found["computed"], found["kept"]) == (1, 2)
    assert names(tmp_path / "table.csv") == ["a.png", "b.png", "c.png"]
    with monkeypatch.context() as patch:
        patch.setattr("napari_iqmaps.cli.inputs.read_image", interrupt)
        assert "Give --out or --csv to keep" in iqmaps(*words).stderr


def test_thresholds_without_maps_go_on_as_well(rows, images):
    words = ("threshold", "in", "--model", "contrast", "--csv", "table.csv")
    _, first = rows(*words)
    _, second = rows(*words)
    assert (second["computed"], second["kept"]) == (0, 3)
    assert second["rows"] == first["rows"]
    assert rows(*words, "--out", "out")[1]["computed"] == 3


def test_the_table_is_written_while_it_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_SECONDS", 0)
    monkeypatch.setattr(engine, "_SHARE", 0)
    path = tmp_path / "table.json"
    files = ["a", "b", "c"]
    growing = Ledger(path, COLUMNS, {"model": "x"}, files, vouches=True, resume=True, kind="quality")
    for number, file in enumerate(files, 1):
        growing.add({"file": file, "kind": "quality", "score": number, **growing.made_from({"source": file})})
        assert [row["score"] for row in json.loads(path.read_text())] == [1, 2, 3][:number]
    growing.close()
    # The next one knows them, and keeps those that it has not come to.
    following = Ledger(path, COLUMNS, {"model": "x"}, files, vouches=True, resume=True, kind="quality")
    cells = {"file": "a", **following.made_from({"source": "a"})}
    assert following.known(cells)["score"] == 1
    assert following.known({"file": "a", **following.made_from({"source": "changed"})}) is None
    following.add({**cells, "kind": "quality", "score": 9})
    assert [row["score"] for row in json.loads(path.read_text())] == [9, 2, 3]
    following.close()
    other = Ledger(path, COLUMNS, {"model": "y"}, files, vouches=True, resume=True, kind="quality")
    assert other.known({"file": "a", **other.made_from({"source": "a"})}) is None
    other.write()
    assert json.loads(path.read_text()) == []


def test_rows_of_other_files_and_commands_stay_in_the_table(rows, images, tmp_path):
    table = ("--csv", "table.csv")
    rows("threshold", "in/a.png", "in/b.png", "--model", "contrast", *table)
    lines = (tmp_path / "table.csv").read_text().splitlines()
    noted = [lines[0] + ",mine", *(f"{line},note {number}" for number, line in enumerate(lines[1:]))]
    (tmp_path / "table.csv").write_text("\n".join(noted) + "\n")
    rows("threshold", "in/c.png", "--model", "contrast", *table)
    rows("quality", "in/a.png", "--model", "diqa", *table)
    status, found = rows("threshold", "in/a.png", "--model", "contrast", *table)
    assert (status, found["kept"]) == (0, 1)
    there = {
        (row["file"], row["kind"]): row.get("mine")
        for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    }
    assert there == {
        ("in/a.png", "threshold"): "note 0",
        ("in/b.png", "threshold"): "note 1",
        ("in/c.png", "threshold"): "",
        ("in/a.png", "quality"): "",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_keeps_the_rows_of_a_real_batch(tmp_path, untrained):
    for number in range(60):
        tifffile.imwrite(tmp_path / f"{number:03}.tif", RNG.integers(0, 256, (480, 640), dtype=np.uint8))
    # A shell starts its background jobs with SIGINT ignored, and what they start inherits it.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = listening + "import sys; from napari_iqmaps.cli import main; sys.exit(main())"
    table = tmp_path / "table.csv"
    words = ["quality", str(tmp_path), "--weights", str(untrained["deepbqa"]), "--csv", str(table), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        first = run.stderr.readline()
        assert first.startswith("[1/60]"), first
        run.send_signal(signal.SIGINT)
        printed, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert "Traceback" not in errors
    found = json.loads(printed)
    assert 1 <= found["computed"] < 60
    assert found["computed"] + found["not_reached"] == 60
    assert len(read_scores(table, COLUMNS)) == found["computed"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "out"), "No such option"),
        (("--model", "contrast"), "'contrast' is not one of"),
        (("--model", "diqa"), "holds weights of the network 'deepbqa'"),
        (("--csv", "table.txt"), ".csv or .json"),
        (("--device", "abacus"), "abacus"),
    ],
)
def test_wrong_use_is_one_line_and_touches_no_table(iqmaps, rows, images, untrained, tmp_path, words, says):
    right = ("quality", "in", "--weights", untrained["deepbqa"], "--csv", "table.csv")
    rows(*right)
    before = (tmp_path / "table.csv").read_bytes()
    result = iqmaps(*right, *words, "--overwrite")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert says in line
    assert (tmp_path / "table.csv").read_bytes() == before
