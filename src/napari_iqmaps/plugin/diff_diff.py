"""The widget "Diff-diff: judge a registration": where it made the match better or worse, live at any tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel

from ..core.diffdiff import diff_diff_assess
from ..core.errors import IqmapsError
from ..core.registration import register
from . import export
from .block_layers import rows_of
from .closer_panel import CloserPanel
from .diff_diff_asking import judge_request
from .diff_diff_figures import FIGURES, Closer, plane_of
from .diff_diff_layers import JudgedLayers
from .diff_diff_options import (
    AS_PLACED,
    OF_REGISTERING,
    guessed_roles,
    judge_options,
)
from .diff_diff_places import set_affine
from .diff_diff_run import JudgedResult
from .following import REST_MILLISECONDS
from .frame import Key, MapWidget
from .inputs import InputSlot
from .options import OptionWidget
from .tasks import Task, report
from .tolerance_bar import ToleranceBar
from .view_buttons import ViewButtons

if TYPE_CHECKING:
    import napari

_THROTTLE_MILLISECONDS = 40
_SHOWS = {
    "Before": "The moving image in red on the fixed one in green: yellow where they agree.",
    "After": "The registered image in red on the fixed one in green: yellow where they agree.",
    "Map": "By how many grey levels the difference fell (green) or rose (pink).",
    "Marks": "Which pixels changed by more than the tolerance: green better, pink worse.",
    "Blocks": "The score of each block: the share of its changed pixels that got better.",
}


class DiffDiff(MapWidget):
    """Judge a registration, or register and judge: a map of where the match got better or worse, and a verdict."""

    functions = (diff_diff_assess, register)
    slots = (
        InputSlot("moving", "Moving", "The image that is brought onto the other; a stack (t, y, x) frame by frame."),
        InputSlot("fixed", "Fixed", "The image that it is brought onto."),
        InputSlot(
            "registered", "Registered",
            "The moving image after a registration made elsewhere. None: register by the method below.", optional=True,
        ),
    )  # fmt: skip
    main_options = ("method", "transform", "illumination")

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._judged: dict[Key, JudgedLayers] = {}
        self._current: tuple[JudgedResult, JudgedLayers, dict[str, Any]] | None = None
        self._asked: dict[str, Any] = {}
        self._automatic: JudgedResult | None = None
        self._roles_are_chosen = False
        super().__init__(viewer)
        self.tolerance = ToleranceBar(self)
        self.views = ViewButtons(_SHOWS, "Map", self)
        self.plane_words = QLabel()
        self.plane_words.setWordWrap(True)
        self.plane_words.hide()
        self.closer = CloserPanel(self)
        for part in (self.views, self.tolerance, self.plane_words):
            self.insert_above_summary(part)
        self.insert_below_summary(self.closer)
        self._throttle = QTimer(self)
        self._throttle.setSingleShot(True)
        self._throttle.setInterval(_THROTTLE_MILLISECONDS)
        self._throttle.timeout.connect(self._recount)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MILLISECONDS)
        self._rest.timeout.connect(self._on_rest)
        self.tolerance.moved.connect(lambda _tol: None if self._throttle.isActive() else self._throttle.start())
        self.views.pressed.connect(self._show_view)
        self.closer.wanted.connect(self.look_closer)
        self.closer.figure_save_wanted.connect(self._save_figure)
        self.closer.blocks_save_wanted.connect(self._save_blocks)
        self.closer.planes_save_wanted.connect(self._save_planes)
        self._connections.connect(viewer.dims.events.current_step, self._on_step)
        self._connections.connect(viewer.layers.events.inserted, self._guess_roles)
        for chooser in self.layers.images.values():
            chooser.native.activated.connect(self._on_role_chosen)
        self._on_theme()
        self._guess_roles()

    # What the frame asks

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make the options of registering and of judging."""
        return judge_options()

    def describe(self) -> str:
        """Say what Run will register and judge."""
        moving, fixed, registered = (self._chosen_layer(slot.name) for slot in self.slots)
        if moving is None or fixed is None or moving is fixed:
            return (
                "Open two images: one is brought onto the other, and the map shows where that made it better or worse."
            )
        if registered is not None:
            return f"Run judges {registered.name!r} as the registration of {moving.name!r} onto {fixed.name!r}."
        if self._method == AS_PLACED:
            return f"Run judges how the viewer places {moving.name!r} on {fixed.name!r}."
        return f"Run registers {moving.name!r} onto {fixed.name!r} and judges where that made it better or worse."

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters: those of registering do not where a registered image is given."""
        given = self._chosen_layer("registered") is not None
        if name == "method":
            return not given
        if name in OF_REGISTERING:
            return self._registers
        return given if name == "black_border" else True

    def result_key(self, request: Any) -> Key:
        """Keep one set of layers for each choice of images."""
        layers = [chooser.value for chooser in self.layers.images.values()]
        return ("diff_diff", *(str(layer.unique_id) for layer in layers if layer is not None))

    def task_name(self, request: Any) -> str:
        """Say whether it registers, too."""
        return "Registering and judging" if self._registers else "Diff-diff"

    @property
    def _method(self) -> str:
        return str(self.options["method"].value)

    @property
    def _registers(self) -> bool:
        """Whether Run registers, or else judges a registration that is there."""
        return self._chosen_layer("registered") is None and self._method != AS_PLACED

    def _chosen_layer(self, slot: str) -> Any:
        return self.layers.images[slot].value

    def _request(self) -> Any:
        self._asked = roles = {slot.name: self._chosen_layer(slot.name) for slot in self.slots}
        self.range.describe(roles["moving"])  # its data may have got another type since it was chosen
        return judge_request(
            roles,
            self.layers.region.value,
            self.options,
            tol="auto" if self.tolerance.is_automatic else self.tolerance.value,
            data_range=self.range.value_given(),
            registers=self._registers,
        )

    # Results

    def _on_result(self, source: Any, key: Key, result: Any) -> None:
        roles = self._asked  # others may be chosen by now
        if any(all(roles[name] is not layer for layer in self.viewer.layers) for name in ("moving", "fixed")):
            self.say("The layers of this run are gone.", failed=True)
            return
        self._roles_are_chosen = True
        layers = self._judged.setdefault(key, JudgedLayers(self.viewer))
        if result.affine is not None:
            set_affine(roles["moving"], roles["fixed"], result.affine)
        layers.show(result, **roles)
        self._current = (result, layers, roles)
        self._automatic = result if self.tolerance.is_automatic else None
        self._shown = (source, key)
        self.tolerance.show_found(result.score.tol, result.limits[1])
        self.views.show()
        self.closer.show()
        self.closer.show_figure(None)
        self.closer.offer_tables(blocks=bool(result.score.blocks), planes=len(result.score.planes) > 1)
        self._show_view(self.views.chosen)
        self.summary.show_result(result, [layers.get("map")])
        self._on_counted(result)
        self.say("")

    def _show_view(self, name: str) -> None:
        if self._current is not None:
            result, layers, roles = self._current
            if self._rest.isActive():
                layers.recount(result, name)
            for other in self._judged.values():
                if other is not layers:
                    other.hide()
            layers.view(name, **roles)

    def _recount(self) -> None:
        """Follow the tolerance: count the same map again."""
        if self._current is None or self.is_running:
            return
        result, layers, roles = self._current
        # Found by the core, planes of a stack have tolerances of their own.
        found = self._automatic if self.tolerance.is_automatic else None
        result = found or result.at(self.tolerance.value)
        layers.recount(result, self.views.chosen)
        self._current = (result, layers, roles)
        self.summary.restate(result)
        self._on_counted(result)
        self._rest.start()

    def _on_counted(self, result: JudgedResult) -> None:
        self.summary.histogram.show_lines(-result.score.tol, result.score.tol)
        self._on_step()

    def _on_rest(self) -> None:
        """Bring the layers that nobody sees up to date, when the slider has come to rest."""
        if self._current is not None:
            result, layers, _ = self._current
            layers.recount(result)

    def _on_step(self, _event: Any = None) -> None:
        """Say what the plane that is shown has to say for itself."""
        index = self._plane()
        self.plane_words.setVisible(bool(index))
        if index and self._current is not None:
            score = self._current[0].score
            number = int(np.ravel_multi_index(index, self._current[0].quality_map.values.shape[:-2]))
            self.plane_words.setText(f"Plane {', '.join(map(str, index))}: {score.planes[number].sentence()}")

    def _plane(self) -> tuple[int, ...]:
        """Give the index of the plane that the viewer shows; empty for one image."""
        if self._current is None:
            return ()
        result, layers, _ = self._current
        lead = result.quality_map.values.shape[:-2]
        layer = layers.get("map")
        if not lead or layer is None:
            return ()
        position = layer.world_to_data(self.viewer.dims.point[-layer.ndim :])
        return tuple(int(np.clip(round(at), 0, length - 1)) for at, length in zip(position, lead, strict=False))

    # Looking closer

    def look_closer(self, name: str) -> None:
        """Draw a figure about the plane that is shown; does nothing while something is under way."""
        if self.is_running or self._current is None:
            return
        result, _, roles = self._current
        try:
            plane = plane_of(result, roles, self._plane(), self.range.value_given())
        except IqmapsError as error:
            self.say(report(error), failed=True)
            return
        task = Task(partial(FIGURES[name][0], plane), name)
        task.returned.connect(self._on_figure)
        self._start(task, f"{name}…")

    def _on_figure(self, figure: Closer) -> None:
        self.closer.show_figure(figure)
        self.say("")
        QTimer.singleShot(0, partial(self.scroll_to, self.closer))

    def _save_figure(self) -> None:
        if (figure := self.closer.view.shown) is not None:
            name = f"{figure.name}.png"
            self._export(partial(export.ask_for_picture, suggestion=name), self.closer.view.as_png())

    def _save_blocks(self) -> None:
        if self._current is None:
            return
        result = self._current[0]
        rows = rows_of(result.score, file=result.names[0], reference=result.names[1])
        ask = partial(export.ask_for_rows, title="Save the blocks", suggestion=f"{result.names[0]}_blocks.csv")
        self._export(ask, rows or None)

    def _save_planes(self) -> None:
        if self._current is not None:
            result = self._current[0]
            ask = partial(export.ask_for_rows, title="Save the planes", suggestion=f"{result.names[0]}_planes.csv")
            self._export(ask, result.plane_rows())

    # The frame's

    def _start(self, task: Task, text: str) -> None:
        self.closer.set_running(True)
        super()._start(task, text)

    def _on_ended(self) -> None:
        self.closer.set_running(False)
        super()._on_ended()

    def _on_progress(self, done: int, total: int) -> None:
        if self._task is not None and self.button.isEnabled():
            self.say(f"{done / total:.0%} done")

    def _on_theme(self, _event: Any = None) -> None:
        super()._on_theme(_event)
        if hasattr(self, "closer"):
            histogram = self.summary.histogram
            self.closer.view.set_theme(histogram.background, histogram.foreground)

    # Roles

    def _on_role_chosen(self, _index: int) -> None:
        self._roles_are_chosen = True

    def _guess_roles(self, _event: Any = None) -> None:
        """Choose layers by their names, as long as the user has chosen none."""
        if self._roles_are_chosen or self._current is not None:
            return
        for role, layer in guessed_roles(self.viewer.layers).items():
            chooser = self.layers.images[role]
            chooser.reset_choices()
            if layer in chooser.choices:
                chooser.value = layer
