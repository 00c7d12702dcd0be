"""The frame of every widget: choose layers and options, run in a thread, cancel, follow, show one result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

from napari.layers import Image
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from ..core import libraries
from ..core.errors import InputError, IqmapsError
from ..core.progress import Progress
from . import export
from .figure_view import FigureView
from .follower import REST_MILLISECONDS, Connections, Follower
from .inputs import REGION, InputSlot, LayerChoosers, RangeEdit
from .layers import LayerPixels, pixels_of, place_all
from .options import OptionWidget, make_options, read_options, takes
from .parts import button, form_of, wrapped
from .regions import Region, region_of
from .results import Request, Result, computed
from .summary import Summary
from .tasks import Task, report

_STANDARDS = frozenset({"reference", "fixed"})
"""Slots of the image that others are held against."""

Key = tuple[str, ...]
Taken = TypeVar("Taken")


class Panel(QWidget):
    """How every widget looks: its parts, from top to bottom, and no behaviour."""

    functions: ClassVar[tuple[Callable[..., Any], ...]] = ()
    """The core functions for which the widget stands."""

    slots: ClassVar[tuple[InputSlot, ...]] = ()
    """Which images they take."""

    main_options: ClassVar[tuple[str, ...]] = ()
    """Which of their options are always seen; all others are folded up."""

    region_slot: ClassVar[InputSlot | None] = REGION
    """What the chooser of the region says; None if no region can be chosen."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layers = LayerChoosers(viewer, self.slots, self.region_slot or REGION)
        self.range = RangeEdit()
        self.options = self.make_options(type(self).functions)
        self.message = wrapped()
        self.button = button("Run")
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Compute again whenever the images, the region or an option change.")
        self.status = wrapped()
        self.status.hide()
        self.summary = Summary()
        self._inner = QWidget()
        self._column = self._stacked()
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidget(self._inner)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._area)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make the option widgets, in their order; override to leave some out, or to make some otherwise."""
        return make_options(functions)

    def insert_above_summary(self, widget: QWidget) -> None:
        """Put a part of one's own between the state of the work and its result."""
        self._column.insertWidget(self._column.indexOf(self.summary), widget)

    def insert_below_summary(self, widget: QWidget) -> None:
        """Put a part of one's own under the result."""
        self._column.insertWidget(self._column.indexOf(self.summary) + 1, widget)

    def scroll_to(self, widget: QWidget) -> None:
        """Bring a part into view, as far as it fits."""
        self._inner.adjustSize()  # a part that has grown is not laid out before the next event
        self._area.ensureWidgetVisible(widget)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Be as wide as the parts need and no wider: the width is the canvas's, and height can be scrolled."""
        bar = self._area.verticalScrollBar()
        width = self._inner.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0)
        return QSize(width, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for the least width; a dock can be drawn wider."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def say(self, text: str, failed: bool = False) -> None:
        """Tell the state of the work under the button; an error stays to be read when its notification has gone."""
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self.status.setStyleSheet("font-weight: bold; color: #d08000;" if failed else "")

    def _stacked(self) -> QVBoxLayout:
        choosers = [*self.layers.images.values(), *([self.layers.region] if self.region_slot else [])]
        shown = [self.options[name] for name in self.main_options if name in self.options]
        others = [widget for name, widget in self.options.items() if name not in self.main_options]
        folded = QCollapsible("More options", expandedIcon="▾", collapsedIcon="▸")
        folded.addWidget(_filled(others))
        if not others:
            folded.hide()
        start = QHBoxLayout()
        start.addWidget(self.button, stretch=1)
        start.addWidget(self.follow)
        column = QVBoxLayout(self._inner)
        column.addWidget(_filled([*choosers, self.range, *shown]))
        column.addWidget(folded)
        column.addWidget(self.message)
        column.addLayout(start)
        column.addWidget(self.status)
        column.addWidget(self.summary)
        column.addStretch()
        return column


class MapWidget(Panel):
    """Base of the widgets that turn image layers into other layers: how a run starts, ends and is shown.

    A widget says what it takes (the attributes of `Panel`), what Run asks for (`request`) and what that is called
    (`describe`). It holds no numbers and computes nothing: that is the core's.
    """

    refuses_light: ClassVar[str] = ""
    """Why it cannot use light in cd/m2, such as "the networks judge display codes"; empty if it can."""

    progress_text: ClassVar[str] = "{done} of {total} tiles"

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.viewer = viewer
        self._task: Task | None = None
        self._run_again = False
        self._result_layers: dict[Key, list[Any]] = {}
        self._shown: tuple[Any, Key] | None = None
        self._chosen: list[int] | None = None
        self._follower = Follower(self)
        self._connections = Connections()
        self._range_connections = Connections()
        self._range_of: Any = None
        self._connect()
        self._on_theme()
        self._on_choice()
        QTimer.singleShot(REST_MILLISECONDS, libraries.warm_up)  # when the dock has been drawn

    # What a widget supplies

    def chosen_function(self) -> Callable[..., Any]:
        """Give the one of `functions` that fits what is chosen; override where there is more than one."""
        return type(self).functions[0]

    def describe(self) -> str:
        """Say what Run will compute."""
        return (self.chosen_function().__doc__ or "").strip().split("\n")[0]

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters for what is chosen; override where that depends on more than the function."""
        return takes(self.chosen_function(), name)

    def request(self) -> Request:
        """Take all that a run needs from the viewer, or say why that cannot be; override to add to it."""
        return Request(self.chosen_function(), self.pixels(), self.values())

    def result_key(self, request: Request) -> Key:
        """Say which layers a result goes into: those of an earlier result of the same key."""
        return (request.function.__name__, *(str(layer.unique_id) for layer in self.images()))

    def watched(self) -> list[Any]:
        """Give the layers of which a change calls for another run: all that are chosen, unless overridden."""
        return self.layers.chosen()

    def place(self, source: Any, key: Key, result: Any) -> list[Any]:
        """Put a result into the viewer; give the layers of its parts."""
        return place_all(self.viewer, result.parts, source, self._result_layers.get(key, ()))

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Be told that a result is in the viewer, with its layers, the map's last."""

    def on_running(self, is_running: bool) -> None:
        """Be told that a task starts or has ended."""

    # What a widget may use

    @property
    def source(self) -> Any:
        """The layer of the first slot, on whose pixels results lie; None if none is chosen."""
        return self.layers.first.value

    def layer(self, slot: str) -> Any:
        """Give the layer that is chosen in a slot, or None."""
        return self.layers.images[slot].value

    def images(self) -> list[Any]:
        """Give the layers that are chosen as images, in the order of the slots."""
        return [layer for layer in map(self.layer, self.layers.images) if layer is not None]

    def pixels(self) -> dict[str, LayerPixels]:
        """Take the pixels of the images, by their slots; slots that accept other layers are left to the widget."""
        taken = {
            slot.name: pixels_of(self.layer(slot.name), slot.role or slot.label.lower())
            for slot in self.slots
            if slot.accepts is None and not (slot.optional and self.layer(slot.name) is None)
        }
        for pixels in taken.values():
            if self.refuses_light and pixels.luminance == "absolute":
                raise InputError(f"{pixels.name!r} holds light in cd/m2; {self.refuses_light}.")
        return taken

    def values(self, function: Callable[..., Any] | None = None) -> dict[str, Any]:
        """Read the options that a function takes, of the chosen one if none is given, and the range of values."""
        self.range.describe(self.range_layer())  # its data may have got another type since it was chosen
        return read_options(self.options, function or self.chosen_function()) | {"data_range": self.range.value_given()}

    def range_layer(self) -> Any:
        """Give the layer whose black and white hold for all: the fixed image or the reference, if there is one."""
        return next(filter(None, map(self.layer, _STANDARDS & self.layers.images.keys())), self.source)

    def region(self, layer: Any, pixels: LayerPixels) -> Region | None:
        """Give the part of a layer in which to answer, or None for everywhere."""
        shapes = self.layers.region.value
        return None if shapes is None else region_of(shapes, layer, pixels.plane_shape)

    def taken(self, take: Callable[[], Taken]) -> Taken | None:
        """Take what a task needs from the viewer; None, after saying why, where that cannot be or a task is running."""
        if self.is_running:
            return None
        try:
            return take()
        except IqmapsError as error:
            self.say(report(error), failed=True)
            return None

    def start(self, work: Callable[[Progress], Any], name: str, text: str, then: Callable[[Any], None]) -> None:
        """Start work in a thread, say so, and go on with what it gives; nothing else may be running."""
        self._start(Task(work, name), text, then)

    # Life of a task

    def run(self) -> None:
        """Start a run, or say why it cannot start; does nothing while one is under way."""
        source = self.source
        request = self.taken(self.request)
        if request is not None:
            then = partial(self._on_result, source, self.result_key(request))
            self.start(request.run, request.name, "Running…", then)

    def cancel(self) -> None:
        """Stop what runs; an earlier result stays as it is."""
        self._run_again = False
        self._stop()

    @property
    def is_running(self) -> bool:
        """Whether a task is under way, or still on its way to a stop."""
        return self._task is not None

    def _start(self, task: Task, text: str, then: Callable[[Any], None]) -> None:
        self._task = task
        task.returned.connect(then)
        task.progressed.connect(self._on_progress)
        task.staged.connect(self._on_stage)
        task.failed.connect(partial(self.say, failed=True))
        task.cancelled.connect(self._on_cancelled)
        task.ended.connect(self._on_ended)
        # The task outlives the widget, so it is told when nobody waits for it any more.
        self.destroyed.connect(task.cancel)
        self.button.setText("Cancel")
        self.say(text)
        self.on_running(True)
        task.start()

    def _stop(self) -> None:
        if self._task is not None:
            self.button.setText("Stopping…")
            self.button.setEnabled(False)
            self._task.cancel()

    def _on_button(self) -> None:
        if self.is_running:
            self.cancel()
        else:
            self.run()

    def _on_result(self, source: Any, key: Key, result: Any) -> None:
        try:
            layers = self.place(source, key, result)
        except IqmapsError as error:
            self.say(str(error), failed=True)
            return
        self._result_layers[key] = layers
        self._shown = (source, key)
        if isinstance(result, Result):
            self.summary.show_result(result, layers)
        self.say("")
        self.on_placed(source, layers)

    def _on_progress(self, done: int, total: int) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(self.progress_text.format(done=done, total=total, share=done / total))

    def _on_stage(self, name: str) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(f"{name[0].upper()}{name[1:]}…")

    def _on_cancelled(self) -> None:
        self.say("Stopped. Earlier results are as they were.")

    def _on_ended(self) -> None:
        self._task = None
        self.button.setText("Run")
        self.button.setEnabled(True)
        self.on_running(False)
        if self._run_again:
            self._run_again = False
            self.run()

    # Following

    def _on_follow(self, _checked: bool = False) -> None:
        self._follower.stop()
        if self.follow.isChecked():
            self._follower.watch(self.watched())
            self._follower.trigger()

    def _on_change(self) -> None:
        """Compute again; what is under way is about pixels that are gone."""
        if self.is_running:
            self._run_again = True
            self._stop()
        else:
            self.run()

    def _on_choice(self, _value: Any = None) -> None:
        """Keep the words, the options and the follower in step with what is chosen."""
        self._describe_range()
        chosen = [id(layer) for layer in self.watched()]
        if chosen == self._chosen:
            return  # a layer came, went or was renamed; the inputs are the same
        self._chosen = chosen
        self._enable_options()
        if self.follow.isChecked():
            self._on_follow()

    def _describe_range(self) -> None:
        """Keep black and white in step with the layer that they are those of."""
        layer = self.range_layer()
        if layer is not self._range_of:
            self._range_of = layer
            self._range_connections.close()
            for name in ("contrast_limits", "gamma") if isinstance(layer, Image) else ():
                self._range_connections.connect(getattr(layer.events, name), self._on_shown)
        self.range.describe(layer)
        self._tell()

    def _on_shown(self, _event: Any = None) -> None:
        """Take note that a layer is shown otherwise than before."""
        before = self.range.black.value, self.range.white.value
        self._describe_range()
        if self.follow.isChecked() and before != (self.range.black.value, self.range.white.value):
            self._follower.trigger()

    def _tell(self) -> None:
        self.message.setText(" ".join(filter(None, (self.describe(), self.range.sentence()))))

    def _on_option(self, _value: Any = None) -> None:
        self._tell()
        self._enable_options()
        if self.follow.isChecked():
            self._follower.trigger()

    def _enable_options(self) -> None:
        for name, widget in self.options.items():
            widget.enabled = self.can_use(name)

    # Export

    def export(self, ask: Callable[[QWidget, Any], Task | None], what: Any) -> None:
        """Ask for a file and write something into it, if there is something to write and nothing is running."""
        if self.is_running or what is None:
            return
        task = ask(self, what)
        if task is not None:
            self._start(task, "Writing…", self._on_written)

    def _on_written(self, path: Any) -> None:
        self.say(f"Wrote {path}.")

    def _compute_all(self) -> None:
        if self.is_running or self.summary.result is None or self._shown is None:
            return
        work, then = partial(computed, self.summary.result), partial(self._on_result, *self._shown)
        self.start(work, "Computing all planes", "Computing all planes…", then)

    # Insides

    def _connect(self) -> None:
        self.button.clicked.connect(self._on_button)
        self.follow.toggled.connect(self._on_follow)
        self._follower.changed.connect(self._on_change)
        for chooser in self.layers.widgets:
            chooser.changed.connect(self._on_choice)
        self.range.changed.connect(self._on_option)
        for option in self.options.values():
            option.changed.connect(self._on_option)
        self.summary.map_wanted.connect(lambda: self.export(export.ask_for_map, self.summary.chosen_map))
        self.summary.row_wanted.connect(lambda: self.export(export.ask_for_row, self.summary.result))
        self.summary.compute_wanted.connect(self._compute_all)
        self._connections.connect(self.viewer.events.theme, self._on_theme)
        self._connections.connect(self.viewer.layers.selection.events.active, self._on_selected)
        self.destroyed.connect(self._connections.close)
        self.destroyed.connect(self._range_connections.close)
        self.destroyed.connect(self.layers.connections.close)

    def _on_selected(self, _event: Any = None) -> None:
        self.summary.choose(self.viewer.layers.selection.active)

    def _on_theme(self, _event: Any = None) -> None:
        theme = get_theme(self.viewer.theme)
        for view in self.findChildren(FigureView):
            view.set_theme(theme.background.as_hex(), theme.text.as_hex())


def _filled(widgets: Sequence[OptionWidget]) -> QWidget:
    parent = QWidget()
    form_of(parent, widgets).setContentsMargins(0, 0, 0, 0)
    return parent
