"""The widget "Machine-perceived quality": its map, its score, its curves, and where they go."""

import csv

import dask.array as da
import numpy as np
import pytest
from matplotlib.figure import Figure
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog

import napari_iqmaps as iq
from napari_iqmaps.plugin import samples
from napari_iqmaps.plugin.machine import CurveView, MachineQuality

SQUARE = np.array([[8, 8], [8, 47], [47, 47], [47, 8]], float)


@pytest.fixture(scope="session")
def metrifier(tmp_path_factory):
    """A narrow network before any training, whose map is not the same everywhere."""
    import torch

    from napari_iqmaps.core.networks.metrifier import Metrifier
    from napari_iqmaps.training.weights import write_weights

    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = Metrifier()
    network.head.weight.data *= 30
    network.uncertainty.deviations.fill_(0.1)
    path = tmp_path_factory.mktemp("weights") / "metrifier.safetensors"
    write_weights(path, "metrifier", network, {})
    return path


@pytest.fixture
def open_machine(qtbot, viewer, metrifier):
    def opened():
        widget = MachineQuality(viewer)
        qtbot.addWidget(widget)
        widget.options["weights"].value = metrifier
        return widget

    return opened


@pytest.fixture
def run(finish):
    def done(widget):
        widget.run()
        finish(widget)

    return done


@pytest.fixture
def curve(finish):
    """Ask for a curve of a distortion; give it."""

    def made(widget, distortion):
        widget.curves.distortion.value = distortion
        widget.curves.button.click()
        finish(widget)
        return widget.curves.curves[-1]

    return made


@pytest.fixture
def colours():
    return np.random.default_rng(3).integers(0, 256, (48, 56, 3), dtype=np.uint8)


def test_a_run_gives_the_map_and_says_the_score(viewer, colours, open_machine, run, metrifier):
    source = viewer.add_image(colours, name="photo", scale=(2, 3), translate=(1, 1))
    widget = open_machine()
    run(widget)
    expected = iq.machine_assess(colours, channel_axis=-1, weights=metrifier)
    layer = viewer.layers[-1]
    assert [each.name for each in viewer.layers] == ["photo", "Machine-perceived quality: photo"]
    np.testing.assert_allclose(layer.data, expected.maps["machine_quality"].values, atol=1e-5)
    np.testing.assert_array_equal(layer.scale, source.scale)
    assert tuple(layer.contrast_limits) == (0, 1)
    assert layer.colormap.name == expected.maps["machine_quality"].meaning.colormap
    assert widget.summary.sentence.text() == expected.score.sentence()
    assert widget.summary.result.histogram.shares.sum() == pytest.approx(1)
    row = widget.summary.result.row()
    assert (row["file"], row["kind"], row["unit"]) == ("photo", "machine_quality", "probability")
    assert row["score"] == pytest.approx(expected.score.value, abs=1e-6)
    assert row["weights_sha256"] == expected.maps["machine_quality"].info["weights_sha256"]
    run(widget)
    assert list(viewer.layers)[1:] == [layer]


def test_a_region_has_the_map_of_the_whole_image_and_a_score_of_its_own(viewer, colours, open_machine, run, metrifier):
    viewer.add_image(colours, name="photo")
    shapes = viewer.add_shapes([SQUARE], name="here")
    widget = open_machine()
    widget.layers.region.value = shapes
    run(widget)
    whole = iq.machine_quality_map(colours, channel_axis=-1, weights=metrifier).values
    layer = viewer.layers["Machine-perceived quality: photo"]
    answered = np.isfinite(layer.data)
    assert answered[8:48, 8:48].mean() > 0.9
    assert not answered[:7].any()
    np.testing.assert_allclose(layer.data[answered], whole[answered], atol=1e-5)
    assert widget.summary.sentence.text().startswith("In the region 'here':")
    row = widget.summary.result.row()
    assert row["region"] == "here"
    assert row["score"] == pytest.approx(layer.data[answered].mean(), abs=0.02)
    assert row["score"] != pytest.approx(whole.mean(), abs=1e-4)


def test_a_lazy_stack_is_computed_where_one_looks_and_then_scored(viewer, open_machine, run, finish, metrifier):
    stack = np.random.default_rng(0).integers(0, 4096, (3, 40, 44), dtype=np.uint16)
    viewer.add_image(da.from_array(stack, chunks=(1, 40, 44)), name="stack")
    widget = open_machine()
    widget.range.rule.value = "12 bit"
    run(widget)
    assert isinstance(viewer.layers[-1].data, da.Array)
    assert "not computed" in widget.summary.sentence.text()
    widget.summary.compute.click()
    finish(widget)
    expected = iq.machine_quality(stack, data_range=(0, 4095), weights=metrifier)
    np.testing.assert_allclose(widget.summary.result.row()["planes"], expected.planes, atol=1e-5)
    assert "3 planes" in widget.summary.sentence.text()


def test_a_curve_is_the_core_s_and_marks_where_it_fails(viewer, colours, open_machine, curve, metrifier):
    viewer.add_image(colours, name="photo")
    widget = open_machine()
    panel = widget.curves
    assert panel.view.isHidden()
    assert panel.save.isHidden()
    asked = {"channel_axis": -1, "weights": metrifier}
    middle = round(float(iq.machine_curve(colours, "darkening", **asked).scores.mean()), 2)
    expected = iq.machine_curve(colours, "darkening", fails_below=middle, **asked)
    panel.fails_below.value = middle
    made = curve(widget, "darkening")
    np.testing.assert_allclose(made.scores, expected.scores, atol=1e-5)
    assert np.isfinite(expected.fails_at)
    assert made.fails_at == pytest.approx(expected.fails_at, abs=1e-3)
    assert panel.words.text() == made.sentence()
    assert not panel.view.isHidden()
    assert len(viewer.layers) == 1
    assert widget.summary.result is None


def test_curves_of_one_image_are_shown_together_and_of_another_alone(viewer, colours, open_machine, curve):
    viewer.add_image(colours, name="photo")
    widget = open_machine()
    panel = widget.curves
    for name in ("gaussian_blur", "contrast_loss", "gaussian_blur"):
        curve(widget, name)
    assert [made.distortion for made in panel.curves] == ["contrast_loss", "gaussian_blur"]
    assert len(panel.words.text().splitlines()) == 2
    alone = _picture(panel.view)
    viewer.layers["photo"].data = 255 - colours
    curve(widget, "jpeg")
    assert [made.distortion for made in panel.curves] == ["jpeg"]
    assert _picture(panel.view) != alone
    panel.fails_below.value = 0.7
    curve(widget, "haze")
    assert [made.distortion for made in panel.curves] == ["haze"]
    panel.clear_button.click()
    assert panel.view.isHidden()
    assert panel.rows() == []


def test_curves_are_saved_as_a_table(viewer, photo, open_machine, curve, finish, tmp_path, monkeypatch, metrifier):
    viewer.add_image(photo, name="photo")
    widget = open_machine()
    for name in ("jpeg", "motion_blur"):
        made = curve(widget, name)
    asked = {}

    def answer(_parent, title, suggestion, *_args, **_options):
        asked.update(title=title, suggestion=suggestion)
        return str(tmp_path / "curves"), "Table (*.csv)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    widget.curves.save.click()
    finish(widget)
    assert asked == {"title": "Save the curves", "suggestion": "photo_curves.csv"}
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert [row["distortion"] for row in rows[5:7]] == ["jpeg", "motion_blur"]
    assert {row["file"] for row in rows} == {"photo"}
    assert [float(row["severity"]) for row in rows[6:]] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose([float(row["score"]) for row in rows[6:]], made.scores, atol=1e-6)
    assert {(row["kind"], row["unit"]) for row in rows} == {("machine_curve", "probability")}
    assert [row["strength"] for row in rows[:2]] == ["", "40.0"]
    assert rows[1]["strength_unit"] == "of 100"
    assert rows[0]["weights_sha256"] == made.info["weights_sha256"]
    assert "curves.csv" in widget.status.text()


def test_a_curve_can_be_cancelled_and_one_thing_runs_at_a_time(
    viewer, open_machine, finish, qtbot, patience, metrifier
):
    viewer.add_image(np.random.default_rng(1).integers(0, 256, (400, 400), dtype=np.uint8), name="large")
    widget = open_machine()
    widget.options["tile"].value = "64"
    widget.curves.button.click()
    assert not widget.curves.button.isEnabled()
    assert widget.button.text() == "Cancel"
    qtbot.waitUntil(lambda: "tiles" in widget.status.text(), timeout=patience)
    widget.run_curve()
    widget.button.click()
    finish(widget)
    assert widget.curves.curves == []
    assert "Stopped" in widget.status.text()
    assert widget.curves.button.isEnabled()


def test_what_cannot_be_judged_is_refused_in_words_by_both_buttons(viewer, photo, open_machine, run, finish, told):
    widget = open_machine()
    run(widget)
    assert "No image is chosen" in told[-1]
    viewer.add_image(photo / 255, name="float")
    widget.range.rule.value = "whole type"
    for start in (widget.run, widget.run_curve):
        told.clear()
        start()
        finish(widget)
        assert "black and white" in told[-1]
    assert widget.curves.distortion.choices == iq.distortions()


def test_a_uniform_image_has_no_score_and_no_curve_but_a_reason(viewer, open_machine, run, curve):
    viewer.add_image(np.full((40, 40), 90, np.uint8), name="grey")
    widget = open_machine()
    run(widget)
    assert "nearly uniform" in widget.summary.sentence.text()
    assert widget.summary.result.row()["score"] is None
    made = curve(widget, "gaussian_blur")
    assert np.isnan(made.scores).all()
    assert "no answer" in widget.curves.words.text()
    assert widget.curves.view.isHidden()


def test_the_plot_says_where_each_curve_fails(qtbot):
    def made(name, *scores):
        qualities = [iq.QualityScore.of(score, lower_is_better=False, range=(0, 1)) for score in scores]
        return iq.MachineCurve.of(name, (0, 1, 2, 3), qualities)

    view = CurveView()
    qtbot.addWidget(view)
    nowhere = made("contrast_loss", *[np.nan] * 4)
    view.show_curves([nowhere])
    assert view.isHidden()
    view.show_curves([
        made("jpeg", 0.9, 0.8, 0.6, 0.4), made("haze", 0.3, 0.2, 0.1, 0.1), nowhere,
        made("motion_blur", 0.9, 0.9, np.nan, 0.8),
    ])  # fmt: skip
    figure = Figure()
    view.fill(figure)
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["JPEG: fails at 2.5", "Haze: fails from the start", "Motion blur"]
    crosses = [line.get_xydata() for line in axes.lines if line.get_marker() == "X"]
    np.testing.assert_allclose(np.concatenate(crosses), [[2.5, 0.5]])


def test_the_theme_of_the_viewer_is_that_of_the_plot(viewer, photo, open_machine, curve):
    viewer.add_image(photo, name="photo")
    widget = open_machine()
    curve(widget, "jpeg")
    dark = _picture(widget.curves.view)
    viewer.theme = "light"
    light = _picture(widget.curves.view)
    assert light.pixelColor(2, 2).lightness() > dark.pixelColor(2, 2).lightness() + 100


def test_curves_say_what_they_are_of_and_when_that_is_past(viewer, photo, open_machine, curve, run):
    stack = viewer.add_image(np.stack([photo, photo // 2]), name="stack", contrast_limits=(0, 255))
    shapes = viewer.add_shapes([SQUARE], name="here")
    widget = open_machine()
    standing = widget.curves.standing
    curve(widget, "jpeg")
    assert standing.heading.text().startswith("Image 'stack' · ")
    assert "black 0, white 255" in standing.heading.text()
    widget.layers.region.value = shapes  # a curve is of the whole image
    widget.curves.distortion.value = "haze"
    assert standing.is_current
    widget.curves.fails_below.value = 0.7
    assert standing.state.text() == "Out of date: the limit of failing is another."
    assert not widget.curves.save.isEnabled()
    widget.curves.fails_below.value = 0.5
    assert standing.is_current
    run(widget)
    assert widget.summary.plane.text().startswith("Plane 0: ")
    stack.data = stack.data // 2
    for head in (standing, widget.summary.standing):
        assert head.state.text() == "Out of date: the data of 'stack' have changed."
    widget.curves.clear_button.click()
    assert standing.isHidden()


def test_a_curve_stops_when_its_image_is_removed(viewer, open_machine, finish):
    image = viewer.add_image(np.random.default_rng(1).integers(0, 256, (400, 400), dtype=np.uint8), name="large")
    widget = open_machine()
    widget.options["tile"].value = "64"
    widget.curves.button.click()
    viewer.layers.remove(image)
    finish(widget)
    assert widget.curves.curves == []
    assert "'large' was removed; the run was stopped." in widget.status.text()


def test_the_sample_of_severities_can_be_judged_plane_by_plane(viewer, open_machine, metrifier):
    (layer,) = samples.severities()
    stack = viewer.add_layer(Layer.create(*layer))
    assert stack.rgb
    assert stack.data.shape[0] == 6
    worse = [np.abs(plane.astype(int) - stack.data[0]).mean() for plane in stack.data]
    assert worse[0] == 0
    assert np.all(np.diff(worse) > 0)
    widget = open_machine()
    assert widget.layers.images["image"].value is stack
    assert (widget.range.black.value, widget.range.white.value) == ("0", "255")


def _picture(view):
    view.resize(280, 220)
    return view.grab().toImage()
