"""Images are written back without loss, in their own format where it has none."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_iqmaps import InputError, read_image
from napari_iqmaps.core.io.image_file import ImageFile, lossless_suffix, upright, write_picture
from napari_iqmaps.core.io.map_file import read_record


def file_of(array, channel_axis=None, name="image.png", axes="YX"):
    return ImageFile(Path(name), array, channel_axis, axes)


@pytest.mark.parametrize(
    ("dtype", "shape", "channel_axis", "name", "suffix", "reason"),
    [
        ("uint8", (4, 5), None, "a.png", ".png", ""),
        ("uint16", (4, 5, 3), 2, "a.PNG", ".png", ""),
        ("uint8", (4, 5), None, "a.TIFF", ".tif", ""),
        ("uint8", (4, 5, 3), 2, "a.jpg", ".png", "JPG would change"),
        ("uint8", (4, 5), None, "a.bmp", ".png", "keeps every pixel"),
        ("float32", (4, 5), None, "a.pfm", ".tif", "written as TIFF"),
        ("uint8", (2, 4, 5), None, "a.gif", ".tif", "written as TIFF"),
    ],
)
def test_the_format(dtype, shape, channel_axis, name, suffix, reason):
    found, why = lossless_suffix(file_of(np.zeros(shape, dtype), channel_axis, name))
    assert found == suffix
    assert reason in why
    assert bool(reason) == bool(why)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 3, 4])
def test_pixels_come_back(tmp_path, suffix, dtype, channels):
    shape = (6, 7) if channels is None else (6, 7, channels)
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    axis = None if channels is None else 2
    path = write_picture(
        array, tmp_path / f"out{suffix}", file_of(array, axis, axes="YXS"[: array.ndim]), {"level": 0.5}
    )
    back = read_image(path)
    np.testing.assert_array_equal(back.array, array)
    assert back.channel_axis == axis
    if suffix == ".tif" or dtype == "uint8" or channels is None:
        assert read_record(path)["info"] == {"level": 0.5}


def test_colours_in_front_come_back_as_colours(tmp_path):
    planar = np.random.default_rng(0).integers(0, 256, (3, 20, 21), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", planar, photometric="rgb", planarconfig="separate")
    source = read_image(tmp_path / "in.tif")
    back = read_image(write_picture(source.array, tmp_path / "out.tif", source, {}))
    colours_last = [np.moveaxis(file.array, file.channel_axis, -1) for file in (source, back)]
    np.testing.assert_array_equal(*colours_last)


def test_profile_and_resolution_are_taken_over_and_the_orientation_is_upright(tmp_path):
    pixels = np.zeros((6, 7, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned to the right
    exif[0x010F] = "maker"
    Image.fromarray(pixels).save(tmp_path / "in.jpg", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    source = read_image(tmp_path / "in.jpg")
    with Image.open(write_picture(source.array, tmp_path / "out.png", source, {})) as written:
        assert written.getexif()[0x0112] == 1
        assert written.getexif()[0x010F] == "maker"
        assert written.size == (6, 7)
        assert written.info["icc_profile"] == b"profile"
        assert round(written.info["dpi"][0]) == 300


@pytest.mark.parametrize("lead", [(), (2,)])
@pytest.mark.parametrize("trail", [(), (3,)])
@pytest.mark.parametrize(
    ("orientation", "row", "column"),
    # where the first stored row and the first stored column are to be seen, as TIFF 6.0 defines tag 274
    [
        (1, "top", "left"),
        (2, "top", "right"),
        (3, "bottom", "right"),
        (4, "bottom", "left"),
        (5, "left", "top"),
        (6, "right", "top"),
        (7, "right", "bottom"),
        (8, "left", "bottom"),
    ],
)
def test_upright(orientation, row, column, lead, trail):
    stored = np.random.default_rng(0).integers(0, 256, (*lead, 4, 5, *trail), dtype=np.uint8)
    turned, notes = upright(stored, orientation, len(lead))
    sides = {
        "top": np.take(turned, 0, len(lead)),
        "bottom": np.take(turned, -1, len(lead)),
        "left": np.take(turned, 0, len(lead) + 1),
        "right": np.take(turned, -1, len(lead) + 1),
    }
    for side, first in ((row, np.take(stored, 0, len(lead))), (column, np.take(stored, 0, len(lead) + 1))):
        backwards = np.flip(first, len(lead))
        assert any(np.array_equal(sides[side], line) for line in (first, backwards))
    # the first stored pixel lies in the corner of the two
    corner = (slice(None),) * len(lead) + (
        -1 if "bottom" in (row, column) else 0,
        -1 if "right" in (row, column) else 0,
    )
    np.testing.assert_array_equal(turned[corner], stored[(slice(None),) * len(lead) + (0, 0)])
    assert bool(notes) == (orientation != 1)
    assert all(f"orientation {orientation}" in note for note in notes)


@pytest.mark.parametrize("orientation", [0, 9, 65535, -1])
def test_an_orientation_that_means_nothing_changes_nothing(orientation):
    array = np.arange(6).reshape(2, 3)
    assert upright(array, orientation) == (array, ())


def test_a_mask_is_turned_with_its_pixels():
    array = np.ma.masked_equal(np.arange(6).reshape(2, 3), 0)
    turned, _ = upright(array, 6)
    np.testing.assert_array_equal(turned.mask, [[False, True], [False, False], [False, False]])


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"not as .\.jpg"):
        write_picture(np.zeros((4, 5), np.uint8), tmp_path / "out.jpg", file_of(np.zeros((4, 5), np.uint8)), {})
    assert not list(tmp_path.iterdir())
