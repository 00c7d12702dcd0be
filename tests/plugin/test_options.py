"""Options come from signatures: what the core takes is what the widget offers."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from napari_iqmaps import InputError, threshold_map, visibility_map
from napari_iqmaps.plugin.options import FROM_LAYERS, make_options, number_from, read_options, takes


def example(
    image,
    *,
    model: Literal["a", "b"] = "b",
    count: int = 3,
    strength: float = 0.5,
    device: str = "auto",
    limit: int | None = None,
    weights: str | Path | None = None,
    exact: bool = False,
    channel_axis: int | None = None,
    progress: object = None,
):
    """Do something.

    Parameters
    ----------
    image : array_like
        An image.
    model : {"a", "b"}
        Which one.
    count, strength : optional
        How many, how strong.
    device : {"auto", "cpu"}
        Where.
    """


def test_every_option_of_a_signature_gets_a_widget_with_its_default(qapp):
    widgets = make_options([example])
    assert read_options(widgets, example) == {
        "model": "b",
        "count": 3,
        "strength": 0.5,
        "device": "auto",
        "limit": None,
        "weights": None,
        "exact": False,
    }
    assert widgets["device"].choices == ("auto", "cpu")
    assert widgets["model"].tooltip == "Which one.\nIn Python: model"
    assert widgets["strength"].tooltip == "How many, how strong.\nIn Python: strength"


def test_what_is_typed_is_what_the_function_gets(qapp):
    widgets = make_options([example])
    widgets["count"].value = 12
    widgets["limit"].value = "256"
    widgets["weights"].line_edit.value = "some-name"
    widgets["exact"].value = True
    read = read_options(widgets, example)
    assert (read["count"], read["limit"], read["weights"], read["exact"]) == (12, 256, "some-name", True)
    widgets["limit"].value = "many"
    with pytest.raises(InputError, match="Limit is 'many', which is not a number"):
        read_options(widgets, example)


@pytest.mark.parametrize("function", [threshold_map, visibility_map])
def test_the_core_gets_its_own_defaults(qapp, function):
    read = read_options(make_options([threshold_map, visibility_map]), function)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and name not in FROM_LAYERS:
            assert read.pop(name) == parameter.default
    assert read == {}


def test_a_function_gets_only_what_it_takes(qapp):
    widgets = make_options([threshold_map, visibility_map])
    assert "window" in widgets
    assert "window" not in read_options(widgets, threshold_map)
    assert takes(visibility_map, "window")
    assert not takes(threshold_map, "window")


def test_an_observer_is_chosen_and_a_distance_typed(qapp):
    widgets = make_options([threshold_map, visibility_map])
    assert widgets["observer"].choices == ("everyday", "practised")
    assert widgets["observer"].tooltip.startswith("Who looks")
    distance = widgets["pixels_per_degree"]
    assert (distance.value, distance.min, distance.max, distance.step) == (35, 4, 600, 1)
    assert distance.native.text() == "35.0"
    distance.value = 57.5
    assert read_options(widgets, visibility_map)["pixels_per_degree"] == 57.5
    assert "pixels_per_degree" not in read_options(widgets, threshold_map)


@pytest.mark.parametrize(("typed", "read"), [("", None), ("33", 33), (" 9 ", 9), ("64.5", 64.5)])
def test_a_window_is_automatic_or_a_number(qapp, typed, read):
    widgets = make_options([visibility_map])
    assert widgets["window"].native.placeholderText() == "automatic"
    widgets["window"].value = typed
    assert read_options(widgets, visibility_map)["window"] == read


def test_numbers_may_have_a_comma():
    assert number_from(" 1,5 ", "White") == 1.5
    assert number_from("  ", "White") is None


def test_importing_the_widget_loads_no_torch():
    code = "import sys, napari_iqmaps.plugin.visibility; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
