"""The widget "Diff-diff: judge a registration": where it made the match better or worse, live at any tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, SpinBox
from qtpy.QtCore import QTimer

from ..core.diffdiff import ScoreLimits, diff_diff_assess
from ..core.errors import InputError
from ..core.registration import register
from ..core.registration.geometry import TRANSFORMS
from ..core.registration.search import METHODS
from . import export
from .diff_diff_figures import FIGURES, Closer, CloserPanel, Ladder, plane_of
from .diff_diff_layers import JudgedLayers, lie_alike, placed_by_viewer, rows_of, set_affine
from .diff_diff_run import JudgedResult, judge
from .follower import REST_MILLISECONDS, timer
from .frame import Key, MapWidget
from .inputs import InputSlot, is_picture
from .layers import PICTURE_KEY, LayerPixels, common_channel_axis, holds
from .options import OptionWidget, ToleranceBar, make_options, read_options
from .parts import ViewButtons
from .results import Request
from .snapshot import Snapshot

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

AS_PLACED = "as placed in the viewer"
"""In place of a method: judge the transforms that the layers have, such as another plugin set."""

NEW_LAYER, AFFINE = "a new layer", "the moving layer's affine"

_NEEDS_A_FILE = ("matches",)
_ELSEWHERE = ("valid", "weight", "region", "tol", "grid", "limits", "matches")
_MOST_BLOCKS = 20
_SLOTS = ("moving", "fixed", "registered")
_VOTES = (("none", 0), ("3 x 3", 3), ("5 x 5", 5))

_ROLES: Mapping[str, tuple[str, ...]] = {
    "registered": ("registered", "aligned", "warped"),
    "fixed": ("fixed", "target", "reference"),
    "moving": ("moving", "source"),
}

OF_REGISTERING = ("transform", "max_shift", "min_overlap", "min_inliers", "seed", "result")
"""Options that matter only where the widget registers."""


def judge_options() -> dict[str, OptionWidget]:
    """Make the options: those of `register`, then those of `diff_diff_assess`."""
    offered = [name for name in METHODS if name not in _NEEDS_A_FILE]
    method = ComboBox(
        name="method",
        label="Method",
        value="auto",
        choices=[*offered, AS_PLACED],
        tooltip="How to register: auto tries several ways and keeps what the evidence carries, or refuses; fast is for "
        "small motions. As placed in the viewer: judge the transform that the moving layer has.",
    )
    transform = ComboBox(
        name="transform",
        label="Transform",
        value=TRANSFORMS[0],
        choices=TRANSFORMS,
        tooltip="What the motion may be, from the freest to the stiffest.",
    )
    result = ComboBox(
        name="result",
        label="Registered image as",
        value=NEW_LAYER,
        choices=(NEW_LAYER, AFFINE),
        tooltip="Resample the moving image into a layer of its own, or move the moving layer by its affine.",
    )
    outside = ComboBox(
        name="black_border",
        label="Black border",
        value="outside",
        choices=(("is outside", "outside"), ("is image", "image")),
        tooltip="Of a registered image from elsewhere: whether black pixels connected to its edge are where the moving "
        "image does not reach. They are not judged.",
    )
    grid = SpinBox(
        name="grid",
        label="Blocks a side",
        value=5,
        min=0,
        max=_MOST_BLOCKS,
        tooltip="Into how many blocks a side the image is cut; each has a score of its own. 0: none.",
    )
    first = {"method": method, "transform": transform}
    made = {
        name: widget
        for name, widget in make_options((register, diff_diff_assess, ScoreLimits)).items()
        if name not in _ELSEWHERE and name not in first
    }
    median = ComboBox(
        name="median",
        label="Vote of pixels",
        value=0,
        choices=_VOTES,
        tooltip="Count a pixel only where most of its neighbours say the same: single pixels of noise go.",
    )
    judging = {"grid": grid, **{name: made.pop(name) for name in list(made) if name not in OF_REGISTERING}}
    made = {**first, **made, "result": result, "black_border": outside, **judging, "median": median}
    made["smooth"].max = 20.0
    return made


def guessed_roles(layers: Iterable[Any]) -> dict[str, Any]:
    """Guess which layers are moving, fixed and registered: by the words in their names, slot to layer.

    Without such words the first two images are moving and fixed; a registered image is only guessed by its name.
    """
    images = [layer for layer in layers if is_picture(layer) and PICTURE_KEY not in layer.metadata]
    found: dict[str, Any] = {}
    for role, words in _ROLES.items():
        named = (layer for layer in images if any(word in layer.name.lower() for word in words))
        layer = next((layer for layer in named if not holds(found.values(), layer)), None)
        if layer is not None:
            found[role] = layer
    for role in ("moving", "fixed"):
        left = [layer for layer in images if not holds(found.values(), layer)]
        if role not in found and left:
            found[role] = left[0]
    return found


def refuse_unfit(roles: Mapping[str, Any], pixels: Mapping[str, LayerPixels], *, wants_affine: bool) -> None:
    """Stop at layers that cannot be the images of one registration."""
    moving, fixed, registered = (roles[name] for name in _SLOTS)
    if registered is not None:
        _refuse_unfit_registered(moving, fixed, registered, pixels)
    common_channel_axis(pixels.values())
    dimensions, own = pixels["fixed"].data.ndim, pixels["moving"].data.ndim
    if own < dimensions:
        raise InputError(
            f"The fixed image {fixed.name!r} has {dimensions} dimensions and the moving image {moving.name!r} {own}. "
            "Choose one plane as the fixed image, or a stack as moving."
        )
    if own > dimensions and wants_affine:
        raise InputError(
            f"{moving.name!r} is a stack, whose planes move each by itself; a layer has one affine. Ask for a new "
            "layer instead."
        )


def _refuse_unfit_registered(moving: Any, fixed: Any, registered: Any, pixels: Mapping[str, LayerPixels]) -> None:
    (height, width), (own_height, own_width) = pixels["fixed"].plane_shape, pixels["registered"].plane_shape
    if (height, width) != (own_height, own_width):
        raise InputError(
            f"The registered image {registered.name!r} has {own_height} x {own_width} pixels and the fixed image "
            f"{fixed.name!r} {height} x {width}; they must lie on one grid."
        )
    if not lie_alike(registered, fixed, (height, width)):
        raise InputError(
            f"The viewer shows {registered.name!r} elsewhere than {fixed.name!r} (scale, translate or affine differ), "
            "so their pixels do not belong together. If it was registered by its transform, choose it as the moving "
            f"image with the method {AS_PLACED!r}; if not, give it the transform of {fixed.name!r}."
        )


def _note(moving: Any, fixed: Any, shape: tuple[int, int]) -> str:
    """Say that what is compared is not what the viewer shows, where that is so."""
    if lie_alike(moving, fixed, shape):
        return ""
    return (
        "The viewer shows the two layers in different places or sizes; the judgement starts from their pixels as they "
        f"are, row on row and column on column. To judge what the viewer shows, choose the method {AS_PLACED!r}."
    )


def _limits(layer: Any) -> tuple[float, float] | None:
    """Give the values between which a grey layer is shown."""
    if layer.rgb:
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)


class DiffDiff(MapWidget):
    """Judge a registration, or register and judge: a map of where the match got better or worse, and a verdict."""

    functions = (diff_diff_assess, register)
    slots = (
        InputSlot(
            "moving",
            "Moving",
            "The image that is brought onto the other; a stack (t, y, x) frame by frame.",
            role="moving image",
        ),
        InputSlot("fixed", "Fixed", "The image that it is brought onto.", role="fixed image"),
        InputSlot(
            "registered",
            "Registered",
            "The moving image after a registration made elsewhere. None: register by the method below.",
            optional=True,
            role="registered image",
        ),
    )
    main_options = ("method", "transform", "illumination")
    refuses_light = "registrations are judged on display codes"
    progress_text = "{share:.0%} done"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._judged: dict[Key, JudgedLayers] = {}
        self._current: tuple[JudgedResult, JudgedLayers, dict[str, Any]] | None = None
        self._asked: dict[str, Any] = {}
        self._automatic: JudgedResult | None = None
        self._roles_are_chosen = False
        super().__init__(viewer)
        self.tolerance = ToleranceBar(self)
        self.views = ViewButtons(_SHOWS, "Map", self)
        self.closer = CloserPanel(self)
        for part in (self.views, self.tolerance):
            self.insert_above_summary(part)
        self.insert_below_summary(self.closer)
        self._throttle = timer(self, _THROTTLE_MILLISECONDS, self._recount)
        self._rest = timer(self, REST_MILLISECONDS, self._on_rest)
        self.tolerance.moved.connect(lambda _tol: None if self._throttle.isActive() else self._throttle.start())
        self.views.pressed.connect(self._show_view)
        self.closer.wanted.connect(self.look_closer)
        self.closer.figure_save_wanted.connect(self._save_figure)
        self.closer.blocks_save_wanted.connect(self._save_blocks)
        self.closer.planes_save_wanted.connect(self._save_planes)
        self.tolerance.box.changed.connect(self._check)
        self._connections.connect(viewer.layers.events.inserted, self._guess_roles)
        for chooser in self.layers.images.values():
            chooser.native.activated.connect(self._on_role_chosen)
        self._on_theme()
        self._guess_roles()

    # What the frame asks

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make the options of registering and of judging."""
        return judge_options()

    def reset(self) -> None:
        """Bring back the defaults, and let the core find the tolerance."""
        super().reset()
        self.tolerance.box.value = True

    def describe(self) -> str:
        """Say what Run will register and judge."""
        moving, fixed, registered = map(self.layer, _SLOTS)
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
        given = self.layer("registered") is not None
        if name == "method":
            return not given
        if name in OF_REGISTERING:
            return self._registers
        return given if name == "black_border" else True

    def entered(self) -> dict[str, Any]:
        """Add the tolerance, or that the core finds it."""
        return {"tolerance": "auto" if self.tolerance.is_automatic else self.tolerance.value}

    def placed(self) -> tuple[str, ...]:
        """Say that the region lies on the fixed image, and that a placement in the viewer is what is judged."""
        region = () if self.layers.region.value is None else ("region", "fixed")
        judges_placement = not self._registers and self.layer("registered") is None
        return (*region, *(("moving", "fixed") if judges_placement else ()))

    def result_key(self, request: Request) -> Key:
        """Keep one set of layers for each choice of images."""
        return ("diff_diff", *(str(layer.unique_id) for layer in self.images()))

    def request(self) -> Request:
        """Ask to register and judge, or to judge the registered layer or how the viewer places the moving one."""
        self._asked = roles = {name: self.layer(name) for name in _SLOTS}
        moving, fixed, registered = roles.values()
        pixels, registers = self.pixels(), self._registers
        wants_affine = registers and self.options["result"].value == AFFINE
        refuse_unfit(roles, pixels, wants_affine=wants_affine)
        shape = pixels["fixed"].plane_shape
        region = self.region(fixed, pixels["fixed"])
        side = int(self.options["grid"].value)
        judging = self.values(diff_diff_assess) | {
            "grid": (side, side) if side else None,
            "limits": ScoreLimits(**read_options(self.options, ScoreLimits)),
            "tol": "auto" if self.tolerance.is_automatic else self.tolerance.value,
            "region": None if region is None else region.whole_mask(),
        }
        options = {
            "judging": judging,
            "registering": self.values(register) if registers else {},
            "placed": placed_by_viewer(moving, fixed) if registered is None and not registers else None,
            "valid": "border" if self.options["black_border"].value == "outside" else None,
            "name": moving.name,
        }
        limits = {name: _limits(layer) for name, layer in roles.items() if layer is not None}
        show = partial(
            JudgedResult.made,
            limits={"registered": limits["moving"], **limits},
            note=_note(moving, fixed, shape) if registers else "",
            wants_affine=wants_affine,
        )
        return Request(judge, pixels, options, show, title="Registering and judging" if registers else "Diff-diff")

    @property
    def _method(self) -> str:
        return str(self.options["method"].value)

    @property
    def _registers(self) -> bool:
        """Whether Run registers, or else judges a registration that is there."""
        return self.layer("registered") is None and self._method != AS_PLACED

    # Results

    def place(self, source: Any, key: Key, result: Any) -> list[Any]:
        """Put a judgement into its layers, and move the moving layer if that was asked for."""
        roles = self._asked  # others may be chosen by now
        self._roles_are_chosen = True
        layers = self._judged.setdefault(key, JudgedLayers(self.viewer))
        if result.affine is not None:
            set_affine(roles["moving"], roles["fixed"], result.affine)
        layers.show(result, **roles)
        self._current = (result, layers, roles)
        self._automatic = result if self.tolerance.is_automatic else None
        return [layers.get("map")]

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Offer to look at the judgement: at its layers, at other tolerances and closer."""
        assert self._current is not None
        result = self._current[0]
        self.tolerance.show_found(result.score.tol, result.limits[1])
        self.views.show()
        self.closer.show()
        self.closer.show_figure(None)
        self.forget(self.closer.standing)
        self.summary.standing.offer(self.closer.save_blocks, bool(result.score.blocks))
        self.summary.standing.offer(self.closer.save_planes)
        self.closer.save_planes.setVisible(len(result.score.planes) > 1)
        self._show_view(self.views.chosen)
        self._on_counted(result)

    def on_running(self, is_running: bool) -> None:
        """Look no closer meanwhile."""
        self.closer.set_running(is_running)

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
        if found is not None or not self.tolerance.is_automatic:
            self.restate(self.summary.standing, self.entered())
        self._on_counted(result)
        self._rest.start()

    def _on_counted(self, result: JudgedResult) -> None:
        self.summary.histogram.show_lines(-result.score.tol, result.score.tol)
        self.say_plane()

    def _on_rest(self) -> None:
        """Bring the layers that nobody sees up to date, when the slider has come to rest."""
        if self._current is not None:
            result, layers, _ = self._current
            layers.recount(result)

    def _plane(self) -> tuple[int, ...]:
        """Give the index of the plane that the viewer shows; empty for one image."""
        return () if self._current is None else self._current[1].plane()

    # Looking closer

    def look_closer(self, name: str) -> None:
        """Draw a figure about the plane that is shown; does nothing while something is under way."""
        if self._current is None:
            return
        result, _, roles = self._current
        plane = self.taken(lambda: plane_of(result, roles, self._plane(), self.range.value_given()))
        if plane is not None:
            of = self.of(self.summary.standing)
            assert of is not None
            self.start(partial(FIGURES[name][0], plane), name, f"{name}…", partial(self._on_figure, of), of)

    def _on_figure(self, of: Snapshot, figure: Closer) -> None:
        self.closer.show_figure(figure)
        # The ladder has tolerances of its own.
        own = {"tolerance": of.settings["tolerance"]} if isinstance(figure, Ladder) else {}
        self.date(self.closer.standing, of, now=lambda: self.snapshot().having(own))
        self.say("")
        QTimer.singleShot(0, partial(self.scroll_to, self.closer))

    def _save_figure(self) -> None:
        if (figure := self.closer.view.shown) is not None:
            name = f"{figure.name}.png"
            self.export(partial(export.ask_for_picture, suggestion=name), self.closer.view.as_png())

    def _save_blocks(self) -> None:
        if self._current is None:
            return
        result = self._current[0]
        rows = rows_of(result.score, file=result.names[0], reference=result.names[1])
        ask = partial(export.ask_for_rows, title="Save the blocks", suggestion=f"{result.names[0]}_blocks.csv")
        self.export(ask, rows or None)

    def _save_planes(self) -> None:
        if self._current is not None:
            result = self._current[0]
            ask = partial(export.ask_for_rows, title="Save the planes", suggestion=f"{result.names[0]}_planes.csv")
            self.export(ask, result.plane_rows())

    # Roles

    def choose(self, layer: Any) -> None:
        """Take a layer as the moving image, unless its name tells another role."""
        if "moving" not in guessed_roles([layer]):
            return  # it is guessed already
        moving, fixed = (self.layers.images[role] for role in ("moving", "fixed"))
        if fixed.value is layer and moving.value is not None:
            fixed.value = moving.value
        self._roles_are_chosen = True
        super().choose(layer)

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
