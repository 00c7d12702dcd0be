"""Which file is which: what words stand for, and what outputs are called."""

import json
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.cli import inputs
from napari_iqmaps.cli.group import in_one_line
from napari_iqmaps.cli.inputs import expand, output_names, partner
from napari_iqmaps.core.io.score_table import OwnText, read_scores
from napari_iqmaps.core.maps import COLUMNS
from napari_iqmaps.core.names import folded

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="names and files of Unix")
FAST = ("--model", "contrast")


def draw(path, value=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, (24, 24), dtype=np.uint8)).save(path)


def found(*words):
    return [str(path) for path in expand(words, ())[0]]


@UNIX
def test_links_are_files_of_their_own_and_one_file_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").symlink_to("a.png")
    os.link("in/a.png", "in/c.png")
    (tmp_path / "way").symlink_to("in")
    assert found("in", "./in/a.png", "in/*.png", tmp_path / "in/b.png", "way/c.png") == [
        "in/a.png", "in/b.png", "in/c.png",
    ]  # fmt: skip


@UNIX
def test_brackets_in_names_of_folders_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("scan[1]/one.png", "scan[1]/two.png", "scan[1]/deep/img[2]a.png", "scan1/other.png"):
        draw(tmp_path / name)
    assert found("scan[1]/*.png") == ["scan[1]/one.png", "scan[1]/two.png"]
    assert found(str(tmp_path / "scan[1]" / "*.png")) == [
        str(tmp_path / f"scan[1]/{name}.png") for name in ("one", "two")
    ]
    assert found("scan[1]/deep/img[2]*.png") == ["scan[1]/deep/img[2]a.png"]
    assert found("*/deep/img[2]*") == ["scan[1]/deep/img[2]a.png"]
    assert len(found("scan[1]/**/*.png")) == 3
    assert found("scan[0-9]/*.png") == ["scan1/other.png"]


@UNIX
def test_words_that_cannot_be_looked_at_stand_for_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    os.mkfifo("pipe_threshold.tif")
    (tmp_path / "gone.png").symlink_to("nothing.png")
    long = "n" * 300 + ".png"
    words = ["gone.png", "pipe.png", "pipe_threshold.tif"]
    assert expand([*words, long], ("threshold",)) == (list(map(Path, [*words, long])), [])
    assert found(".") == words
    for image in (Path(long), Path("a.png")):
        assert "n" * 300 in str(partner(image, Path("n" * 300), "reference"))


@UNIX
def test_composed_and_decomposed_accents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    draw(tmp_path / "in" / one)
    assert found(f"in/{other}") == [f"in/{one}"]
    draw(tmp_path / "in" / other, 2)
    assert found(f"in/{one}", f"in/{other}") == [f"in/{one}", f"in/{other}"]
    names = output_names([tmp_path / "in" / one, tmp_path / "in" / other])
    assert len({folded(name) for name in names}) == 2
    draw(tmp_path / "references" / other)
    assert partner(Path("in") / one, Path("references"), "reference") == Path("references") / other


@UNIX
def test_files_that_differ_in_case_are_two(rows, tmp_path):
    draw(tmp_path / "A.png", 1)
    draw(tmp_path / "a.png", 2)
    if len(list(tmp_path.glob("*.png"))) < 2:
        pytest.skip("the file system does not tell them apart")
    status, answer = rows("threshold", "A.png", "a.png", *FAST)
    assert (status, answer["computed"]) == (0, 2)
    status, answer = rows("threshold", "A.png", "a.png", *FAST, "--out", "out")
    assert (status, answer["computed"]) == (0, 2)
    assert len({folded(path.name) for path in (tmp_path / "out").iterdir()}) == 2
    assert rows("threshold", "A.png", "a.png", *FAST, "--out", "out")[1]["kept"] == 2


# --- what outputs are called


def outputs(answer):
    return {row["file"]: os.path.basename(row["outputs"][0]) for row in answer["rows"]}  # noqa: PTH119


def test_what_appears_later_renames_no_output(rows, tmp_path):
    draw(tmp_path / "in" / "a.png", 1)
    words = ("threshold", "in", *FAST, "--out", "out")
    assert outputs(rows(*words)[1]) == {"in/a.png": "a_threshold.tif"}
    Image.open(tmp_path / "in" / "a.png").save(tmp_path / "in" / "a.bmp")
    answer = rows(*words)[1]
    assert (answer["computed"], answer["kept"]) == (1, 1)
    assert outputs(answer) == {"in/a.bmp": "in_a-bmp_threshold.tif", "in/a.png": "a_threshold.tif"} or outputs(
        answer
    ) == {"in/a.bmp": "a-bmp_threshold.tif", "in/a.png": "a_threshold.tif"}
    # Alone, each finds its own again.
    for name in ("a.png", "a.bmp"):
        assert rows("threshold", f"in/{name}", *FAST, "--out", "out")[1]["kept"] == 1
    (tmp_path / "in" / "a.png").unlink()
    assert rows(*words)[1]["kept"] == 1


def test_a_file_of_the_same_name_elsewhere_takes_another_name(rows, tmp_path):
    for folder, value in (("in", 1), ("more", 2)):
        draw(tmp_path / folder / "a.png", value)
        answer = rows("threshold", folder, *FAST, "--out", "out")[1]
        assert answer["computed"] == 1
    assert len(list((tmp_path / "out").iterdir())) == 2
    answer = rows("threshold", "in", "more", *FAST, "--out", "out")[1]
    assert (answer["kept"], outputs(answer)["in/a.png"]) == (2, "a_threshold.tif")
    # The same file with another content is the same file.
    draw(tmp_path / "in" / "a.png", 3)
    answer = rows("threshold", "in", *FAST, "--out", "out")[1]
    assert (answer["computed"], outputs(answer)) == (1, {"in/a.png": "a_threshold.tif"})
    # A folder that has moved is known by its content.
    (tmp_path / "more").rename(tmp_path / "moved")
    assert rows("threshold", "moved", *FAST, "--out", "out")[1]["kept"] == 1


@UNIX
def test_names_as_long_as_the_system_allows(rows, tmp_path):
    names = ["n" * 236, "n" * 247, "n" * 248]
    for value, name in enumerate(names):
        draw(tmp_path / f"{name}.png", value)
    words = ("threshold", *(f"{name}.png" for name in names), *FAST, "--out", "out", "--csv", "t.csv")
    status, answer = rows(*words)
    assert (status, answer["computed"]) == (0, 3)
    assert (tmp_path / "out" / f"{names[0]}_threshold.tif").is_file()
    assert rows(*words)[1]["kept"] == 3


def test_a_record_that_is_odd_is_no_reason_to_stop(rows, tmp_path):
    import tifffile

    draw(tmp_path / "a.png")
    words = ("threshold", "a.png", *FAST, "--out", "out")
    rows(*words)
    for info in ([], "text", {"source": []}, {"source": {"file": []}}):
        record = {"napari_iqmaps": {"format": 1, "kind": "threshold", "info": info}}
        pixels = np.zeros((4, 4), np.float32)
        path = tmp_path / "out" / "a_threshold.tif"
        tifffile.imwrite(path, pixels, description=json.dumps(record), metadata=None)
        status, answer = rows(*words)
        assert (status, answer["failed"], answer["computed"]) == (0, 0, 1)


# --- the table


def test_what_a_user_has_added_to_the_table_is_kept(rows, tmp_path):
    for value, name in enumerate("abc"):
        draw(tmp_path / "in" / f"{name}.png", value)
    for out in ((), ("--out", "o")):
        words = ("threshold", "in", *FAST, "--csv", "t.csv", *out)
        rows(*words)
        head, *lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
        if "mine" not in head:
            lines = [f"{line};{line[3]} 007" for line in (line.replace(",", ";") for line in lines)]
            text = "\r\n".join([f"{head.replace(',', ';')};mine", *reversed(lines), ""])
            (tmp_path / "t.csv").write_bytes(text.encode("utf-8-sig"))
            assert rows(*words)[1]["kept"] == 3
        draw(tmp_path / "in" / "b.png", 9 + len(out))
        assert rows(*words)[1]["computed"] == 1
        own = [row["mine"] for row in read_scores(tmp_path / "t.csv", COLUMNS, keeps_own=True)]
        assert own == ["a 007", "b 007", "c 007"]
        assert all(isinstance(cell, OwnText) for cell in own)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_only_tables_of_ours_are_replaced(rows, iqmaps, tmp_path, suffix):
    draw(tmp_path / "a.png")
    table = tmp_path / f"t.{suffix}"
    words = ("threshold", "a.png", *FAST, "--csv", table.name)
    rows(*words)
    whole = table.read_bytes()
    for there in (b"file,reference,score\na.png,b.png,3\n", b'[{"name": 1}]', b"\xe9\n", whole[: len(whole) * 2 // 3]):
        table.write_bytes(there)
        result = iqmaps(*words)
        assert (result.exit_code, "--force" in result.stderr) == (2, True)
        assert table.read_bytes() == there
        assert rows(*words, "--force")[0] == 0
    table.write_bytes(b"")
    assert rows(*words)[0] == 0


def test_edited_rows_are_computed_anew(rows, tmp_path):
    draw(tmp_path / "a.png")
    words = ("threshold", "a.png", *FAST, "--csv", "t.json")
    (row,) = rows(*words)[1]["rows"]
    for score in ("many", [1], {"a": 1}):
        (tmp_path / "t.json").write_text(json.dumps([{**row, "score": score}]))
        status, answer = rows(*words)
        assert (status, answer["kept"]) == (0, 0)


@UNIX
def test_what_cannot_be_written_is_told_and_the_rest_is_kept(iqmaps, rows, tmp_path):
    for value, name in enumerate("ab"):
        draw(tmp_path / f"{name}.png", value)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_threshold.tif").mkdir()  # as root, nothing else is refused everywhere
    status, answer = rows("threshold", "a.png", "b.png", *FAST, "--out", "out", "--csv", "t.csv")
    assert (status, answer["computed"], answer["failed"]) == (1, 1, 1)
    assert answer["rows"][0]["score"] > 0
    assert "is a folder" in answer["rows"][0]["error"]
    assert len(read_scores(tmp_path / "t.csv", COLUMNS)) == 2
    (tmp_path / "full.csv").symlink_to("/dev/full")
    result = iqmaps("threshold", "a.png", *FAST, "--csv", "full.csv")
    assert (result.exit_code, "is a device, not a regular file" in result.stderr) == (2, True)


def test_how_many_pixels_a_file_may_have_is_handed_to_the_core(iqmaps, tmp_path, monkeypatch):
    draw(tmp_path / "a.png")
    handed = []

    def read(path, *, most_pixels):
        handed.append(most_pixels)
        return iq.read_image(path, most_pixels=most_pixels)

    monkeypatch.setattr(inputs, "read_image", read)
    assert iqmaps("threshold", "a.png", *FAST, "--most-pixels", "576").exit_code == 0
    assert iqmaps("distort", "a.png", "--distortion", "haze", "--out", "o", "--most-pixels", "577").exit_code == 0
    assert handed == [576, 577]
    for command in ("quality", "errors", "visibility", "machine", "hide", "register", "diffdiff", "distort", "compare"):
        assert "--most-pixels" in iqmaps(command, "--help").stdout
    assert in_one_line("Allow more: most_pixels=9.").endswith("(Here: --most-pixels NUMBER.)")
