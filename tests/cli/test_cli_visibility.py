"""``iqmaps visibility``: one reference for all, or a folder of the same names."""

import os

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq

FAST = ("--model", "contrast")


def test_one_reference_for_all(rows, images, tmp_path):
    status, found = rows("visibility", "in", "--reference", "in/a.png", *FAST, "--out", "out", "--window", 5)
    assert status == 0
    arrays = [iq.read_image(images / f"{name}.png").array for name in "abc"]
    expected = [iq.visibility_map(array, arrays[0], model="contrast", window=5).score for array in arrays]
    assert [row["score"] for row in found["rows"]] == expected
    assert expected[0] == 0
    assert found["rows"][1]["window"] == 5
    written = iq.read_map(tmp_path / "out" / "b_visibility.tif")
    assert written.info["reference_source"]["file"] == "a.png"


def test_a_changed_reference_is_another_request(rows, images):
    words = ("visibility", "in", "--reference", "in/a.png", *FAST, "--out", "out")
    rows(*words)
    assert rows(*words)[1]["kept"] == 3
    assert rows(*words, "--window", 3)[1]["kept"] == 0
    Image.new("L", (56, 40), 9).save(images / "a.png")
    assert rows(*words, "--window", 3)[1]["kept"] == 0


def test_observer_and_distance_are_the_cores_and_part_of_the_request(rows, images, tmp_path):
    words = ("visibility", "in/b.png", "--reference", "in/a.png", *FAST, "--out", "out")
    usual = rows(*words)[1]["rows"][0]
    assert (usual["observer"], usual["pixels_per_degree"], usual["window"]) == ("everyday", 35, 33)
    options = ("--observer", "practised", "--pixels-per-degree", 60)
    status, found = rows(*words, *options)
    assert (status, found["kept"]) == (0, 0)
    row = found["rows"][0]
    assert (row["observer"], row["pixels_per_degree"], row["window"]) == ("practised", 60, 57)
    arrays = [iq.read_image(images / f"{name}.png").array for name in "ba"]
    expected = iq.visibility_map(*arrays, model="contrast", observer="practised", pixels_per_degree=60)
    assert row["score"] == expected.score
    request = iq.read_map(tmp_path / "out" / "b_visibility.tif").info["request"]
    assert (request["observer"], request["pixels_per_degree"], request["window"]) == ("practised", 60, None)
    assert rows(*words, *options)[1]["kept"] == 1
    assert rows(*words, *options, "--window", 9)[1]["kept"] == 0
    assert rows(*words)[1]["kept"] == 0


def test_the_table_says_who_looks_if_that_is_not_the_usual(iqmaps, images):
    words = ("visibility", "in/b.png", "--reference", "in/a.png", *FAST)
    assert "observer" not in iqmaps(*words).stdout
    said = " ".join(iqmaps(*words, "--observer", "practised", "--pixels-per-degree", 60).stdout.split())
    assert "practised" in said
    assert "pixels per degree" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--pixels-per-degree", 3), "4.0<=x<=600.0"),
        (("--observer", "expert"), "'everyday', 'practised'"),
        (("--window", 0), "x>=1"),
    ],
)
def test_a_wrong_observer_distance_or_window_is_wrong_use(iqmaps, images, words, says):
    result = iqmaps("visibility", "in", "--reference", "in/a.png", *FAST, *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_folder_of_references_by_name_then_by_stem(rows, images, tmp_path):
    references = tmp_path / "ref"
    references.mkdir()
    for name, suffix in (("a", "png"), ("b", "bmp")):
        Image.open(images / f"{name}.png").save(references / f"{name}.{suffix}")
    status, found = rows("visibility", "in", "--reference", "ref", *FAST)
    assert status == 1
    assert [row["score"] for row in found["rows"]] == [0, 0, None]
    assert "holds no reference for c.png" in found["rows"][2]["error"]
    assert os.path.basename(found["rows"][1]["reference"]) == "b.bmp"  # noqa: PTH119
    Image.open(images / "b.png").save(references / "b.tif")
    assert (
        "several references for b.png" in rows("visibility", "in", "--reference", "ref", *FAST)[1]["rows"][1]["error"]
    )


def test_grey_and_colour_files_of_the_same_picture_are_equal(rows, images, tmp_path):
    picture = Image.open(images / "a.png")
    for mode in ("RGB", "RGBA"):
        picture.convert(mode).save(tmp_path / "colour.png")
        for test, reference in (("colour.png", "in/a.png"), ("in/a.png", "colour.png")):
            status, found = rows("visibility", test, "--reference", reference, *FAST)
            assert status == 0, found
            assert found["rows"][0]["score"] == pytest.approx(0, abs=1e-4)


def test_different_sizes_are_named(rows, images, tmp_path):
    Image.new("L", (30, 30)).save(tmp_path / "small.png")
    status, found = rows("visibility", "in/a.png", "small.png", "--reference", "in/b.png", *FAST)
    assert status == 1
    assert "differ in size (30x30, 40x56)" in found["rows"][1]["error"]
    assert found["rows"][0]["score"] > 0


def test_a_broken_reference_fails_each_test_by_name(rows, images, tmp_path):
    (tmp_path / "broken.png").write_bytes((images / "a.png").read_bytes()[:300])
    status, found = rows("visibility", "in", "--reference", "broken.png", *FAST)
    assert status == 1
    assert all("broken.png" in row["error"] for row in found["rows"])


def test_an_even_window_is_wrong_use(iqmaps, images):
    result = iqmaps("visibility", "in", "--reference", "in/a.png", *FAST, "--window", 4)
    assert result.exit_code == 2
    assert "4 is even" in result.stderr


def test_different_whites_ask_for_a_range(rows, tmp_path):
    for name, white in (("ten", 1023), ("twelve", 4095)):
        values = np.random.default_rng(0).integers(0, 1000, (40, 50)).astype(">u2")
        (tmp_path / f"{name}.pgm").write_bytes(b"P5\n50 40\n%d\n" % white + values.tobytes())
    status, found = rows("visibility", "ten.pgm", "--reference", "twelve.pgm", *FAST)
    assert status == 1
    assert "--data-range" in found["rows"][0]["error"]
    assert rows("visibility", "ten.pgm", "--reference", "twelve.pgm", *FAST, "--data-range", 0, 1023)[0] == 0
