"""The widget "Diff-diff" where it registers: one image, a stack, a refusal, and a layer that is moved."""

import csv

import numpy as np
from qtpy.QtWidgets import QFileDialog

from napari_iqmaps import register
from napari_iqmaps.plugin.diff_diff import AFFINE, AS_PLACED


def test_it_registers_where_no_registered_image_is_given(viewer, trio, shift, open_judge, judged, layer_of):
    moving, _, fixed = trio
    viewer.add_image(moving, name="first", colormap="green", contrast_limits=(10, 200))
    viewer.add_image(fixed, name="second")
    widget = open_judge()
    assert "registers 'first' onto 'second'" in widget.message.text()
    widget.options["transform"].value = "translation"
    result = judged(widget)
    (made,) = result.registrations
    assert made.accepted
    assert np.abs(made.matrix[:2, 2] + np.array(shift)[::-1]).max() < 0.3
    registered = viewer.layers["first: registered"]
    np.testing.assert_array_equal(registered.data, made.registered)
    assert registered.colormap.name == "green"
    assert tuple(registered.contrast_limits) == (10, 200)
    assert np.isnan(layer_of("map").data[~made.valid]).all()
    assert made.sentence() in widget.summary.sentence.text()
    row = widget.summary.result.row()
    assert (row["file"], row["reference"], row["kind"]) == ("first", "second", "diff_diff_score")
    assert row["verdict"] == "better"
    assert row["accepted"] is True


def test_it_says_where_the_viewer_shows_something_else(viewer, trio, open_judge, judged):
    viewer.add_image(trio[0], name="a", translate=(30, 0))
    viewer.add_image(trio[2], name="b")
    widget = open_judge()
    widget.options["method"].value = "phase"
    judged(widget)
    assert AS_PLACED in widget.summary.sentence.text()
    viewer.layers["a"].translate = (0, 0)
    judged(widget)
    assert AS_PLACED not in widget.summary.sentence.text()


def test_a_refused_registration_says_why_and_adds_nothing(viewer, scene, open_judge, finish):
    viewer.add_image(scene(seed=1)[:96, :120], name="a")
    viewer.add_image(scene(seed=2)[:96, :120], name="b")
    widget = open_judge()
    widget.options["method"].value = "fast"
    widget.run()
    finish(widget)
    reason = register(viewer.layers["a"].data, viewer.layers["b"].data, method="fast").reason
    assert widget.status.text() == f"Error: 'a' was not registered: {reason}"
    assert [layer.name for layer in viewer.layers] == ["a", "b"]


def test_a_result_belongs_to_the_layers_that_were_asked_about(viewer, trio, add_trio, open_judge, finish):
    moving, registered, _ = add_trio()
    widget = open_judge()
    widget.run()
    widget.layers.images["moving"].value = registered
    widget.layers.images["registered"].value = moving
    finish(widget)
    assert widget._current[2]["moving"] is moving
    assert "Diff-diff: registered → fixed" in viewer.layers


def test_a_result_without_its_layers_is_not_shown(viewer, add_trio, open_judge, finish):
    moving, *_ = add_trio()
    widget = open_judge()
    widget.run()
    viewer.layers.remove(moving)
    finish(widget)
    assert widget._current is None
    assert "'moving' was removed; the run was stopped." in widget.status.text()
    assert len(viewer.layers) == 2


def test_one_black_and_white_cannot_hold_for_whole_numbers_and_floats(viewer, trio, open_judge, finish):
    viewer.add_image((trio[0] / 255).astype(np.float32), name="floating")
    viewer.add_image(trio[2], name="whole")
    widget = open_judge()
    widget.range.black.value, widget.range.white.value = "0", "1"
    widget.run()
    finish(widget)
    assert "types float32, uint8" in widget.status.text()


def test_the_bar_of_progress_says_what_is_done(trio, add_trio, open_judge):
    add_trio()
    widget = open_judge()
    assert widget.request().name == "Diff-diff"
    widget.layers.images["registered"].value = None
    assert widget.request().name == "Registering and judging"


def test_the_motion_can_become_the_moving_layer_s_affine(viewer, trio, open_judge, judged, layer_of):
    moving, _, fixed = trio
    first = viewer.add_image(moving, name="first", scale=(2, 2), translate=(7, 9))
    second = viewer.add_image(fixed, name="second", scale=(0.5, 0.5), rotate=20, translate=(1, 2))
    widget = open_judge()
    widget.options["transform"].value = "translation"
    widget.options["result"].value = AFFINE
    result = judged(widget)
    assert "first: registered" not in viewer.layers
    np.testing.assert_array_equal(first.scale, (2, 2))
    right, down = result.registrations[0].matrix[:2, 2]
    for point in ((0, 0), (50, 20)):
        there = (point[0] + down, point[1] + right)
        np.testing.assert_allclose(first.data_to_world(point), second.data_to_world(there), atol=1e-6)
    # What the viewer now shows is judged the same.
    score = result.score
    widget.options["method"].value = AS_PLACED
    again = judged(widget).score
    assert (again.better, again.worse) == (score.better, score.worse)


def test_a_stack_is_registered_and_judged_frame_by_frame(viewer, trio, open_judge, judged, layer_of):
    moving, _, fixed = trio
    still = fixed - np.uint8(20)
    viewer.add_image(np.stack([still, moving]), name="series", scale=(4, 2, 2))
    viewer.add_image(fixed, name="fixed", scale=(2, 2), translate=(10, 20))
    widget = open_judge()
    widget.options["method"].value = "phase"
    widget.options["transform"].value = "translation"
    result = judged(widget)
    assert len(result.registrations) == 2
    shown = layer_of("map")
    assert shown.data.shape == (2, *fixed.shape)
    np.testing.assert_array_equal(shown.scale, (4, 2, 2))
    np.testing.assert_array_equal(shown.translate, (0, 10, 20))
    assert layer_of("marks").data.shape == shown.data.shape
    assert layer_of("before").data.shape == (2, *fixed.shape, 3)
    assert viewer.layers["series: registered"].data.shape == shown.data.shape
    first, second = result.score.planes
    assert (first.verdict, second.verdict) == ("unchanged", "better")
    assert {int(corners[0, 0]) for corners in layer_of("blocks").data} == {0, 1}
    for number, part in enumerate(result.score.planes):
        viewer.dims.set_current_step(0, number)
        assert widget.summary.plane.text() == f"Plane {number}: {part.sentence()}"
    assert not widget.summary.plane.isHidden()


def test_each_plane_has_a_row_in_a_table(viewer, trio, open_judge, judged, finish, tmp_path, monkeypatch):
    moving, registered, fixed = trio
    for name, images in (("moving", [moving, fixed]), ("registered", [registered, fixed]), ("fixed", [fixed, fixed])):
        viewer.add_image(np.stack(images), name=name)
    widget = open_judge()
    result = judged(widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "planes.csv"), "*.csv"))
    assert not widget.closer.save_planes.isHidden()
    widget.closer.save_planes.click()
    finish(widget)
    with (tmp_path / "planes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["plane"], row["verdict"]) for row in rows] == [
        ("moving", "0", "better"), ("moving", "1", "unchanged"),
    ]  # fmt: skip
    assert [int(row["count"]) for row in rows] == [part.count for part in result.score.planes]
