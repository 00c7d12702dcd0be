"""The figures of the widget "Diff-diff", and the files that it writes."""

import csv
import itertools

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_iqmaps.core.diffdiff import ladder_tolerances


def test_figures_look_closer_and_go_to_files(shift, add_trio, open_judge, judged, finish, tmp_path, monkeypatch):
    add_trio()
    widget = open_judge()
    result = judged(widget)
    panel = widget.closer
    assert panel.view.isHidden()
    pictures = []
    for name in ("Ladder", "Tolerance", "Shifts"):
        panel.buttons[name].click()
        finish(widget)
        assert panel.view.shown.name == name.lower()
        pictures.append(panel.view.grab().toImage())
    assert all(one != other for one, other in itertools.combinations(pictures, 2))
    assert panel.view.shown.surface.best == (-shift[0], -shift[1])
    assert "3 px left, 5 px up" in panel.words.text()
    answers = {"Save the figure": "shifts", "Save the blocks": "blocks"}
    monkeypatch.setattr(
        QFileDialog,
        "getSaveFileName",
        lambda _parent, title, _name, filters, **_: (str(tmp_path / answers[title]), filters),
    )
    panel.save_figure.click()
    finish(widget)
    assert (tmp_path / "shifts.png").read_bytes().startswith(b"\x89PNG")
    panel.save_blocks.click()
    finish(widget)
    with (tmp_path / "blocks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 25
    assert {(row["file"], row["reference"], row["kind"]) for row in rows} == {("moving", "fixed", "diff_diff_block")}
    assert [int(row["count"]) for row in rows] == [block.count for block in result.score.blocks]


def test_a_judgement_and_its_figures_say_when_they_are_past(add_trio, open_judge, judged, finish):
    moving, *_ = add_trio()
    widget = open_judge()
    judged(widget)
    summary, panel = widget.summary.standing, widget.closer
    said = "Moving 'moving' · fixed 'fixed' · registered 'registered' · black 0, white 255 · "
    assert summary.heading.text().startswith(said)
    panel.buttons["Tolerance"].click()
    finish(widget)
    assert panel.standing.heading.text().startswith(said)
    widget.tolerance.slider.value += 5  # what is shown is counted again, the figure is not
    widget._recount()
    assert summary.is_current
    assert panel.standing.state.text() == "Out of date: the tolerance is another."
    assert not panel.save_figure.isEnabled()
    assert panel.save_blocks.isEnabled()
    panel.buttons["Ladder"].click()
    finish(widget)
    widget.tolerance.slider.value += 5  # the ladder has tolerances of its own
    widget._recount()
    assert panel.standing.is_current
    widget.options["illumination"].value = "none"
    for head in (summary, panel.standing):
        assert head.state.text() == "Out of date: the illumination is another."
    assert not panel.save_blocks.isEnabled()
    widget.options["illumination"].value = "local"
    moving.affine = [[1, 0, 3], [0, 1, 0], [0, 0, 1]]  # only a placement that is judged is one
    assert summary.is_current
    judged(widget)
    assert panel.standing.heading.isHidden()


def test_a_tolerance_that_nobody_has_found_is_asked_for_by_another_run(add_trio, open_judge, judged):
    add_trio()
    widget = open_judge()
    widget.tolerance.box.value = False
    judged(widget)
    widget.tolerance.box.value = True
    widget._recount()
    assert widget.summary.standing.state.text() == "Out of date: the tolerance is another."
    judged(widget)
    assert widget.summary.standing.is_current


@pytest.mark.parametrize(("largest", "first", "last"), [(95, 10, 90), (34, 5, 45), (0.4, 0.1, 0.9), (255, 50, 450)])
def test_the_ladder_reaches_as_far_as_the_map(largest, first, last):
    values = np.full((20, 20), np.nan, np.float32)
    values[5:] = -largest
    steps = ladder_tolerances(values)
    assert steps == pytest.approx(np.linspace(first, last, 9))
