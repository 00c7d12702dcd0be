"""The table of a batch."""

import csv
import io
import json
import os

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.io.map_file import score_row
from napari_iqmaps.core.io.score_table import read_scores, write_scores
from napari_iqmaps.core.maps import COLUMNS
from napari_iqmaps.core.quality_score import QualityScore, quality_row
from napari_iqmaps.core.score_columns import Column, Part, columns

IMAGE = np.random.default_rng(1).integers(0, 256, (3, 40, 60), dtype=np.uint8)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_says_file_kind_score_and_where_it_comes_from(tmp_path):
    quality_map = iq.visibility_map(IMAGE[0], IMAGE[1], model="contrast", window=9)
    row = score_row(quality_map, file="a, b.png", reference="r.png")
    path = write_scores([row], tmp_path / "table.csv", COLUMNS)
    (cells,) = read_csv(path)
    assert cells["file"] == "a, b.png"
    assert float(cells["score"]) == quality_map.score
    assert cells["weights_sha256"] == quality_map.info["weights_sha256"]
    assert cells["data_range"] == "0 255"
    assert [cells[name] for name in ("kind", "model", "stride", "window", "error")] == [
        "visibility", "contrast", "4", "9", ""
    ]  # fmt: skip


def test_a_stack_has_the_mean_and_all_planes(tmp_path):
    quality_map = iq.threshold_map(IMAGE, model="contrast")
    row = score_row(quality_map, file="stack.tif")
    assert row["score"] == pytest.approx(quality_map.score.mean())
    np.testing.assert_allclose(row["planes"], quality_map.score)
    (cells,) = read_csv(write_scores([row], tmp_path / "table.csv", COLUMNS))
    np.testing.assert_allclose([float(score) for score in cells["planes"].split()], quality_map.score)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_no_score_is_empty_with_a_reason(tmp_path, suffix):
    nothing = iq.threshold_map(np.full((40, 40), np.nan), data_range=1, model="contrast")
    rows = [
        score_row(nothing, file="holes.tif"),
        {"file": "bad.png", "kind": "threshold", "score": float("nan"), "error": "It is a text."},
        {"file": "other.png", "kind": "threshold", "score": float("nan")},
        {"file": "tiny.png", "kind": "threshold", "score": 2.5, "not_enough_evidence": "4 pixels"},
    ]
    path = write_scores(rows, tmp_path / f"table{suffix}", COLUMNS)
    if suffix == ".csv":
        back = read_csv(path)
        assert [row["score"] for row in back] == ["", "", "", "2.5"]
    else:
        back = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
        assert [row["score"] for row in back] == [None, None, None, 2.5]
    for row in back[:3]:
        assert row.get("not_enough_evidence") or row.get("error")
    assert back[1]["error"] == "It is a text."


def test_suffix_and_atomicity(tmp_path):
    with pytest.raises(iq.InputError, match=r"\.csv or \.json"):
        write_scores([], tmp_path / "table.txt", COLUMNS)
    path = write_scores([], tmp_path / "table.csv", COLUMNS)
    assert path.read_text() == "file,kind,score,not_enough_evidence,error\n"
    with pytest.raises(iq.InputError, match="does not exist"):
        write_scores([], tmp_path / "nowhere" / "table.csv", COLUMNS)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_table_is_read_back_as_it_was_written(tmp_path, suffix):
    rows = [
        {"file": "12", "kind": "threshold", "score": 37.0, "not_enough_evidence": "", "stride": 4,
         "data_range": [0, 255], "planes": [1.5, None, 1e-9], "notes": ["One, two.", 'Said "three".']},
        {"file": "b\n.png", "kind": "quality", "score": None, "uncertainty": None, "not_enough_evidence": "Uniform.",
         "planes_enough_evidence": [True, False]},
        {"file": "c.png", "kind": "quality", "score": 0.1 + 0.2, "uncertainty": 8.25, "not_enough_evidence": "",
         "mean_error": 0.3, "weights_sha256": "1234"},
    ]  # fmt: skip
    if suffix == ".csv":  # which knows no difference between none and no column
        rows[0]["uncertainty"] = None
    assert read_scores(write_scores(rows, tmp_path / f"table{suffix}", COLUMNS), COLUMNS) == rows


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "x,y\n1,2\n"), ("a.csv", "file,score\na.png\n"), ("a.csv", "file\na,b\n"), ("a.csv", "\xff"),
     ("a.json", "{}"), ("a.json", '[{"score": 1}]'), ("a.json", "[")],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(iq.InputError, match=name):
        read_scores(tmp_path / name, COLUMNS)
    with pytest.raises(iq.InputError, match="no_file"):
        read_scores(tmp_path / f"no_file{name[1:]}", COLUMNS)


def test_a_quality_row_holds_value_spread_and_evidence():
    score = QualityScore.of([30.0, np.nan, 50.0], uncertainty=[4.0, 9.0, 8.0], reasons=["", "it is uniform.", ""],
                            info={"model": "diqa", "tile": 384})  # fmt: skip
    row = quality_row(score, file="stack.tif")
    assert row == {
        "file": "stack.tif", "kind": "quality", "score": 40.0, "uncertainty": 6.0,
        "unit": "points, 0 best to 100 worst", "not_enough_evidence": "plane 1: it is uniform.",
        "planes": [30.0, None, 50.0], "planes_uncertainty": [4.0, 9.0, 8.0],
        "planes_enough_evidence": [True, False, True], "model": "diqa",
    }  # fmt: skip
    single = quality_row(QualityScore.of(0.9, range=(0.0, 1.0), lower_is_better=False), file="a.png")
    assert (single["score"], single["uncertainty"]) == (0.9, None)
    assert single["unit"] == "points, 1 best to 0 worst"
    assert "planes" not in single


def test_columns_stand_in_their_parts_and_those_that_nobody_declared_follow(tmp_path):
    declared = (
        Column("remark_of_ours", Part.REMARKS, "text"),
        *columns(Part.SCORE, "low", "high"),
        Column("reason", holds="text"),
        Column("limit", Part.RESULTS, may_lack=True),
    )
    rows = [{"other": 1, "reason": "12", "high": 3, "file": "a", "kind": "k", "score": 1, "limit": None, "low": 2,
             "remark_of_ours": "5", "unit": "points", "not_enough_evidence": ""}]  # fmt: skip
    path = write_scores(rows, tmp_path / "table.csv", (*declared, *declared))
    head = "file,kind,score,low,high,unit,limit,not_enough_evidence,error,remark_of_ours,other,reason"
    assert path.read_text().splitlines()[0] == head
    assert read_scores(path, declared) == rows
    assert read_scores(path, ())[0]["reason"] == 12
    assert "limit" not in read_scores(path, ())[0]


# --- a table that a spreadsheet has saved

ROWS = [
    {"file": "a.png", "kind": "quality", "score": -1.5, "uncertainty": 0.25, "not_enough_evidence": "",
     "data_range": [0, 255], "planes": [1.5, 2.5], "planes_enough_evidence": [True, False]},
    {"file": "b; c.png", "kind": "quality", "score": 2.0, "uncertainty": None, "not_enough_evidence": "Uniform, \"so\"",
     "notes": ["One.", "Two."]},
]  # fmt: skip


def saved_again(path, separator, encoding, end, *, commas=False, own=()):
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    if commas:
        table = [[cell.replace(".", ",") if set(cell) <= set("-0123456789. ") else cell for cell in row]
                 for row in table]  # fmt: skip
    table = [[*row, more] for row, more in zip(table, own or [""] * len(table), strict=True)]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    path.write_bytes(text.getvalue().encode(encoding))


@pytest.mark.parametrize(
    ("separator", "encoding", "end", "commas"),
    [
        (",", "utf-8-sig", "\r\n", False),
        (";", "utf-8", "\n", False),
        (";", "utf-8-sig", "\r\n", True),
        ("\t", "utf-16", "\r\n", True),
        (",", "utf-16-le", "\n", False),
    ],
)
def test_a_table_is_known_as_spreadsheets_save_it(tmp_path, separator, encoding, end, commas):
    path = write_scores(ROWS, tmp_path / "t.csv", COLUMNS)
    saved_again(path, separator, encoding, end, commas=commas)
    if encoding == "utf-16-le":
        path.write_bytes(b"\xff\xfe" + path.read_bytes())
    assert read_scores(path, COLUMNS) == ROWS


def test_columns_of_ones_own_are_kept_as_they_are(tmp_path):
    path = write_scores(ROWS, tmp_path / "t.csv", COLUMNS)
    saved_again(path, ";", "utf-8-sig", "\r\n", own=["mine", "007", "=1+1, ü"])
    rows = read_scores(path, COLUMNS, keeps_own=True)
    assert [row["mine"] for row in rows] == ["007", "=1+1, ü"]
    write_scores(rows, path, COLUMNS)
    assert [row["mine"] for row in read_scores(path, COLUMNS, keeps_own=True)] == ["007", "=1+1, ü"]
    assert "=1+1, ü" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_table_that_was_cut_is_not_read(tmp_path, keep):
    path = write_scores([{**row, "made_from": "x" * 30} for row in ROWS], tmp_path / "t.csv", COLUMNS)
    code = path.read_bytes()
    path.write_bytes(code[: int(len(code) * keep)])
    with pytest.raises(iq.InputError, match="t.csv"):
        read_scores(path, COLUMNS)


def test_rows_that_lack_separators_at_their_end_are_whole(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sep=;\nfile;kind;score;not_enough_evidence;error;\na.png;quality;1,5\n;;;;;\n")
    assert read_scores(path, COLUMNS) == [{"file": "a.png", "kind": "quality", "score": 1.5, "not_enough_evidence": ""}]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
@pytest.mark.parametrize(
    "name",
    ["g\udcff.png", "=cmd|' /C calc'!A0.png", "-1.png", "+a", "@a", "\t=a", "\r=a", "a;=b", "'=a", "''-a", "'quoted'",
     "\uff1da", "a\nb\x1b[2J.png", "\u202egnp.exe", "written \\xff.png"],
)  # fmt: skip
def test_names_come_back_and_no_cell_is_a_formula(tmp_path, suffix, name):
    row = {"file": name, "kind": "k", "score": -3.5, "not_enough_evidence": "", "notes": [name.replace(";", "")]}
    path = write_scores([row], tmp_path / f"t{suffix}", COLUMNS)
    assert read_scores(path, COLUMNS) == [row]
    text = path.read_bytes().decode("utf-8")
    assert all(character == "\n" or character.isprintable() for character in text)
    if suffix == ".csv":
        (cells,) = list(csv.reader(io.StringIO(text, newline="")))[1:]
        texts = [cell for cell in cells if cell != "-3.5"]
        assert not any(part.startswith(tuple("=+-@\t\r\uff1d")) for cell in texts for part in cell.split(";"))
        assert "-3.5" in cells


def test_a_deep_table_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(iq.InputError, match="deep.json"):
        read_scores(tmp_path / "deep.json", COLUMNS)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(iq.InputError, match="named pipe"):
            read_scores(tmp_path / "pipe.csv", COLUMNS)
