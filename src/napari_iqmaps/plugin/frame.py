"""The frame of every widget: choose layers and options, run in a thread, cancel, follow, show one result."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from napari.utils.theme import get_theme
from qtpy.QtWidgets import QWidget

from ..core.errors import IqmapsError
from . import export
from .following import Connections, Follower
from .inputs import InputSlot
from .layers import pixels_of
from .options import read_options, takes
from .panel import Panel
from .placing import place_all
from .regions import region_of
from .results import Request, Result, computed
from .tasks import Task, report

Key = tuple[str, ...]


class MapWidget(Panel):
    """Base of the widgets that turn image layers into one map layer.

    Notes
    -----
    A widget states which core functions it stands for (`functions`), which images they take (`slots`), which of their
    options are always visible (`main_options`), and, in `chosen_function` and `describe`, which function fits what is
    chosen. It holds no numbers and computes nothing: that is the core's.
    """

    functions: ClassVar[tuple[Callable[..., Any], ...]] = ()
    slots: ClassVar[tuple[InputSlot, ...]] = ()
    main_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, self.slots, self.functions, self.main_options, parent)
        self.viewer = viewer
        self._task: Task | None = None
        self._run_again = False
        self._result_layers: dict[Key, list[Any]] = {}
        self._shown: tuple[Any, Key] | None = None
        self._chosen: list[int] | None = None
        self._follower = Follower(self)
        self._connections = Connections()
        self._connect()
        self._on_theme()
        self._on_choice()

    def chosen_function(self) -> Callable[..., Any]:
        """Give the core function that fits what is chosen.

        Returns
        -------
        callable
            One of `functions`; override where there is more than one.
        """
        return type(self).functions[0]

    def describe(self) -> str:
        """Say what Run will compute."""
        return (self.chosen_function().__doc__ or "").strip().split("\n")[0]

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters for what is chosen.

        Returns
        -------
        bool
            Whether the chosen function takes it; override where that depends on more.
        """
        return takes(self.chosen_function(), name)

    def result_key(self, request: Request) -> Key:
        """Say which layers a result goes into: those of an earlier result of the same key."""
        images = [chooser.value for chooser in self.layers.images.values() if chooser.value is not None]
        return (request.function.__name__, *(str(layer.unique_id) for layer in images))

    def inputs(self) -> list[Any]:
        """Give the layers of which a change calls for another run.

        Returns
        -------
        list of napari.layers.Layer
            What is chosen; override where some of it does not enter the computation.
        """
        return self.layers.chosen()

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Be told that a result is in the viewer.

        Parameters
        ----------
        layers : list of napari.layers.Image
            The layers of the result, the map last.
        """

    def task_name(self, request: Any) -> str:
        """Say what the bar of progress is about; override where the function's name tells the user nothing."""
        return str(request.function.__name__.replace("_", " "))

    def run(self) -> None:
        """Start a run, or say why it cannot start; does nothing while one is under way."""
        if self._task is not None:
            return
        source = self._first_layer()
        try:
            request = self._request()
        except IqmapsError as error:
            self.say(report(error), failed=True)
            return
        key = self.result_key(request)
        task = Task(request.run, self.task_name(request))
        task.returned.connect(partial(self._on_result, source, key))
        self._start(task, "Running…")

    def cancel(self) -> None:
        """Stop what runs; an earlier result stays as it is."""
        self._run_again = False
        self._stop()

    @property
    def is_running(self) -> bool:
        """Whether a task is under way, or still on its way to a stop."""
        return self._task is not None

    # Life of a task

    def _start(self, task: Task, text: str) -> None:
        self._task = task
        task.progressed.connect(self._on_progress)
        task.failed.connect(partial(self.say, failed=True))
        task.cancelled.connect(self._on_cancelled)
        task.ended.connect(self._on_ended)
        # The task outlives the widget, so it is told when nobody waits for it any more.
        self.destroyed.connect(task.cancel)
        self.button.setText("Cancel")
        self.say(text)
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

    def _on_result(self, source: Any, key: Key, result: Result) -> None:
        layers = place_all(self.viewer, result, source, self._result_layers.get(key, ()))
        self._result_layers[key] = layers
        self._shown = (source, key)
        self.summary.show_result(result, layers)
        self.say("")
        self.on_placed(source, layers)

    def _on_progress(self, done: int, total: int) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(f"{done} of {total} tiles")

    def _on_cancelled(self) -> None:
        self.say("Stopped. Earlier results are as they were.")

    def _on_ended(self) -> None:
        self._task = None
        self.button.setText("Run")
        self.button.setEnabled(True)
        if self._run_again:
            self._run_again = False
            self.run()

    # Following

    def _on_follow(self, _checked: bool = False) -> None:
        self._follower.stop()
        if self.follow.isChecked():
            self._follower.watch(self.inputs())
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
        self.message.setText(self.describe())
        chosen = [id(layer) for layer in self.inputs()]
        if chosen == self._chosen:
            return  # a layer came, went or was renamed; the inputs are the same
        self._chosen = chosen
        self.range.describe(self._first_layer())
        self._enable_options()
        if self.follow.isChecked():
            self._on_follow()

    def _on_option(self, _value: Any = None) -> None:
        self.message.setText(self.describe())
        self._enable_options()
        if self.follow.isChecked():
            self._follower.trigger()

    def _enable_options(self) -> None:
        for name, widget in self.options.items():
            widget.enabled = self.can_use(name)

    # Export

    def _export(self, ask: Callable[[QWidget, Any], Task | None], result: Any) -> None:
        if self.is_running or result is None:
            return
        task = ask(self, result)
        if task is not None:
            task.returned.connect(self._on_written)
            self._start(task, "Writing…")

    def _on_written(self, path: Any) -> None:
        self.say(f"Wrote {path}.")

    def _compute_all(self) -> None:
        if self.is_running or self.summary.result is None or self._shown is None:
            return
        task = Task(partial(computed, self.summary.result), "Computing all planes")
        task.returned.connect(partial(self._on_result, *self._shown))
        self._start(task, "Computing all planes…")

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
        self.summary.map_wanted.connect(lambda: self._export(export.ask_for_map, self.summary.chosen_map))
        self.summary.row_wanted.connect(lambda: self._export(export.ask_for_row, self.summary.result))
        self.summary.compute_wanted.connect(self._compute_all)
        self._connections.connect(self.viewer.events.theme, self._on_theme)
        self._connections.connect(self.viewer.layers.selection.events.active, self._on_selected)
        self.destroyed.connect(self._connections.close)
        self.destroyed.connect(self.layers.connections.close)

    def _first_layer(self) -> Any:
        return self.layers.first.value

    def _request(self) -> Request:
        function = self.chosen_function()
        images = [
            pixels_of(chooser.value, slot.label.lower())
            for slot, chooser in zip(self.slots, self.layers.images.values(), strict=True)
            if chooser.value is not None or not slot.optional
        ]
        self.range.describe(self._first_layer())  # its data may have got another type since it was chosen
        shapes = self.layers.region.value
        region = None if shapes is None else region_of(shapes, self._first_layer(), images[0].plane_shape)
        options = read_options(self.options, function) | {"data_range": self.range.value_given()}
        return Request(function, tuple(images), options, region)

    def _on_selected(self, _event: Any = None) -> None:
        self.summary.choose(self.viewer.layers.selection.active)

    def _on_theme(self, _event: Any = None) -> None:
        theme = get_theme(self.viewer.theme)
        self.summary.histogram.set_theme(theme.background.as_hex(), theme.text.as_hex())
