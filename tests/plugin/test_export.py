"""A map goes to a file whole, a row goes behind the rows that are there, and foreign files are left alone."""

import csv

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_iqmaps import InputError, read_map, threshold_map
from napari_iqmaps.plugin.export import append_row, save_map
from napari_iqmaps.plugin.results import Result

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)


def silent(done, total):
    pass


@pytest.fixture
def result():
    return Result.of(threshold_map(IMAGE, model="contrast"), ["photo"])


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_map_can_be_read_back(result, tmp_path):
    path = save_map(result, tmp_path / "map.tif", silent)
    np.testing.assert_array_equal(read_map(path).values, result.quality_map.values)
    assert save_map(result, tmp_path / "map.png", silent).stat().st_size > 0


def test_a_lazy_map_is_computed_and_tells_its_progress(tmp_path):
    stack = da.from_array(np.stack([IMAGE, 255 - IMAGE]), chunks=(1, 40, 50))
    result = Result.of(threshold_map(stack, model="contrast"), ["photo"])
    steps = []
    path = save_map(result, tmp_path / "map.tif", lambda done, total: steps.append((done, total)))
    assert read_map(path).values.shape == (2, 40, 50)
    assert steps
    assert all(done <= total for done, total in steps)


def test_rows_are_added_behind_those_that_are_there(result, tmp_path):
    path = tmp_path / "scores.csv"
    append_row(result, path, silent)
    first = path.read_text(encoding="utf-8")
    append_row(Result.of(threshold_map(IMAGE // 2, model="contrast"), ["darker"]), path, silent)
    assert path.read_text(encoding="utf-8").startswith(first)
    table = rows(path)
    assert [row["file"] for row in table] == ["photo", "darker"]
    assert float(table[0]["score"]) == pytest.approx(result.quality_map.score)
    assert table[0]["weights_sha256"] == result.quality_map.info["weights_sha256"]


def test_a_foreign_file_is_left_alone(result, tmp_path):
    path = tmp_path / "addresses.csv"
    path.write_text("name,street\nA,B\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a table of scores"):
        append_row(result, path, silent)
    assert path.read_text(encoding="utf-8") == "name,street\nA,B\n"


def test_the_buttons_ask_for_a_file_and_write_it(viewer, open_widget, finish, tmp_path, monkeypatch):
    viewer.add_image(IMAGE, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    # The system's file dialog cannot be driven by a test; everything behind it is real.
    for name, button in (("map", widget.summary.save_map), ("table", widget.summary.save_row)):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name, **__: (str(tmp_path / name), ""))
        button.click()
        finish(widget)
        assert f"Wrote {tmp_path / name}" in widget.status.text()
    assert read_map(tmp_path / "map.tif").kind == "threshold"
    assert rows(tmp_path / "table.csv")[0]["file"] == "photo"


def test_a_failed_export_says_why(viewer, open_widget, finish, tmp_path, monkeypatch, told):
    viewer.add_image(IMAGE, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "map.jpg"), ""))
    widget.summary.save_map.click()
    finish(widget)
    assert ".tif" in told[-1]
    assert widget.status.text() == f"Error: {told[-1]}"
