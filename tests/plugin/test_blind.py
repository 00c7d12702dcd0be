"""The widget "Error, reliability & sensitivity": one pass, its maps as a group, its score, and what regions get."""

import csv

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

import napari_iqmaps as iq
from napari_iqmaps.core.blind import MAPS
from napari_iqmaps.plugin import tasks
from napari_iqmaps.plugin.blind import BlindQuality

BLIND = MAPS[1:]
BOX = np.array([[8, 8], [8, 71], [71, 71], [71, 8]], float)


@pytest.fixture
def open_blind(qtbot, viewer, untrained):
    def opened(model="deepbqa"):
        widget = BlindQuality(viewer)
        qtbot.addWidget(widget)
        widget.options["model"].value = model
        widget.options["weights"].value = untrained[model]
        return widget

    return opened


@pytest.fixture
def run(finish):
    def done(widget):
        widget.run()
        finish(widget)

    return done


@pytest.fixture
def texture():
    return np.random.default_rng(7).integers(0, 256, (132, 140), dtype=np.uint8)


def kinds_of(viewer):
    return tuple(layer.metadata["iqmaps"]["kind"] for layer in viewer.layers if "iqmaps" in layer.metadata)


def test_a_run_gives_all_maps_in_order_and_says_the_score(viewer, photo, open_blind, run, untrained):
    source = viewer.add_image(photo, name="photo", scale=(2, 3))
    widget = open_blind()
    run(widget)
    expected = iq.assess(photo, weights=untrained["deepbqa"])
    assert kinds_of(viewer) == BLIND
    assert viewer.layers[0] is source
    for layer, (kind, quality_map) in zip(list(viewer.layers)[1:], expected.maps.items(), strict=True):
        assert layer.name == f"{quality_map.meaning.title}: photo"
        enough = "not_enough_evidence" not in quality_map.info
        assert layer.colormap.name == (quality_map.meaning.colormap if enough else "not enough evidence")
        assert layer.metadata["iqmaps"]["weights_sha256"] == quality_map.info["weights_sha256"]
        np.testing.assert_allclose(layer.data, quality_map.values, rtol=1e-5, err_msg=kind)
        np.testing.assert_array_equal(layer.scale, (2, 3))
    assert widget.summary.sentence.text() == expected.score.sentence()
    row = widget.summary.result.row()
    assert (row["file"], row["kind"]) == ("photo", "quality")
    assert row["score"] == pytest.approx(expected.score.value, rel=1e-6)
    assert row["mean_error"] == pytest.approx(expected.maps["error"].score, rel=1e-6)


def test_a_reference_adds_the_objective_error_below_the_others(viewer, photo, open_blind, run):
    viewer.add_image(photo, name="clean")
    noisy = np.clip(photo + np.random.default_rng(0).normal(0, 9, photo.shape), 0, 255).astype(np.uint8)
    viewer.add_image(noisy, name="noisy")
    widget = open_blind()
    boxes = widget.options["maps"].boxes
    widget.layers.images["image"].value = viewer.layers["noisy"]
    assert not boxes["objective_error"].isEnabled()
    run(widget)
    before = list(viewer.layers)[2:]
    widget.layers.images["reference"].value = viewer.layers["clean"]
    assert boxes["objective_error"].isEnabled()
    run(widget)
    assert kinds_of(viewer) == MAPS
    assert list(viewer.layers)[3:] == before
    np.testing.assert_allclose(viewer.layers[2].data, iq.objective_error_map(noisy, photo).values, rtol=1e-5)
    assert widget.summary.result.row()["reference"] == "clean"


def test_boxes_choose_the_maps_of_a_run_and_afterwards_without_another(viewer, photo, open_blind, run):
    viewer.add_image(photo, name="photo")
    widget = open_blind()
    widget.options["maps"].value = ["error", "sensitivity"]
    run(widget)
    assert kinds_of(viewer) == ("error", "sensitivity")
    first, last = list(viewer.layers)[1:]
    last.colormap = "gray"
    widget.options["maps"].value = ["error", "reliability", "sensitivity"]
    assert not widget.is_running
    assert kinds_of(viewer) == ("error", "reliability", "sensitivity")
    assert (viewer.layers[1], viewer.layers[3]) == (first, last)
    widget.options["maps"].value = ["sensitivity"]
    assert list(viewer.layers)[1:] == [last]
    assert last.colormap.name == "gray"
    widget.options["maps"].value = []
    assert list(viewer.layers)[1:] == [last]


def test_no_map_at_all_is_refused(viewer, photo, open_blind, run, told):
    viewer.add_image(photo, name="photo")
    widget = open_blind()
    widget.options["maps"].value = []
    run(widget)
    assert "Tick at least one" in told[-1]
    assert len(viewer.layers) == 1


def test_diqa_has_no_sensitivity(viewer, photo, open_blind, run, untrained):
    viewer.add_image(photo, name="photo")
    widget = open_blind()
    run(widget)
    widget.options["model"].value = "diqa"
    widget.options["weights"].value = untrained["diqa"]
    boxes = widget.options["maps"].boxes
    assert not boxes["sensitivity"].isEnabled()
    assert not boxes["perceptual_error"].isEnabled()
    run(widget)
    assert kinds_of(viewer) == ("error", "reliability")
    assert viewer.layers[-1].metadata["iqmaps"]["model"] == "diqa"


def test_a_second_run_goes_into_the_layers_that_the_user_tuned(viewer, photo, open_blind, run, untrained):
    image = viewer.add_image(photo, name="photo")
    widget = open_blind()
    run(widget)
    layers = list(viewer.layers)
    layers[2].name, layers[2].opacity = "mine", 0.5
    viewer.layers.remove(layers[3])
    image.data = 255 - photo // 2
    run(widget)
    assert kinds_of(viewer) == BLIND
    assert [viewer.layers[index] for index in (1, 2, 4)] == [layers[1], layers[2], layers[4]]
    assert (layers[2].name, layers[2].opacity) == ("mine", 0.5)
    expected = iq.assess(image.data, weights=untrained["deepbqa"]).maps
    np.testing.assert_allclose(layers[1].data, expected["error"].values, rtol=1e-5)


def test_the_histogram_is_of_the_chosen_map_or_of_the_selected_layer(viewer, photo, open_blind, run, tmp_path, finish,
                                                                      monkeypatch):  # fmt: skip
    viewer.add_image(photo, name="photo")
    widget = open_blind()
    run(widget)
    chooser = widget.summary.chooser
    assert [chooser.itemText(index) for index in range(chooser.count())] == [iq.KINDS[kind].title for kind in BLIND]
    assert widget.summary.chosen_map.quality_map.kind == "perceptual_error"
    chooser.setCurrentIndex(0)
    assert widget.summary.chosen_map.quality_map.kind == "error"
    viewer.layers.selection.active = viewer.layers[2]
    assert widget.summary.chosen_map.quality_map.kind == "reliability"
    viewer.layers.selection.active = viewer.layers[0]
    assert widget.summary.chosen_map.quality_map.kind == "reliability"
    # The system's file dialog cannot be driven by a test; everything behind it is real.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "map"), ""))
    widget.summary.save_map.click()
    finish(widget)
    assert iq.read_map(tmp_path / "map.tif").kind == "reliability"
    run(widget)
    assert widget.summary.chosen_map.quality_map.kind == "reliability"


def test_side_by_side_or_one_map_over_the_image(viewer, photo, open_blind, run):
    viewer.add_image(photo, name="photo")
    widget = open_blind()
    run(widget)
    grid = getattr(viewer, "canvas", viewer).grid
    assert grid.enabled
    assert all(layer.visible for layer in viewer.layers)
    widget.side_by_side.setChecked(False)
    assert not grid.enabled
    assert [layer.visible for layer in viewer.layers] == [True, False, False, False, True]
    viewer.layers.selection.active = viewer.layers[1]
    assert [layer.visible for layer in viewer.layers] == [True, True, False, False, False]
    run(widget)
    assert [layer.visible for layer in viewer.layers] == [True, True, False, False, False]


def test_each_shape_gets_means_a_score_or_the_reason_why_not(viewer, texture, open_blind, run, finish, untrained):
    viewer.add_image(texture, name="texture")
    shapes = viewer.add_shapes(
        [BOX, [[90, 90], [120, 130]], BOX + 1000, [[-5, -5], [-5, 200], [200, 200], [200, -5]]],
        shape_type=["rectangle", "line", "rectangle", "rectangle"], features={"cell": list("abcd")}, name="drawn",
    )  # fmt: skip
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    table = shapes.features
    expected = iq.assess(texture, weights=untrained["deepbqa"])
    assert list(table["cell"]) == list("abcd")
    assert list(table["pixels"]) == [64 * 64, 0, 0, texture.size]
    assert table["quality"][3] == pytest.approx(expected.score.value, rel=1e-5)
    assert list(table["enough_evidence"]) == [False, False, False, True]
    assert list(np.isfinite(table["quality"])) == [True, False, False, True]
    assert "about 4096 valid pixels" in table["not_enough_evidence"][0]
    assert "no valid pixel" in table["not_enough_evidence"][1]
    for kind in BLIND:
        inside = expected.maps[kind].values[8:72, 8:72].mean(dtype=float)
        assert table[f"mean_{kind}"][0] == pytest.approx(inside, rel=1e-5)
    assert viewer.layers[-1] is shapes
    assert list(shapes.text.values) == [f"{score:.0f}" for score in table["quality"]]
    assert "2 of 4" in widget.regions.label.text()


def test_shapes_are_measured_again_when_they_move_and_no_network_runs(
    viewer, texture, open_blind, run, finish, qtbot, patience
):
    viewer.add_image(texture, name="texture")
    widget = open_blind()
    run(widget)
    shapes = viewer.add_shapes([BOX], name="drawn")
    before = viewer.layers[1].data
    widget.layers.region.value = shapes
    qtbot.waitUntil(lambda: "quality" in shapes.features, timeout=patience)
    finish(widget)
    first = shapes.features["mean_error"][0]
    shapes.data = [BOX + 30]
    qtbot.waitUntil(lambda: shapes.features["mean_error"][0] != first, timeout=patience)
    shapes.add(BOX + np.array([0, 40]), shape_type="ellipse")
    assert np.isnan(shapes.features["quality"][1])
    qtbot.waitUntil(lambda: np.isfinite(shapes.features["quality"]).all(), timeout=patience)
    finish(widget)
    assert viewer.layers[1].data is before
    widget.layers.region.value = None
    assert widget.regions.isHidden()


def test_a_text_that_the_shapes_show_already_stays(viewer, texture, open_blind, run, finish):
    viewer.add_image(texture, name="texture")
    shapes = viewer.add_shapes([BOX], text={"string": {"constant": "mine"}}, name="drawn")
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    assert "quality" in shapes.features
    assert list(np.ravel(shapes.text.values)) == ["mine"]


def test_shapes_on_one_plane_of_a_stack_are_measured_there(viewer, texture, open_blind, run, finish, untrained):
    stack = np.stack([texture, 255 - texture // 3])
    viewer.add_image(stack, name="stack", scale=(4, 0.5, 0.5))
    drawn = np.column_stack([np.ones(4), BOX])
    shapes = viewer.add_shapes([drawn], name="drawn", scale=(4, 0.5, 0.5))
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    plane = iq.assess(stack[1], weights=untrained["deepbqa"]).maps["error"]
    assert shapes.features["mean_error"][0] == pytest.approx(plane.values[8:72, 8:72].mean(dtype=float), rel=1e-5)
    assert "on average over 2 planes" in widget.summary.sentence.text()


def test_the_table_of_regions_is_written(viewer, texture, open_blind, run, finish, tmp_path, monkeypatch):
    viewer.add_image(texture, name="texture")
    shapes = viewer.add_shapes([BOX, BOX + 20], name="drawn")
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "regions"), ""))
    widget.regions.save.click()
    finish(widget)
    with (tmp_path / "regions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["region"], row["shape"]) for row in rows] == [
        ("texture", "drawn", "0"),
        ("texture", "drawn", "1"),
    ]
    assert [float(row["score"]) for row in rows] == pytest.approx(list(shapes.features["quality"]))
    assert [float(row["mean_error"]) for row in rows] == pytest.approx(list(shapes.features["mean_error"]))
    assert all(row["not_enough_evidence"] for row in rows)


def test_a_lazy_stack_stays_lazy_and_all_its_planes_come_in_one_go(viewer, texture, open_blind, run, finish, untrained):
    stack = np.stack([texture, texture // 2])
    viewer.add_image(da.from_array(stack, chunks=(1, 80, 80)), name="lazy")
    shapes = viewer.add_shapes([BOX], name="drawn")
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    layers = [layer for layer in viewer.layers if "iqmaps" in layer.metadata]
    assert all(isinstance(layer.data, da.Array) for layer in layers)
    assert "not computed yet" in widget.summary.sentence.text()
    expected = iq.assess(stack, weights=untrained["deepbqa"])
    inside = expected.maps["error"].values[:, 8:72, 8:72].mean(dtype=float)
    assert shapes.features["mean_error"][0] == pytest.approx(inside, rel=1e-4)
    widget.summary.compute.click()
    finish(widget)
    assert [layer for layer in viewer.layers if "iqmaps" in layer.metadata] == layers
    for layer, quality_map in zip(layers, expected.maps.values(), strict=True):
        np.testing.assert_allclose(layer.data, quality_map.values, rtol=1e-4, atol=1e-5)
    assert widget.summary.sentence.text() == expected.score.sentence()


def test_maps_are_live_and_scores_of_regions_go_out_of_date_with_the_result(viewer, texture, open_blind, run, finish):
    viewer.add_image(np.stack([texture, texture // 2]), name="texture", contrast_limits=(0, 255))
    shapes = viewer.add_shapes([BOX], name="regions")
    widget = open_blind()
    widget.layers.region.value = shapes
    run(widget)
    finish(widget)
    heads = widget.summary.standing, widget.regions.standing
    for head in heads:
        assert head.heading.text().startswith("Image 'texture' · model deepbqa · weights deepbqa.safetensors · black 0")
    viewer.dims.set_current_step(0, 1)
    score = widget.summary.result.assessment.score
    assert widget.summary.plane.text() == score.plane_sentence((1,))
    widget.options["maps"].boxes["error"].setChecked(False)
    assert all(head.is_current for head in heads)
    assert widget.regions.save.isEnabled()
    widget.options["device"].value = "cpu"
    for head in heads:
        assert head.state.text() == "Out of date: the device is another."
    assert not widget.regions.save.isEnabled()


def test_regions_that_are_chosen_after_a_run_leave_its_result_current(viewer, texture, open_blind, run, finish):
    viewer.add_image(texture, name="texture")
    shapes = viewer.add_shapes([BOX], name="regions")
    widget = open_blind()
    run(widget)
    widget.layers.region.value = shapes
    finish(widget)
    assert widget.summary.standing.is_current
    assert widget.regions.save.isEnabled()
    shapes.translate = (3, 4)
    assert widget.summary.standing.is_current


def test_follow_runs_again_when_the_image_changes_and_not_when_shapes_do(
    viewer, photo, open_blind, untrained, qtbot, patience, finish
):
    image = viewer.add_image(photo, name="photo")
    shapes = viewer.add_shapes([BOX / 2], name="drawn")
    widget = open_blind()
    widget.layers.region.value = shapes
    widget.follow.setChecked(True)

    def shows(data):
        expected = iq.assess(data, weights=untrained["deepbqa"]).maps["error"].values
        qtbot.waitUntil(
            lambda: len(viewer.layers) == 6 and np.allclose(viewer.layers[1].data, expected), timeout=patience
        )
        finish(widget)

    shows(photo)
    image.data = photo[::-1].copy()
    shows(image.data)
    before = viewer.layers[1].data
    shapes.data = [BOX / 2 + 5]
    assert shapes.features["pixels"][0] > 0
    old = shapes.features["mean_error"][0]
    qtbot.waitUntil(lambda: shapes.features["mean_error"][0] != old, timeout=patience)
    finish(widget)
    assert viewer.layers[1].data is before


def test_cancel_leaves_the_earlier_result(viewer, texture, open_blind, run, finish, qtbot, patience):
    image = viewer.add_image(texture, name="texture")
    widget = open_blind()
    run(widget)
    before = [layer.data for layer in viewer.layers][1:]
    image.data = np.tile(texture, (12, 12))
    seen = []
    widget.run()
    (task,) = tasks.running()
    task.progressed.connect(lambda done, total: seen.append((done, total)))
    qtbot.waitUntil(lambda: bool(seen), timeout=patience)
    widget.button.click()
    finish(widget)
    qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
    assert seen[-1][0] < seen[-1][1]
    assert all(layer.data is data for layer, data in zip(list(viewer.layers)[1:], before, strict=True))
    assert "Stopped" in widget.status.text()


def test_light_is_refused(viewer, open_blind, run, told):
    from napari.layers import Layer

    from napari_iqmaps.plugin import samples

    viewer.add_layer(Layer.create(*samples.banded_pair()[0]))
    widget = open_blind()
    run(widget)
    assert "holds light in cd/m2" in told[-1]


def test_the_widget_may_go_during_a_run(viewer, texture, open_blind, untrained, qtbot, patience):
    viewer.add_image(np.tile(texture, (4, 4)), name="texture")
    widget = BlindQuality(viewer)
    widget.options["weights"].value = untrained["deepbqa"]
    widget.run()
    widget.deleteLater()
    del widget
    qtbot.waitUntil(lambda: not tasks.running(), timeout=patience)
    viewer.layers.selection.active = viewer.layers[0]
    viewer.add_image(texture)
    qtbot.wait(50)
    assert len(viewer.layers) == 2
