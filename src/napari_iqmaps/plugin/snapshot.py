"""What entered a run: by this a result says what it is of, and what of that is another by now."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from napari.layers import Shapes

from .follower import Print, content_of, print_of
from .layers import spatial_state

RANGE = "range"
"""The setting that holds black and white, and the rule by which they are found if they are not known."""

_PLACE = "place of the "
_MOST = 3  # differences that are named; of more, the number is said


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The layers that entered a run, and all settings, at one time; it keeps no layer in memory.

    Attributes
    ----------
    layers : mapping
        What a layer is in the run, such as "reference", to the layer's own identity.
    names : mapping
        What the layers were called then.
    settings : mapping
        What a setting is called in the panel, to its value.
    prints : mapping
        What tells the data from others; None for what is not known.
    clock : str
        When it was taken, hours to seconds.
    shapes : collection
        Which of the layers hold shapes.
    contents : mapping
        What of each layer is to be read.
    """

    layers: Mapping[str, str]
    names: Mapping[str, str]
    settings: Mapping[str, Any]
    prints: Mapping[str, Print | None]
    clock: str
    shapes: Collection[str]
    contents: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        layers: Mapping[str, Any],
        settings: Mapping[str, Any],
        known: Callable[[Any], Print | None],
        placed: Collection[str] = (),
    ) -> Self:
        """Take note of layers, what is known of their data, and settings; the place of some is a setting, too."""
        places = {f"{_PLACE}{role}": repr(spatial_state(layers[role])) for role in placed if role in layers}
        return cls(
            layers={role: str(layer.unique_id) for role, layer in layers.items()},
            names={role: str(layer.name) for role, layer in layers.items()},
            settings={**settings, **places},
            prints={role: known(layer) for role, layer in layers.items()},
            clock=time.strftime("%H:%M:%S"),
            shapes=[role for role, layer in layers.items() if isinstance(layer, Shapes)],
            contents={role: content_of(layer) for role, layer in layers.items()},
        )

    def read(self) -> Self:
        """Read the data, before they are computed with; called in a thread."""
        return replace(self, prints={role: print_of(self.contents[role]) for role in self.layers}, contents={})

    def having(self, settings: Mapping[str, Any]) -> Self:
        """Give the same with other settings."""
        return replace(self, settings={**self.settings, **settings})

    def without(self, role: str) -> Self:
        """Give the same without a layer and its place."""
        layers = {other: own for other, own in self.layers.items() if other != role}
        return replace(
            self,
            layers=layers,
            names={other: self.names[other] for other in layers},
            settings={name: value for name, value in self.settings.items() if not name.startswith(_PLACE)},
        )

    def holds(self, layer: Any) -> bool:
        """Tell whether a layer has entered."""
        return str(layer.unique_id) in self.layers.values()

    def heading(self, *parts: str) -> str:
        """Say in one line what a result is of: layers, what else there is to say, and the time."""
        layers = [f"{role} {name!r}" for role, name in self.names.items()]
        text = " · ".join([*layers, *filter(None, parts), self.clock])
        return text[:1].upper() + text[1:]

    def differences(self, now: Snapshot, present: Collection[str]) -> list[str]:
        """Say what is another now: layers that are not present any more, other layers, their data, and settings."""
        found = [self._layer_now(role, now, present) for role in self.layers]
        found += [f"there is a {role}" for role in now.layers if role not in self.layers]
        both = [name for name in self.settings if name in now.settings]
        found += [_told(name, now) for name in both if self.settings[name] != now.settings[name]]
        told = [text for text in found if text]
        if not told and len({*self.settings, *now.settings}) > len(both):
            return ["the options are others"]
        return [*told[:_MOST], f"{len(told) - _MOST} more"] if len(told) > _MOST + 1 else told

    def _layer_now(self, role: str, now: Snapshot, present: Collection[str]) -> str:
        own, name = self.layers[role], repr(self.names[role])
        if own not in present:
            return f"{name} was removed"
        if role not in now.layers:
            return f"there is no {role}"
        if now.layers[role] != own:
            return f"the {role} is another"
        if now.prints[role] != self.prints[role]:
            return f"the {'shapes' if role in self.shapes else 'data'} of {name} have changed"
        return ""


def _told(name: str, now: Snapshot) -> str:
    if name != RANGE:
        return f"the {name} is another"
    black, white, _ = now.settings[RANGE]
    return f"black and white are {black} and {white}" if black and white else "black and white are others"
