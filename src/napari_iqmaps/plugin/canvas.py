"""Where layers go in a viewer, and what keeps maps there in step: legends, values, common limits, stamps and names."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap

from ..core.diffdiff.pictures import LEGENDS, MARK_WORDS
from ..core.diffdiff.verdict import block_words
from ..core.evidence import DIM_ENDS, STAMP, planes_in_doubt
from ..core.kinds import KINDS, Kind, in_words
from ..core.own_units import value_told
from .arrangement import add_beside
from .layers import METADATA_KEY, PICTURE_KEY, bare, give_limits, grid_of, has_given_limits, holds, plane_of_view
from .tasks import breathe
from .words_overlay import letters_made, put_words

ARROW = " → "

_LEGEND, _STAMP = "iqmaps_legend", "iqmaps_stamp"
# Small enough for a cell of a grid; sizes in pixels and points.
_BAR = {"position": "bottom_right", "size": (14, 110), "font_size": 8}
_LEGEND_LOOKS = {"position": "top_left", "font_size": 7}
_STAMP_LOOKS = {"position": "top_left", "font_size": 9, "color": "white", "box_color": (0.1, 0.1, 0.1, 1)}
_TELLING = ("marks", "blocks")
_LETTERS = 30  # of a line of a legend
_NUMBERS = "-.0123456789"  # of colour bars
_DOUBTFUL = Colormap([(grey,) * 3 for grey in DIM_ENDS], name="not enough evidence")


class Showable(Protocol):
    """What a run made and one layer shows: a map, or a picture."""

    @property
    def template(self) -> str:
        """What its layer is called, with ``{0}`` for the name of the source."""

    def new_layer(self, source: Any) -> Image:
        """Make a layer of its own, on the pixels of the source."""

    def update(self, layer: Any, source: Any) -> None:
        """Put it into the layer of an earlier one."""

    def is_in(self, layer: Any) -> bool:
        """Tell whether a layer shows the same part of an earlier result."""


def place_all(viewer: Any, parts: Sequence[Showable], source: Any, earlier: Sequence[Any] = ()) -> list[Any]:
    """Show the parts of a result, each as one layer, the last on top; give the layers.

    `earlier`: what an earlier run of the same kind gave; may be empty.

    The layers stay together: of a run that makes other maps than the one before, a new map comes between those that
    were there, and the layer of a map that is made no longer goes, for it would show what is past.
    """
    before = [next((layer for layer in earlier if part.is_in(layer)), None) for part in parts]
    layers = [place(viewer, part, source, layer) for part, layer in zip(parts, before, strict=True)]
    is_kept = [layer is earlier_layer for layer, earlier_layer in zip(layers, before, strict=True)]
    for layer in earlier:
        if not holds(layers, layer) and holds(viewer.layers, layer):
            viewer.layers.remove(layer)
    for number, layer in enumerate(layers):
        if is_kept[number] or not any(is_kept):
            continue
        above = next((other for other, kept in zip(layers[number:], is_kept[number:], strict=True) if kept), None)
        index = _index(viewer.layers, layers[number - 1] if above is None else above) or 0
        viewer.layers.move(_index(viewer.layers, layer), index + (above is None))
    return layers


def letters_of_legends(viewer: Any) -> Iterator[str]:
    """Make the letters of all legends and colour bars, one at each step."""
    words = [f"{kind.title}{kind.unit}" for kind in KINDS.values()]
    return letters_made(viewer, "".join([*words, *LEGENDS.values(), STAMP, _NUMBERS]))


def add(viewer: Any, layer: Any) -> None:
    """Add a layer beside what is selected; the letters of its legend are made before, one at a turn of the loop."""
    for _ in letters_made(viewer, _legend(layer) + _NUMBERS if METADATA_KEY in layer.metadata else ""):
        breathe()
    add_beside(viewer, layer)


def place(viewer: Any, part: Showable, source: Any, earlier: Any = None) -> Any:
    """Show a part of a result as one layer: the earlier one if it is still there, a new one otherwise."""
    if earlier is not None and holds(viewer.layers, earlier):
        breathe()
        part.update(earlier, source)
        canvas_of(viewer).refresh(earlier)
        return earlier
    layer = part.new_layer(source)
    add(viewer, layer)
    canvas_of(viewer).attend(layer, (source,), part.template)
    return layer


@dataclass(eq=False)
class _Attended:
    """What is known of a layer besides what it holds.

    `sources`, `template`: of which layers and by which pattern it is named. `name`: as it was named last. `vivid`: its
    colours while it is dimmed. `has_bar`: whether its colour bar was left visible.
    """

    sources: tuple[Any, ...] = ()
    template: str = ""
    name: str = ""
    vivid: Any = None
    has_bar: bool = True
    has_own_limits: bool = False


class Canvas:
    """Attends to all layers of one viewer that this package knows by their metadata, wherever they come from."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._layers: WeakKeyDictionary[Any, _Attended] = WeakKeyDictionary()
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._on_seen)
        viewer.dims.events.current_step.connect(self._on_step)
        grid_of(viewer).events.enabled.connect(self._on_seen)
        for layer in viewer.layers:
            self._watch(layer)

    def attend(self, layer: Any, sources: Iterable[Any] = (), template: str = "") -> None:
        """Attend to a layer that is in the viewer, and name it after others from now on.

        `template`: its name, with ``{0}``, ``{1}`` for the names of the sources and ``{all}`` for all of them.
        """
        layer = bare(layer)
        known = self._take(layer)
        known.sources = tuple(map(bare, sources))
        for source in known.sources:
            source.events.name.connect(self._on_renamed)
        if not known.template:
            known.name = layer.name
        known.template = template
        self.refresh(layer)

    def refresh(self, layer: Any) -> None:
        """Take note that a layer holds something else."""
        layer = bare(layer)
        self._share_limits(_scale(layer))
        self._judge(layer)
        self._on_seen()

    def rename(self, layer: Any, template: str) -> None:
        """Name a layer after its sources by another pattern."""
        known = self._layers[bare(layer)]
        known.template = template
        self._name(bare(layer), known)

    def is_named_by_user(self, layer: Any) -> bool:
        """Tell whether a layer has another name than the one that it was given."""
        known = self._layers.get(bare(layer))
        return known is None or known.name != layer.name

    def can_share_limits(self, layer: Any) -> bool:
        """Tell whether maps of a layer's kind are coloured by their values, not by the ends of their scale."""
        kind = _kind(layer)
        return kind is not None and not kind.fixed_scale and bare(layer) in self._layers

    def has_own_limits(self, layer: Any) -> bool:
        """Tell whether a layer has contrast limits of its own, for the user asked for that."""
        known = self._layers.get(bare(layer))
        return known is not None and known.has_own_limits

    def set_own_limits(self, layer: Any, own: bool) -> None:
        """Give a layer its own contrast limits, or those that maps of its kind have in common."""
        layer = bare(layer)
        known = self._layers[layer]
        known.has_own_limits = own
        limits = _own_limits(layer)
        if limits is not None:
            give_limits(layer, limits)
            self._share_limits(_scale(layer))

    def value_under_cursor(self, layer: Any) -> str:
        """Say the value of a map under the cursor, with its unit; ``""`` beside it.

        While it is hidden behind marks or blocks, what they say there.
        """
        viewer = self._viewer()
        if viewer is None or not holds(viewer.layers, layer):
            return ""
        layers = [bare(layer)]
        if not layer.visible:
            layers = [other for other in map(bare, viewer.layers) if other.visible and _method(other) in _TELLING]
        if not layers:
            return ""
        dims = list(viewer.dims.displayed)
        return _words(layers[-1], layers[-1].get_value(viewer.cursor.position, dims_displayed=dims, world=True))

    # What comes and goes

    def _take(self, layer: Any) -> _Attended:
        """Begin to attend to a layer, if it is not known yet."""
        layer = bare(layer)
        known = self._layers.get(layer)
        if known is not None:
            return known
        known = self._layers[layer] = _Attended(name=layer.name)
        if METADATA_KEY in layer.metadata:
            layer.get_status = partial(_status, ref(layer))
            if _kind(layer) is not None and hasattr(layer, "colorbar"):  # since napari 0.9
                layer.colorbar.update({"visible": True, **_BAR})
            self.refresh(layer)
        return known

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)
        self._on_seen()

    def _watch(self, layer: Any) -> None:
        layer = bare(layer)
        layer.events.visible.connect(self._on_seen)
        layer.events.opacity.connect(self._on_seen)
        layer.events.metadata.connect(self._on_metadata)
        if METADATA_KEY in layer.metadata:
            self._take(layer)

    def _on_metadata(self, event: Any) -> None:
        """Take note that a layer has become a map, or a map of something else."""
        layer = bare(event.source)
        if METADATA_KEY in layer.metadata and holds(self._layers, layer):
            self.refresh(layer)
        elif METADATA_KEY in layer.metadata:
            self._take(layer)

    def _on_removed(self, event: Any) -> None:
        gone = bare(event.value)
        for known in list(self._layers.values()):
            if holds(known.sources, gone):
                known.sources = ()
        self._share_limits(_scale(gone))
        self._on_seen()

    # Names

    def _on_renamed(self, event: Any) -> None:
        source = bare(event.source)
        for layer, known in list(self._layers.items()):
            if holds(known.sources, source):
                self._name(layer, known)

    def _name(self, layer: Any, known: _Attended) -> None:
        names = [source.name for source in known.sources]
        together = ARROW.join(names)
        for key in (METADATA_KEY, PICTURE_KEY):
            if "source" in layer.metadata.get(key, {}):
                layer.metadata = {**layer.metadata, key: {**layer.metadata[key], "source": together}}
        if layer.name == known.name and names:
            layer.name = known.template.format(*names, all=together)
            known.name = layer.name

    # Limits

    def _share_limits(self, scale: tuple[str, str] | None) -> None:
        """Give the maps of a kind and unit the widest limits of them all, but for those that the user changed."""
        viewer = self._viewer()
        if viewer is None or scale is None:
            return
        alike = [bare(layer) for layer in viewer.layers if _scale(layer) == scale and has_given_limits(layer)]
        alike = [layer for layer in alike if not self.has_own_limits(layer)]
        limits = [own for own in map(_own_limits, alike) if own is not None]
        if limits:
            common = (min(low for low, _ in limits), max(high for _, high in limits))  # the widest
            for layer in alike:
                if not np.array_equal(layer.contrast_limits, common):
                    give_limits(layer, common)

    # Evidence

    def _on_step(self, _event: Any = None) -> None:
        for layer in list(self._layers):
            self._judge(layer)

    def _judge(self, layer: Any) -> None:
        """Dim and stamp a map while the plane that is shown has not enough evidence."""
        viewer, known = self._viewer(), self._layers.get(layer)
        if viewer is None or known is None or METADATA_KEY not in layer.metadata:
            return
        lead = layer.data.shape[: layer.ndim - 2] if hasattr(layer.data, "shape") else ()
        doubt = planes_in_doubt(layer.metadata[METADATA_KEY], lead)
        doubtful = bool(doubt[plane_of_view(viewer, layer) if lead else ()])
        put_words(layer, _STAMP, STAMP if doubtful else "", **_STAMP_LOOKS)
        if _kind(layer) is None:
            return
        if doubtful and known.vivid is None:
            known.vivid = layer.colormap
            layer.colormap = _DOUBTFUL
        elif not doubtful and known.vivid is not None:
            if layer.colormap.name == _DOUBTFUL.name:  # or the user has chosen another since
                layer.colormap = known.vivid
            known.vivid = None

    # Legends

    def _on_seen(self, _event: Any = None) -> None:
        """Show the legends of the layers that can be seen, and none of those that others cover."""
        viewer = self._viewer()
        if viewer is None:
            return
        layers = [bare(layer) for layer in viewer.layers]
        for number, layer in enumerate(layers):
            known = self._layers.get(layer)
            if known is None or METADATA_KEY not in layer.metadata:
                continue
            seen = grid_of(viewer).enabled or not any(_covers(other, layer) for other in layers[number + 1 :])
            if hasattr(layer, "colorbar") and _kind(layer) is not None and layer.colorbar.visible == known.has_bar:
                layer.colorbar.visible = known.has_bar = seen
            put_words(layer, _LEGEND, _legend(layer) if seen else "", **_LEGEND_LOOKS)


_CANVASES: WeakKeyDictionary[Any, Canvas] = WeakKeyDictionary()


def canvas_of(viewer: Any) -> Canvas:
    """Give the one that attends to a viewer's layers; made when it is first asked for."""
    viewer = bare(viewer)
    if viewer not in _CANVASES:
        _CANVASES[viewer] = Canvas(viewer)
    return _CANVASES[viewer]


def _kind(layer: Any) -> Kind | None:
    """Give the kind of the map that a layer shows; None if it shows none."""
    return KINDS.get(layer.metadata.get(METADATA_KEY, {}).get("kind", ""))


def _method(layer: Any) -> str:
    return str(layer.metadata.get(METADATA_KEY, {}).get("method", ""))


def _unit(layer: Any) -> str:
    return str(layer.metadata[METADATA_KEY].get("unit", ""))


def _scale(layer: Any) -> tuple[str, str] | None:
    """Give kind and unit: maps of which both are the same can be compared by their colours."""
    kind = _kind(layer)
    return None if kind is None else (kind.name, _unit(layer) or kind.unit)


def _own_limits(layer: Any) -> tuple[float, float] | None:
    limits = layer.metadata[METADATA_KEY].get("display_limits")
    return None if limits is None else (float(limits[0]), float(limits[1]))


def _legend(layer: Any) -> str:
    """Give title and unit of a map, or what the colours of a picture mean."""
    kind = _kind(layer)
    if kind is not None:
        return "\n".join([kind.title, *textwrap.wrap(_unit(layer) or kind.unit, _LETTERS)])
    return LEGENDS.get(_method(layer), "")


def _words(layer: Any, value: Any) -> str:
    """Say what a value of a layer means; ``""`` where there is none."""
    kind, method = _kind(layer), _method(layer)
    if value is None:
        return ""
    if kind is not None:
        number, info = float(value), layer.metadata[METADATA_KEY]
        return value_told(in_words(number, kind, _unit(layer)), kind.name, number, info)
    if method == "marks":
        return MARK_WORDS[int(value)]
    if method == "blocks":
        shape, _ = value
        return "" if shape is None else block_words(layer.features.iloc[shape].to_dict())
    return str(value)


def _status(of: ref[Any], position: Any = None, *, world: bool = False, **more: Any) -> dict[str, str]:
    """Give what napari shows in its status bar, with the value in words; called in a thread of napari's."""
    layer = of()
    if layer is None:
        return {}
    status: dict[str, str] = type(layer).get_status(layer, position, world=world, **more)
    if position is not None:
        seen = {name: more[name] for name in ("view_direction", "dims_displayed") if name in more}
        words = _words(layer, layer.get_value(position, world=world, **seen))
        status["value"] = words
        status["coordinates"] = f"{status['coords']}: {words}"
    return status


def _covers(above: Any, layer: Any) -> bool:
    """Tell whether an image hides all of a layer under it."""
    if not (isinstance(above, Image) and above.visible and above.opacity == 1 and "additive" not in above.blending):
        return False
    low, high = np.asarray(layer.extent.world)[:, -2:]
    own_low, own_high = np.asarray(above.extent.world)[:, -2:]
    slack = 1e-6 * max(np.abs(high - low).max(), 1e-30)
    return bool((own_low <= low + slack).all() and (own_high >= high - slack).all())


def _index(layers: Iterable[Any], layer: Any) -> int | None:
    return next((index for index, other in enumerate(layers) if other is layer), None)
