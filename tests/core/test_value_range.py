"""Black and white that are found in the values: the same numbers as numpy's, one pair for all images of a call."""

import dask.array as da
import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.value_range import range_of_values

RULES = ("data", "percentiles")
CONTRAST = {"model": "contrast"}


def scene(seed=0, shape=(48, 64), low=188, high=1200, dtype=np.uint16):
    """A picture in the lowest part of 16 bits, as a camera takes it, with a dead pixel and a hot one."""
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    rng = np.random.default_rng(seed)
    values = np.sin(rows / 5) + np.cos(columns / 7 + seed) + rng.normal(0, 0.2, shape)
    values = low + 40 + (high - low - 80) * (values - values.min()) / np.ptp(values)
    values[..., 3, 5], values[..., 20, 30] = low, high
    return np.rint(values).astype(dtype)


def expected(values, rule):
    finite = np.ma.masked_invalid(values).compressed().astype(np.float64)
    return tuple(np.percentile(finite, (0, 100) if rule == "data" else (0.1, 99.9)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", ">u2", "int16", "uint32", "int32", "int64", "uint64", "float16",
              "float32", ">f4", "float64", "longdouble"]
)  # fmt: skip
def test_the_numbers_are_numpys_for_every_type(dtype, rule):
    kind = np.dtype(dtype)
    rng = np.random.default_rng(1)
    for shape, has_channels in (((37, 41), False), ((3, 20, 31), False), ((30, 20, 3), True), ((30, 20, 4), True)):
        values = rng.normal(0 if kind.kind in "if" else 60, 25, shape).clip(-120, 120)
        array = values > 60 if kind.kind == "b" else values.astype(kind)
        counting = array[..., :3] if has_channels else array
        found = range_of_values(array, rule, "image", has_channels=has_channels)
        assert found == pytest.approx(expected(counting, rule), rel=1e-12)
        assert found.rule == rule
        if kind.itemsize <= 8:
            lazy = da.from_array(array, chunks=7)
            assert range_of_values(lazy, rule, "image", has_channels=has_channels) == found


def test_large_arrays_are_looked_at_in_parts(monkeypatch):
    array = scene(2, (5, 60, 70)).astype(np.float32)
    whole = range_of_values(array, "percentiles", "image", has_channels=False)
    monkeypatch.setattr("napari_iqmaps.core.value_range._PART", 500)
    assert range_of_values(array, "percentiles", "image", has_channels=False) == whole


@pytest.mark.parametrize("rule", RULES)
def test_holes_and_alpha_do_not_count(rule):
    image = scene().astype(np.float32)
    image[0, :3] = np.nan, np.inf, -np.inf
    masked = np.ma.masked_array(image, np.zeros(image.shape, bool))
    masked[1, 1] = 1e9
    masked[1, 1] = np.ma.masked
    plain = iq.threshold_map(masked, data_range=rule, **CONTRAST)
    assert plain.info["data_range"] == pytest.approx(expected(masked, rule))
    # A pixel that is a hole in one colour is none, so its other colours do not count either.
    colours = np.stack([scene(seed) for seed in range(4)], -1).astype(np.float32)
    colours[0, 0] = np.nan, 9e5, 9e5, 9e5
    colours[..., 3] = -1e6
    seen = iq.threshold_map(colours, data_range=rule, channel_axis=-1, **CONTRAST)
    counting = np.where(np.isfinite(colours[..., :1]), colours[..., :3], np.nan)
    assert seen.info["data_range"] == pytest.approx(expected(counting, rule))


def the_same(rule, call, standard):
    """The word gives what the numbers give, and the record says both."""
    found, stated = call(data_range=rule), call(data_range=expected(standard, rule))
    assert found.info["data_range"] == pytest.approx(expected(standard, rule))
    assert found.info["range_rule"] == rule
    assert "range_rule" not in stated.info
    return found, stated


@pytest.mark.parametrize("rule", RULES)
def test_maps_are_those_of_the_numbers(rule, blind_weights):
    test, reference = scene(0, (2, 48, 64)), scene(0, (2, 48, 64), low=150, high=1500)
    network = {"weights": blind_weights["deepbqa"]}
    calls = [
        (lambda **given: iq.threshold_map(test, **CONTRAST, **given), test),
        (lambda **given: iq.visibility_map(test, reference, **CONTRAST, **given), reference),
        (lambda **given: iq.objective_error_map(test, reference, **given), reference),
        (lambda **given: iq.reliability_map(test, **given), test),
        (lambda **given: iq.error_map(test, **network, **given), test),
        (lambda **given: iq.assess(test, reference=reference, **network, **given).maps["objective_error"], reference),
        (lambda **given: iq.diff_diff(test, reference, test[0], **given), test[0]),
        (lambda **given: iq.hide("iq", test, thresholds=iq.ThresholdOptions(**CONTRAST), **given).visibility, test),
    ]
    for call, standard in calls:
        found, stated = the_same(rule, call, standard)
        np.testing.assert_allclose(found.values, stated.values, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_scores_and_registrations_are_those_of_the_numbers(rule, blind_weights, machine_weights):
    first, second = scene(0, (64, 64)), scene(0, (64, 64), low=150, high=1500)
    calls = [
        (lambda **given: iq.quality(first, weights=blind_weights["deepbqa"], **given), first),
        (lambda **given: iq.machine_quality(first, weights=machine_weights, **given), first),
        (lambda **given: iq.machine_curve(first, "jpeg", severities=(0, 3), weights=machine_weights, **given), first),
        (lambda **given: iq.diff_diff_score(first, second, second, **given), second),
        (lambda **given: iq.register(first, second, method="phase", **given), second),
    ]
    for call, standard in calls:
        found, stated = the_same(rule, call, standard)
        assert found.sentence() == stated.sentence()
    np.testing.assert_array_equal(
        iq.distort(first, "jpeg", 3, data_range=rule), iq.distort(first, "jpeg", 3, data_range=expected(first, rule))
    )
    assert iq.auto_tolerance(first, second, data_range=rule) == iq.auto_tolerance(
        first, second, data_range=expected(second, rule)
    )


def test_a_series_has_the_range_of_the_image_that_it_is_brought_to():
    frames = np.stack([scene(0, (64, 64)), scene(0, (64, 64), high=3000)])
    series = iq.register_series(frames, method="phase", data_range="data")
    assert (series.info["data_range"], series.info["range_rule"]) == ((188, 1200), "data")
    assert series.frames[1].info["data_range"] == (188, 1200)


def test_a_comparison_finds_the_range_in_the_fixed_image_of_each_pair():
    moving, fixed = scene(0, (96, 96)), np.roll(scene(0, (96, 96), high=2000), (2, 3), (0, 1))
    options = {"methods": ("none",), "registration": "phase"}
    (found,), (stated,) = (
        iq.compare_registrations([(moving, fixed)], data_range=given, **options).outcomes
        for given in ("data", (188, 2000))
    )
    assert found.row() == stated.row()


@pytest.mark.parametrize("rule", RULES)
def test_lazy_images_are_never_held_as_a_whole(rule):
    image = scene(1, (6, 48, 64))
    largest = []

    def read(block):
        largest.append(block.shape)
        return block

    lazy = da.from_array(image, chunks=(1, 24, 64)).map_blocks(read, dtype=image.dtype, meta=image[:0, :0, :0])
    found = iq.threshold_map(lazy, data_range=rule, **CONTRAST)
    assert found.info["data_range"] == pytest.approx(expected(image, rule))
    assert set(largest) == {(1, 24, 64)}
    assert found.is_lazy
    np.testing.assert_allclose(
        found.compute().values, iq.threshold_map(image, data_range=rule, **CONTRAST).values, atol=1e-5
    )


def test_finding_a_range_can_be_cancelled():
    def cancel(done, total):
        raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.threshold_map(scene(), data_range="percentiles", progress=cancel, **CONTRAST)


@pytest.mark.parametrize(
    ("image", "given", "says"),
    [
        (np.full((40, 40), 128, np.uint8), {"data_range": "data"}, "'data', and every value of the image is 128"),
        (np.full((40, 40), np.nan), {"data_range": "data"}, "no pixel with a value: all 1600 are NaN"),
        (np.eye(80), {"data_range": "percentiles", "channel_axis": None}, None),
        (np.where(np.arange(1600).reshape(40, 40) == 7, 9, 3), {"data_range": "percentiles"}, "both 3.*from 3 to 9"),
        (np.zeros((40, 40)), {"data_range": "Data"}, "'Data'; give .* or one of 'data', 'percentiles'"),
        (scene().astype(np.float32), {"data_range": "data", "luminance": "absolute"}, "light, whose unit says what is"),
    ],
)
def test_what_has_no_black_and_white_of_its_own_is_refused_with_the_numbers(image, given, says):
    if says is None:
        assert iq.threshold_map(image, **CONTRAST, **given).info["data_range"] == (0, 1)
        return
    with pytest.raises(iq.InputError, match=says):
        iq.threshold_map(image, **CONTRAST, **given)


def test_nothing_is_guessed_unless_asked_for():
    assert iq.threshold_map(scene(), **CONTRAST).info["data_range"] == (0, 65535)
    with pytest.raises(iq.InputError, match="cannot be known.*'data'"):
        iq.threshold_map(scene().astype(np.float32), **CONTRAST)
