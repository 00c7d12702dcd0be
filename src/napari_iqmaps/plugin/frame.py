"""The frame of every widget: choose layers and options, run in a thread, cancel, follow, show one result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from napari.layers import Image
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QWidget,
)

from ..core import libraries
from ..core.display import SDR_WHITE
from ..core.errors import InputError, IqmapsError
from ..core.progress import Progress
from . import export, settings
from .arrangement import Arrangement
from .canvas import canvas_of, letters_of_legends, place_all
from .figure_view import FigureView
from .follower import REST_MILLISECONDS, Connections, Follower, timer
from .layers import LayerPixels, bare, holds, pixels_of, plane_of_view
from .map_bar import MapBar
from .options import read_options, takes
from .panel import Panel
from .regions import Region, region_of
from .results import Request, Result, computed
from .snapshot import RANGE, Snapshot
from .standing import Standing
from .tasks import Task, report

_STANDARDS = frozenset({"reference", "fixed"})
"""Slots of the image that others are held against."""

_LETTER_MILLISECONDS = 20
_NOTHING: Mapping[str, Any] = MappingProxyType({})

Key = tuple[str, ...]
Taken = TypeVar("Taken")


class MapWidget(Panel):
    """Base of the widgets that turn image layers into other layers: how a run starts, ends and is shown.

    A widget says what it takes (the attributes of `Panel`), what Run asks for (`request`) and what that is called
    (`describe`). It holds no numbers and computes nothing: that is the core's.
    """

    refuses_light: ClassVar[str] = ""
    """Why it cannot use light in cd/m2, such as "the networks judge display codes"; empty if it can."""

    progress_text: ClassVar[str] = "{done} of {total} tiles"

    live_options: ClassVar[tuple[str, ...]] = ()
    """Options of what is shown of a result, which do not make it out of date."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.viewer = viewer
        self._task: Task | None = None
        self._input: Snapshot | None = None
        self._why_stopped = ""
        self._dated: dict[Standing, tuple[Snapshot, Callable[[], Snapshot]]] = {}
        self._run_again = False
        self._result_layers: dict[Key, list[Any]] = {}
        self._shown: tuple[Any, Key] | None = None
        self._chosen: list[int] | None = None
        self._names: dict[int, str] = {}
        self.arrangement = Arrangement(viewer)
        canvas_of(viewer)  # attends to maps that are there or come from files
        self.map_bar = MapBar(viewer, lambda: self.summary.chosen_layer)
        self.summary.add_below_sentence(self.map_bar)
        self._follower = Follower(self)
        self._connections = Connections()
        self._range_connections = Connections()
        self._range_of: Any = None
        self._connect()
        self._on_theme()
        self._on_choice()
        self._look_for_device()
        self._letters = letters_of_legends(viewer)
        self._letter_timer = timer(self, _LETTER_MILLISECONDS, self._make_letter)
        QTimer.singleShot(REST_MILLISECONDS, self._warm_up)  # when the dock has been drawn

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

    def entered(self) -> dict[str, Any]:
        """Give what enters a run besides layers, options and range: what it is called, to its value."""
        return {}

    def placed(self) -> tuple[str, ...]:
        """Give which inputs enter a run with the place where the viewer shows them."""
        return () if self.layers.region.value is None else ("region", self.slots[0].label.lower())

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
        self._refuse_twice()
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

    def start(
        self,
        work: Callable[[Progress], Any],
        name: str,
        text: str,
        then: Callable[..., None],
        of: Snapshot | None = None,
    ) -> None:
        """Start work in a thread, say so, and go on with what it gives; nothing else may be running.

        With `of`, what enters the work, it stops when one of the layers is removed. If that has not been read, it is
        read first, and `then` is given it, too.
        """
        if of is not None and of.contents:
            moments = {role: self._follower.moment(layer) for role, layer in self.inputs().items()}
            work, then = partial(_dated, of, work), partial(self._on_dated, then, moments)
        self._start(Task(work, name), text, then)
        self._input = of

    # What a result is of, and whether it still holds

    def inputs(self) -> dict[str, Any]:
        """Give the layers that enter a run: what they are in it, to the layer."""
        roles = {slot.label.lower(): self.layer(slot.name) for slot in self.slots}
        watched = self.watched()
        return {
            role: layer
            for role, layer in {**roles, "region": self.layers.region.value}.items()
            if layer is not None and holds(watched, layer)
        }

    def snapshot(self) -> Snapshot:
        """Take note of what would enter a run now."""
        layers = self.inputs()
        options = {
            option.label[:1].lower() + option.label[1:]: option.value
            for name, option in self.options.items()
            if self.can_use(name) and name not in self.live_options
        }
        black, white = self.range.ends
        rule = "" if black or white else str(self.range.rule.value)  # by which they are found in the run
        settings = {RANGE: (black, white, rule), **options, **self.entered()}
        return Snapshot.of(layers, settings, self._follower.print_of, self.placed())

    def date(
        self,
        standing: Standing,
        of: Snapshot,
        info: Mapping[str, Any] = _NOTHING,
        now: Callable[[], Snapshot] | None = None,
    ) -> None:
        """Head a result with what it is of; it is out of date as soon as that differs from what would enter now."""
        standing.head(of.heading(*_said(of, info)))
        self._dated[standing] = (of, now or self.snapshot)
        self._check()

    def restate(self, standing: Standing, settings: Mapping[str, Any]) -> None:
        """Take note that a result is by now one of other settings."""
        of, now = self._dated[standing]
        self._dated[standing] = (of.having(settings), now)
        self._check()

    def forget(self, standing: Standing) -> None:
        """Take note that a result is gone."""
        self._dated.pop(standing, None)
        standing.head("")

    def of(self, standing: Standing) -> Snapshot | None:
        """Give what a result is of, if there is one."""
        return self._dated[standing][0] if standing in self._dated else None

    def _check(self, _value: Any = None) -> None:
        """Say of each result what of its inputs is another by now."""
        present = [str(layer.unique_id) for layer in self.viewer.layers]
        for standing, (then, now) in self._dated.items():
            standing.show_differences(then.differences(now(), present))

    def _refuse_twice(self) -> None:
        """Stop at a layer that is chosen for two of the images."""
        taken: dict[int, str] = {}
        for slot in self.slots:
            layer, role = self.layer(slot.name), slot.role or slot.label.lower()
            if layer is None:
                continue
            if id(layer) in taken:
                none = ", or none" if slot.optional else ""
                raise InputError(
                    f"{layer.name!r} is chosen both as the {taken[id(layer)]} and as the {role}. Choose another layer"
                    f"{none} as the {role}."
                )
            taken[id(layer)] = role

    def choose(self, layer: Any) -> None:
        """Take a layer as the image to work on, if it can be one."""
        if holds(self.layers.first.choices, layer):
            self.layers.first.value = layer
        else:
            self.say(f"{layer.name!r} is no image that can be chosen here. Choose one above.")

    # Life of a task

    def run(self) -> None:
        """Start a run, or say why it cannot start; does nothing while one is under way."""
        source = self.source
        request = self.taken(self.request)
        if request is not None:
            then = partial(self._on_result, source, self.result_key(request))
            self.start(request.run, request.name, "Running…", then, self.snapshot())

    def on_return(self) -> None:
        """Run."""
        self.run()

    def on_escape(self) -> bool:
        """Stop what runs."""
        running = self.is_running
        self.cancel()
        return running

    def cancel(self) -> None:
        """Stop what runs; an earlier result stays as it is."""
        self._run_again = False
        self._stop()

    @property
    def is_running(self) -> bool:
        """Whether a task is under way, or still on its way to a stop."""
        return self._task is not None

    def _start(self, task: Task, text: str, then: Callable[[Any], None]) -> None:
        self._task, self._input, self._why_stopped = task, None, ""
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

    def _on_dated(self, then: Callable[..., None], moments: Mapping[str, int], given: tuple[Snapshot, Any]) -> None:
        """Go on with a result, and know what its thread has read of the layers that are still chosen."""
        of, result = given
        for role, layer in self.inputs().items():
            read = of.prints.get(role)
            if read is not None and of.layers[role] == str(layer.unique_id):
                self._follower.know(layer, read, moments[role])
        then(result, of)

    def _on_result(self, source: Any, key: Key, result: Any, of: Snapshot | None = None) -> None:
        try:
            layers = self.place(source, key, result)
        except IqmapsError as error:
            self.say(str(error), failed=True)
            return
        self._result_layers[key] = layers
        self.arrangement.own(*layers)
        self._shown = (source, key)
        if isinstance(result, Result):
            self.summary.show_result(result, layers)
            if of is not None:
                self.date(self.summary.standing, of, result.quality_map.info)
            self.say_plane()
        self.map_bar.refresh()
        self.say("")
        self.on_placed(source, layers)

    def _on_progress(self, done: int, total: int) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(self.progress_text.format(done=done, total=total, share=done / total))

    def _on_stage(self, name: str) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(f"{name[0].upper()}{name[1:]}…")

    def _on_cancelled(self) -> None:
        self.say(self._why_stopped or "Stopped. Earlier results are as they were.", failed=bool(self._why_stopped))

    def _on_removed(self, event: Any) -> None:
        """Stop what runs on a layer that has gone."""
        if self._task is not None and self._input is not None and self._input.holds(event.value):
            self._why_stopped = f"{event.value.name!r} was removed; the run was stopped."
            self.cancel()
        self.map_bar.refresh()
        self._check()

    def _on_ended(self) -> None:
        self._task, self._input = None, None
        self.button.setText("Run")
        self.button.setEnabled(True)
        self.on_running(False)
        if self._run_again:
            self._run_again = False
            self.run()

    # Following

    def _on_follow(self, _checked: bool = False) -> None:
        if self.follow.isChecked():
            self._follower.trigger()

    def _on_change(self) -> None:
        """Compute again; what is under way is about pixels that are gone."""
        if not self.follow.isChecked():
            return
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
        if self.follow.isChecked() and (gone := self._gone()):
            self.follow.setChecked(False)
            self.say(f"{gone!r} was removed; nothing is followed any more.")
        self._chosen = chosen
        self._names = {id(layer): layer.name for layer in self.watched()}
        self._enable_options()
        self._follower.watch(self.watched())
        self._on_follow()

    def _gone(self) -> str:
        """Give the name of a layer that was chosen and is not in the viewer any more."""
        present = {id(bare(layer)) for layer in self.viewer.layers} | {id(layer) for layer in self.viewer.layers}
        return next((name for key, name in self._names.items() if key not in present), "")

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
        before = self.range.ends
        self._describe_range()
        if self.follow.isChecked() and before != self.range.ends:
            self._follower.trigger()

    def _tell(self, _value: Any = None) -> None:
        self.message.setText(" ".join(filter(None, (self.describe(), self.range.sentence()))))
        self._check()

    def say_plane(self, _event: Any = None) -> None:
        """Say of the plane that the viewer shows what it has to say for itself."""
        result, layer, dims = self.summary.result, self.summary.chosen_layer, self.viewer.dims
        seen = holds(self.viewer.layers, layer) and tuple(dims.displayed) == (dims.ndim - 2, dims.ndim - 1)
        index = plane_of_view(self.viewer, layer) if seen else ()
        self.summary.show_plane(result.plane_words(index) if index and result is not None else "")

    def _on_option(self, _value: Any = None) -> None:
        self._tell()
        self.show_changes()
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

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Notice that the dock was closed: napari takes the widget out, and nothing destroys it at once."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.follow.setChecked(False)
            self.cancel()
            self.arrangement.put_back()

    def _connect(self) -> None:
        self.button.clicked.connect(self._on_button)
        self.follow.toggled.connect(self._on_follow)
        self._follower.changed.connect(self._on_change)
        self._follower.stirred.connect(self._check)
        for chooser in self.layers.widgets:
            chooser.changed.connect(self._on_choice)
        self.range.changed.connect(self._on_option)
        for option in self.options.values():
            option.changed.connect(self._on_option)
        self.summary.map_wanted.connect(
            lambda: self.export(partial(export.ask_for_map, layer=self.summary.chosen_layer), self.summary.chosen_map)
        )
        self.summary.map_chosen.connect(self.map_bar.refresh)
        self.summary.row_wanted.connect(lambda: self.export(export.ask_for_row, self.summary.result))
        self.summary.compute_wanted.connect(self._compute_all)
        settings.connect(self._connections, self._on_settings)
        self._connections.connect(self.viewer.events.theme, self._on_theme)
        self._connections.connect(self.viewer.layers.selection.events.active, self._on_selected)
        self.destroyed.connect(self.arrangement.put_back)
        self._connections.connect(self.viewer.layers.events.removed, self._on_removed)
        for name in ("current_step", "ndisplay", "order"):
            self._connections.connect(getattr(self.viewer.dims.events, name), self.say_plane)
        self.destroyed.connect(self._connections.close)
        self.destroyed.connect(self._range_connections.close)
        self.destroyed.connect(self.layers.connections.close)

    def _warm_up(self) -> None:
        libraries.warm_up()
        self._make_letter()

    def _make_letter(self) -> None:
        """Make one letter of the legends to come, and the next one later."""
        if next(self._letters, None) is not None:
            self._letter_timer.start()

    def _on_settings(self, _event: Any = None) -> None:
        """Take other preferences; what the user has changed in the panel stays."""
        self.take_settings()
        self.show_changes()
        self._look_for_device()

    def _look_for_device(self) -> None:
        """See whether this machine has the device of the preferences, in a thread; only PyTorch knows."""
        device = self.defaults.get("device", "")
        if device and not settings.is_anywhere(device):
            task = Task(lambda _progress: settings.refusal_of(device), f"Looking for {device}")
            task.returned.connect(partial(self._on_device, device))
            self.destroyed.connect(task.cancel)
            task.start()

    def _on_device(self, device: str, refusal: str) -> None:
        if refusal and self.defaults["device"] == device:
            self.defaults["device"] = "auto"
            if self.options["device"].value == device:
                self.options["device"].value = "auto"
            self.say(f"{refusal} It is the one of the preferences; auto is used.")
            self.show_changes()

    def _on_selected(self, _event: Any = None) -> None:
        self.summary.choose(self.viewer.layers.selection.active)

    def _on_theme(self, _event: Any = None) -> None:
        theme = get_theme(self.viewer.theme)
        self.colour_status(QColor(theme.background.as_hex()))
        for view in self.findChildren(FigureView):
            view.set_theme(theme.background.as_hex(), theme.text.as_hex())


def _dated(of: Snapshot, work: Callable[[Progress], Any], progress: Progress) -> tuple[Snapshot, Any]:
    """Read the inputs, then do the work; called in a thread."""
    return of.read(), work(progress)


def _said(of: Snapshot, info: Mapping[str, Any]) -> list[str]:
    """Say with which model and range a result was made: what the core has used, or else what was asked for."""
    model, weights, method = info.get("model"), of.settings.get("weights"), of.settings.get("method")
    black, white, *_ = (f"{end:.9g}" for end in info["data_range"]) if info.get("data_range") else of.settings[RANGE]
    return [
        f"model {model}" if model else "",
        f"weights {Path(weights).name}" if weights else "",
        f"method {method}" if method else "",
        _range_said(black, white, is_light=info.get("luminance") == "absolute"),
    ]


def _range_said(black: str, white: str, *, is_light: bool) -> str:
    """Say black and white; of light, what they are in cd/m2."""
    if not (black and white):
        return ""
    if is_light and (black, white) == ("0", f"{SDR_WHITE:g}"):
        return "light in cd/m2"
    return f"black {black}, white {white}" + f" (shown at {SDR_WHITE:g} cd/m2)" * is_light
