"""Parts of a panel that is narrow: rows of buttons, words and lists."""

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox, QWidget

from napari_iqmaps.plugin.parts import Flow, as_wide_as_its_place, button, wrapped

NAME = "a_name_as_long_as_that_of_a_file_from_a_microscope_channel_488"


def test_buttons_break_into_even_rows_that_fill_the_width(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    buttons = [button(name) for name in ("Before", "After", "Mark", "Visibility", "All")]
    flow = Flow(buttons)
    panel.setLayout(flow)
    panel.show()
    widest = max(made.sizeHint().width() for made in buttons)
    assert flow.minimumSize().width() == widest
    for width, rows in ((2000, 1), (3 * widest + 8, 2), (widest, 5)):
        panel.resize(width, flow.heightForWidth(width))
        flow.activate()
        tops = [made.y() for made in buttons]
        assert len(set(tops)) == rows
        for top in set(tops):
            row = [made for made in buttons if made.y() == top]
            assert sum(made.width() for made in row) + 4 * (len(row) - 1) == panel.width()


def test_a_long_name_breaks_and_is_read_as_it_is(qtbot):
    label = wrapped()
    qtbot.addWidget(label)
    label.setText(f"Made {NAME!r}.\nSecond line")
    assert label.text() == f"Made {NAME!r}.\nSecond line"
    assert label.minimumSizeHint().width() < label.fontMetrics().horizontalAdvance(NAME) / 2


def test_a_list_is_narrow_and_its_choices_open_as_wide_as_they_are(qtbot):
    box = QComboBox()
    qtbot.addWidget(box)
    as_wide_as_its_place(box)
    box.addItems([NAME, "b"])
    box.resize(100, 24)
    box.show()
    QTest.mouseClick(box, Qt.MouseButton.LeftButton)
    assert box.view().width() > box.fontMetrics().horizontalAdvance(NAME) > box.width()
    box.hidePopup()
