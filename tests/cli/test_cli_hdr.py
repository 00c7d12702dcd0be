"""Files of linear light on the command line: what they are taken for, and what the answer says of it."""

import cv2
import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq

RNG = np.random.default_rng(3)
CODES = cv2.GaussianBlur(RNG.integers(0, 256, (48, 60, 3)).astype(np.float32), (0, 0), 1.5)
LIGHT = (100 * (CODES / 255) ** 2.2 * np.linspace(0.2, 40, 60)[:, None]).astype(np.float32)
MODEL = ("--model", "contrast")


@pytest.fixture
def scene(tmp_path):
    """A scene in cd/m2 and a noisy copy, as Radiance HDR."""
    path, noisy = tmp_path / "scene.hdr", tmp_path / "noisy.hdr"
    cv2.imwrite(str(path), LIGHT)
    cv2.imwrite(str(noisy), LIGHT * np.exp(RNG.normal(0, 0.1, LIGHT.shape)).astype(np.float32))
    return path, noisy


def test_a_file_of_light_is_taken_for_cd_m2_and_the_row_says_so(scene, rows):
    status, found = rows("threshold", scene[0], *MODEL)
    assert status == 0
    (row,) = found["rows"]
    array = iq.read_image(scene[0]).array
    expected = iq.threshold_map(array, luminance="absolute", channel_axis=2, model="contrast")
    assert row["score"] == pytest.approx(expected.score)
    assert (row["luminance"], row["data_range"], row["encoding"]) == ("absolute", [0, 100], "pu21")
    assert (row["peak_luminance"], row["black_level"]) == (10_000, 0)
    assert any("if they are relative" in note for note in row["notes"])


def test_the_options_of_the_display_reach_the_core(scene, rows):
    options = {"data_range": (0, 20), "peak_luminance": 600, "black_level": 0.5, "encoding": "pq"}
    words = ("--data-range", 0, 20, "--peak", 600, "--black", 0.5, "--encoding", "pq")
    status, found = rows("visibility", scene[1], "--reference", scene[0], *MODEL, *words)
    assert status == 0
    test, reference = (iq.read_image(path).array for path in reversed(scene))
    expected = iq.visibility_map(
        test, reference, luminance="absolute", channel_axis=2, model="contrast", **options
    ).score
    (row,) = found["rows"]
    assert row["score"] == pytest.approx(expected)
    assert "notes" not in row  # the unit has been stated
    assert [row[name] for name in options] == [[0, 20], 600, 0.5, "pq"]


def test_codes_on_a_display_and_the_sentence_of_the_table(tmp_path, iqmaps, rows):
    path = tmp_path / "photo.png"
    Image.fromarray(CODES.astype(np.uint8)).save(path)
    status, found = rows("threshold", path, *MODEL)
    assert status == 0
    assert found["rows"][0]["luminance"] == "code"
    assert "encoding" not in found["rows"][0]
    result = iqmaps("threshold", path, *MODEL, "--peak", 500, "--black", 2)
    assert result.exit_code == 0
    assert "codes on a display of 2 to 500 cd/m2, pu21" in result.stdout.replace("\n", " ")
    status, found = rows("threshold", path, *MODEL, "--luminance", "absolute")
    assert status == 1
    assert "--luminance code" in found["rows"][0]["error"]


def test_light_and_codes_are_not_compared(scene, tmp_path, rows):
    path = tmp_path / "photo.png"
    Image.fromarray(CODES.astype(np.uint8)).save(path)
    status, found = rows("visibility", path, "--reference", scene[0], *MODEL)
    assert status == 1
    assert "scene.hdr holds linear light and photo.png display codes" in found["rows"][0]["error"]


def test_a_black_above_white_is_wrong_use(scene, iqmaps):
    result = iqmaps("threshold", scene[0], "--black", 20, "--peak", 10)
    assert result.exit_code == 2
    assert "20 cd/m2 is not below the display's white (10 cd/m2)" in result.stderr


def test_another_display_is_another_map(scene, tmp_path, rows):
    words = ("threshold", scene[0], *MODEL, "--out", tmp_path / "out", "--format", "both")
    assert rows(*words)[1]["computed"] == 1
    assert rows(*words)[1]["kept"] == 1
    assert rows(*words, "--peak", 1000)[1]["computed"] == 1
    stored = iq.read_map(tmp_path / "out" / "scene_threshold.tif")
    assert stored.info["peak_luminance"] == 1000
    assert (tmp_path / "out" / "scene_threshold.png").is_file()


def test_an_exr_with_a_stated_white_needs_no_option(tmp_path, rows):
    openexr = pytest.importorskip("OpenEXR")
    head = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage, "whiteLuminance": 100.0}
    path = tmp_path / "scene.exr"
    with openexr.File(head, {"RGB": LIGHT / 100}) as file:
        file.write(str(path))
    status, found = rows("threshold", path, *MODEL)
    expected = iq.threshold_map(LIGHT, luminance="absolute", channel_axis=2, model="contrast").score
    assert status == 0
    assert found["rows"][0]["score"] == pytest.approx(expected, rel=1e-5)
    assert found["rows"][0]["data_range"] == [0, 1]
