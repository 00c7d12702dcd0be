import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.display import Display, code_values, pq, pu21
from napari_iqmaps.core.io.legend import provenance

LUMINANCE = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 20, 50, 100, 203, 500, 1000, 4000, 10_000, 20_000]
# The class PU of ColorVideoVDP (pycvvdp/utils.py, "banding_glare"), by the authors of PU21.
PU21 = (
    *(0.0, 0.0, 1.0631099, 5.7170738, 22.2086836, 36.5439111, 91.5290125, 159.7900698, 212.7872792, 256.3838973),
    *(303.8002263, 368.0802598, 420.0969213, 527.4939005, 595.39392, 595.39392),
)
# colour-science 0.4.7: colour.models.eotf_inverse_ST2084, of luminances up to 10,000.
PQ = (
    *(0.006302377, 0.015076399, 0.030169785, 0.062336866, 0.117459622, 0.149945732, 0.247847697, 0.357012408),
    *(0.440281573, 0.508078422, 0.580688881, 0.676584811, 0.751827096, 0.902572393, 1.0, 1.0),
)
PHOTO = data.camera()[100:196, 200:290]
COLOUR = data.coffee()[40:130, 200:296]
CANDELAS = (0, 100)


def on_a_display(codes, peak=100.0, black=0.0):
    """Give the light of 8-bit sRGB codes by the standard's formula, written apart from the package."""
    coded = codes / 255.0
    linear = np.where(coded > 0.04045, np.power((coded + 0.055) / 1.055, 2.4), coded / 12.92)
    return black + (peak - black) * linear


def test_pu21_and_pq_are_those_of_other_implementations():
    np.testing.assert_allclose(pu21(LUMINANCE), PU21, atol=1e-4 * 595)
    np.testing.assert_allclose(pu21(LUMINANCE), PU21, atol=1e-6)  # in fact
    np.testing.assert_allclose(pq(LUMINANCE), PQ, atol=1e-8)


@pytest.mark.parametrize("encode", [pu21, pq])
def test_an_encoding_clips_and_keeps_what_is_no_number(encode):
    assert np.isnan(encode(np.nan))
    with np.errstate(all="raise"):
        ends = encode(np.array([-np.inf, -1, 0, 1e38, np.inf], np.float32))
    np.testing.assert_array_equal(ends, encode([0, 0, 0, 10_000, 10_000]))


@given(st.floats(0, 10_000), st.floats(0, 10_000), st.sampled_from(["pu21", "pq"]))
def test_brighter_is_never_a_lower_code_value(first, second, encoding):
    low, high = code_values(sorted([first, second]), encoding)
    assert low <= high
    assert low < high or abs(first - second) < 1e-9 * max(first, second, 1)


@pytest.mark.parametrize("encoding", ["pu21", "pq"])
def test_the_scale_is_the_srgb_code_up_to_white_and_has_no_step_there(encoding):
    codes = np.arange(256)
    np.testing.assert_allclose(code_values(on_a_display(codes), encoding), codes, atol=1e-5)
    below, at, above = code_values([100 - 1e-7, 100, 100 + 1e-7], encoding)
    assert at == pytest.approx(255, abs=1e-12)
    assert above - below < 1e-6


def test_above_white_steps_are_those_of_the_encoding():
    bright = np.array([100.0, 200, 1000, 10_000])
    for encoding, encode in (("pu21", pu21), ("pq", pq)):
        np.testing.assert_allclose(code_values(bright, encoding) / 255, encode(bright) / encode(100))
    np.testing.assert_allclose(code_values(10_000), 592.2, atol=0.05)


@given(st.integers(0, 255), st.floats(20, 10_000), st.floats(0, 5))
def test_codes_on_a_display_are_its_light(code, peak, black):
    display = Display("code", peak, black)
    codes = np.array([[code]], np.uint8)
    light = np.asarray(on_a_display(codes, peak, black))
    np.testing.assert_allclose(display.codes(codes, (0, 255)), code_values(light), rtol=1e-5, atol=1e-4)
    stated = Display("absolute").codes(light, CANDELAS)
    np.testing.assert_allclose(display.codes(codes, (0, 255)), stated, rtol=1e-5, atol=1e-4)


def test_what_a_display_cannot_show_is_clipped():
    display = Display("absolute", peak_luminance=400, black_level=0.5)
    light = np.array([-3, 0, 0.5, 30, 400, 401, 1e38])
    np.testing.assert_allclose(
        display.codes(light, CANDELAS), code_values([0.5, 0.5, 0.5, 30, 400, 400, 400]), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_odd_values_of_light_are_holes_or_clipped_without_a_warning(dtype):
    light = np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).min, 1], dtype)
    with np.errstate(all="raise", under="ignore"):
        for white in (1e-3, 100, 600):
            codes = Display("absolute").codes(light, (0, white))
            assert np.array_equal(np.isnan(codes), [True, True, True, False, False, False])
            np.testing.assert_allclose(codes[3:5], [code_values(10_000), 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"luminance": "cd/m2"}, "luminance is 'cd/m2'.*'absolute'"),
        ({"encoding": "log"}, "encoding is 'log'.*'pq'"),
        ({"peak_luminance": 0}, "peak_luminance is 0.*above 0"),
        ({"peak_luminance": 20_000}, "20000.*10000"),
        ({"peak_luminance": np.nan}, "nan"),
        ({"peak_luminance": "bright"}, "'bright'"),
        ({"black_level": -1}, "-1.*0 or more"),
        ({"black_level": True}, "True"),
        ({"peak_luminance": 50, "black_level": 50}, r"50 cd/m2\) is not below its peak \(50"),
        ({"black_level": 100}, r"peak \(100"),
    ],
)
def test_what_is_no_display_is_refused(options, message):
    with pytest.raises(iq.InputError, match=message):
        iq.threshold_map(PHOTO, model="contrast", **options)


@pytest.mark.parametrize("model", ["contrast", "pnet"])
@pytest.mark.parametrize(("image", "axis"), [(PHOTO, None), (COLOUR, -1)], ids=["grey", "colour"])
def test_a_picture_stated_in_light_has_the_maps_of_its_codes(image, axis, model):
    test = np.clip(image + np.random.default_rng(1).normal(0, 9, image.shape), 0, 255).astype(np.uint8)
    options = {"model": model, "channel_axis": axis}
    light, test_light = on_a_display(image), on_a_display(test)
    for expected, result in (
        (iq.threshold_map(image, **options), iq.threshold_map(light, luminance="absolute", **options)),
        (
            iq.visibility_map(test, image, **options),
            iq.visibility_map(test_light, light, luminance="absolute", **options),
        ),
    ):
        np.testing.assert_allclose(result.values, expected.values, rtol=1e-4)
        assert result.score == pytest.approx(expected.score, rel=1e-4)


def test_relative_light_is_placed_by_its_diffuse_white():
    light = on_a_display(PHOTO)
    expected = iq.threshold_map(light, model="contrast", luminance="absolute").values
    relative = iq.threshold_map(light / 400, model="contrast", luminance="absolute", data_range=0.25)
    np.testing.assert_allclose(relative.values, expected, rtol=1e-5)
    offset = iq.threshold_map(light + 7, model="contrast", luminance="absolute", data_range=(7, 107))
    np.testing.assert_allclose(offset.values, expected, rtol=1e-5)


def test_a_dim_display_hides_what_a_bright_one_shows():
    test = np.clip(PHOTO + np.random.default_rng(1).normal(0, 4, PHOTO.shape), 0, 255).astype(np.uint8)
    plain = iq.visibility_map(test, PHOTO, model="contrast")
    same = iq.visibility_map(test, PHOTO, model="contrast", peak_luminance=100)
    np.testing.assert_allclose(same.values, plain.values, rtol=1e-4)
    scores = [iq.visibility_map(test, PHOTO, model="contrast", peak_luminance=peak).score for peak in (5, 100, 1000)]
    assert scores == sorted(scores)
    in_glare = iq.visibility_map(test, PHOTO, model="contrast", peak_luminance=100, black_level=40)
    assert in_glare.score < plain.score


def test_distortions_in_the_lights_show_and_grow():
    light = on_a_display(PHOTO) * 40
    grain = np.random.default_rng(2).normal(size=light.shape)
    scores = [
        iq.visibility_map(light * np.exp(sigma * grain), light, model="contrast", luminance="absolute").score
        for sigma in (0, 0.03, 0.1, 0.3)
    ]
    assert scores[0] == 0
    assert scores == sorted(set(scores))


def test_holes_beside_the_lights_do_not_darken_them():
    light = np.full((80, 80), 5000.0)
    light[30:40, 30:40] = np.nan
    codes = iq.threshold_map(light, model="contrast", luminance="absolute").values
    flat = iq.threshold_map(np.full((80, 80), 5000.0), model="contrast", luminance="absolute").values
    valid = np.isfinite(light)
    assert np.array_equal(np.isfinite(codes), valid)
    np.testing.assert_allclose(codes[valid], flat[valid], rtol=1e-3)


def test_tiles_and_dask_know_the_display():
    da = pytest.importorskip("dask.array")
    light = (on_a_display(COLOUR) * 30).astype(np.float32)
    light[5, 7] = [1e38, np.inf, 2]
    options = {"model": "contrast", "channel_axis": -1, "luminance": "absolute", "encoding": "pq"}
    whole = iq.visibility_map(light * 1.1, light, **options)
    tiled = iq.visibility_map(light * 1.1, light, tile=32, **options)
    lazy = iq.visibility_map(da.from_array(light * 1.1, chunks=(40, 40, 3)), light, tile=32, **options)
    np.testing.assert_allclose(tiled.values, whole.values, atol=1e-5)
    np.testing.assert_allclose(np.asarray(lazy.values), whole.values, atol=1e-5)
    assert np.isnan(whole.values[5, 7])
    assert np.isnan(whole.values).sum() == 1


def test_the_map_says_what_its_values_meant():
    light = on_a_display(PHOTO)
    info = iq.threshold_map(
        light, model="contrast", luminance="absolute", peak_luminance=600, black_level=0.1, encoding="pq"
    ).info
    names = ("luminance", "peak_luminance", "black_level", "encoding", "data_range", "white_luminance")
    assert [info[name] for name in names] == ["absolute", 600, 0.1, "pq", (0, 100), 100]
    assert "notes" not in info
    assert "values in cd/m2, shown at 0.1 to 600 cd/m2 (pq)" in provenance(info)
    plain = iq.threshold_map(PHOTO, model="contrast").info
    assert plain["luminance"] == "code"
    assert "encoding" not in plain
    assert "cd/m2" not in provenance(plain)


@pytest.mark.parametrize("image", [PHOTO, PHOTO > 99])
def test_display_codes_are_not_taken_for_light(image):
    with pytest.raises(iq.InputError, match="display codes, not light.*'code'"):
        iq.threshold_map(image, model="contrast", luminance="absolute")
    # Once black and white are stated it is a linear camera's picture.
    stated = iq.threshold_map(image, model="contrast", luminance="absolute", data_range=(0, 255))
    assert stated.info["data_range"] == (0, 255)


def test_a_wrong_unit_is_refused_or_noted():
    light = on_a_display(PHOTO)
    with pytest.raises(iq.InputError, match="brightest value of the reference image is 0.001; .*diffuse white"):
        iq.visibility_map(light, light / light.max() / 1000, model="contrast", luminance="absolute")
    dim = light / light.max()
    dim[0, 0] = np.inf
    info = iq.visibility_map(dim, light, model="contrast", luminance="absolute").info
    assert len(info["notes"]) == 1
    assert "the test image is nowhere brighter than 1 cd/m2" in info["notes"][0]
    black = iq.threshold_map(np.zeros((40, 40)), model="contrast", luminance="absolute")
    assert "notes" not in black.info
