"""Maps in a viewer: values in words, legends, common limits, stamps, and names that follow, over a viewer model."""

import numpy as np
import pytest
from napari.layers import Image
from napari.layers.base import Layer

from napari_iqmaps.core.evidence import PLANES, STAMP
from napari_iqmaps.core.maps import QualityMap
from napari_iqmaps.plugin.canvas import canvas_of, place
from napari_iqmaps.plugin.results import Picture, Result
from napari_iqmaps.plugin.words_overlay import words_of

UNIT = "luminance code values (0..255)"


def mapped(high=10.0, kind="threshold", lead=(), **info):
    values = np.linspace(0, high, 20 * 30, dtype=np.float32).reshape(20, 30)
    values[0, 0] = np.nan
    return Result.of(QualityMap.of(np.broadcast_to(values, (*lead, 20, 30)).copy(), kind, info), ["photo"])


@pytest.fixture
def source(viewer):
    return viewer.add_image(np.zeros((20, 30), np.uint8), name="photo")


def status(layer, *position):
    return layer.get_status(position, dims_displayed=[0, 1], world=True)


def test_the_status_bar_has_the_value_with_its_unit(viewer, source):
    layer = place(viewer, mapped(), source)
    shown = status(layer, 12, 4)
    assert shown["layer_base"] == "Visibility threshold: photo"
    assert shown["coordinates"] == f"[12, 4]: 6.08 {UNIT}"
    assert status(layer, 0, 0)["value"] == "no answer"
    assert status(layer, 50, 0)["value"] == ""
    signed = place(viewer, mapped(kind="mark"), source)
    assert status(signed, 12, 4)["value"] == f"+6.08 {UNIT}"


def test_maps_from_files_and_copies_have_values_too(viewer, source):
    layer = place(viewer, mapped(), source)
    data, meta, kind = layer.as_layer_data_tuple()
    copy = viewer.add_layer(Layer.create(data, {**meta, "name": "copy"}, kind))
    assert status(copy, 12, 4)["value"] == f"6.08 {UNIT}"
    assert words_of(copy, "iqmaps_legend") == f"Visibility threshold\n{UNIT}"
    assert copy.colorbar.visible


def test_the_value_under_the_cursor_is_that_of_the_chosen_map(viewer, source):
    layer = place(viewer, mapped(), source)
    viewer.cursor.position = (12, 4)
    canvas = canvas_of(viewer)
    assert canvas.value_under_cursor(layer) == f"6.08 {UNIT}"
    viewer.cursor.position = (-9, 4)
    assert canvas.value_under_cursor(layer) == ""
    viewer.layers.remove(layer)
    assert canvas.value_under_cursor(layer) == ""


def test_the_legend_of_a_map_that_another_covers_is_hidden(viewer, source):
    first, second = place(viewer, mapped(), source), place(viewer, mapped(20), source)
    assert not first.colorbar.visible
    assert words_of(first, "iqmaps_legend") == ""
    assert words_of(second, "iqmaps_legend").startswith("Visibility threshold")
    second.visible = False
    assert first.colorbar.visible
    viewer.canvas.grid.enabled = True
    second.visible = True
    assert first.colorbar.visible
    second.colorbar.visible = False  # by hand
    viewer.canvas.grid.enabled = False
    second.visible = False
    second.visible = True
    assert not second.colorbar.visible


def test_maps_of_one_kind_share_the_widest_limits(viewer, source):
    first, second = place(viewer, mapped(10), source), place(viewer, mapped(40), source)
    wide = mapped(40).limits
    assert first.contrast_limits == second.contrast_limits == pytest.approx(list(wide))
    other = place(viewer, mapped(10, "objective_error"), source)
    assert other.contrast_limits[1] < 11
    viewer.layers.remove(second)
    assert first.contrast_limits == pytest.approx(list(mapped(10).limits))


def test_limits_that_the_user_set_are_left(viewer, source):
    first = place(viewer, mapped(10), source)
    first.contrast_limits = (1, 2)
    second = place(viewer, mapped(40), source)
    assert first.contrast_limits == [1, 2]
    canvas_of(viewer).set_own_limits(first, False)
    assert first.contrast_limits == second.contrast_limits
    canvas_of(viewer).set_own_limits(first, True)
    assert first.contrast_limits == pytest.approx(list(mapped(10).limits))
    assert second.contrast_limits == pytest.approx(list(mapped(40).limits))


def test_a_later_result_moves_the_common_limits(viewer, source):
    first, second = place(viewer, mapped(10), source), place(viewer, mapped(40), source)
    place(viewer, mapped(80), source, second)
    assert first.contrast_limits == second.contrast_limits == pytest.approx(list(mapped(80).limits))
    place(viewer, mapped(5), source, second)
    assert first.contrast_limits == second.contrast_limits == pytest.approx(list(mapped(10).limits))


def test_without_evidence_a_map_is_dimmed_and_stamped_until_there_is(viewer, source):
    layer = place(viewer, mapped(not_enough_evidence="it is small."), source)
    assert layer.colormap.name == "not enough evidence"
    assert np.ptp(layer.colormap.colors[:, :3], axis=1).max() == 0
    assert words_of(layer, "iqmaps_stamp") == STAMP
    place(viewer, mapped(), source, layer)
    assert layer.colormap.name == "viridis"
    assert words_of(layer, "iqmaps_stamp") == ""
    place(viewer, mapped(not_enough_evidence="it is small."), source, layer)
    layer.colormap = "magma"  # by hand
    place(viewer, mapped(), source, layer)
    assert layer.colormap.name == "magma"


def test_of_a_stack_the_plane_that_is_shown_is_stamped(viewer):
    source = viewer.add_image(np.zeros((3, 20, 30), np.uint8), name="stack")
    told = {"not_enough_evidence": "plane 1: it is small.", PLANES: [True, False, True]}
    layer = place(viewer, mapped(lead=(3,), **told), source)
    for plane, name in ((0, "viridis"), (1, "not enough evidence"), (2, "viridis")):
        viewer.dims.set_point(0, plane)
        assert layer.colormap.name == name
        assert words_of(layer, "iqmaps_stamp") == (STAMP if plane == 1 else "")


def test_names_follow_the_source_until_the_user_gives_another(viewer, source):
    layer = place(viewer, mapped(), source)
    picture = place(viewer, Picture("marked {0}", source.data, {"source": "photo"}), source)
    source.name = "sky"
    assert layer.name == "Visibility threshold: sky"
    assert layer.metadata["iqmaps"]["source"] == "sky"
    assert picture.name == "sky: marked {0}"
    assert picture.metadata["iqmaps_picture"]["source"] == "sky"
    layer.name = "mine"
    source.name = "grass"
    assert layer.name == "mine"
    assert layer.metadata["iqmaps"]["source"] == "grass"
    place(viewer, mapped(), source, layer)
    source.name = "sea"
    assert layer.name == "mine"
    viewer.layers.remove(source)
    source.name = "gone"
    assert picture.name == "sea: marked {0}"


def test_names_that_are_taken_are_told_apart_and_still_follow(viewer, source):
    other = viewer.add_image(np.zeros((20, 30)), name="Visibility threshold: photo")
    layer = place(viewer, mapped(), source)
    assert layer.name != other.name
    source.name = "sky"
    assert layer.name == "Visibility threshold: sky"


def test_the_selection_stays_the_user_s(viewer, source):
    other = viewer.add_image(np.zeros((20, 30)), name="other")
    viewer.layers.selection = [source, other]
    place(viewer, mapped(), source)
    assert set(viewer.layers.selection) == {source, other}
    viewer.layers.selection.clear()
    place(viewer, mapped(), source)
    assert not viewer.layers.selection


def test_other_layers_are_left_alone(viewer, source):
    canvas_of(viewer)
    plain = viewer.add_image(np.zeros((20, 30)), name="plain")
    assert isinstance(plain, Image)
    assert not plain.colorbar.visible
    assert "get_status" not in vars(plain)
