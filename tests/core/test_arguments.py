"""Every public function and record answers, or refuses with an error of ours, whatever it is given."""

from __future__ import annotations

import inspect
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.arguments import checked

from .sweep import SIDE, Case, Target, arrays, cases, picture

QUICK = {"model": "contrast"}
SAMPLE = 350
SLOW = ("tile", "radius", "methods", "10**12")
"""Parts of the names of cases that are answered, and take long for it."""


@pytest.fixture(scope="module")
def pool():
    return arrays()


def test_a_sample_of_everything_that_may_be_given(tmp_path):
    drawn = [case for case in cases(tmp_path) if not any(part in str(case) for part in SLOW)]
    escaped = {str(case): said for case in random.Random(14).sample(drawn, SAMPLE) if (said := case.outcome())}
    assert escaped == {}


def test_what_is_taken_for_a_path_is_written_in_the_folder_of_the_case(tmp_path, monkeypatch):
    folder, here = tmp_path / "folder", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    target = Target("save_matrix", iq.save_matrix, {"registration": np.eye(3)})
    assert Case(folder, target, "path", "auto", "auto").outcome() == ""
    assert [path.name for path in folder.iterdir()] == ["auto"]
    assert not list(here.iterdir())


ALIKE = (
    "np.matrix",
    "masked matrix",
    "lookalike",
    "longdouble",
    "float16",
    "float32",
    "torch",
    "torch float16",
    "list",
    "big-endian",
    "big-endian floats",
    "read-only",
    "Fortran",
    "memoryview",
    "Pillow",
    "list of dask",
    "dask",
    "dask with empty chunks",
    "frame",
)


@pytest.mark.parametrize("name", ALIKE)
def test_an_array_of_any_class_is_seen_as_the_numbers_that_it_holds(pool, name):
    if name not in pool:
        pytest.skip("needs an optional package")
    value = pool[name]
    plane = np.stack([picture(), picture()]) if name == "list of dask" else picture()
    found = iq.threshold_map(value, data_range=255, **QUICK).compute()
    expected = iq.threshold_map(plane, data_range=255, **QUICK)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-5)


REFUSED = {
    "torch with gradient": "detach",
    "torch bfloat16": "detach",
    "torch meta": "image",
    "failing lookalike": "not an array",
    "lookalike of nothing": "not an array|holds object",
    "structured": "dtype",
    "records": "dtype",
    "void": "dtype",
    "dates": "dtype",
    "complex": "complex",
    "objects": "object",
    "None objects": "object",
    "text array": "not numbers",
    "ragged": "equal length",
    "text": "not numbers",
    "None": "object",
    "number": "0 axes",
    "0-d": "0 axes",
    "1-d": "1 axes",
    "no rows": "empty",
    "no planes": "empty",
    "10**12 pixels": "1e.12 values",
    "10**12 planes": "repeats",
    "dask of unknown shape": "compute_chunk_sizes",
    "dask of objects": "object",
    "Pillow palette": "mode P",
    "generator": "object",
    "dict": "object",
    "hostile": "object",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "call",
    [
        lambda image: iq.quality(image, data_range=255),
        lambda image: iq.diff_diff(image, picture(), picture(), data_range=255),
        lambda image: iq.register(image, picture(), data_range=255),
        lambda image: iq.distort(image, "jpeg", 2, data_range=255),
        lambda image: iq.hide("a", image, data_range=255, thresholds=iq.ThresholdOptions(model="contrast")),
        lambda image: iq.edge_weight(image, data_range=255),
    ],
)
def test_what_is_no_image_is_refused_by_name(pool, name, call):
    if name not in pool:
        pytest.skip("needs an optional package")
    with pytest.raises(iq.InputError, match=REFUSED[name]):
        call(pool[name])


@pytest.mark.parametrize("name", ["dask that fails", "dask of another type", "dask of another shape"])
@pytest.mark.parametrize(
    "call",
    [
        iq.quality,
        lambda image: iq.threshold_map(image, **QUICK).compute(),
        lambda image: iq.machine_assess(image).score,
        lambda image: iq.hide("a", image),
        lambda image: iq.register(image, picture()),
        lambda image: iq.register_series(image[np.newaxis], picture()),
        lambda image: iq.diff_diff(picture(), picture(), picture(), weight=image),
    ],
)
def test_a_dask_array_that_cannot_be_computed_is_an_error_of_ours(pool, name, call):
    pytest.importorskip("dask.array")
    with pytest.raises(iq.InputError, match="dask array") as caught:
        call(pool[name])
    assert name != "dask that fails" or isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 1e-300), "apart"),
        ((0, 1e308), "apart"),
        ((-1e308, 1e308), "apart"),
        ((1e40, 2e40), "apart"),
        ((1e20, 1e20 + 1e5), "hardly any"),
        ((2**63 - 1025, 2**63 - 1), "hardly any|above black"),
        ((0, float("nan")), "finite"),
        ((1, 0), "above black"),
        ((1, 1), "above black"),
        (-3, "above black"),
        ("5", r"data_range is '5'; give \(black, white\), .* 'data', 'percentiles'"),
        (("0", "1"), "give a number"),
        (True, "give a number"),
        ((False, True), "give a number"),
        (1j, "give a number"),
        ((0, 1, 2), "give a number"),
        ({"white": 1}, "give a number"),
        ((0, 10**400), "give a number"),
        (np.zeros((2, 2)), "array .*of shape"),
    ],
)
def test_ranges_that_cannot_be_meant(given, says):
    for call in (iq.quality, iq.edge_weight, lambda image, **options: iq.distort(image, "jpeg", 1, **options)):
        with pytest.raises(iq.InputError, match=says):
            call(picture() / 255, data_range=given)


@pytest.mark.parametrize(
    "given",
    [(0, 1), [0, 1], np.array([0, 1]), 1, 1.0, np.float32(1), np.int8(1), np.array(1), (np.float64(0), np.uint8(1))],
)
def test_ranges_that_mean_the_same(given):
    expected = iq.edge_weight(picture() / 255, data_range=(0.0, 1.0))
    np.testing.assert_array_equal(iq.edge_weight(picture() / 255, data_range=given), expected)


def test_a_range_far_from_zero_keeps_its_steps():
    plane = picture()
    offset = np.float64(2**40)
    np.testing.assert_allclose(
        iq.edge_weight(plane + offset, data_range=(offset, offset + 255)), iq.edge_weight(plane), atol=1e-3
    )


def test_numbers_wider_than_float64_are_clipped_and_not_holes():
    plane = picture() * np.longdouble("1e4000")
    if not np.isfinite(plane).all():
        pytest.skip("longdouble is float64 here")
    assert np.isfinite(iq.threshold_map(plane, data_range=1, **QUICK).values).all()


WRONG = {
    "maps": 5,
    "progress": 3,
    "weights": 5,
    "device": 5,
    "tile": "a",
    "channel_axis": True,
    "model": ["pnet"],
    "reference": "a",
}


@pytest.mark.parametrize("name", WRONG)
def test_options_of_the_wrong_type(name):
    with pytest.raises(iq.InputError, match=f"{name} (is|image holds)"):
        iq.assess(picture(), **{name: WRONG[name]})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: iq.ThresholdOptions(weights=5), "weights is 5"),
        (lambda: iq.ThresholdOptions(observer=["everyday"]), "observer is"),
        (lambda: iq.ThresholdOptions(stride="a"), "stride is 'a'"),
        (lambda: iq.ThresholdOptions(stride=True), "stride is True"),
        (lambda: iq.ThresholdOptions(pixels_per_degree="35"), "pixels_per_degree is '35'"),
        (lambda: iq.hide("a", picture(), thresholds=5), "thresholds is 5"),
        (lambda: iq.compare_registrations(5), "pairs is 5"),
        (lambda: iq.compare_registrations([5]), "Pair 0 is 5"),
        (lambda: iq.compare_registrations(["ab"]), "Pair 0 is 'ab'"),
        (lambda: iq.compare_registrations([(picture(), picture())], "none"), r"methods is 'none'.* such as \['none'\]"),
        (lambda: iq.quality(picture(), device="cuda:99"), "cuda"),
        (lambda: iq.quality(picture(), device=""), "no device ''"),
        (lambda: iq.quality(picture(), tile=10**400), "tile is 1000"),
        (lambda: iq.quality(picture(), weights="a\0b"), "weights is"),
        (lambda: iq.distort(picture(), "jpeg", 2, seed=None), "seed is None"),
        (lambda: iq.distort(picture(), "jpeg", 2, seed=True), "seed is True"),
        (lambda: iq.edge_weight(picture(), radius=10**12), "radius"),
        (lambda: iq.diff_diff(picture(), picture(), picture(), tol=1e308), "tol is"),
        (lambda: iq.diff_diff(picture(), picture(), picture(), region=(slice("a"), slice(3))), "region"),
        (lambda: iq.read_image("a\0b"), "path is"),
        (lambda: iq.read_image(b"a.png"), "path is b'a.png'"),
        (lambda: iq.write_map(5, "a.tif"), "quality_map is 5"),
    ],
)
def test_more_options_of_the_wrong_type(call, says):
    with pytest.raises(iq.IqmapsError, match=says):
        call()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: iq.QualityMap(np.zeros((4, 4), np.float32), "threshold", np.zeros(3), {}), "score is"),
        (lambda: iq.QualityMap(np.zeros((4, 4), np.float32), "threshold", "a", {}), "score is 'a'"),
        (lambda: iq.QualityMap(np.zeros(4, np.float32), "threshold", 0.0, {}), "values of a map"),
        (lambda: iq.QualityMap(np.zeros((4, 4), int), "threshold", 0.0, {}), "values of a map"),
        (lambda: iq.QualityMap(np.zeros((4, 4), np.float32), "x", 0.0, {}), "no kind of map called 'x'"),
        (lambda: iq.QualityMap(np.zeros((4, 4), np.float32), "threshold", 0.0, None), "info is None"),
        (lambda: iq.QualityMap.of(np.zeros((4, 4), np.float32), "visibility", {}), "needs an entry 'mixing'"),
        (lambda: iq.QualityScore.of(["a"]), "not numbers"),
        (lambda: iq.QualityScore.of([1.0, 2.0], uncertainty=[1.0, 2.0, 3.0]), "uncertainties of shape"),
        (lambda: iq.QualityScore.of([1.0], range=(5, 5)), "range of the score"),
        (lambda: iq.MatchTable.of([(1, 2, 3)], [(1, 2)], moving_shape=(9, 9), fixed_shape=(9, 9)), "moving points"),
        (lambda: iq.MatchTable.of([(1, 2)], [(1, 2)], moving_shape="ab", fixed_shape=(9, 9)), "moving_shape is 'ab'"),
        (lambda: iq.MatrixRecord(np.eye(2)), "shape .2, 2."),
        (lambda: iq.MatrixRecord(np.eye(3), moving_shape=(0, 5)), "moving_shape is"),
        (lambda: iq.FilePair(1, 2), "moving is 1"),
        (lambda: iq.Outcome.from_row({}), "no file and no fixed"),
        (lambda: iq.Outcome.from_row({"file": "a", "fixed": "b", "score": "x"}), "no number"),
        (lambda: iq.ScoreLimits(min_block="a"), "min_block is 'a'"),
        (lambda: iq.distortion("jpeg").strength_beyond(1e308), "severity"),
    ],
)
def test_records_refuse_what_they_cannot_be_made_of(call, says):
    with pytest.raises(iq.InputError, match=says):
        call()


@pytest.mark.parametrize("white", [300, 1e6, 1e12])
def test_a_mark_stays_within_what_the_image_can_store(white):
    image = np.full((SIDE, SIDE), 250, np.uint8)
    options = iq.ThresholdOptions(model="contrast")
    hidden = iq.hide(
        np.ones((8, 8)), image, mode="clamp", strength=10, amplitude=1e3, data_range=white, thresholds=options
    )
    assert (hidden.image >= image).all()
    np.testing.assert_array_equal(hidden.image.astype(int) - image, hidden.mark)


def stated(
    image: Any,
    share: float = 0.5,
    *,
    count: int = 1,
    words: Sequence[str] = (),
    pair: tuple[int, int] | None = None,
    name: str | Path = "a",
    choice: Literal["a", "b"] | None = None,
) -> tuple[Any, ...]:
    """Give what was given.

    Parameters
    ----------
    image
        Anything.
    share : float
        A part of the whole. Up to 1.
    """
    return share, count, words, pair, name, choice


def test_numbers_of_numpy_and_lists_become_what_is_stated():
    given = checked(stated)(
        None, np.float32(0.25), count=np.int8(3), words=["a"], pair=np.array([1, 2]), choice=np.str_("a")
    )
    assert given == (0.25, 3, ("a",), (1, 2), "a", "a")
    assert [type(value) for value in given] == [float, int, tuple, tuple, str, str]


def test_the_message_says_what_was_given_what_is_taken_and_what_is_meant():
    with pytest.raises(iq.InputError) as caught:
        checked(stated)(None, "half")
    assert str(caught.value) == "share is 'half'; give a number. A part of the whole."


def test_a_call_that_python_refuses_is_refused_by_python():
    with pytest.raises(TypeError, match="stated.. got an unexpected keyword argument 'shares'"):
        checked(stated)(None, shares=3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'image'"):
        checked(stated)()


def test_a_checked_function_is_what_it_was():
    same = checked(stated)
    assert inspect.signature(same) == inspect.signature(stated)
    assert (same.__name__, same.__doc__, same.__module__) == (stated.__name__, stated.__doc__, stated.__module__)


def test_where_memory_does_not_suffice():
    def greedy(image: Any) -> Any:
        raise MemoryError("8 TiB")

    with pytest.raises(iq.InputError, match="not enough memory.*8 TiB"):
        checked(greedy)(None)
