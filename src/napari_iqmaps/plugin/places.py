"""Where napari offers the widgets besides its menus: command palette, right click on a layer, keyboard.

The manifest gives the palette its entries, whose titles hold the words that people search for. napari 0.9 lets no
manifest put anything into the menu of a layer, nor bind a key: both are done here, when the plugin is used first.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_model.expressions import parse_expression
from app_model.types import CommandRule, Icon, KeyBindingRule, MenuItem, SubmenuItem
from napari import current_viewer

from ..core.errors import InputError
from .frame import MapWidget
from .tasks import report

if TYPE_CHECKING:
    from npe2 import PluginContext

MENU, _TITLE, _GROUP = "napari-iqmaps/layer", "Image quality maps", "6_image_quality_maps"
_PARENTS = ("napari/layers/context", "napari/layers")
_OF_AN_IMAGE = parse_expression("num_selected_layers == 1 and active_layer_type == 'image'")

OFFERED = {
    "map_thresholds": ("Map visibility thresholds", "Alt+1"),
    "compare": ("Compare with a reference", "Alt+2"),
    "hide_watermark": ("Hide a watermark", "Alt+3"),
    "judge_quality": ("Judge quality without a reference", "Alt+4"),
    "judge_for_machines": ("Judge quality for machine vision", "Alt+5"),
    "add_distortion": ("Distort", "Alt+6"),
    "check_registration": ("Check its registration", "Alt+7"),
}
"""Commands of the manifest about one image, with their titles in a menu of that image, and their keys."""

RUN = ("run", "Run the widget in front", "Alt+R")
"""The same of the command that starts whichever widget is open."""


def on_activate(context: PluginContext) -> None:
    """Put the commands into the menu of a layer and into *Layers*, and bind their keys; napari calls this once."""
    for undo in offer():
        context.register_disposable(undo)


def offer() -> list[Callable[[], None]]:
    """Offer the commands in the menus of the application; give what takes them away again."""
    from napari._app_model import get_app_model

    app = get_app_model()
    commands = [(name, title, key, _OF_AN_IMAGE) for name, (title, key) in OFFERED.items()] + [(*RUN, None)]
    keys = [KeyBindingRule(primary=key) for _, _, key, _ in commands]
    undo = [
        bound
        for (name, *_), rule in zip(commands, keys, strict=True)
        if not _is_taken(app, rule) and (bound := app.keybindings.register_keybinding_rule(_id(name), rule))
    ]
    items = [
        (MENU, MenuItem(command=CommandRule(id=_id(name), title=title, enablement=when), order=number))
        for number, (name, title, _, when) in enumerate(commands)
    ]
    icon = Path(__file__).with_name("icon.svg").as_uri()
    ours = SubmenuItem(submenu=MENU, title=_TITLE, group=_GROUP, icon=Icon(dark=icon, light=icon))
    menus = [(parent, ours) for parent in _PARENTS]
    return [*undo, app.menus.append_menu_items([*items, *menus])]


def map_thresholds() -> None:
    """Open "Visibility thresholds" for the selected image."""
    _open("visibility", "VisibilityThresholds", "visibility_thresholds")


def compare() -> None:
    """Open "Visibility thresholds" for the selected image and another one of its size, as the reference."""
    widget = _open("visibility", "VisibilityThresholds", "visibility_thresholds")
    if widget is not None:
        widget.choose_reference()


def hide_watermark() -> None:
    """Open "Hide a mark" for the selected image."""
    _open("hiding", "HideMark", "hide_a_mark")


def judge_quality() -> None:
    """Open "Error, reliability & sensitivity" for the selected image."""
    _open("blind", "BlindQuality", "blind_quality")


def judge_for_machines() -> None:
    """Open "Machine-perceived quality" for the selected image."""
    _open("machine", "MachineQuality", "machine_quality")


def add_distortion() -> None:
    """Open "Distort an image" for the selected image."""
    _open("distortion", "DistortImage", "distort")


def check_registration() -> None:
    """Open "Diff-diff: judge a registration" for the selected image."""
    _open("diff_diff", "DiffDiff", "diff_diff")


def run() -> None:
    """Start the widget that is in front, or say that none is open."""
    shown = [widget for widget in _docked(MapWidget) if widget.isVisible() and not widget.visibleRegion().isEmpty()]
    if not shown:
        report(InputError("No widget of Image quality maps is open. Choose one in the menu Plugins."))
        return
    focused = [widget for widget in shown if widget.isAncestorOf(widget.focusWidget() or widget.window())]
    (focused or shown)[-1].run()


def _id(name: str) -> str:
    return f"napari-iqmaps.{name}"


def _is_taken(app: Any, rule: KeyBindingRule) -> bool:
    """Tell whether napari or another plugin has bound a key."""
    from napari.settings import get_settings

    bound = {str(entry.keybinding) for entry in app.keybindings}
    bound |= {str(key) for keys in get_settings().shortcuts.shortcuts.values() for key in keys}
    return str(rule.primary) in bound


def _docked(kind: type[MapWidget]) -> list[Any]:
    viewer = current_viewer()
    return [] if viewer is None else [dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, kind)]


def _open(module: str, name: str, command: str) -> Any:
    """Show the dock of a widget, opened as napari's menu opens it, with the selected image chosen; give the widget."""
    from napari._app_model import get_app_model

    kind = getattr(import_module(f"{__package__}.{module}"), name)
    viewer = current_viewer()
    if viewer is None:
        return None
    selected = viewer.layers.selection.active
    if not _docked(kind):
        get_app_model().commands.execute_command(_id(command)).result()
    for widget in _docked(kind):
        dock = widget.parent()
        dock.show()
        dock.raise_()
        if selected is not None:
            widget.choose(selected)
        return widget
    return None
