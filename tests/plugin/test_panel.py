"""What all widgets have in common: folds, keys, tooltips, words that are never markup, and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QWidget

from napari_iqmaps import InputError
from napari_iqmaps.core.ink import contrast
from napari_iqmaps.core.models import DEVICES
from napari_iqmaps.plugin import tasks
from napari_iqmaps.plugin.blind import BlindQuality
from napari_iqmaps.plugin.diff_diff import DiffDiff
from napari_iqmaps.plugin.distortion import DistortImage
from napari_iqmaps.plugin.hiding import HideMark
from napari_iqmaps.plugin.layers import LIGHT_KEY
from napari_iqmaps.plugin.machine import MachineQuality
from napari_iqmaps.plugin.options import EXPERT
from napari_iqmaps.plugin.parts import plainly, tip
from napari_iqmaps.plugin.standing import _DIMMED
from napari_iqmaps.plugin.visibility import VisibilityThresholds

WIDGETS = (VisibilityThresholds, BlindQuality, MachineQuality, HideMark, DistortImage, DiffDiff)
LEGIBLE = 4.5


@pytest.fixture(params=WIDGETS, ids=lambda made: made.__name__)
def panel(request, qtbot, viewer, photo):
    """Each widget, shown, with two layers to choose from."""
    viewer.add_image(photo, name="a")
    viewer.add_image(photo // 2, name="b")
    widget = request.param(viewer)
    qtbot.addWidget(widget)
    widget.resize(400, 2000)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def stops(widget):
    """Give where the Tab key stops, in its order, from the top."""
    chain, part = [], widget
    while (part := part.nextInFocusChain()) is not widget:
        if part.isVisibleTo(widget) and part.isEnabledTo(widget) and part.focusPolicy() & Qt.FocusPolicy.TabFocus:
            chain.append(part)
    return [part for part in chain if widget.isAncestorOf(part) and part.focusProxy() is None]


def unfold(widget):
    for fold in widget._folded:
        fold.head.setChecked(True)
    QApplication.processEvents()


def test_every_control_has_a_tooltip_in_plain_words(panel):
    unfold(panel)
    for stop in stops(panel):
        part = stop
        while not part.toolTip() and part.parentWidget() is not panel._inner:
            part = part.parentWidget()
        assert part.toolTip(), f"{stop} has no tooltip"
        assert not Qt.mightBeRichText(part.toolTip())
        assert max(map(len, part.toolTip().splitlines())) < 80


def test_the_tab_key_follows_the_eye(panel):
    unfold(panel)

    def place(part):
        at = part.mapTo(panel, QPoint(0, part.height() // 2))
        return at.y(), at.x()

    order = stops(panel)
    assert len(order) > 4
    for first, second in pairwise(order):
        (y, x), (below, right) = place(first), place(second)
        assert below > y + 6 or (abs(below - y) <= 6 and right > x), (first, second)


def test_what_is_folded_is_out_of_reach_until_it_is_opened(panel):
    folded = [fold for fold in panel._folded if fold.isVisible() and fold.head.isVisible()]
    inside = [part for fold in folded for part in fold.content.findChildren(QWidget)]
    assert not set(stops(panel)) & set(inside)
    unfold(panel)
    for fold in folded:
        assert set(stops(panel)) & set(fold.content.findChildren(QWidget))
    assert {name for fold, names in panel._folded.items() for name in names if "Expert" in fold.head.text()} == {
        name for name in panel.options if name in EXPERT and name not in panel.main_options
    }


def test_folds_count_what_is_changed_and_reset_brings_the_defaults_back(panel):
    before = {name: option.value for name, option in panel.options.items()}
    if "device" in panel.options:
        panel.options["device"].value = "cpu"
    if "tile" in panel.options:
        panel.options["tile"].value = "64"
    titles = [fold.head.text() for fold in panel._folded if not fold.isHidden() and not fold.head.isHidden()]
    if "device" in panel.options:
        assert titles == ["▸ More options (1 changed)", "▸ Expert (1 changed)"]
    panel.reset_button.click()
    assert {name: option.value for name, option in panel.options.items()} == before
    assert not any("changed" in fold.head.text() for fold in panel._folded)


def test_the_default_of_a_tone_mapped_layer_is_its_light(viewer, photo, open_widget):
    light = {"values": photo.astype(np.float32) * 4, "data_range": None, "notes": ()}
    viewer.add_image(photo, name="hdr", metadata={LIGHT_KEY: light})
    widget = open_widget()
    assert widget.options["luminance"].value == "absolute"
    widget.options["observer"].value = "practised"
    assert not any("changed" in fold.head.text() for fold in widget._folded)
    widget.reset_button.click()
    assert (widget.options["luminance"].value, widget.options["observer"].value) == ("absolute", "everyday")


def test_reset_lets_the_core_find_the_tolerance_again(viewer, photo, open_judge):
    viewer.add_image(photo, name="moving")
    viewer.add_image(photo // 2, name="fixed")
    widget = open_judge()
    widget.tolerance.slider.value = 40
    assert not widget.tolerance.is_automatic
    widget.reset_button.click()
    assert widget.tolerance.is_automatic


def test_the_device_is_the_same_control_everywhere(panel):
    if "device" in panel.options:
        device = panel.options["device"]
        assert (type(device).__name__, device.label, device.choices) == ("ComboBox", "Device", DEVICES)


def test_one_layer_cannot_be_two_of_the_images(panel, viewer, told):
    first, *others = panel.layers.images.values()
    if not others:
        return
    first.value = viewer.layers["a"]
    others[0].value = viewer.layers["a"]
    panel.run()
    assert not panel.is_running
    assert "'a' is chosen both as the" in told[-1]
    assert "'a' is chosen both as the" in panel.status.text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_errors_and_what_is_out_of_date_are_read_in_both_themes(viewer, panel, theme):
    viewer.theme = theme
    panel.say("it went wrong", failed=True)
    colours = get_theme(theme)
    ground, ink = QColor(colours.background.as_hex()), QColor(colours.text.as_hex())
    colour = QColor(panel.status.styleSheet().split("color: ")[1].rstrip(";"))
    assert contrast(colour.getRgbF(), ground.getRgbF()) >= LEGIBLE
    assert panel.status.text() == "Error: it went wrong"
    mixed = [_DIMMED * one + (1 - _DIMMED) * other for one, other in zip(ink.getRgb(), ground.getRgb(), strict=True)]
    assert contrast(QColor(*map(round, mixed)).getRgbF(), ground.getRgbF()) >= LEGIBLE


@pytest.fixture
def typing(viewer, photo, open_widget):
    viewer.add_image(np.tile(photo, (6, 6)), name="photo")
    widget = open_widget()
    widget.show()
    unfold(widget)
    return widget


@pytest.mark.parametrize("field", ["button", "model", "peak_luminance", "black_level", "black"])
def test_return_runs_and_escape_stops(typing, qtbot, finish, field):
    part = typing.button if field == "button" else getattr(typing.range, field, None) or typing.options[field]
    part = getattr(part, "native", part)
    part.setFocus()
    qtbot.keyClick(part, Qt.Key.Key_Return)
    assert typing.is_running
    qtbot.keyClick(part, Qt.Key.Key_Return)
    assert typing.is_running or field == "button"
    qtbot.keyClick(part, Qt.Key.Key_Escape)
    assert not typing.button.isEnabled()
    finish(typing)
    assert "Stopped" in typing.status.text()


def test_what_is_typed_last_is_what_return_runs_with(typing, qtbot, finish):
    white = typing.range.white.native
    white.setFocus()
    white.selectAll()
    qtbot.keyClicks(white, "200")
    qtbot.keyClick(white, Qt.Key.Key_Return)
    finish(typing)
    assert "black 0, white 200" in typing.summary.standing.heading.text()
    assert typing.summary.standing.is_current


@pytest.mark.parametrize("text", ["'<b>x</b>' is no", "Writing <i>a</i>.tif", "a &lt; b", "<p>"])
def test_names_are_never_markup(qapp, told, text):
    assert Qt.mightBeRichText(text)
    assert not Qt.mightBeRichText(plainly(text))
    assert not Qt.mightBeRichText(tip(text))
    tasks.report(InputError(text))
    assert not Qt.mightBeRichText(told[-1])
    assert plainly("1 < 2 & 3 > 2") == "1 < 2 & 3 > 2"


def test_the_bar_of_progress_shows_names_as_they_are(qtbot, patience):
    task = tasks.Task(lambda progress: None, "Writing <b>a</b>.tif")
    task.start()
    assert not Qt.mightBeRichText(task._bar.desc)
    qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)


def test_a_result_that_is_out_of_date_cannot_be_saved_nor_copied(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    ways_out = (widget.summary.save_map, widget.summary.save_row, widget.summary.copy)
    assert all(way_out.isEnabled() for way_out in ways_out)
    widget.options["stride"].value = 8
    assert not any(way_out.isEnabled() for way_out in ways_out)
