"""Maps go out with all that is known of them, and come back as what they were."""

import json
import pickle
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QApplication, QFileDialog
from skimage.io import imread

import napari_iqmaps as iq
from napari_iqmaps.core.io.map_file import read_record
from napari_iqmaps.core.score_columns import plain
from napari_iqmaps.plugin.canvas import canvas_of
from napari_iqmaps.plugin.distortion import DistortImage
from napari_iqmaps.plugin.layers import is_map
from napari_iqmaps.plugin.machine import MachineQuality
from napari_iqmaps.plugin.provenance import write_layer
from napari_iqmaps.plugin.reader import get_map_reader, read_map_layers

RNG = np.random.default_rng(2)
PHOTO = RNG.integers(188, 1200, (40, 50), dtype=np.uint16)
PLACE = {
    "scale": (0.5, 0.25),
    "translate": (7, -3),
    "rotate": 30,
    "shear": (0.2,),
    "affine": [[1, 0.1, 5], [0, 1.5, 6], [0, 0, 1]],
    "units": ("um", "um"),
    "axis_labels": ("row", "column"),
}


@pytest.fixture
def _own_manifest():
    """The manifest of this package, as an installation has it, beside napari's own readers and writers."""
    manager = PluginManager.instance()
    manager.discover()
    if "napari-iqmaps" in manager:
        manager.unregister("napari-iqmaps")
    manager.register(PluginManifest.from_file(Path(iq.__file__).with_name("napari.yaml")))
    yield
    manager.unregister("napari-iqmaps")


@pytest.fixture
def mapped(viewer, open_widget, finish):
    """Run the widget on a layer that lies askew; give the widget and the layer of the map."""

    def done(image=PHOTO, name="nuclei", **place):
        viewer.add_image(image, name=name, **(place or PLACE))
        widget = open_widget()
        widget.run()
        finish(widget)
        return widget, viewer.layers[-1]

    return done


@pytest.fixture
def save(monkeypatch, finish):
    def saved(widget, path):
        # The system's file dialog cannot be driven by a test; everything behind it is real.
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
        widget.summary.save_map.click()
        finish(widget)
        return path

    return saved


def assert_same(read, layer):
    np.testing.assert_array_equal(read.data, layer.data)
    for name in ("scale", "translate", "rotate", "shear", "contrast_limits"):
        np.testing.assert_allclose(getattr(read, name), getattr(layer, name), atol=1e-12, err_msg=name)
    np.testing.assert_allclose(read.affine.affine_matrix, layer.affine.affine_matrix)
    assert (read.name, read.units, read.axis_labels) == (layer.name, layer.units, layer.axis_labels)
    assert (read.colormap.name, read.rgb) == (layer.colormap.name, False)
    assert (is_map(read), read.colorbar.visible) == (True, True)
    for point in ((0, 0), (3, 7)):
        np.testing.assert_allclose(read.data_to_world(point), layer.data_to_world(point))
    for name in ("kind", "score", "unit", "sentence", "source", "data_range", "call", "time", "version"):
        assert plain(read.metadata["iqmaps"][name]) == plain(layer.metadata["iqmaps"][name]), name


def test_a_saved_map_opens_as_it_was(mapped, save, tmp_path):
    widget, layer = mapped()
    layer.contrast_limits, layer.colormap = (1.5, 6.25), "magma"
    path = save(widget, tmp_path / "map.tif")
    (read,) = get_map_reader(str(path))(str(path))
    assert_same(read, layer)


def test_other_programs_read_what_was_saved(mapped, save, tmp_path):
    widget, layer = mapped(scale=(0.5, 0.25), units=("um", "um"))
    path = save(widget, tmp_path / "map.tif")
    np.testing.assert_array_equal(imread(path), layer.data)
    with tifffile.TiffFile(path) as file:
        (high, low), unit = file.pages[0].tags["XResolution"].value, file.pages[0].tags["ResolutionUnit"].value
    assert (unit, 1e4 * low / high) == (3, pytest.approx(0.25))
    picture = save(widget, tmp_path / "map.png")
    assert read_record(picture)["info"]["space"]["scale"] == [0.5, 0.25]


def test_the_metadata_say_all_and_can_be_kept(mapped):
    _, layer = mapped()
    record = layer.metadata["iqmaps"]
    assert json.loads(json.dumps(plain(record)))["call"] == {
        "function": "threshold_map",
        "images": {"image": {"name": "nuclei", "path": "", "what": "uint16, 40 x 50"}},
        "options": {"model": "contrast", "data_range": list(record["data_range"])},
        "remarks": [],
    }
    assert plain(pickle.loads(pickle.dumps(layer.metadata))) == plain(layer.metadata)
    assert {"kind", "score", "data_range", "space", "version", "time", "source", "weights_sha256"} <= record.keys()


def test_a_map_of_a_command_or_of_python_looks_like_one_of_the_widgets(mapped, tmp_path):
    _, layer = mapped(scale=(1, 1))
    made = iq.threshold_map(PHOTO, model="contrast", data_range=layer.metadata["iqmaps"]["data_range"])
    path = iq.write_map(made, tmp_path / "nuclei_threshold.tif")
    (read,) = read_map_layers(str(path))
    assert (read.name, read.colormap.name) == (layer.name, layer.colormap.name)
    np.testing.assert_allclose(read.contrast_limits, layer.contrast_limits)
    record, own = read.metadata["iqmaps"], layer.metadata["iqmaps"]
    assert plain({name: record[name] for name in record if name in own and name != "source"}) == plain(
        {name: own[name] for name in record if name in own and name != "source"}
    )


def test_files_are_stacked_if_they_can_be(tmp_path):
    maps = [iq.threshold_map(PHOTO // count, model="contrast", data_range=(0, 1200)) for count in (1, 2)]
    paths = [str(iq.write_map(one, tmp_path / f"{number}_threshold.tif")) for number, one in enumerate(maps)]
    (layer,) = get_map_reader(paths)(paths)
    np.testing.assert_array_equal(layer.data, np.stack([one.values for one in maps]))
    np.testing.assert_allclose(layer.metadata["iqmaps"]["score"], [one.score for one in maps])
    small = iq.threshold_map(PHOTO[:30], model="contrast", data_range=(0, 1200))
    paths.append(str(iq.write_map(small, tmp_path / "2_threshold.tif")))
    with pytest.raises(iq.InputError, match="make no stack"):
        read_map_layers(paths)


@pytest.mark.parametrize(
    "info",
    [
        {"space": {"units": ("no such unit", "m")}},
        {"shown": {"limits": (3, 1), "colormap": "no such map"}},
        {"shown": {"limits": "wide", "colormap": 5}},
        {"shown": "dark", "source": 7},
    ],
)
def test_what_cannot_be_shown_is_left_aside(tmp_path, info):
    made = iq.QualityMap.of(RNG.uniform(1, 5, (20, 30)).astype(np.float32), "threshold", info)
    path = iq.write_map(made, tmp_path / "odd_threshold.tif")
    (layer,) = read_map_layers(str(path))
    np.testing.assert_allclose(layer.contrast_limits, made.meaning.display_limits(made.values))
    assert layer.colormap.name == "viridis"
    np.testing.assert_array_equal(layer.data, made.values)


def test_other_files_are_declined(tmp_path, mapped, save):
    widget, _ = mapped()
    path = save(widget, tmp_path / "map.tif")
    others = [save(widget, tmp_path / "map.png"), tmp_path / "plain.tif", tmp_path / "missing.tif", tmp_path]
    tifffile.imwrite(others[1], PHOTO)
    whole = path.read_bytes()
    for number, damaged in enumerate((b"", whole[:7], whole[:200], whole.replace(b'"kind"', b'"Kind"'), bytes(999))):
        others.append(tmp_path / f"damaged{number}_threshold.tif")
        others[-1].write_bytes(damaged)
    for other in others:
        assert get_map_reader(str(other)) is None, other
        assert get_map_reader([str(path), str(other)]) is None
    assert get_map_reader([]) is None


@pytest.mark.usefixtures("_own_manifest")
def test_napari_asks_nothing_for_an_ordinary_file(viewer, tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, PHOTO)
    (layer,) = viewer.open(path, plugin=None)  # which raises if there are several readers
    assert layer.source.reader_plugin == "napari"
    np.testing.assert_array_equal(layer.data, PHOTO)


@pytest.mark.usefixtures("_own_manifest")
def test_napari_opens_a_map_with_the_reader(viewer, mapped, save, tmp_path):
    widget, layer = mapped()
    path = save(widget, tmp_path / "nuclei_threshold.tif")
    viewer.layers.remove(layer)
    (read,) = viewer.open(path, plugin="napari-iqmaps")
    assert_same(read, layer)
    assert read.source.path == str(path)
    assert widget.layers.images["image"].choices == (viewer.layers["nuclei"],)


@pytest.mark.usefixtures("_own_manifest")
def test_a_map_that_another_reader_opened_is_a_map_all_the_same(viewer, mapped, save, tmp_path, open_widget):
    widget, layer = mapped()
    path = save(widget, tmp_path / "whatever.tif")
    viewer.open(save(widget, tmp_path / "picture.png"))
    viewer.layers.remove(layer)
    (read,) = viewer.open(path)
    assert_same(read, layer)
    viewer.layers.remove("nuclei")
    assert canvas_of(viewer).can_share_limits(read)  # it has its legend, its unit and its stamp
    viewer.layers.remove(read)
    (again,) = viewer.open(path)
    tifffile.imwrite(tmp_path / "plain.tif", PHOTO)
    (ordinary,) = viewer.open(tmp_path / "plain.tif")
    assert open_widget().layers.images["image"].choices == (ordinary,)
    assert is_map(again)


@pytest.mark.usefixtures("_own_manifest")
def test_a_map_that_was_there_before_the_widget_is_a_map(viewer, tmp_path, open_widget):
    made = iq.threshold_map(PHOTO, model="contrast", data_range=(0, 1200))
    (layer,) = viewer.open(iq.write_map(made, tmp_path / "map.tif"))
    assert not is_map(layer)
    assert open_widget().layers.images["image"].choices == ()
    assert (layer.name, layer.colormap.name) == ("Visibility threshold: map", "viridis")
    assert layer.metadata["iqmaps"]["sentence"] == made.sentence()


@pytest.mark.usefixtures("_own_manifest")
@pytest.mark.parametrize("colour", [False, True])
def test_an_image_that_was_made_here_keeps_its_record(viewer, tmp_path, open_widget, colour):
    from napari_iqmaps.core.io.image_file import ImageFile, write_picture

    image = np.repeat((PHOTO // 8).astype(np.uint8)[..., None], 3, axis=-1) if colour else (PHOTO // 8).astype(np.uint8)
    source = ImageFile(tmp_path / "photo.png", image, -1 if colour else None, "YXS" if colour else "YX")
    path = write_picture(image, tmp_path / "photo_jpeg_3.png", source, {"distortion": "jpeg", "severity": 3})
    (layer,) = viewer.open(path)
    widget = open_widget()
    assert layer.metadata["iqmaps_picture"] == {"distortion": "jpeg", "severity": 3}
    assert widget.layers.images["image"].value is layer


@pytest.mark.usefixtures("_own_manifest")
def test_napari_saves_a_map_with_its_record(viewer, mapped, tmp_path):
    _, layer = mapped()
    (path,) = layer.save(str(tmp_path / "map.iqmap.tif"))
    assert_same(*read_map_layers(path), layer)
    (picture,) = layer.save(str(tmp_path / "map.iqmap.png"))
    assert read_record(Path(picture))["kind"] == "threshold"
    with pytest.warns(UserWarning, match="is no map|did not return") as said:
        assert viewer.layers["nuclei"].save(str(tmp_path / "nuclei.iqmap.tif")) == []
    assert str(said[0].message).startswith("'nuclei' is no map")


@pytest.mark.usefixtures("_own_manifest")
def test_napari_saves_ordinary_images_as_before(viewer, tmp_path):
    (path,) = viewer.add_image(PHOTO).save(str(tmp_path / "plain.tif"))
    with tifffile.TiffFile(path) as file:
        assert "iqmaps" not in file.pages[0].software


def test_a_lazy_map_is_computed_to_be_saved(mapped, tmp_path):
    _, layer = mapped(da.from_array(np.stack([PHOTO, PHOTO // 2]), chunks=(1, 40, 50)), scale=(3, 1, 1))
    data, meta, _ = layer.as_layer_data_tuple()
    (path,) = write_layer(str(tmp_path / "lazy"), data, meta)
    assert path.endswith("lazy.iqmap.tif")
    again = iq.read_map(path)
    np.testing.assert_array_equal(again.values, np.asarray(layer.data))
    assert (again.info["space"]["scale"], again.score.shape) == ((3, 1, 1), (2,))


def test_the_same_row_is_not_added_twice(mapped, tmp_path, monkeypatch, finish, told):
    widget, _ = mapped()
    path = tmp_path / "scores.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    for _ in range(2):
        widget.summary.save_row.click()
        finish(widget)
    assert "already" in told[-1]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{lines[0]},mine\n{lines[1]},checked\n", encoding="utf-8")
    widget.summary.save_row.click()
    finish(widget)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    widget.options["observer"].value = "practised"
    widget.run()
    finish(widget)
    widget.summary.save_row.click()
    finish(widget)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3


def test_what_is_copied_makes_the_same_map(mapped, tmp_path, viewer):
    widget, layer = mapped()
    clipboard = QApplication.clipboard()
    widget.summary.copy.python.click()
    names = {"viewer": viewer}
    exec(clipboard.text(), names)
    np.testing.assert_array_equal(names["result"].values, layer.data)
    widget.summary.copy.command.click()
    assert "# The layer 'nuclei' is in no file" in clipboard.text()


def test_a_range_that_was_found_is_copied_as_numbers(viewer, open_widget, finish):
    viewer.add_image(PHOTO, name="nuclei")
    widget = open_widget()
    widget.range.rule.value = "data"
    widget.run()
    finish(widget)
    widget.summary.copy.python.click()
    assert f"data_range=({float(PHOTO.min())}, {float(PHOTO.max())})" in QApplication.clipboard().text()
    np.testing.assert_array_equal(ran(viewer).values, viewer.layers[-1].data)


@pytest.mark.usefixtures("_own_manifest")
def test_what_is_copied_reads_the_file_of_the_layer(viewer, tmp_path, open_widget, finish):
    path = tmp_path / "nuclei.tif"
    tifffile.imwrite(path, PHOTO)
    viewer.open(path)
    widget = open_widget()
    widget.run()
    finish(widget)
    widget.summary.copy.python.click()
    names = {}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["result"].values, viewer.layers[-1].data)


def test_a_distorted_copy_knows_how_it_was_made(viewer, qtbot, finish):
    viewer.add_image((PHOTO // 8).astype(np.uint8), name="photo")
    widget = DistortImage(viewer)
    qtbot.addWidget(widget)
    widget.run()
    finish(widget)
    record = viewer.layers[-1].metadata["iqmaps_picture"]
    assert (record["distortion"], record["call"]["function"]) == ("jpeg", "distort")
    json.dumps(plain(record))
    assert isinstance(viewer.layers[-1], Image)


def ran(viewer):
    """What the Python on the clipboard makes."""
    names = {"viewer": viewer}
    exec(QApplication.clipboard().text(), names)
    return names["result"]


def test_a_judgement_is_copied_with_its_registration_and_its_tolerance(add_trio, viewer, open_judge, judged, qtbot):
    add_trio()
    viewer.layers.remove("registered")
    widget = open_judge()
    widget.options["method"].value = "fast"
    result = judged(widget)
    widget.summary.copy.python.click()
    made = ran(viewer)
    np.testing.assert_array_equal(made.maps["diff_diff"].values, result.quality_map.values)
    assert made.score.row() == result.score.row()
    widget.tolerance.slider.value = 25.0
    qtbot.waitUntil(lambda: widget.summary.result.score.tol == 25)
    widget.summary.copy.python.click()
    assert "\n    tol=25.0,\n" in QApplication.clipboard().text()
    widget.summary.copy.command.click()
    assert " --register fast " in QApplication.clipboard().text()
    assert " --tol 25 " in QApplication.clipboard().text()
    assert viewer.layers["moving: registered"].metadata["iqmaps_picture"]["call"]["function"] == "register"


def test_a_judgement_of_a_registered_layer_is_copied(add_trio, viewer, open_judge, judged):
    add_trio()
    widget = open_judge()
    result = judged(widget)
    widget.summary.copy.python.click()
    np.testing.assert_array_equal(ran(viewer).maps["diff_diff"].values, result.quality_map.values)


def test_what_the_viewer_places_is_said_to_be_in_no_file(add_trio, viewer, open_judge, judged, shift):
    moving, registered, _ = add_trio()
    viewer.layers.remove(registered)
    moving.translate = [-step for step in shift]
    widget = open_judge()
    widget.options["method"].value = "as placed in the viewer"
    judged(widget)
    widget.summary.copy.python.click()
    text = QApplication.clipboard().text()
    assert "# 'moving' was judged where the viewer shows it" in text
    assert "\nregistered = ...  #" in text


def test_a_distortion_and_a_curve_are_copied(viewer, qtbot, finish):
    photo = (PHOTO // 8).astype(np.uint8)[:32, :32]
    viewer.add_image(photo, name="photo")
    widget = DistortImage(viewer)
    qtbot.addWidget(widget)
    widget.run()
    finish(widget)
    widget.copy.python.click()
    np.testing.assert_array_equal(ran(viewer), viewer.layers[-1].data)
    curves = MachineQuality(viewer)
    qtbot.addWidget(curves)
    curves.run_curve()
    finish(curves)
    curves.curves.copy.python.click()
    np.testing.assert_array_equal(ran(viewer).scores, curves.curves.curves[0].scores)


@pytest.mark.usefixtures("_own_manifest")
def test_a_copy_notices_that_a_layer_holds_other_pixels_than_its_file(viewer, open_widget, finish, tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, PHOTO)
    (layer,) = viewer.open(str(path))
    layer.data = layer.data[:32, :40]
    widget = open_widget()
    widget.run()
    finish(widget)
    widget.summary.copy.python.click()
    with pytest.raises(AssertionError, match="other pixels than its file"):
        exec(QApplication.clipboard().text(), {})


@pytest.mark.usefixtures("_own_manifest")
def test_a_stack_of_several_files_is_in_no_one_file(viewer, open_widget, finish, tmp_path):
    paths = [tmp_path / f"{number}.tif" for number in range(2)]
    for path in paths:
        tifffile.imwrite(path, PHOTO)
    viewer.open([str(path) for path in paths], stack=True)
    widget = open_widget()
    widget.run()
    finish(widget)
    widget.summary.copy.command.click()
    assert "# The layer '0' is in no file" in QApplication.clipboard().text()
    widget.summary.copy.python.click()
    assert 'viewer.layers["0"].data' in QApplication.clipboard().text()
