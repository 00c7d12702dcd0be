"""The picture of the bank: what a panel shows, of images of any size and type."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion
from napari_iqmaps.core.distortions.sheet import distortion_sheet, strength_words


def test_panels_are_the_copies_of_a_small_image():
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 4), dtype=np.uint8)
    seen = []
    sheet = distortion_sheet(
        image, ["gaussian_noise", "jpeg"], [1, 4.5], seed=3, channel_axis=-1, progress=lambda *done: seen.append(done)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sheet.columns == 3
    assert [panel.title for panel in sheet.panels] == [
        "Gaussian noise", "severity 1", "severity 4.5", "JPEG", "severity 1", "severity 4.5",
    ]  # fmt: skip
    assert sheet.panels[4].caption == "40"
    np.testing.assert_array_equal(sheet.panels[0].pixels, image[..., :3])
    for panel, name, severity in ((1, "gaussian_noise", 1), (5, "jpeg", 4.5)):
        expected = iq.distort(image[..., :3], name, severity, seed=3, channel_axis=-1)
        np.testing.assert_array_equal(sheet.panels[panel].pixels, expected)
    assert "reduced" not in sheet.footer


def test_a_large_image_is_reduced_first_and_a_strip_keeps_its_pixels():
    deep = np.tile(np.linspace(0, 4000, 500, dtype=np.uint16), (2, 300, 1))
    sheet = distortion_sheet(deep, ["vignetting"], [3], data_range=4000)
    shown = sheet.panels[0].pixels[..., 0].astype(float)
    assert shown.shape == (115, 192)
    np.testing.assert_allclose(shown, np.broadcast_to(np.linspace(0, 255, 192), shown.shape), atol=1.5)
    assert "1:2.6" in sheet.footer
    strip = distortion_sheet(np.zeros((12, 600), np.uint8), ["jpeg"], [3])
    assert strip.panels[0].pixels.shape == (8, 400, 3)


def test_floats_holes_and_dask_arrays():
    da = pytest.importorskip("dask.array")
    image = np.linspace(-1, 1, 400, dtype=np.float32).reshape(20, 20)
    image[3, 4] = np.nan
    expected = distortion_sheet(image, ["darkening"], [2], data_range=(-1, 1)).panels
    assert tuple(expected[0].pixels[3, 4]) == (128, 128, 128)
    assert expected[0].pixels[-1, -1, 0] == 255
    lazy = distortion_sheet(da.from_array(image, chunks=7), ["darkening"], [2], data_range=(-1, 1)).panels
    for one, other in zip(expected, lazy, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("image", "names", "says"),
    [
        (np.zeros((20, 20), np.uint8), [], "nothing to show"),
        (np.zeros((20, 20), np.uint8), ["saturation_loss"], "changes only colours"),
        (np.zeros((20, 20), bool), ["jpeg"], "bool"),
        (np.zeros((20, 20), np.float32), ["jpeg"], "data_range"),
    ],
)
def test_what_cannot_be_shown_is_told(image, names, says):
    with pytest.raises(iq.InputError, match=says):
        distortion_sheet(image, names, [3])


def test_strengths_in_words():
    assert strength_words(distortion("gaussian_noise"), 2) == "standard deviation 0.04 of the range"
    assert strength_words(distortion("downsampling"), 1) == "factor 1.9"
