"""The stated level is never exceeded at any pixel, and what comes back is what was really embedded."""

import inspect
import math
import pickle
from dataclasses import fields

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core import _embedding, hiding

FAST = {"thresholds": iq.ThresholdOptions(model="contrast")}
RANGES = {"uint8": (0, 255), "uint16": (0, 65535), "int16": (-1000, 3095), "float32": (0, 1), "float64": (-2.0, 5.0)}


def photo(shape=(72, 90), seed=3):
    """Smooth on the left, textured on the right, black and white ends included."""
    rng = np.random.default_rng(seed)
    image = np.tile(np.linspace(0, 255, shape[1]), (shape[0], 1))
    image[:, shape[1] // 2 :] += rng.normal(0, 40, (shape[0], shape[1] - shape[1] // 2))
    return np.clip(image, 0, 255).astype(np.uint8)


@st.composite
def images(draw):
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    seed = draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    values = rng.normal(draw(st.sampled_from([0, 60, 128, 255])), draw(st.sampled_from([0, 3, 60])), shape)
    dtype = draw(st.sampled_from(sorted(RANGES)))
    low, high = RANGES[dtype]
    scaled = low + np.clip(values, 0, 255) / 255 * (high - low)
    return (np.rint(scaled) if np.dtype(dtype).kind in "ui" else scaled).astype(dtype), (low, high)


@st.composite
def patterns(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    elements = st.floats(-1, 1, width=32).map(lambda value: 0.0 if abs(value) < 1e-3 else value)
    mark = draw(arrays.arrays(np.float32, shape, elements=elements))
    mark[0, 0] = draw(st.sampled_from([-1, 1]))
    return mark


@settings(max_examples=60, deadline=None)
@given(
    images(),
    patterns(),
    st.floats(1e-3, 10),
    st.sampled_from(["tile", "stretch", (0, 0)]),
    st.sampled_from(["dither", "nearest"]),
    st.sampled_from([1, 9, None]),
    st.sampled_from([("everyday", 35), ("practised", 60)]),
)
def test_the_level_is_never_exceeded(image_and_range, mark, strength, placement, rounding, window, looking):
    image, data_range = image_and_range
    observer, distance = looking
    looking = {"model": "contrast", "window": window, "observer": observer, "pixels_per_degree": distance}
    before = image.copy()
    hidden = iq.hide(
        mark,
        image,
        strength=strength,
        placement=placement,
        rounding=rounding,
        data_range=data_range,
        thresholds=iq.ThresholdOptions(**looking),
    )
    seen = iq.visibility_map(hidden.image, image, data_range=data_range, **looking).values
    assert float(seen.max()) <= -math.expm1(-strength)
    np.testing.assert_array_equal(seen, hidden.visibility.values)
    assert hidden.image.dtype == image.dtype
    assert hidden.image.min() >= min(data_range[0], image.min())
    assert hidden.image.max() <= max(data_range[1], image.max())
    np.testing.assert_array_equal(image, before)
    if image.dtype.kind in "ui":
        np.testing.assert_array_equal(image.astype(int) + hidden.mark, hidden.image)
    else:
        np.testing.assert_allclose(image + hidden.mark.astype(float), hidden.image, rtol=1e-6, atol=1e-6)


def test_the_trained_network_keeps_the_level_too():
    image = data.camera()[150:278, 200:328]
    for strength in (0.1, 2):
        hidden = iq.hide("iq", image, strength=strength, placement="tile")
        assert iq.visibility_map(hidden.image, image).values.max() <= -math.expm1(-strength)
        assert hidden.info["kept"] > 0.5


def test_what_cannot_be_lowered_is_removed(monkeypatch):
    """Without the settling step nothing but the last resort keeps the level."""
    monkeypatch.setattr(_embedding, "_settled", lambda carrier, wanted, gain, *_: gain)
    image = photo()
    hidden = iq.hide(np.ones((1, 1)), image, strength=0.3, placement="tile", **FAST)
    assert hidden.visibility.values.max() <= hidden.info["level"]
    assert hidden.info["kept"] < 1


def test_a_thousand_looks_are_not_needed(monkeypatch):
    looks = []
    real = hiding.visibility_of

    def counted(*arguments, **options):
        looks.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(hiding, "visibility_of", counted)
    for strength in (0.1, 0.69, 2):
        iq.hide("iqmaps", data.camera()[::2, ::2], strength=strength, placement="tile", **FAST)
    assert len(looks) <= 6


def test_multiply_follows_the_threshold_and_clamp_is_limited_by_it():
    image = photo()
    thresholds = iq.threshold_map(image, model="contrast").values
    mark = np.ones((1, 1))
    multiplied = iq.hide(mark, image.astype(float), strength=2, placement="tile", data_range=255, **FAST)
    np.testing.assert_allclose(multiplied.amplitude, 2 * thresholds, rtol=1e-5)
    middle = np.s_[20:50, 20:70]  # away from black and white, which leave no room
    assert (multiplied.mark[middle] <= multiplied.amplitude[middle] * (1 + 1e-5)).all()
    assert np.corrcoef(multiplied.mark[middle].ravel(), thresholds[middle].ravel())[0, 1] > 0.8
    given_mark = np.array([[1.0, -1.0, 30.0, -30.0]])
    clamped = iq.hide(given_mark, image.astype(float), mode="clamp", placement="tile", data_range=255, **FAST)
    assert (np.abs(clamped.mark) <= clamped.amplitude + 1e-9).all()
    assert (np.abs(clamped.mark[:, 0::4]) <= 1).all()


def test_a_faint_given_mark_is_left_as_it_is():
    image = photo()
    mark = np.zeros(image.shape, np.int8)
    mark[20:50:7, 20:80:5] = 1
    hidden = iq.hide(mark, image, mode="clamp", strength=2, **FAST)
    room = image < 255
    np.testing.assert_array_equal(hidden.mark[room], mark[room])


def test_amplitude_gives_a_text_code_values():
    hidden = iq.hide("iq", np.full((64, 96), 100, np.uint8), mode="clamp", amplitude=-1, strength=3, **FAST)
    assert set(np.unique(hidden.mark)) == {-1, 0}


def test_dither_keeps_what_rounding_to_nearest_loses():
    image = np.full((96, 96), 120, np.uint8)
    wanted = iq.threshold_map(image, model="contrast").values.mean() * 0.2
    mark = np.ones((1, 1))
    dithered = iq.hide(mark, image, strength=0.2, placement="tile", **FAST)
    assert 0.5 * wanted < dithered.mark.mean() < wanted * 1.05
    rounded = iq.hide(mark, image, strength=0.2, placement="tile", rounding="nearest", **FAST)
    assert not rounded.mark.any()
    assert rounded.info["kept"] == 0
    assert rounded.energy == 0
    assert "vanished" in rounded.sentence()
    assert "raise the strength" in rounded.info["remark"]


def test_where_the_range_ends_the_mark_ends_and_says_so():
    white = np.full((64, 64), 255, np.uint8)
    hidden = iq.hide("iq", white, strength=3, **FAST)
    np.testing.assert_array_equal(hidden.image, white)
    assert "cannot leave the range" in hidden.info["remark"]
    assert iq.hide(-iq.text_mark("iq", height=20), white, strength=3, **FAST).mark.min() < 0
    camera = np.full((64, 64), 4090, np.uint16)
    assert iq.hide(np.ones((4, 4)), camera, strength=9, data_range=4095, **FAST).image.max() == 4095


def test_the_same_change_goes_to_every_colour_and_alpha_stays():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 4), dtype=np.uint8)
    hidden = iq.hide(np.array([[1, -1.0]]), image, strength=2, placement="tile", channel_axis=-1, **FAST)
    assert hidden.mark.any()
    for channel in range(3):
        np.testing.assert_array_equal(hidden.image[..., channel] - hidden.mark, image[..., channel])
    np.testing.assert_array_equal(hidden.image[..., 3], image[..., 3])
    first = iq.hide(np.array([[1, -1.0]]), np.moveaxis(image, -1, 0), strength=2, placement="tile", channel_axis=0,
                    **FAST)  # fmt: skip
    np.testing.assert_array_equal(first.image, np.moveaxis(hidden.image, -1, 0))


def test_grey_stated_as_colours_gets_the_same_mark():
    image = photo()
    grey = iq.hide("iq", image, **FAST)
    colour = iq.hide("iq", np.repeat(image[..., None], 3, axis=-1), channel_axis=-1, **FAST)
    assert np.abs(grey.mark - colour.mark).max() <= 1
    assert (grey.mark == colour.mark).mean() > 0.99


def test_a_stack_is_its_planes():
    stack = np.stack([photo(seed=1), photo(seed=2)])
    hidden = iq.hide("iq", stack, **FAST)
    for index, plane in enumerate(stack):
        alone = iq.hide("iq", plane, **FAST)
        np.testing.assert_array_equal(hidden.image[index], alone.image)
        assert hidden.energy[index] == alone.energy
        assert hidden.visibility.score[index] == pytest.approx(alone.visibility.score)


def test_holes_stay_untouched():
    image = photo().astype(np.float32)
    image[10:30, 20:40] = np.nan
    hidden = iq.hide(np.ones((1, 1)), image, placement="tile", data_range=255, **FAST)
    np.testing.assert_array_equal(np.isnan(hidden.image), np.isnan(image))
    assert not hidden.mark[10:30, 20:40].any()
    assert np.isnan(hidden.visibility.values[10:30, 20:40]).all()
    assert np.isnan(hidden.mark_map().values[10:30, 20:40]).all()
    masked = np.ma.array(photo(), mask=np.isnan(image))
    result = iq.hide(np.ones((1, 1)), masked, placement="tile", **FAST)
    np.testing.assert_array_equal(result.image.mask, masked.mask)
    np.testing.assert_array_equal(result.image.data[10:30, 20:40], masked.data[10:30, 20:40])


def test_an_image_of_holes_says_so():
    hidden = iq.hide(np.ones((4, 4)), np.full((40, 40), np.nan), data_range=1, **FAST)
    assert "no pixel with a value" in hidden.sentence()
    assert math.isnan(hidden.visibility.score)


def test_sixteen_bits_are_eight_bits_more_finely():
    image = photo()
    options = {"placement": "tile", "strength": 2, **FAST}
    eight = iq.hide("iq", image, **options)
    sixteen = iq.hide("iq", image.astype(np.uint16) * 257, **options)
    np.testing.assert_allclose(sixteen.amplitude, eight.amplitude * 257, rtol=1e-5)
    assert np.abs(sixteen.mark / 257 - eight.mark).max() < 1.1
    assert sixteen.energy == pytest.approx(eight.energy, rel=0.2)


def test_a_stronger_mark_has_more_energy():
    energies = [iq.hide("iq", photo(), strength=strength, **FAST).energy for strength in (0.1, 0.5, 1, 2, 5)]
    assert energies == sorted(energies)
    assert energies[0] > 0


def test_a_dask_image_is_computed():
    da = pytest.importorskip("dask.array")
    hidden = iq.hide("iq", da.from_array(photo(), chunks=40), **FAST)
    np.testing.assert_array_equal(hidden.image, iq.hide("iq", photo(), **FAST).image)


def test_energy_and_mark_map():
    image = photo().astype(np.uint16) * 257
    hidden = iq.hide("iq", image, **FAST)
    assert hidden.energy == pytest.approx(np.mean((hidden.mark / 257) ** 2))
    drawn = hidden.mark_map()
    assert drawn.kind == "mark"
    assert drawn.score == pytest.approx(hidden.energy, rel=1e-4)
    low, high = drawn.meaning.display_limits(drawn.values)
    assert low == -high < 0


def test_it_says_what_it_did_and_travels():
    hidden = iq.hide("iq", photo(), strength=0.69, **FAST)
    assert "50%" in hidden.sentence()
    assert "50%" in repr(hidden)
    assert hidden.visibility.info["level"] == pytest.approx(1 - math.exp(-0.69))
    assert hidden.info["highest"] == hidden.visibility.values.max()
    again = pickle.loads(pickle.dumps(hidden))
    assert again.sentence() == hidden.sentence()
    np.testing.assert_array_equal(again.image, hidden.image)


def test_it_tells_its_progress_and_can_be_stopped():
    told = []
    iq.hide("iq", photo(), progress=lambda done, total: told.append((done, total)), **FAST)
    assert all(0 <= done <= total for done, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]

    def stop(done, total):
        if done >= 1:
            raise iq.Cancelled("enough")

    with pytest.raises(iq.Cancelled):
        iq.hide("iq", photo(), progress=stop, **FAST)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 0}, "strength is 0"),
        ({"strength": 11}, "up to 10"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": "strong"}, "strength is 'strong'"),
        ({"strength": True}, "strength is True"),
        ({"mode": "add"}, "mode is 'add'"),
        ({"rounding": "up"}, "rounding is 'up'"),
        ({"image": np.ones((40, 40), bool)}, "bool"),
        ({"image": np.ones((40, 40), np.int64), "data_range": 9}, "int64"),
        ({"image": np.ones((40, 40))}, "data_range"),
        ({"amplitude": 3}, 'belongs to mode="clamp"'),
        ({"mode": "clamp"}, "amplitude="),
        ({"mode": "clamp", "amplitude": 0}, "amplitude is 0"),
        ({"mode": "clamp", "mark": np.ones((2, 2)), "mark_range": (0, 1)}, "then needs amplitude="),
        ({"mark": np.ones((90, 9))}, "larger than the image"),
    ],
)
def test_what_does_not_work_says_why(options, message):
    arguments = {"mark": "iq", "image": photo((40, 40)), **FAST, **options}
    with pytest.raises(iq.InputError, match=message):
        iq.hide(arguments.pop("mark"), arguments.pop("image"), **arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "none"}, "no threshold model 'none'"),
        ({"observer": "nobody"}, "no observer 'nobody'"),
        ({"pixels_per_degree": 3}, "pixels_per_degree is 3"),
        ({"window": 4}, "window is 4"),
        ({"stride": 3}, "stride is 3"),
    ],
)
def test_options_of_thresholds_are_checked_when_they_are_given(options, message):
    with pytest.raises(iq.InputError, match=message):
        iq.ThresholdOptions(**options)


def test_options_of_thresholds_are_those_of_the_visibility_map():
    taken = inspect.signature(iq.visibility_map).parameters
    for field in fields(iq.ThresholdOptions):
        assert field.kw_only
        assert field.default == taken[field.name].default


@pytest.mark.parametrize("thresholds", [5, {"model": "contrast"}])
def test_what_is_no_record_of_thresholds_is_refused(thresholds):
    with pytest.raises(iq.InputError, match="give a ThresholdOptions"):
        iq.hide("a", np.zeros((64, 64), np.uint8), thresholds=thresholds)
