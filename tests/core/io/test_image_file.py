"""Images are written back without loss, in their own format where it has none."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_iqmaps import InputError, read_image
from napari_iqmaps.core.io.image_file import ImageFile, lossless_suffix, write_picture
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


def test_orientation_and_profile_are_taken_over(tmp_path):
    pixels = np.zeros((6, 7, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned to the right
    Image.fromarray(pixels).save(tmp_path / "in.jpg", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    source = read_image(tmp_path / "in.jpg")
    with Image.open(write_picture(source.array, tmp_path / "out.png", source, {})) as written:
        assert written.getexif()[0x0112] == 6
        assert written.info["icc_profile"] == b"profile"
        assert round(written.info["dpi"][0]) == 300


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"not as .\.jpg"):
        write_picture(np.zeros((4, 5), np.uint8), tmp_path / "out.jpg", file_of(np.zeros((4, 5), np.uint8)), {})
    assert not list(tmp_path.iterdir())
