"""What a function says of its parameters is read as it is written: names, defaults, choices, and the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.blind import assess
from napari_iqmaps.core.diffdiff import diff_diff_assess
from napari_iqmaps.core.hiding import hide
from napari_iqmaps.core.registration import register
from napari_iqmaps.core.signatures import parameters_of

if TYPE_CHECKING:
    from pathlib import Path

    from somewhere import Something


def first(
    image: Any,
    *,
    stride: Literal[1, 2, 4] = 4,
    model: str = "b",
    share: float | None = None,
    weights: str | Path | None = None,
    other: Something = None,
    told: int = 3,
):
    """Do something.

    Parameters
    ----------
    image : array_like
        An image.
    stride : {4, 1, 2}
        Pixels between cells; 4 is usual. A second sentence.
    model : {"b", "a"}, optional
        Which ``one`` of `MODELS`.
    share : float, optional
        A share of .5 or more; None takes .25, which is 1/4. 3 are too many.
    weights : str or pathlib.Path, optional
        A name. None takes the default.
    """


def second(*, stride: int = 2, share: float = 0.5, told: int = 3):
    """Do another thing.

    Parameters
    ----------
    stride : {2, 1}
        As in `first`.
    share, told : optional
        As in `first`, but half.
    """


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record.

    Attributes
    ----------
    grid : {"fine", "coarse"}
        How fine it is.
    """

    grid: str = "fine"


def test_names_defaults_types_and_choices_are_those_of_the_signature():
    found = parameters_of(first)
    assert list(found) == ["stride", "model", "share", "weights", "other", "told"]
    assert [parameter.default for parameter in found.values()] == [4, "b", None, None, None, 3]
    assert found["stride"].choices == (4, 1, 2)
    assert found["model"].choices == ("b", "a")
    assert found["share"].choices == ()
    assert (found["share"].kinds, found["told"].kinds, found["stride"].kinds) == ({float}, {int}, frozenset())
    assert found["other"].annotation is Any


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("stride", 1, "Pixels between cells; 4 is usual."),
        ("stride", 2, "Pixels between cells; 4 is usual. A second sentence."),
        ("model", 1, "Which one of MODELS."),
        ("share", 1, "A share of .5 or more."),
        ("share", 2, "A share of .5 or more. 3 are too many."),
        ("weights", 2, "A name."),
        ("told", 1, ""),
    ],
)
def test_sentences_lose_markup_and_what_none_means(name, count, said):
    assert parameters_of(first)[name].sentences(count) == said


def test_a_reference_is_followed_and_own_choices_stay():
    found = parameters_of(second)
    assert (found["stride"].choices, found["stride"].sentences()) == ((2, 1), "Pixels between cells; 4 is usual.")
    assert found["share"].sentences() == "A share of .5 or more."
    assert found["told"].description == "As in `first`, but half."


def test_a_record_of_options_is_read_alike():
    (grid,) = parameters_of(Record).values()
    assert (grid.default, grid.choices, grid.sentences()) == ("fine", ("fine", "coarse"), "How fine it is.")


@pytest.mark.parametrize(
    "function",
    [iq.threshold_map, iq.visibility_map, iq.quality, assess, diff_diff_assess, hide, register, iq.register_series,
     iq.machine_quality, iq.machine_curve, iq.distort],
)  # fmt: skip
def test_every_option_of_the_core_says_what_it_is(function):
    for parameter in parameters_of(function).values():
        assert parameter.sentences(), parameter.name
        assert not parameter.description.startswith("As in"), parameter.name
        if parameter.choices:
            assert parameter.default is None or parameter.default in parameter.choices
