"""Where a map lies goes into its file and comes back; other programs read the size of a pixel there."""

import math

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.cli import main
from napari_iqmaps.core.io.map_file import read_record

RNG = np.random.default_rng(3)
PHOTO = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
TURN = ((math.cos(0.4), -math.sin(0.4)), (math.sin(0.4), math.cos(0.4)))
FLAT = {
    "scale": (0.5, 0.25),
    "translate": (7.0, -3.0),
    "rotate": TURN,
    "shear": (0.2,),
    "affine": ((1.0, 0.0, 5.0), (0.0, 1.0, 6.0), (0.0, 0.0, 1.0)),
    "units": ("micrometer", "micrometer"),
    "axis_labels": ("y", "x"),
}


def the_map(space, shape=(40, 50)):
    values = np.random.default_rng(4).uniform(0, 9, shape).astype(np.float32)
    return iq.QualityMap.of(values, "threshold", {"space": space})


def size_in(path):
    """The size of a pixel as a program reads it that knows nothing of us: width and height, in micrometres."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        assert tags["ResolutionUnit"].value == 3  # centimetre
        return tuple(1e4 * low / high for high, low in (tags["XResolution"].value, tags["YResolution"].value))


def test_a_map_comes_back_with_its_place(tmp_path):
    path = iq.write_map(the_map(FLAT), tmp_path / "map.tif")
    again = iq.read_map(path)
    assert again.info == {"space": FLAT}
    np.testing.assert_array_equal(again.values, the_map(FLAT).values)
    picture = iq.write_map(the_map(FLAT), tmp_path / "map.png")
    assert read_record(picture)["info"]["space"]["scale"] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("space", "width", "height"),
    [
        ({"scale": (0.5, 0.25), "units": ("um", "um")}, 0.25, 0.5),
        ({"scale": (40, 80), "units": ("nanometer", "nanometer")}, 0.08, 0.04),
        ({"scale": (0.5, 0.5), "units": ("um", "um"), "rotate": TURN, "translate": (3, 4)}, 0.5, 0.5),
        ({"scale": (1, 1), "units": ("um", "um"), "affine": ((0.2, 0, 1), (0, 0.3, 1), (0, 0, 1))}, 0.3, 0.2),
        ({"scale": (-1, 2), "units": ("mm", "mm")}, 2000, 1000),
    ],
)
def test_other_programs_read_the_size_of_a_pixel(tmp_path, space, width, height):
    path = iq.write_map(the_map(space), tmp_path / "map.tif")
    assert size_in(path) == pytest.approx((width, height))
    assert iq.read_image(path).pixel_size == pytest.approx((height, width))
    with Image.open(path) as picture:
        assert tuple(map(float, picture.info["dpi"])) == pytest.approx((25400 / width, 25400 / height))


@pytest.mark.parametrize(
    "space",
    [
        {},
        {"scale": (2, 2)},
        {"scale": (1, 2), "units": ("pixel", "pixel")},
        {"units": ("um", "um")},
        {"scale": (1e-200, 1e300), "units": ("um", "um")},
    ],
)
def test_no_size_is_made_up(tmp_path, space):
    assert iq.read_image(iq.write_map(the_map(space), tmp_path / "map.tif")).pixel_size is None


def test_a_stack_names_its_axes(tmp_path):
    space = {"scale": (2.0, 0.5, 0.5), "units": ("second", "um", "um"), "axis_labels": ("t", "y", "x")}
    path = iq.write_map(the_map(space, (3, 20, 30)), tmp_path / "map.tif")
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "TYX"
        assert file.asarray().shape == (3, 20, 30)
    assert iq.read_map(path).info["space"] == space
    odd = {"axis_labels": ("focus", "row", "column")}
    with tifffile.TiffFile(iq.write_map(the_map(odd, (3, 20, 30)), tmp_path / "odd.tif")) as file:
        assert file.series[0].axes == "QYX"


@pytest.mark.parametrize(
    "space",
    [
        "here",
        {"scale": (1, 2, 3)},
        {"scale": (0, 1)},
        {"scale": (1, math.nan)},
        {"units": ("um",)},
        {"axis_labels": (1, 2)},
        {"affine": ((1, 0), (0, 1))},
        {"rotate": ((1, 0), (0, "a"))},
        {"shear": (1, 2)},
        {"affine": ((0, 0, 1), (0, 0, 1), (0, 0, 1))},
        {"rotate": ((1e200, 0), (0, 1e200))},
    ],
)
def test_what_cannot_be_a_place_is_refused(tmp_path, space):
    with pytest.raises(iq.InputError, match="space"):
        iq.write_map(the_map(space), tmp_path / "map.tif")
    assert not list(tmp_path.iterdir())


def test_a_command_keeps_the_size_of_the_pixels_of_its_file(tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, PHOTO, resolution=(1e4 / 0.16, 1e4 / 0.2), resolutionunit="CENTIMETER")
    result = CliRunner().invoke(
        main, ["threshold", str(path), "--model", "contrast", "--out", str(tmp_path / "maps"), "--format", "both"]
    )
    assert result.exit_code == 0, result.output
    written = tmp_path / "maps" / "cells_threshold.tif"
    assert size_in(written) == pytest.approx((0.16, 0.2))
    assert iq.read_map(written).info["space"]["units"] == ("micrometer", "micrometer")
    assert read_record(written.with_suffix(".png"))["info"]["space"]["scale"] == pytest.approx([0.2, 0.16])


def test_a_command_keeps_the_axes_of_a_stack(tmp_path):
    path = tmp_path / "series.tif"
    tifffile.imwrite(path, np.stack([PHOTO, 255 - PHOTO]), metadata={"axes": "TYX"})
    result = CliRunner().invoke(main, ["threshold", str(path), "--model", "contrast", "--out", str(tmp_path / "maps")])
    assert result.exit_code == 0, result.output
    assert iq.read_map(tmp_path / "maps" / "series_threshold.tif").info["space"] == {"axis_labels": ("t", "y", "x")}
