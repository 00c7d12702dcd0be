"""napari's preferences are what the options of every widget start from, and go back to."""

import os
from pathlib import Path

import numpy as np
import pytest
from napari.settings import get_plugin_settings

from napari_iqmaps.core.signatures import parameters_of
from napari_iqmaps.plugin import tasks
from napari_iqmaps.plugin.blind import BlindQuality
from napari_iqmaps.plugin.diff_diff import DiffDiff
from napari_iqmaps.plugin.distortion import DistortImage
from napari_iqmaps.plugin.hiding import HideMark
from napari_iqmaps.plugin.inputs import RangeEdit
from napari_iqmaps.plugin.machine import MachineQuality
from napari_iqmaps.plugin.visibility import VisibilityThresholds

NAME = "napari-iqmaps"


@pytest.fixture
def preferences():
    """The settings of the plugin, which are put back at the end."""
    stored = get_plugin_settings(NAME)
    assert stored.config_path.parent == Path(os.environ["NAPARI_CONFIG"]).parent
    before = stored.defaults.model_dump()
    yield stored.defaults
    stored.defaults.update(before)


def test_the_choices_are_those_of_the_functions_and_of_the_range(qapp, preferences):
    choices = {name: field["enum"] for name, field in type(preferences).model_json_schema()["properties"].items()}
    (threshold, *_), (quality, *_) = VisibilityThresholds.functions, BlindQuality.functions
    assert tuple(choices["threshold_model"]) == parameters_of(threshold)["model"].choices
    assert tuple(choices["quality_model"]) == parameters_of(quality)["model"].choices
    assert tuple(choices["device"]) == parameters_of(threshold)["device"].choices
    assert {*choices["range_rule"], "typed"} == set(RangeEdit().rule.choices)
    defaults = preferences.model_dump()
    assert defaults["threshold_model"] == parameters_of(threshold)["model"].default
    assert defaults["quality_model"] == parameters_of(quality)["model"].default
    assert (defaults["device"], defaults["range_rule"]) == ("auto", RangeEdit().rule.value)


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (VisibilityThresholds, "contrast"),
        (HideMark, "contrast"),
        (BlindQuality, "diqa"),
        (MachineQuality, None),
        (DistortImage, None),
        (DiffDiff, None),
    ],
)
def test_every_widget_starts_from_the_preferences_and_goes_back_to_them(qtbot, viewer, preferences, kind, model):
    preferences.update(
        {"threshold_model": "contrast", "quality_model": "diqa", "device": "cpu", "range_rule": "12 bit"}
    )
    viewer.add_image(np.arange(12, dtype=np.uint16).reshape(3, 4), name="cells")
    widget = kind(viewer)
    qtbot.addWidget(widget)
    assert widget.range.value_given() == (0, 4095)
    expected = {"model": model, "device": "cpu"}
    for name, value in expected.items():
        if value in getattr(widget.options.get(name), "choices", ()):
            assert widget.options[name].value == value
            widget.options[name].value = widget.options[name].choices[0]
    widget.range.white.value = "7"
    widget.reset()
    assert widget.range.value_given() == (0, 4095)
    for name, value in expected.items():
        if value in getattr(widget.options.get(name), "choices", ()):
            assert widget.options[name].value == value


def test_an_open_widget_takes_other_preferences_where_nothing_was_changed(viewer, open_widget, preferences):
    widget = open_widget()
    widget.options["model"].value = "pnet"
    widget.options["stride"].value = 8
    preferences.threshold_model = "contrast"
    assert widget.options["model"].value == "contrast"
    widget.options["model"].value = "pnet"
    preferences.range_rule = "10 bit"
    assert (widget.options["model"].value, widget.range.rule.value) == ("pnet", "10 bit")
    widget.reset()
    assert (widget.options["model"].value, widget.options["stride"].value) == ("contrast", 4)


def test_a_device_that_is_not_there_gives_way_to_auto_and_is_said(viewer, open_widget, preferences, qtbot, patience):
    preferences.device = "mps"  # no machine that runs these tests has one
    widget = open_widget()
    assert widget.options["device"].value == "mps"
    qtbot.waitUntil(lambda: not tasks.running() and widget.status.text() != "", timeout=patience)
    assert "no usable 'mps' device" in widget.status.text()
    assert "auto is used" in widget.status.text()
    assert widget.options["device"].value == "auto"
    widget.reset()
    assert widget.options["device"].value == "auto"


def test_values_that_are_not_offered_any_more_are_the_defaults(preferences):
    with pytest.raises(ValueError, match="not one of the allowed"):
        preferences.threshold_model = "gone"
    assert preferences.threshold_model == "pnet"
