"""``iqmaps hide``: the marked image, what was added, where it is seen; nothing that is read is ever written."""

import csv
import math

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq

FAST = ("--model", "contrast")


@pytest.fixture
def logo(tmp_path):
    pixels = np.zeros((12, 20), np.uint8)
    pixels[3:9, 4:16] = 255
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    return pixels


def test_a_folder_of_images(rows, images, tmp_path):
    before = {path: path.read_bytes() for path in images.iterdir()}
    words = ("hide", "in", "--text", "iq", *FAST, "--out", "out", "--strength", 0.5, "--csv", "t.csv")
    status, found = rows(*words)
    assert status == 0
    assert found["computed"] == 3
    names = [f"a_{part}" for part in ("hidden.png", "mark.tif", "mark.png", "visibility.tif", "visibility.png")]
    assert {f"out/{name}" for name in names} == set(found["rows"][0]["outputs"])
    original = iq.read_image(images / "a.png").array
    expected = iq.hide("iq", original, strength=0.5, thresholds=iq.ThresholdOptions(model="contrast"))
    marked = iq.read_image(tmp_path / "out" / "a_hidden.png").array
    np.testing.assert_array_equal(marked, expected.image)
    np.testing.assert_array_equal(iq.read_map(tmp_path / "out" / "a_mark.tif").values, marked - original.astype(float))
    seen = iq.read_map(tmp_path / "out" / "a_visibility.tif")
    np.testing.assert_array_equal(seen.values, expected.visibility.values)
    with (tmp_path / "t.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["level"]) == pytest.approx(1 - math.exp(-0.5))
    assert float(row["highest"]) <= float(row["level"])
    assert float(row["energy"]) == pytest.approx(expected.energy)
    assert {path: path.read_bytes() for path in images.iterdir()} == before


def test_what_is_done_is_not_done_again(rows, images, tmp_path):
    words = ("hide", "in", "--text", "iq", *FAST, "--out", "out")
    rows(*words)
    assert rows(*words)[1]["kept"] == 3
    (tmp_path / "out" / "a_hidden.png").unlink()
    status, found = rows(*words)
    assert (status, found["kept"], found["computed"]) == (0, 2, 1)
    assert rows(*words, "--strength", 2)[1]["kept"] == 0
    assert rows(*words[:2], "--text", "qi", *FAST, "--out", "out")[1]["kept"] == 0


def test_a_mark_from_a_file_and_a_changed_one(rows, images, logo, tmp_path):
    words = ("hide", "in/a.png", "--mark", "logo.png", *FAST, "--out", "out", "--placement", "tile")
    _, found = rows(*words)
    assert found["rows"][0]["mark"] == "logo.png"
    mark = iq.read_map(tmp_path / "out" / "a_mark.tif").values
    assert mark[4:8, 6:14].any()
    assert not mark[:2].any()
    Image.fromarray(255 - logo).save(tmp_path / "logo.png")
    assert rows(*words)[1]["kept"] == 0
    assert iq.read_map(tmp_path / "out" / "a_mark.tif").values[:2].any()
    status, _ = rows(*words, "--mark-range", 255, 0)
    assert status == 0
    np.testing.assert_array_equal(iq.read_map(tmp_path / "out" / "a_mark.tif").values, mark)


def test_clamp_and_an_offset(rows, images, logo, tmp_path):
    words = ("--mark", "logo.png", "--mode", "clamp", "--amplitude", 1, "--placement", "5,-4", "--strength", 5)
    status, _ = rows("hide", "in/a.png", *words, *FAST, "--out", "out")
    assert status == 0
    mark = iq.read_map(tmp_path / "out" / "a_mark.tif").values
    assert set(np.unique(mark)) == {0, 1}
    assert not mark[:8].any()
    assert not mark[:, 12:].any()


def test_formats_that_lose_nothing(rows, images, tmp_path):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(colours).save(images / "photo.jpg", icc_profile=b"a profile")
    tifffile.imwrite(
        images / "stack.tif", rng.integers(0, 4096, (2, 40, 56), dtype=np.uint16), metadata={"axes": "ZYX"}
    )
    tifffile.imwrite(images / "rgb.tif", colours, photometric="rgb")
    _, found = rows("hide", "in", "--text", "iq", *FAST, "--out", "out")
    remarks = {row["file"]: row.get("notes", []) for row in found["rows"]}
    assert remarks["in/photo.jpg"] == ["written as PNG, because JPG would change the pixels again"]
    (said,) = remarks["in/stack.tif"]
    assert said.startswith("the values span 6.2 % of black to white (0 to 4095 in 0 to 65535)")
    stack = iq.read_image(tmp_path / "out" / "stack_hidden.tif")
    assert (stack.array.dtype, stack.axes) == (np.uint16, "ZYX")
    rgb = iq.read_image(tmp_path / "out" / "rgb_hidden.tif")
    assert rgb.channel_axis == 2
    np.testing.assert_array_equal(
        rgb.array, iq.hide("iq", colours, channel_axis=-1, thresholds=iq.ThresholdOptions(model="contrast")).image
    )
    with Image.open(tmp_path / "out" / "photo_hidden.png") as picture:
        assert picture.info["icc_profile"] == b"a profile"


def test_sixteen_bits_a_colour_stay_sixteen(rows, tmp_path):
    import cv2

    pixels = np.random.default_rng(0).integers(0, 65536, (40, 56, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), pixels)
    status, _ = rows("hide", "deep.png", "--text", "iq", *FAST, "--out", "out", "--format", "tif")
    assert status == 0
    written = iq.read_image(tmp_path / "out" / "deep_hidden.png").array
    expected = iq.hide("iq", pixels[..., ::-1], channel_axis=-1, thresholds=iq.ThresholdOptions(model="contrast")).image
    np.testing.assert_array_equal(written, expected)


def test_its_own_outputs_are_no_inputs(rows, images):
    words = ("hide", "in", "--text", "iq", *FAST, "--out", "in")
    rows(*words)
    status, found = rows(*words)
    assert (status, len(found["rows"]), found["kept"]) == (0, 3, 3)


def test_an_input_is_never_overwritten(iqmaps, images):
    Image.open(images / "b.png").save(images / "a_hidden.png")
    before = (images / "a_hidden.png").read_bytes()
    result = iqmaps("hide", "in", "--text", "iq", *FAST, "--out", "in")
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert (images / "a_hidden.png").read_bytes() == before


def test_one_bad_image_does_not_stop_the_rest(rows, images):
    Image.new("1", (40, 40)).save(images / "bits.png")
    status, found = rows("hide", "in", "--text", "iq", *FAST, "--out", "out")
    assert (status, found["failed"], found["computed"]) == (1, 1, 3)
    assert "bool" in next(row["error"] for row in found["rows"] if "error" in row)


def test_a_mark_that_vanished_is_told(rows, tmp_path):
    Image.new("L", (64, 64), 255).save(tmp_path / "white.png")
    status, found = rows("hide", "white.png", "--text", "iq", *FAST, "--out", "out")
    assert status == 0
    assert "vanished" in found["rows"][0]["notes"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "either --mark FILE or --text TEXT"),
        (("--text", "a", "--mark", "in/a.png"), "either --mark FILE or --text TEXT"),
        (("--mark", "in/a.png", "--text-height", 9), "--text-height belongs to --text"),
        (("--text", "a", "--window", 4), "even"),
        (("--text", "a", "--strength", 0), "0<x<=10"),
        (("--text", "a", "--placement", "left"), "'left' is none of"),
        (("--text", "a", "--model", "pnet", "--weights", "nothing"), "nothing"),
    ],
)
def test_wrong_use_is_told_in_one_line(iqmaps, images, words, message):
    result = iqmaps("hide", "in", *words, "--out", "out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_there_has_to_be_a_place_for_the_images(iqmaps, images):
    result = iqmaps("hide", "in", "--text", "iq")
    assert result.exit_code == 2
    assert "--out" in result.stderr
