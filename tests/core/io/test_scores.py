"""The table of a batch."""

import csv
import json

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.io.scores import score_row, write_scores

IMAGE = np.random.default_rng(1).integers(0, 256, (3, 40, 60), dtype=np.uint8)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_says_file_kind_score_and_where_it_comes_from(tmp_path):
    quality_map = iq.visibility_map(IMAGE[0], IMAGE[1], model="contrast", window=9)
    row = score_row(quality_map, file="a, b.png", reference="r.png")
    path = write_scores([row], tmp_path / "table.csv")
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
    (cells,) = read_csv(write_scores([row], tmp_path / "table.csv"))
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
    path = write_scores(rows, tmp_path / f"table{suffix}")
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
        write_scores([], tmp_path / "table.txt")
    path = write_scores([], tmp_path / "table.csv")
    assert path.read_text() == "file,kind,score,not_enough_evidence,error\n"
    with pytest.raises(iq.InputError, match="does not exist"):
        write_scores([], tmp_path / "nowhere" / "table.csv")
    assert list(tmp_path.iterdir()) == [path]
