"""Records are read right, or refused with what is wrong: texts, JSON, tables, and the files that are made of them."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.comparison.compare import read_pairs
from napari_iqmaps.core.io import records
from napari_iqmaps.core.registration.matches import parse_matches

SIZES = {"moving_shape": (400, 500), "fixed_shape": (400, 500)}
MATRIX = {"format": "iqmaps-matrix", "version": 1, "matrix": [[1, 0, 2], [0, 1, 3], [0, 0, 1]]}

READERS = {
    "matrix": iq.load_matrix,
    "matches": lambda path: iq.read_deepmatching(path, **SIZES),
    "pairs": read_pairs,
    "map": iq.read_map,
    "json": records.read_json,
    "toml": records.read_toml,
    "table": lambda path: records.read_table(path, ("file", "score")),
}
"""Of everything in the core that reads a record from a file."""

NOTHING = {
    "empty": b"",
    "blank": b" \n\t\n",
    "brackets": b"[" * 20_000,
    "objects": b'{"a":' * 20_000,
    "closed brackets": b"[" * 400 + b"]" * 400,
    "noise": bytes(np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8)),
    "NUL": b'{"format": "iqmaps-matrix\0"}',
    "NUL in a table": b"moving,fixed\na\0.png,b.png\n",
    "UTF-16 without a mark": "moving,fixed\na.png,b.png\n".encode("utf-16-le"),
    "Latin-1": "moving,fixed\nä.png\n".encode("latin-1"),
    "half a letter": "moving,ä".encode()[:-1],
    "scalar": b"5",
    "text": b'"text"',
    "null": b"null",
    "list": b"[1, 2]",
    "NaN": b'{"format": NaN}',
    "many digits": b'{"format": ' + b"9" * 5000 + b"}",
    "one column": b"moving\na.png\n",
    "long field": b'moving,fixed\n"' + b"x" * 200_000 + b'",b.png\n',
    "open quote": b'moving,fixed\n"a.png,b.png\n',
    "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
}


@pytest.mark.parametrize("content", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_none_is_refused_by_an_error_of_ours(reader, content, tmp_path):
    path = tmp_path / ("x.tif" if reader == "map" else "x.csv")
    path.write_bytes(content)
    if reader == "json" and content in (b"5", b'"text"', b"null", b"[1, 2]"):
        pytest.skip("this is JSON")
    if reader == "toml" and not content.strip():
        pytest.skip("this is TOML")
    with pytest.raises(iq.InputError, match=r"x\.") as caught:
        READERS[reader](path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_not_opened(reader, tmp_path):
    with pytest.raises(iq.InputError, match="is a folder"):
        READERS[reader](tmp_path)
    with pytest.raises(iq.InputError, match="There is no file"):
        READERS[reader](tmp_path / "none.tif")
    with pytest.raises(iq.InputError):
        READERS[reader](tmp_path / f"{'n' * 300}.tif")
    with pytest.raises(iq.InputError):
        READERS[reader](f"{tmp_path}/a\0b.tif")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.tif")
        with pytest.raises(iq.InputError, match="is a named pipe"):
            READERS[reader](tmp_path / "pipe.tif")
    if Path("/dev/zero").exists():
        with pytest.raises(iq.InputError, match="is a device"):
            READERS[reader]("/dev/zero")


@pytest.mark.parametrize(
    ("encoding", "ends"),
    [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-32", "\n"), ("utf-8", "\r")],
)
def test_a_text_is_read_by_its_mark(encoding, ends, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(ends.join(["moving;fixed;note", 'ä.png; b.png;"a ""quoted"" note, with #"', ""]).encode(encoding))
    (pair,) = read_pairs(path)
    assert (pair.moving.name, pair.fixed.name) == ("ä.png", "b.png")
    path.write_bytes(json.dumps(MATRIX).encode(encoding))
    assert iq.load_matrix(path).matrix[0, 2] == 2


def test_a_text_has_a_size(tmp_path, monkeypatch):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(MATRIX))
    monkeypatch.setattr(records, "MOST_BYTES", 20)
    with pytest.raises(iq.InputError, match="has more than"):
        iq.load_matrix(path)


# --- fields


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1, "a": 2}', "it names 'a' twice"),
        ("{'a': 1}", "property name enclosed in double quotes"),
        ('{"a": Infinity}', "it holds Infinity, which is no number"),
        ('{"a": -Infinity}', "it holds -Infinity"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": 1', "is not JSON"),
        ("[" * 60 + "]" * 60, "nested more than 50 deep"),
        ('{"a":' * 51 + "1" + "}" * 51, "nested more than 50 deep"),
    ],
)
def test_json_says_what_is_wrong(content, message):
    with pytest.raises(iq.InputError, match=message):
        records.parse_json(content, "m.json")


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("text", 5, "name is 5; it must be a text"),
        ("text", None, "must be a text"),
        ("text", ["a"], "must be a text"),
        ("truth", 1, "must be true or false"),
        ("truth", "true", "must be true or false"),
        ("whole", 1.5, "whole number"),
        ("whole", True, "whole number"),
        ("whole", 10**3000, "a number of thousands|9+|10+"),
        ("number", "1", "finite number"),
        ("number", True, "finite number"),
        ("number", math.inf, "finite number"),
        ("number", 10**400, "finite number"),
        ("numbers", [1, "2"], "list of finite numbers"),
        ("numbers", {"a": 1}, "list of finite numbers"),
        ("texts", ["a", 1], "list of texts"),
        ("texts", "ab", "list of texts"),
        ("sides", [1], "height, width"),
        ("sides", [1, 0], "height, width"),
        ("sides", [True, 1], "height, width"),
        ("sides", [1.0, 2.0], "height, width"),
        ("record", [], "an object with named fields"),
        ("file_name", "../x", "a file of the same folder"),
        ("file_name", "/etc/x", "a file of the same folder"),
        ("file_name", "a\\b", "a file of the same folder"),
        ("file_name", "C:x", "a file of the same folder"),
        ("file_name", "..", "a file of the same folder"),
        ("file_name", "", "a file of the same folder"),
    ],
)
def test_a_field_of_another_type_is_named_with_what_it_holds(kind, value, says):
    fields = records.fields_of({"name": value}, "m.json")
    with pytest.raises(iq.InputError, match=says) as caught:
        getattr(fields, kind)("name")
    assert "name" in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(iq.InputError, match=r"m\.json lacks other; it holds name"):
        getattr(fields, kind)("other")


# --- tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,score\n", None),
        ("file,score\na,1,2\n", "line 2, has 3 cells instead of 2"),
        ("file,score\n\na\n", "line 3, has 1 cells instead of 2"),
        ('file,score\n"a\nb",1\nc\n', "line 4, has 1 cells"),
        ("file,score,score\na,1,2\n", "more than one column score"),
        ("file\na\n", "lacks the column score; its first line has file"),
        ("a,b\n1,2\n", "lacks the columns file, score"),
        ('file,score\n"a"b,1\n', "line 2, cannot be read"),
        ("file,score\na,1\n" + "b," + "x" * 140_000 + "\n", "line 3, cannot be read"),
    ],
)
def test_a_table_names_the_line(text, message):
    if message is None:
        assert records.parse_table(text, "t.csv", ("file", "score")).rows == ()
        return
    with pytest.raises(iq.InputError, match=message):
        records.parse_table(text, "t.csv", ("file", "score"))


@pytest.mark.parametrize(
    "text",
    [
        "file,score\n#1.png, 5 \n",
        "file;score\r\n#1.png;5\r\n",
        "file\tscore\n#1.png\t5\n",
        " file , score \n #1.png ,5,,\n,,\n",
        '\n"file","score"\n"#1.png","5"\n\n',
        "# a remark, with a comma; and more\nfile,score\n#1.png,5\n",
        '"# a remark",\n# another\n\nfile,score\n#1.png,5\n',
        "note,score,file\n,5,#1.png\n",
        "file,score,note\n#1.png,5\n",
        ",file,score\n0,#1.png,5\n",
    ],
)
def test_the_same_table_in_many_forms(text):
    table = records.parse_table(text, "t.csv", ("file", "score"), comments=True)
    (row,) = table.rows
    assert row.cells["file"] == "#1.png"
    assert table.number(row, "score") == 5


@pytest.mark.parametrize(
    "cell", ["", "high", "nan", "inf", "-inf", "1e400", "1_000", "0,5", "1 2", "0x10", "5 %", "True"]
)
def test_a_number_that_is_none_is_named(cell):
    table = records.parse_table(f"file;score\na.png;{cell}\n", "t.csv", ("file", "score"))
    with pytest.raises(iq.InputError, match=r"t\.csv, line 2: score is .*; it must be"):
        table.number(table.rows[0], "score")


# --- matrices


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix": None}, "matrix is None; it must be 3x3 finite numbers"),
        ({"matrix": "1 0 0 0 1 0 0 0 1"}, "3x3 finite numbers"),
        ({"matrix": [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]]}, "3x3 finite numbers"),
        ({"matrix": [[True, 0, 0], [0, 1, 0], [0, 0, 1]]}, "3x3 finite numbers"),
        ({"matrix": [[1, 0, None], [0, 1, 0], [0, 0, 1]]}, "3x3 finite numbers"),
        ({"matrix": [[1, 0, 10**400], [0, 1, 0], [0, 0, 1]]}, "3x3 finite numbers"),
        ({"matrix": [[1, 0], [0, 1]]}, r"shape \(2, 2\)"),
        ({"matrix": [[1, 0, 0], [0, 1], [0, 0, 1]]}, "rows of equal length"),
        ({"matrix": [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]}, "3x3 finite numbers"),
        ({"matrix": [[1e300, 0, 0], [0, 1, 0], [0, 0, 1e-300]]}, "to infinity|too large"),
        ({"matrix": [[1e200, 0, 0], [0, 1e200, 0], [0, 0, 1e200]]}, None),
        ({"matrix": [[1e308, 0, 0], [0, 1e308, 0], [0, 0, 1]]}, "to infinity|too large"),
        ({"matrix": [[1, 2, 0], [2, 4, 0], [0, 0, 1]]}, "not invertible"),
        ({"matrix": []}, "shape"),
        ({"version": True}, "version is True; it must be a whole number"),
        ({"version": "1"}, "version is '1'"),
        ({"version": 7}, "of version 7"),
        ({"accepted": "false"}, "accepted is 'false'; it must be true or false"),
        ({"accepted": 0}, "accepted is 0"),
        ({"reason": ["a"]}, "reason is "),
        ({"method": 5}, "method is 5"),
        ({"transform": {}}, "transform is {}"),
        ({"moving_shape": [400]}, "moving_shape is"),
        ({"moving_shape": "400x500"}, "moving_shape is"),
        ({"fixed_shape": [True, True]}, "fixed_shape is"),
        ({"fixed_shape": [4.5, 5]}, "fixed_shape is"),
        ({"fixed_shape": [-4, 5]}, "fixed_shape is"),
        ({"info": [1]}, r"info is \[1\]; it must be an object"),
        ({"info": {"inliers": "many"}}, "inliers is 'many'"),
        ({"info": {"inliers": -1}}, "inliers is -1"),
        ({"info": {"local_ncc_after": "high"}}, "local_ncc_after is 'high'"),
        ({"format": "other"}, "is not a matrix file"),
        ({"format": ["iqmaps-matrix"]}, "is not a matrix file"),
    ],
)
def test_a_damaged_matrix_names_the_field(changes, message, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**MATRIX, **changes}))
    if message is None:
        np.testing.assert_array_equal(iq.load_matrix(path).matrix, np.eye(3))
        return
    with pytest.raises(iq.InputError, match=message):
        iq.load_matrix(path)


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3) > 0,
        np.eye(3) * (1 + 1j),
        [[1 + 0j, 0, 0], [0, 1, 0], [0, 0, 1]],
        [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]],
        [[1, 0, "a"], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 10**5000], [0, 1, 0], [0, 0, 1]],
        [[1, 0, math.nan], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1], [0, 0, 1]],
        np.datetime64("2020-01-01"),
        {"a": 1},
        object(),
        None,
        "matrix",
        np.full((3, 3), 1e300),
    ],
    ids=range(14),
)
def test_what_is_no_matrix_is_not_saved(matrix, tmp_path):
    with pytest.raises(iq.InputError, match="matrix"):
        iq.save_matrix(tmp_path / "m.json", matrix)
    assert not any(tmp_path.iterdir())


def test_a_reason_with_what_is_no_character_is_kept(tmp_path):
    record = iq.MatrixRecord(np.eye(3), accepted=False, reason="g\udcff.png is blank", info={"file": "g\udcff.png"})
    again = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", record))
    assert again.reason == record.reason
    assert again.info["file"] == "g\udcff.png"
    assert again.accepted is False


@pytest.mark.skipif(os.name != "posix", reason="needs a name that is too long for the system")
@pytest.mark.parametrize("bytes_of_name", [240, 251, 255, 300])
def test_a_long_name_is_written_or_refused(bytes_of_name, tmp_path):
    quality_map = iq.QualityMap(np.zeros((20, 20), np.float32), "threshold", 0.0, {})
    for write, suffix in (
        (lambda path: iq.write_map(quality_map, path), ".tif"),
        (lambda path: iq.save_matrix(path, np.eye(3)), ".json"),
        (lambda path: iq.write_map(quality_map, path), ".png"),
    ):
        path = tmp_path / ("n" * (bytes_of_name - len(suffix)) + suffix)
        if bytes_of_name > 255:
            with pytest.raises(iq.InputError, match="could not be written"):
                write(path)
            assert not any(tmp_path.iterdir())
        else:
            write(path)
            assert [item.name for item in tmp_path.iterdir()] == [path.name]
            path.unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_folder_that_cannot_be_written_to_is_refused():
    quality_map = iq.QualityMap(np.zeros((20, 20), np.float32), "threshold", 0.0, {})
    for folder in ("/proc", "/sys"):  # where nobody can make a file
        if not Path(folder).is_dir():
            continue
        with pytest.raises(iq.InputError, match="could not be written"):
            iq.write_map(quality_map, f"{folder}/x.tif")
        with pytest.raises(iq.InputError, match="could not be written"):
            iq.write_map(quality_map, f"{folder}/x.png")
        with pytest.raises(iq.InputError, match="could not be written"):
            iq.save_matrix(f"{folder}/x.json", np.eye(3))
        table = iq.MatchTable.of([[1, 2]], [[3, 4]], **SIZES)
        with pytest.raises(iq.InputError, match="could not be written"):
            table.to_csv(f"{folder}/x.csv")


# --- match tables

HEADER = "x_1,y_1,x_2,y_2,score,index\n"


@pytest.mark.parametrize(
    "text",
    [
        "# found by a program\n10 20.5 11 22 3.25 0\n",
        "# x_1 y_1 x_2 y_2 score index\n10 20.5 11 22 3.25 0\n",
        "#x_2;y_2;x_1;y_1;score;index\n11;22;10;20.5;3.25;0\n",
        '"x_1";"y_1";"x_2";"y_2";"score";"index"\r\n"10";"20.5";"11";"22";"3.25";"0"\r\n',
        HEADER + '"10","20.5"," 11 ","22","3.25","0"\n# the end\n',
        HEADER + "1e1,2.05e1,11.0,22,3.25,0\n\n",
        "x_1\ty_1\tx_2\ty_2\tscore\tindex\n10\t20.5\t11\t22\t3.25\t0",
    ],
)
def test_more_forms_of_matches(text):
    table = parse_matches(text, "m.csv", **SIZES)
    np.testing.assert_array_equal(table.moving_points, [[10, 20.5]])
    np.testing.assert_array_equal(table.fixed_points, [[11, 22]])
    assert table.score.tolist() == [3.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "10;20\n", "line 2, has 1 values instead of 6"),
        (HEADER.replace(",", ";") + "10,5;20,5;11;22;3;0\n", "line 2, holds what is no number .* with a point"),
        (HEADER.replace(",", "\t") + "10,5\t20,5\t11\t22\t3\t0\n", "line 2, holds what is no number .* with a point"),
        (HEADER + "10,20,11,inf,3,0\n", "line 2, has a point without a number"),
        (HEADER + "10,20,11,1e400,3,0\n", "line 2, has a point without a number"),
        (HEADER + "10,20,11,1e300,3,0\n", "line 2, has the points .* far outside"),
        (HEADER + "10,20,11,22,3,0\n-900,20,11,22,3,1\n", "line 3, has the points .* far outside"),
        (HEADER + "10,20,11,22,3,1e30\n", "column index that are too large"),
        (HEADER + "10,20,11,22,3,-inf\n", "column index"),
        (HEADER + "1_0,20,11,22,3,0\n", "no underscore"),
        (HEADER + "True,20,11,22,3,0\n", "holds what is no number"),
        (HEADER + "10,20,11,22,3,0,9\n", "line 2, has 7 values instead of 6"),
        (HEADER.replace("index", "x_1") + "10,20,11,22,3,0\n", "more than one column 'x_1'"),
        (HEADER + '"10,20,11,22,3,0\n', "line 2, cannot be read"),
        ("x_1,y_1,x_2\n1,2,3\n", "is neither numbers nor a header"),
        ("x_1,y_1,x_2,y_2,height_1,width_1\n1,2,3,4,400.5,500\n", "says that its moving image has 400.5x500"),
        ("x_1,y_1,x_2,y_2,height_1,width_1\n1,2,3,4,-400,500\n", "says that its moving image has -400x500"),
        ("x_1,y_1,x_2,y_2,height_1,width_1\n1,2,3,4,,\n", "more than one size"),
        ("x_1,y_1,x_2,y_2,height_1,width_1\n1,2,3,4,400,500\n1,2,3,4,4,5\n", "more than one size"),
        ("x_1,y_1,x_2,y_2,height_1,width_1\n1,2,3,4,40,50\n", "has 40x50 pixels, not 400x500"),
    ],
)
def test_damaged_matches_name_the_line(text, message):
    with pytest.raises(iq.InputError, match=message):
        parse_matches(text, "m.csv", **SIZES)
