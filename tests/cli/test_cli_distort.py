"""``iqmaps distort``: copies that are the core's to the last bit, kept when they are done; nothing read is written."""

import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core import distortions as bank
from napari_iqmaps.core.distortions import distortion
from napari_iqmaps.core.distortions.sheet import distortion_sheet
from napari_iqmaps.core.io.map_file import read_record

COLOURS = np.random.default_rng(2).integers(0, 256, (40, 56, 3), dtype=np.uint8)


def test_the_copies_of_a_folder_are_those_of_the_core(rows, images, tmp_path):
    before = {path: path.read_bytes() for path in images.iterdir()}
    words = ("--distortion", "jpeg,gaussian_noise", "--severity", "2,4.5", "--seed", 7)
    status, found = rows("distort", "in", *words, "--out", "out")
    assert (status, found["computed"]) == (0, 12)
    for row in found["rows"]:
        (path,) = row["outputs"]
        assert path == f"out/{row['file'][3:-4]}_{row['distortion']}_{row['severity']:g}.png"
        original = iq.read_image(tmp_path / row["file"]).array
        expected = iq.distort(original, row["distortion"], row["severity"], seed=7)
        np.testing.assert_array_equal(iq.read_image(tmp_path / path).array, expected)
        assert row["strength"] == distortion(row["distortion"]).strength(row["severity"])
    assert len(list((tmp_path / "out").iterdir())) == 12
    assert {path: path.read_bytes() for path in images.iterdir()} == before


def test_type_range_axes_and_profile_are_kept(rows, images, tmp_path):
    import cv2

    rng = np.random.default_rng(3)
    deep = COLOURS.astype(np.uint16) * 257
    cv2.imwrite(str(images / "deep.png"), deep[..., ::-1])
    Image.fromarray(COLOURS).save(images / "photo.jpg", icc_profile=b"a profile")
    stack = rng.integers(0, 4096, (2, 3, 40, 56), dtype=np.uint16)
    tifffile.imwrite(images / "stack.tif", stack, photometric="minisblack", metadata={"axes": "TZYX"})
    tifffile.imwrite(images / "float.tif", (rng.random((40, 56)) * 3).astype(np.float32))
    words = ("--distortion", "gaussian_blur", "--severity", 3, "--out", "out")
    status, found = rows("distort", "in/deep.png", "in/photo.jpg", "in/stack.tif", *words)
    assert (status, found["computed"]) == (0, 3)
    copy = iq.read_image(tmp_path / "out" / "deep_gaussian_blur_3.png").array
    np.testing.assert_array_equal(copy, iq.distort(deep, "gaussian_blur", 3, channel_axis=-1))
    with Image.open(tmp_path / "out" / "photo_gaussian_blur_3.png") as picture:
        assert picture.info["icc_profile"] == b"a profile"
    copy = iq.read_image(tmp_path / "out" / "stack_gaussian_blur_3.tif")
    assert copy.axes == "TZYX"
    np.testing.assert_array_equal(copy.array, iq.distort(stack, "gaussian_blur", 3))
    # Every format tells how its copy was made, so that all are kept.
    assert rows("distort", "in/deep.png", "in/photo.jpg", "in/stack.tif", *words)[1]["kept"] == 3

    status, found = rows("distort", "in/float.tif", *words)
    assert status == 1
    assert "--data-range" in found["rows"][0]["error"]
    status, _ = rows("distort", "in/float.tif", *words, "--data-range", 0, 3)
    copy = iq.read_image(tmp_path / "out" / "float_gaussian_blur_3.tif").array
    assert (status, copy.dtype) == (0, np.float32)
    expected = iq.distort(iq.read_image(images / "float.tif").array, "gaussian_blur", 3, data_range=(0, 3))
    np.testing.assert_array_equal(copy, expected)


def test_what_is_done_is_not_done_again(rows, images, tmp_path):
    words = ("distort", "in", "--distortion", "impulse_noise", "--severity", "1,5", "--out", "out")
    rows(*words)
    assert rows(*words)[1]["kept"] == 6
    (tmp_path / "out" / "b_impulse_noise_5.png").unlink()
    _, found = rows(*words, "--severity", "2")
    assert (found["kept"], found["computed"]) == (5, 4)
    Image.fromarray(COLOURS).save(images / "a.png")
    _, found = rows(*words)
    assert (found["kept"], found["computed"]) == (4, 2)
    assert rows(*words, "--seed", 1)[1]["kept"] == 0
    assert rows(*words, "--seed", 1, "--overwrite")[1]["kept"] == 0
    assert rows(*words, "--seed", 1)[1]["kept"] == 6
    record = read_record(tmp_path / "out" / "a_impulse_noise_5.png")["info"]
    assert (record["distortion"], record["severity"], record["strength"], record["seed"]) == (
        "impulse_noise", 5, 0.11, 1,
    )  # fmt: skip


def test_interrupted_and_started_again(rows, iqmaps, images, monkeypatch):
    words = ("distort", "in", "--distortion", "darkening", "--out", "out")
    made = []

    def stop(*args, **options):
        if len(made) == 7:
            raise KeyboardInterrupt
        made.append(args)
        return iq.distort(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(bank, "distort", stop)
        result = iqmaps(*words)
    assert result.exit_code == 130
    assert "Interrupted: 8 of 15 not done. Copies in --out are kept" in result.stderr
    status, found = rows(*words)
    assert (status, found["kept"], found["computed"]) == (0, 7, 8)


def test_all_leaves_colours_out_where_there_are_none(rows, iqmaps, images, tmp_path):
    Image.fromarray(COLOURS[..., 0]).save(images / "a.png")
    Image.fromarray(COLOURS).save(images / "b.png")
    words = ("--distortion", "all", "--severity", 1, "--out", "out")
    status, found = rows("distort", "in/a.png", "in/b.png", *words)
    names = {name: [row["distortion"] for row in found["rows"] if row["file"] == name]
             for name in ("in/a.png", "in/b.png")}  # fmt: skip
    assert (status, found["not_reached"]) == (0, 0)
    assert names["in/b.png"] == list(iq.distortions())
    assert names["in/a.png"] == [name for name in iq.distortions() if not distortion(name).needs_colour]
    # Asked for by name, it is an error, and the other copies are made.
    words = ("--distortion", "saturation_loss,haze", "--severity", 1, "--out", "other")
    status, found = rows("distort", "in/a.png", *words)
    assert (status, found["failed"], found["computed"], found["not_reached"]) == (1, 1, 1, 0)
    assert "is grey, and saturation_loss changes only colours" in found["rows"][0]["error"]
    assert (tmp_path / "other" / "a_haze_1.png").is_file()


def test_one_bad_image_is_told_once_and_stops_nothing(rows, iqmaps, images):
    (images / "aa.png").write_text("a text")
    Image.new("1", (40, 40)).save(images / "bits.png")
    words = ("distort", "in", "--distortion", "jpeg", "--severity", "1,2,3", "--out", "out")
    status, found = rows(*words)
    assert (status, found["computed"], found["failed"], found["not_reached"]) == (1, 9, 2, 0)
    result = iqmaps(*words)
    assert "[1/5] in/a.png: 3 copies" in result.stderr
    assert "not an image" in result.stdout
    assert "9 kept from before" in result.stderr


def test_copies_beside_the_images_are_not_distorted_again(rows, iqmaps, images):
    words = ("distort", "in", "--distortion", "jpeg", "--severity", 2, "--out", "in")
    rows(*words)
    status, found = rows(*words)
    assert (status, found["kept"], found["computed"]) == (0, 3, 0)
    assert "Left out 3 distorted copies that are in --out, such as in/a_jpeg_2.png" in iqmaps(*words).stderr
    _, found = rows("distort", "in/a_jpeg_2.png", "--distortion", "haze", "--severity", 2, "--out", "twice")
    assert found["rows"][0]["outputs"] == ["twice/a_jpeg_2_haze_2.png"]


@pytest.mark.parametrize("link", [False, True])
def test_an_input_is_never_overwritten(iqmaps, images, tmp_path, link):
    named = images / "a_jpeg_2.png"
    if link:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a_jpeg_2.png").symlink_to(images / "b.png")
    else:
        Image.open(images / "b.png").save(named)
    before = {path: path.read_bytes() for path in images.iterdir()}
    result = iqmaps("distort", "in", "--distortion", "jpeg", "--out", "out" if link else "in")
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert {path: path.read_bytes() for path in images.iterdir()} == before


def test_the_sheet_shows_every_severity_of_every_distortion(iqmaps, images, tmp_path):
    Image.fromarray(COLOURS).save(images / "a.png")
    words = ("--distortion", "jpeg,darkening,colour_cast", "--severity", "1,5", "--sheet", "sheet.png")
    result = iqmaps("distort", "in", *words)
    assert result.exit_code == 0
    assert "a.png, the first of 3 images, is shown in sheet.png" in result.stderr
    assert not (tmp_path / "out").exists()
    picture = np.array(Image.open(tmp_path / "sheet.png"))
    sheet = distortion_sheet(COLOURS, ["jpeg", "darkening", "colour_cast"], [1, 5], channel_axis=-1)
    sheet.drawn()
    assert [panel.title for panel in sheet.panels[:4]] == ["JPEG", "severity 1", "severity 5", "Darker"]
    left, top, width, height = sheet.boxes[5]
    assert (width % 56, height % 40) == (0, 0)
    zoom = width // 56
    np.testing.assert_array_equal(
        picture[top : top + height : zoom, left : left + width : zoom],
        iq.distort(COLOURS, "darkening", 5, channel_axis=-1),
    )


def test_a_sheet_leaves_colours_out_as_well(iqmaps, tmp_path, monkeypatch):
    monkeypatch.setattr(bank, "distortions", lambda: ("haze", "colour_cast"))
    Image.fromarray(COLOURS[..., 0]).save(tmp_path / "grey.png")
    words = ("--severity", 3, "--sheet", "sheet.png", "--distortion")
    assert iqmaps("distort", "grey.png", *words, "all").exit_code == 0
    result = iqmaps("distort", "grey.png", *words, "haze,colour_cast")
    assert (result.exit_code, "changes only colours" in result.stderr) == (1, True)
    (tmp_path / "bad.png").write_text("a text")
    result = iqmaps("distort", "bad.png", *words, "haze")
    assert (result.exit_code, "not an image" in result.stderr) == (1, True)


def test_the_bank_as_a_table(iqmaps, rows):
    status, found = rows("distort", "--list")
    assert status == 0
    assert [row["name"] for row in found] == list(iq.distortions())
    for row in found:
        record = distortion(row["name"])
        assert row["levels"] == list(record.levels)
        assert (row["family"], row["parameter"], row["unit"]) == (record.family, record.parameter, record.unit)
        assert row["formula"] == record.description
    shown = iqmaps("distort", "--list").stdout
    assert all(re.search(rf"^│ {name} ", shown, re.MULTILINE) for name in iq.distortions())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("in", "--out", "out"), "--distortion NAME"),
        (("in", "--distortion", "jpeg"), "--out FOLDER"),
        (("--distortion", "jpeg", "--out", "out"), "which images"),
        (("in", "--distortion", "jpg", "--out", "out"), "Did you mean jpeg"),
        (("in", "--distortion", "jpeg", "--severity", "0", "--out", "out"), "'0' is no number from 1"),
        (("in", "--distortion", "jpeg", "--severity", "1,x", "--out", "out"), "'x' is no number from 1"),
        (("in", "--distortion", "jpeg", "--sheet", "sheet.jpg"), "should end in .png"),
        (("in", "--distortion", "jpeg", "--sheet", "none/sheet.png"), "does not exist"),
        (("in", "--distortion", "jpeg", "--sheet", "in/a.png"), "would be overwritten"),
        (("in", "--distortion", "jpeg", "--seed", -1, "--out", "out"), "--seed"),
    ],
)
def test_wrong_use_is_told_in_one_line(iqmaps, images, tmp_path, words, says):
    result = iqmaps("distort", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_json_names_the_version(iqmaps, images):
    words = ("distort", "in/a.png", "--distortion", "jpeg", "--severity", 1, "--out", "out", "--json")
    found = json.loads(iqmaps(*words).stdout)
    assert (found["command"], found["version"]) == ("distort", iq.__version__)
