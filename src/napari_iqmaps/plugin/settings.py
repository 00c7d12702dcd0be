"""What the user has set in napari's preferences: from what the options of every widget start, and go back to.

The manifest declares the settings; napari stores them, shows them under the name of the plugin, and puts its default in
the place of a value that is not among the choices (any more).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari import settings as napari_settings

from ..core.errors import InputError
from ..core.models import resolve
from .follower import Connections

_PLUGIN = "napari-iqmaps"
_OPTIONS = {"threshold_model": "model", "quality_model": "model", "device": "device"}
"""Settings, and the options that start from them; of the models each widget takes the one that it offers."""

_ANYWHERE = ("auto", "cpu")
_RULE = "range_rule"


def defaults_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Give the settings that are among the choices of some options, by the options' names."""
    stored = [(option, str(getattr(_stored(), setting, ""))) for setting, option in _OPTIONS.items()]
    return {name: value for name, value in stored if value in getattr(options.get(name), "choices", ())}


def range_rule() -> str:
    """Give the rule for black and white."""
    return str(getattr(_stored(), _RULE, ""))


def connect(connections: Connections, listen: Any) -> None:
    """Have a function called when a setting changes."""
    stored = _stored()
    for setting in (*_OPTIONS, _RULE):
        if hasattr(stored, setting):
            connections.connect(getattr(stored.events, setting), listen)


def refusal_of(device: str) -> str:
    """Say why this machine cannot use a device; nothing if it can. Called in a thread: it loads PyTorch."""
    try:
        resolve(device)
    except InputError as error:
        return str(error)
    return ""


def is_anywhere(device: str) -> bool:
    """Tell whether every machine has a device."""
    return device in _ANYWHERE


def _stored() -> Any:
    """Give the settings; None where napari is older than 0.9, or the plugin is disabled."""
    get = getattr(napari_settings, "get_plugin_settings", None)
    try:
        return None if get is None else get(_PLUGIN).defaults
    except (KeyError, AttributeError):
        return None
