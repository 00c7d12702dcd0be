"""What the user has set in napari's preferences: from what the options of every widget start, and go back to.

The manifest declares the settings; napari stores them, and shows them under the name of the plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari import settings as napari_settings

_PLUGIN = "napari-iqmaps"
_MODELS = ("threshold_model", "quality_model")
"""Settings for the option ``model``: each widget takes the one that it offers."""

ANYWHERE = ("auto", "cpu")
"""Devices that every machine has."""


def stored() -> dict[str, str]:
    """Give the settings by their names; none at all where napari is older than 0.9, or cannot read them."""
    found = _settings()
    return {} if found is None else {name: str(value) for name, value in found.model_dump().items()}


def on_change(listen: Callable[..., None], connect: Callable[..., None]) -> None:
    """Have a function called when a setting changes."""
    found = _settings()
    if found is not None:
        for name in stored():
            connect(getattr(found.events, name), listen)


def defaults_of(options: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Give the settings that are defaults of some options, and what to say of those that are not offered (any more)."""
    values = stored()
    wanted = {"device": [values[name] for name in ("device",) if name in values]}
    wanted["model"] = [values[name] for name in _MODELS if name in values]
    taken, refused = {}, []
    for name, candidates in wanted.items():
        choices = getattr(options.get(name), "choices", ())
        fitting = [value for value in candidates if value in choices]
        if fitting:
            taken[name] = fitting[0]
    if "device" in options and wanted["device"] and "device" not in taken:
        refused.append(f"The preferences ask for the device {wanted['device'][0]!r}, which there is not.")
    return taken, refused


def _settings() -> Any:
    get = getattr(napari_settings, "get_plugin_settings", None)
    if get is None:
        return None
    try:
        return get(_PLUGIN).defaults
    except (KeyError, AttributeError):  # the plugin is disabled, or its manifest is that of another version
        return None
