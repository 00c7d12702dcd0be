"""Values that use little of black to white are told of everywhere, and results in the image's own units."""

import re

import dask.array as da
import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.display import Display, code_values, light_of
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.core.io.map_file import score_row
from napari_iqmaps.core.quality_score import quality_row

CONTRAST = {"model": "contrast"}
SAYS = "span 1.5 % of black to white (188 to 1200 in 0 to 65535); state the range"


def cells(shape=(64, 64), low=188, high=1200):
    """A 16-bit image of a camera: its values fill 1.5 % of the range of its type."""
    rng = np.random.default_rng(3)
    smooth = np.cumsum(np.cumsum(rng.normal(size=shape), -1), -2)
    return np.rint(low + (high - low) * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint16)


def results(image, blind_weights, machine_weights):
    """One result of each family."""
    deepbqa, metrifier = {"weights": blind_weights["deepbqa"]}, {"weights": machine_weights}
    moved = np.roll(image, 3, 0)
    hidden = iq.hide("iq", image, thresholds=iq.ThresholdOptions(**CONTRAST))
    assessed = iq.assess(image, reference=moved, **deepbqa)
    return {
        "threshold": iq.threshold_map(image, **CONTRAST),
        "visibility": iq.visibility_map(moved, image, **CONTRAST),
        **assessed.maps,
        "quality": assessed.score,
        "machine map": iq.machine_quality_map(image, **metrifier),
        "machine score": iq.machine_quality(image, **metrifier),
        "curve": iq.machine_curve(image, "jpeg", severities=(0, 3), **metrifier),
        "hidden": hidden,
        "mark": hidden.mark_map(),
        "diff-diff map": iq.diff_diff(moved, image, image),
        "diff-diff score": iq.diff_diff_score(moved, image, image),
        "registration": iq.register(moved, image, method="phase"),
    }


def test_every_family_says_that_the_values_use_little(blind_weights, machine_weights):
    found = results(cells(), blind_weights, machine_weights)
    for name, result in found.items():
        assert result.info["span"] == pytest.approx((1200 - 188) / 65535), name
        assert result.sentence().count(SAYS) == 1, name
    for name, result in results(cells((40, 40), 0, 40000), blind_weights, machine_weights).items():
        assert "span" not in result.info, name
        assert "state the range" not in result.sentence(), name
    rows = [score_row(found["threshold"]), quality_row(found["quality"]), *found["curve"].rows()]
    rows += [found["diff-diff score"].row(), found["registration"].row()]
    assert all(row["span"] == pytest.approx(0.0154, rel=0.01) for row in rows)
    assert any(SAYS in note for note in rows[0]["notes"])


def test_a_refusal_names_the_range_first(blind_weights, machine_weights):
    flat = (cells() // 60 + 188).astype(np.uint16)
    lead = r"^the values span .* of black to white \(.*\); state the range\. With this range it is nearly uniform"
    for score in (
        iq.quality(flat, weights=blind_weights["deepbqa"]),
        iq.machine_quality(flat, weights=machine_weights),
        iq.quality(da.from_array(flat, chunks=40), weights=blind_weights["deepbqa"]),
        iq.assess(da.from_array(flat, chunks=40), weights=blind_weights["deepbqa"]).score,
    ):
        assert re.match(lead, score.reason)
        assert score.sentence().count("state the range") == 1
    lazy = iq.assess(da.from_array(flat, chunks=40), weights=blind_weights["deepbqa"]).compute()
    assert re.match(lead, lazy.maps["reliability"].info["not_enough_evidence"])
    unchanged = iq.diff_diff_score(flat, flat, flat)
    assert re.match(r"^the values span .*state the range\. With this range the registration", unchanged.reason)
    refused = iq.register(np.random.default_rng(0).integers(0, 1000, flat.shape, np.uint16), flat)
    assert re.match(r"^the values span .*state the range\. \S", refused.reason)
    # What does not come from the range is no matter of it.
    assert not re.match(lead, iq.quality(flat[:20, :20], weights=blind_weights["deepbqa"]).reason)


def test_a_hot_pixel_hides_nothing():
    image = cells((96, 96))
    image[5, 7] = 65000
    said = iq.threshold_map(image, **CONTRAST)
    low, high = np.percentile(image, (0.1, 99.9), method="nearest")
    assert said.info["span"] == pytest.approx((high - low) / 65535)
    assert f"All but 0.2 % of the values span 1.4 % of black to white ({low:.6g} to {high:.6g} in 0" in said.sentence()
    own = iq.threshold_map(image, data_range="data", **CONTRAST)
    assert own.info["data_range"] == (188, 65000)
    assert "All but 0.2 %" in own.sentence()
    assert "span" not in iq.threshold_map(image, data_range="percentiles", **CONTRAST).info


@pytest.mark.parametrize(
    ("image", "given", "span"),
    [
        (np.full((40, 40), 7, np.uint8), {}, None),  # no range shows more of one value
        (cells() > 600, {}, None),
        (cells(high=5000), {"data_range": (0, 100)}, 0.0),  # all of it is white
        (cells() / 1200, {"data_range": (0, 1)}, None),
        (cells() / 1200, {"data_range": (-100, 100)}, (1 - 188 / 1200) / 200),
        (cells() / 1e5, {"luminance": "absolute"}, None),  # there is no range to state
        (cells(), {"luminance": "absolute", "data_range": (0, 65535)}, 1012 / 65535),
        (np.ma.masked_greater(cells(high=60000), 3000), {}, (2990 - 188) / 65535),
    ],
)
def test_what_counts_as_little(image, given, span):
    info = iq.threshold_map(image, **given, **CONTRAST).info
    assert info.get("span") == (None if span is None else pytest.approx(span, rel=0.03))


def bright(shape=(400, 400)):
    return cells(shape, low=0, high=60000)


def interlaced(axis):
    """Every second line of a dim image is bright."""
    image = np.moveaxis(cells((400, 400)), axis, 0).copy()
    image[1::2] = np.moveaxis(bright(), axis, 0)[1::2]
    return np.moveaxis(image, 0, axis)


@pytest.mark.parametrize(
    "wrapped", [np.asarray, lambda image: da.from_array(image, chunks=(*image.shape[:-2], 100, 150))]
)
@pytest.mark.parametrize(
    "image",
    [
        np.stack([bright(), cells((400, 400))]),
        np.stack([cells((400, 400)), bright()]),
        np.stack([bright(), cells((400, 400)), bright()]),
        np.stack([cells((400, 400))] * 3 + [bright()]),
        interlaced(0),
        interlaced(1),
    ],
    ids=["second plane", "first plane", "middle plane", "all but the last", "rows", "columns"],
)
def test_parts_of_an_image_that_use_little_say_nothing_of_all_of_it(image, wrapped):
    said = iq.threshold_map(wrapped(image), stride=8, **CONTRAST).compute()
    assert "span" not in said.info


def test_what_is_told_of_a_lazy_image_are_values_that_it_holds():
    image = cells((300, 300))
    image[5, 7] = 65000
    for chunks in (300, 70):
        said = iq.threshold_map(da.from_array(image, chunks=chunks), stride=8, **CONTRAST).compute()
        low, high = map(float, re.search(r"\((\S+) to (\S+) in 0", said.info["span_remark"]).groups())
        assert {low, high} <= set(image.ravel().tolist())
        assert high <= 1200


def test_lazy_images_are_read_once_for_it():
    image = cells((3, 80, 80))
    image[1, 30, 40] = 65000
    reads = []

    def read(block):
        reads.append(block.shape)
        return block

    lazy = da.from_array(image, chunks=(1, 40, 80)).map_blocks(read, dtype=image.dtype, meta=image[:0, :0, :0])
    mapped = iq.threshold_map(lazy, **CONTRAST)
    assert "not computed yet" in mapped.sentence()
    assert not reads
    said = mapped.compute()
    assert len(reads) == 6
    expected = iq.threshold_map(image, **CONTRAST)
    assert said.info["span"] == pytest.approx(expected.info["span"], abs=0.002)
    assert "all but about 0.2 % of the values span" in said.info["span_remark"]
    assert set(said.info) == set(expected.info)
    image[1, 30, 40] = 700
    whole = iq.threshold_map(da.from_array(image, chunks=(1, 40, 80)), **CONTRAST).compute()
    assert whole.info["span_remark"] == iq.threshold_map(image, **CONTRAST).info["span_remark"]


@pytest.mark.parametrize(("black", "white"), [(188, 1200), (0, 65535), (-50, 2000), (0, 1), (0.25, 0.75)])
def test_a_threshold_in_units_of_the_image(black, white):
    image = black + (white - black) * (cells() - 188.0) / 1012
    said = iq.threshold_map(image, data_range=(black, white), **CONTRAST)
    row = score_row(said)
    assert row["own_score"] == pytest.approx(said.score * (white - black) / 255)
    assert row["own_percent"] == pytest.approx(said.score / 255 * 100)
    unit = "counts of the image" if white - black > 1 else "in the image's own values"
    assert row["own_unit"] == unit
    assert f"here: {row['own_score']:.3g} {unit}, {row['own_percent']:.2g} % of black to white." in said.sentence()


def test_a_picture_of_8_bits_has_no_other_unit():
    said = iq.threshold_map((cells() / 5).astype(np.uint8), **CONTRAST)
    assert "own_score" not in score_row(said)
    assert said.sentence().endswith("is barely visible here.")


@pytest.mark.parametrize("encoding", ["pu21", "pq"])
def test_light_of_a_code_is_the_inverse_of_its_code(encoding):
    light = np.geomspace(1e-3, 1e4, 60)
    back = [light_of(code, encoding) for code in code_values(light, encoding)]
    np.testing.assert_allclose(back, light, rtol=1e-6)
    assert light_of(1e6, encoding) == pytest.approx(10_000)
    assert light_of(-3.0, encoding) == 0


@pytest.mark.parametrize("options", [{"encoding": "pu21"}, {"encoding": "pq"}, {"data_range": (0, 50)}])
def test_light_is_told_in_candelas_and_contrast(options):
    scene = np.exp(cells().astype(float) / 250)  # 2 to 120 cd/m2
    said = iq.threshold_map(scene, luminance="absolute", **options, **CONTRAST)
    row = score_row(said)
    encoding, adapted = said.info["encoding"], said.info["adaptation_luminance"]
    planes = as_planes(scene, data_range=options.get("data_range"), display=Display("absolute", encoding=encoding))
    codes = planes.read((), slice(None), slice(None))
    assert float(code_values(adapted, encoding)) == pytest.approx(codes.mean(), rel=1e-4)
    # So much more light is so many code values more.
    more = code_values(adapted + row["own_score"], encoding) - code_values(adapted, encoding)
    assert float(more) == pytest.approx(said.score, rel=1e-4)
    assert row["own_percent"] == pytest.approx(100 * row["own_score"] / adapted)
    contrast = f"a contrast of {row['own_percent']:.2g} % at the image's mean code value, {adapted:.3g} cd/m2."
    assert f"here: {row['own_score']:.3g} cd/m2, {contrast}" in said.sentence()
    assert row["own_unit"] == "cd/m2"


def test_light_is_told_of_the_brightest_display_and_of_lazy_images():
    white = np.full((40, 40), 9990.0) + cells((40, 40)) / 200
    said = iq.threshold_map(white, luminance="absolute", **CONTRAST)
    assert 0 < score_row(said)["own_score"] < 9990  # downwards, where the encoding ends
    scene = np.exp(cells().astype(float) / 250)
    lazy = iq.threshold_map(da.from_array(scene, chunks=32), luminance="absolute", **CONTRAST).compute()
    assert lazy.sentence() == iq.threshold_map(scene, luminance="absolute", **CONTRAST).sentence()


def test_a_hidden_mark_and_a_tolerance_in_units_of_the_image():
    image = cells()
    hidden = iq.hide("iq", image, data_range="data", thresholds=iq.ThresholdOptions(**CONTRAST))
    root = np.sqrt(np.mean(hidden.mark.astype(float) ** 2))
    assert f"whose root is {root:.3g} counts of the image" in hidden.sentence()
    assert f"whose root is {root:.3g} counts of the image" in hidden.mark_map().sentence()
    score = iq.diff_diff_score(image, image, image, tol=51, illumination="none", data_range=(0, 1275))
    changed = iq.diff_diff_score(np.roll(image, 1, 0), image, image, tol=51, illumination="none", data_range=(0, 1275))
    assert "grey levels" in score.reason
    assert "the tolerance of 51 grey levels (255 counts of the image)" in changed.reason


def test_a_written_map_keeps_it(tmp_path):
    said = iq.threshold_map(cells(), **CONTRAST)
    back = iq.read_map(iq.write_map(said, tmp_path / "cells_threshold.tif"))
    assert back.sentence() == said.sentence()
    assert score_row(back) == score_row(said)


def test_values_beyond_black_and_white_are_said_to_be():
    above = iq.threshold_map(cells(), data_range=(0, 100), **CONTRAST).info["span_remark"]
    assert above == "the values lie above white (188 to 1200, black 0, white 100); state the range"
    assert "below black" in iq.threshold_map(cells(), data_range=(2000, 3000), **CONTRAST).sentence()
    assert "span" not in iq.threshold_map(np.zeros((40, 40), np.uint8), **CONTRAST).info  # black is no other range


def test_a_plane_is_told_in_units_of_the_image():
    said = iq.threshold_map(np.stack([cells(), cells(low=300)]), data_range=(0, 4095), **CONTRAST)
    score = said.score[1]
    assert f"{score / 255 * 4095:.3g} counts of the image" in said.plane_sentence((1,))


def test_a_curve_of_a_lazy_image_holds_nothing_lazy(machine_weights):
    image = cells().astype(np.uint16)
    curve = iq.machine_curve(da.from_array(image, chunks=40), "jpeg", severities=(0, 3), weights=machine_weights)
    assert "seen" not in curve.info


def test_the_range_of_a_registration_is_that_of_the_fixed_image():
    rng = np.random.default_rng(0)
    fixed = (rng.integers(0, 255, (96, 96)) * 4 + 188).astype(np.uint16)
    moving = (fixed // 8).astype(np.uint8)
    assert iq.register(moving, fixed, method="fast").info["data_range"] == (0, 65535)
    found = iq.search_translation(np.roll(fixed, 2, 1), fixed, radius=4, data_range="data")
    assert found.info["data_range"] == (188, fixed.max())
    assert found.info["range_rule"] == "data"
    warped = fixed.astype(float) + 0.5
    assert iq.register(warped, fixed, method="fast", data_range="data").info["data_range"] == (188, fixed.max())


def test_images_that_use_little_are_compared():
    first = cells((128, 128))
    found = iq.compare_registrations([(first, np.roll(first, 2, 1))], ["none", "clahe-light"], registration="fast")
    assert all(not outcome.error for outcome in found.outcomes)
    assert all(0 < outcome.span < 0.1 for outcome in found.outcomes if outcome.accepted and outcome.method == "none")
