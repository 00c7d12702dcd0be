"""The widget "Error, reliability & sensitivity": where an image is bad and how far to trust that, with no reference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QCheckBox

from ..core.assessment import Assessment
from ..core.blind import MAPS, assess, maps_of
from ..core.errors import InputError
from ..core.quality_score import quality_row
from ..core.regions import RegionQuality
from . import export
from .follower import Follower
from .frame import Key, MapWidget
from .inputs import InputSlot
from .options import MapBoxes, OptionWidget, make_options
from .regions import RegionBar, areas_of, measured, write_features
from .results import Request, Result, called, samples

if TYPE_CHECKING:
    import napari


_NO_MAP = "No map is chosen. Tick at least one."


@dataclass(frozen=True, eq=False)
class AssessedResult(Result):
    """Some maps of an assessment, the last of them as the map itself and the others beside it, and its score."""

    assessment: Assessment | None = None
    seen: Mapping[str, Result] | None = None

    @classmethod
    def made(cls, assessment: Assessment, kinds: Collection[str], names: Sequence[str]) -> AssessedResult:
        """Look at all maps once, for they cost the one pass nothing, and show some, in the order of the pass."""
        maps = list(assessment.maps.values())
        parts = {
            quality_map.kind: Result.of(quality_map, names, sample)
            for quality_map, sample in zip(maps, samples(maps), strict=True)
        }
        return cls._showing(assessment, parts, kinds)

    def showing(self, kinds: Collection[str]) -> AssessedResult:
        """Show other maps of the same assessment."""
        assert self.assessment is not None
        assert self.seen is not None
        made: AssessedResult = called(self._showing(self.assessment, self.seen, kinds), self.call)
        return made

    def in_memory(self) -> AssessedResult:
        """Compute the maps and the score in one pass, if they are lazy."""
        assert self.assessment is not None
        if not self.assessment.is_lazy:
            return self
        shown = [part.quality_map.kind for part in self.parts if isinstance(part, Result)]
        return self.made(self.assessment.compute(), shown, self.names)

    def plane_words(self, index: tuple[int, ...]) -> str:
        """Say the score of one plane of a stack; nothing as long as it is not computed."""
        assert self.assessment is not None
        return "" if self.assessment.is_lazy else self.assessment.score.plane_sentence(index)

    def row(self) -> dict[str, Any]:
        """Sum up the score as a row of a table, with the mean of each map."""
        assert self.assessment is not None
        image, *reference = self.names
        cells = {"file": image, **({"reference": reference[0]} if reference else {})}
        means = {f"mean_{kind}": _mean(result.score) for kind, result in self.assessment.maps.items()}
        return quality_row(self.assessment.score, **cells) | means

    @classmethod
    def _showing(cls, assessment: Assessment, parts: Mapping[str, Result], kinds: Collection[str]) -> AssessedResult:
        shown = [parts[kind] for kind in MAPS if kind in kinds and kind in parts]
        if not shown:
            raise InputError(_NO_MAP)
        *beside, top = shown
        words = assessment.sentence()
        own = {"beside": tuple(beside), "words": words, "assessment": assessment, "seen": parts}
        return cls(**{**vars(top), **own})


def _mean(scores: Any) -> float | None:
    finite = np.asarray(scores)[np.isfinite(scores)]
    return float(finite.mean()) if finite.size else None


class BlindQuality(MapWidget):
    """Judge an image without a reference: its maps of one pass, its score, and scores of regions."""

    functions = (assess,)
    slots = (
        InputSlot("image", "Image", "The image to judge."),
        InputSlot(
            "reference",
            "Reference",
            "The undistorted image on the same pixels, if there is one: gives the objective error besides.",
            optional=True,
        ),
    )
    region_slot = InputSlot(
        "regions",
        "Regions",
        "A Shapes layer: each of its rectangles, ellipses and polygons gets the mean of every map and a score of its "
        "own, as features of the layer.",
        optional=True,
    )
    main_options = ("model", "maps")
    live_options = ("maps",)
    refuses_light = "the blind networks judge display codes"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._measure_again = False
        self._watched: Any = None
        self._group: list[Any] = []
        super().__init__(viewer)
        self.side_by_side = QCheckBox("Side by side")
        self.side_by_side.setToolTip("Show the image and its maps in a grid, or only the chosen map over the image.")
        self.side_by_side.setChecked(True)
        self.side_by_side.hide()
        self.side_by_side.toggled.connect(self._show_view)
        self.insert_above_summary(self.side_by_side)
        self.regions = RegionBar()
        self.regions.save_wanted.connect(self._save_regions)
        self.insert_below_summary(self.regions)
        self._region_follower = Follower(self)
        self._region_follower.changed.connect(self._measure)
        self.layers.region.changed.connect(self._on_regions)
        self.summary.map_chosen.connect(self._on_map_chosen)
        self.options["maps"].changed.connect(self._on_maps)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make a box for each map; the reference is a layer."""
        made = make_options(functions)
        del made["reference"]
        return {**made, "maps": MapBoxes(made["maps"].tooltip)}

    def describe(self) -> str:
        """Say what Run will judge, and with what."""
        image, reference = self.layer("image"), self.layer("reference")
        if image is None:
            return "Open an image: it is judged without a reference."
        if reference is None:
            return f"Run judges {image.name!r} without a reference: where it is bad, how far to trust that, its score."
        return f"Run judges {image.name!r} without a reference, and measures its error against {reference.name!r}."

    def request(self) -> Request:
        """Ask for one pass, of which the ticked maps are shown."""
        request = super().request()
        options = dict(request.options)
        kinds = options.pop("maps")
        if not kinds:
            raise InputError(_NO_MAP)

        def show(asked: Request, assessment: Assessment) -> AssessedResult:
            return AssessedResult.made(assessment, kinds, asked.names)

        return replace(request, options=options, show=show)

    def watched(self) -> list[Any]:
        """Give the images: shapes are measured in the maps that are there."""
        return self.images()

    def placed(self) -> tuple[str, ...]:
        """Say that no place matters: the maps are of the whole image, wherever shapes lie."""
        return ()

    def result_key(self, request: Request) -> Key:
        """Keep one set of layers an image, whatever model and reference."""
        return ("assess", str(self.source.unique_id))

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Show new maps side by side, or the chosen one over the image, and measure the regions."""
        added = [layer for layer in layers if layer not in self._group]
        for layer in self._group:
            if layer not in layers:
                self.arrangement.show(layer, False)  # the maps of another image would cover these
        self._group = layers
        self.side_by_side.show()
        if added:
            self._show_view()
        self._raise_regions()
        self._measure()

    def cancel(self) -> None:
        """Stop what runs; earlier results stay as they are."""
        self._measure_again = False
        super().cancel()

    # What is shown

    def _show_view(self, _checked: bool = False) -> None:
        self._show_maps()
        if self._shown is not None:
            self.arrangement.show(self._shown[0])
        self.arrangement.grid(self.side_by_side.isChecked())

    def _show_maps(self) -> None:
        everything = self.side_by_side.isChecked()
        for layer in self._group:
            self.arrangement.show(layer, everything or layer is self.summary.chosen_layer)
        reference = self.layer("reference")
        if reference is not None:
            self.arrangement.show(reference, everything)

    def _on_maps(self, _value: Any = None) -> None:
        """Show other maps of the assessment that is there."""
        result, kinds = self.summary.result, self.options["maps"].value
        if not isinstance(result, AssessedResult) or self._shown is None or self.is_running:
            return
        if self._shown[0] in self.viewer.layers:
            with contextlib.suppress(InputError):  # no map at all: Run says so
                self._on_result(*self._shown, result.showing(kinds))

    def _on_map_chosen(self) -> None:
        if not self.side_by_side.isChecked():
            self._show_maps()

    # Regions

    def _on_regions(self, _value: Any = None) -> None:
        shapes = self.layers.region.value
        if shapes is self._watched:
            return  # another layer came or went
        self._watched = shapes
        self._region_follower.watch([] if shapes is None else [shapes])
        if shapes is not None:
            self.side_by_side.setChecked(False)  # in a grid the shapes would lie beside the image
        self._raise_regions()
        self._measure()

    def _raise_regions(self) -> None:
        """Put the shapes above the maps, which would cover them."""
        layers = list(self.viewer.layers)
        if self._watched in layers and any(layer in layers[layers.index(self._watched) :] for layer in self._group):
            self.viewer.layers.move(layers.index(self._watched), len(layers))

    def _measure(self) -> None:
        shapes, result = self._watched, self.summary.result
        if shapes is None or not shapes.data or self._shown is None or not isinstance(result, AssessedResult):
            self.regions.show_regions("", [])
            return
        if self.is_running:
            self._measure_again = True
            return
        assert result.assessment is not None
        areas = areas_of(shapes, self._shown[0], result.assessment.judge.shape)
        work, then = partial(measured, result.assessment, areas), partial(self._on_measured, shapes, result)
        of = self.of(self.summary.standing)
        self.start(work, "Measuring regions", "Measuring the regions…", then, of)

    def _on_measured(self, shapes: Any, result: Result, regions: list[RegionQuality]) -> None:
        self.say("")
        if shapes is not self._watched:
            return
        if len(regions) != len(shapes.data):
            self._measure_again = True  # drawn in the meantime
            return
        write_features(shapes, regions)
        self.regions.show_regions(shapes.name, regions)
        if (of := self.of(self.summary.standing)) is not None:
            self.date(self.regions.standing, of, result.quality_map.info)

    def _save_regions(self) -> None:
        result = self.summary.result
        if result is not None and self.regions.regions:
            names = dict(zip(("file", "reference"), result.names, strict=False))
            self.export(export.ask_for_rows, self.regions.rows(**names))

    # The frame's

    def _on_ended(self) -> None:
        super()._on_ended()
        if self._measure_again and not self.is_running:
            self._measure_again = False
            self._measure()

    def _enable_options(self) -> None:
        super()._enable_options()
        has_reference = self.layer("reference") is not None
        self.options["maps"].offer(maps_of(self.options["model"].value, has_reference=has_reference))
