"""How every widget looks: the parts and their places, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from .inputs import InputSlot, LayerChoosers, RangeEdit
from .options import OptionWidget, make_options
from .summary import Summary


class Panel(QWidget):
    """The parts of a widget, from top to bottom.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Whose layers can be chosen.
    slots : sequence of InputSlot
        The images.
    functions : iterable of callable
        The core functions whose options are offered.
    main_options : sequence of str
        The options that are always visible; the others fold away.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(
        self,
        viewer: Any,
        slots: Sequence[InputSlot],
        functions: Iterable[Callable[..., Any]],
        main_options: Sequence[str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.layers = LayerChoosers(viewer, slots)
        self.range = RangeEdit()
        self.options = make_options(functions)
        self.message = _text()
        self.button = QPushButton("Run")
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Compute again whenever the images, the region or an option change.")
        self.status = _text()
        self.summary = Summary()
        main = _form([self.options[name] for name in main_options if name in self.options])
        more = _form([widget for name, widget in self.options.items() if name not in main_options])
        folded = QCollapsible("More options", expandedIcon="▾", collapsedIcon="▸")
        folded.addWidget(more.native)
        start = QHBoxLayout()
        start.addWidget(self.button, stretch=1)
        start.addWidget(self.follow)
        # The containers are kept because magicgui's widgets die with their Python side.
        self._forms = [_form([self.range]), main, more]

        inner = QWidget()
        column = QVBoxLayout(inner)
        column.addWidget(self.layers.native)
        column.addWidget(self._forms[0].native)
        column.addWidget(main.native)
        column.addWidget(folded)
        column.addWidget(self.message)
        column.addLayout(start)
        column.addWidget(self.status)
        column.addWidget(self.summary)
        column.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.status.hide()

    def say(self, text: str, failed: bool = False) -> None:
        """Tell the state of the work under the button.

        Parameters
        ----------
        text : str
            Empty for nothing to tell.
        failed : bool
            Whether it is an error, which stays to be read when the notification has gone.
        """
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self.status.setStyleSheet("font-weight: bold; color: #e5a33c;" if failed else "")


def _form(widgets: Sequence[OptionWidget]) -> Container:  # type: ignore[type-arg]
    form: Container = Container(widgets=widgets, labels=True)  # type: ignore[type-arg]
    form.margins = (0, 0, 0, 0)
    return form


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label
