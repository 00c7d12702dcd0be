"""The widget "Diff-diff: judge a registration" in a real window.

As in `test_window`, the pictures can be kept: ``IQMAPS_SCREENSHOTS=docs/images pytest tests/viewer``.
"""

import numpy as np
import pytest

from napari_iqmaps.plugin import samples


@pytest.fixture
def judging(viewer, qtbot):
    """Open a sample and the widget as the menus do."""

    def opened(sample):
        for data, options, _ in sample():
            viewer.add_image(data, **options)
        _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Diff-diff: judge a registration")
        qtbot.wait(300)
        return widget

    return opened


@pytest.fixture
def look(finish, qtbot, picture):
    """Press one of the views or figures, and take a picture."""

    def looked(widget, name, what):
        if what in widget.closer.buttons:
            widget.closer.buttons[what].click()
            finish(widget)
            qtbot.wait(50)
        else:
            widget.views.button(what).click()
        return picture(name)

    return looked


def test_it_registers_and_judges_in_changed_light(viewer, judging, finish, look):
    widget = judging(samples.relit_registration)
    widget.layers.images["registered"].value = None
    widget.button.click()
    finish(widget)
    result = widget._current[0]
    assert result.registrations[0].accepted
    assert result.score.verdict == "better"
    shown = viewer.layers["Diff-diff: moving → fixed"]
    assert shown.visible
    assert shown.colorbar.visible
    look(widget, "diff_diff_good", "Map")
    pictures = [look(widget, f"diff_diff_{name.lower()}", name) for name in ("Ladder", "Shifts")]
    assert (pictures[0] != pictures[1]).any()
    assert not widget.closer.view.visibleRegion().isEmpty()
    widget.layers.images["registered"].value = viewer.layers["registered"]
    del viewer.layers[3:]
    shares = []
    for illumination in ("none", "before"):
        widget.options["illumination"].value = illumination
        widget.button.click()
        finish(widget)
        look(widget, f"diff_diff_light_{illumination}", "Blocks")
        shares.append(widget._current[0].score.score)
    assert shares[0] < 0.6
    assert shares[1] > 0.95


def test_the_wrong_way_and_a_shaking_series(viewer, judging, finish, look):
    widget = judging(samples.wrong_way_registration)
    widget.button.click()
    finish(widget)
    assert widget._current[0].score.verdict == "worse"
    look(widget, "diff_diff_wrong_way", "Map")
    assert np.nanmean(viewer.layers["Diff-diff: registered → fixed"].data) < 0
    viewer.layers.clear()
    series, fixed = (viewer.add_image(data, **options) for data, options, _ in samples.shaking_series())
    widget.layers.images["moving"].value = series
    widget.layers.images["fixed"].value = fixed
    widget.options["method"].value = "fast"
    widget.button.click()
    finish(widget)
    assert len(widget._current[0].registrations) == 9
    viewer.dims.set_current_step(0, 3)
    look(widget, "diff_diff_series", "Map")
    assert widget.summary.plane.text().startswith("Plane 3: ")
