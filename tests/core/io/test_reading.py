"""Files as users have them: written by other programs' libraries, read back, and refused by name when damaged."""

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq

cv2 = pytest.importorskip("cv2")

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (24, 37), dtype=np.uint8)
RGB = RNG.integers(0, 256, (24, 37, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (24, 37), dtype=np.uint16)
FLOAT = RNG.normal(size=(24, 37)).astype(np.float32)
STACK = RNG.integers(0, 65536, (5, 24, 37), dtype=np.uint16)


def check(path, array, channel_axis, axes):
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, array)
    assert file.array.dtype == array.dtype
    assert (file.channel_axis, file.axes) == (channel_axis, axes)
    assert file.path == path
    return file


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_lossless_grey_and_colour(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"colour.{suffix}"
    Image.fromarray(RGB).save(path, **options)
    check(path, RGB, 2, "YXS")
    if suffix != "webp":
        path = tmp_path / f"grey.{suffix}"
        Image.fromarray(GREY).save(path)
        check(path, GREY, None, "YX")


def test_jpeg_grey_and_colour(tmp_path):
    for name, array, channel_axis in (("grey", GREY, None), ("colour", RGB, 2)):
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(array).save(path)
        check(path, np.array(Image.open(path)), channel_axis, "YXS" if channel_axis else "YX")


def test_the_content_decides_not_the_name(tmp_path):
    path = tmp_path / "really a png.tif"
    Image.fromarray(GREY).save(path, format="PNG")
    check(path, GREY, None, "YX")
    path = tmp_path / "no suffix at all"
    tifffile.imwrite(path, DEEP)
    check(path, DEEP, None, "YX")


def test_png_of_16_bits_keeps_them(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(DEEP).save(path)
    check(path, DEEP, None, "YX")
    deep_rgb = RNG.integers(0, 65536, (24, 37, 3), dtype=np.uint16)
    path = tmp_path / "rgb.png"
    cv2.imwrite(str(path), deep_rgb[..., ::-1])
    check(path, deep_rgb, 2, "YXS")


def test_png_of_1_bit_is_bool_and_a_palette_is_colour(tmp_path):
    path = tmp_path / "bits.png"
    Image.fromarray(GREY > 127).save(path)
    check(path, GREY > 127, None, "YX")
    picture = Image.fromarray(RGB).quantize(16)
    path = tmp_path / "palette.png"
    picture.save(path)
    check(path, np.array(picture.convert("RGB")), 2, "YXS")


def test_alpha_is_kept_and_mentioned_only_where_it_hides_something(tmp_path):
    rgba = np.dstack([RGB, np.full_like(GREY, 255)])
    path = tmp_path / "opaque.png"
    Image.fromarray(rgba).save(path)
    assert check(path, rgba, 2, "YXS").notes == ()
    rgba[3, 4, 3] = 0
    Image.fromarray(rgba).save(path)
    (note,) = check(path, rgba, 2, "YXS").notes
    assert "alpha" in note


def test_cmyk_becomes_rgb(tmp_path):
    path = tmp_path / "print.jpg"
    Image.fromarray(RGB).convert("CMYK").save(path)
    file = iq.read_image(path)
    assert file.array.shape == (24, 37, 3)
    assert file.channel_axis == 2


def test_animation_is_a_stack(tmp_path):
    frames = [Image.fromarray(np.roll(GREY, shift)) for shift in range(3)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    file = iq.read_image(path)
    assert file.array.shape[0] == 3
    assert file.axes.startswith("Q")


def test_radiance_hdr_stays_float(tmp_path):
    path = tmp_path / "light.hdr"
    cv2.imwrite(str(path), np.abs(FLOAT)[..., None].repeat(3, axis=2) * 500)
    file = iq.read_image(path)
    assert file.array.dtype == np.float32
    assert file.array.max() > 500
    assert (file.luminance, file.data_range) == ("absolute", None)
    assert "taken as cd/m2" in file.notes[0]
    with pytest.raises(iq.InputError, match="data_range"):
        iq.threshold_map(file.array, channel_axis=file.channel_axis, model="contrast")


def test_an_exposure_in_the_header_is_named(tmp_path):
    path = tmp_path / "light.hdr"
    cv2.imwrite(str(path), np.abs(FLOAT)[..., None].repeat(3, axis=2))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"FORMAT=", b"EXPOSURE=2.5\nFORMAT=", 1))
    file = iq.read_image(path)
    assert "exposure in the header (2.5) was not divided out" in file.notes[0]
    path.write_bytes(content.replace(b"FORMAT=", b"EXPOSURE=1\nFORMAT=", 1))
    assert len(iq.read_image(path).notes) == 1


@pytest.mark.parametrize("colours", [1, 3])
def test_pfm_is_linear_light(tmp_path, colours):
    light = np.abs(FLOAT)[..., None].repeat(colours, axis=2) * [500, 200, 100][:colours]
    path = tmp_path / "light.pfm"
    cv2.imwrite(str(path), light[..., ::-1].astype(np.float32))
    file = iq.read_image(path)
    np.testing.assert_allclose(file.array, light[..., 0] if colours == 1 else light, rtol=1e-6)
    assert file.luminance == "absolute"


def test_truncated_radiance_hdr(tmp_path):
    path = tmp_path / "light.hdr"
    cv2.imwrite(str(path), np.abs(FLOAT)[..., None].repeat(3, axis=2) * 500)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(iq.InputError, match="damaged"):
        iq.read_image(path)


def test_ordinary_pictures_hold_codes(tmp_path):
    for name, array in (("grey.png", GREY), ("deep.tif", DEEP), ("float.tif", FLOAT)):
        tifffile.imwrite(tmp_path / name, array) if name.endswith("tif") else Image.fromarray(array).save(
            tmp_path / name
        )
        assert iq.read_image(tmp_path / name).luminance == "code"


def test_jpeg_2000_keeps_16_bits(tmp_path):
    deep = RNG.integers(0, 65536, (64, 80, 3), dtype=np.uint16)
    path = tmp_path / "deep.jp2"
    cv2.imwrite(str(path), deep[..., ::-1], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    check(path, deep, 2, "YXS")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(iq.InputError, match="damaged"):
        iq.read_image(path)


def test_a_jpeg_of_a_phone_is_one_picture(tmp_path):
    path = tmp_path / "phone.jpg"
    preview = Image.fromarray(RGB[:8, :8])
    Image.fromarray(RGB).save(path, format="MPO", save_all=True, append_images=[preview])
    assert iq.read_image(path).array.shape == RGB.shape


def test_opencv_gives_red_first(tmp_path):
    red = np.zeros((8, 9, 3), np.float32)
    red[..., 0] = 10
    path = tmp_path / "red.hdr"
    cv2.imwrite(str(path), red[..., ::-1])
    assert iq.read_image(path).array[0, 0].argmax() == 0


def test_pgm_of_12_bits_says_its_white(tmp_path):
    values = (DEEP >> 4).astype(">u2")
    path = tmp_path / "camera.pgm"
    path.write_bytes(b"P5\n# a comment\n37 24\n4095\n" + values.tobytes())
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, values)
    assert file.data_range == (0, 4095)


@pytest.mark.parametrize(
    ("array", "metadata", "axes"),
    [
        (STACK, {"axes": "TYX"}, "TYX"),
        (STACK, {"axes": "ZYX"}, "ZYX"),
        (STACK[:3], {"axes": "CYX"}, "CYX"),
        (STACK[None], {"axes": "TZYX"}, "TZYX"),
    ],
)
@pytest.mark.parametrize("form", ["plain", "imagej", "ome"])
def test_tiff_stacks_keep_leading_axes(tmp_path, form, array, metadata, axes):
    path = tmp_path / ("stack.ome.tif" if form == "ome" else "stack.tif")
    options = {} if form == "plain" else {form: True}
    tifffile.imwrite(path, array, metadata=metadata, photometric="minisblack", **options)
    file = iq.read_image(path)
    kept = axes.replace("T", "") if form == "imagej" and axes == "TZYX" else axes  # ImageJ drops axes of one
    np.testing.assert_array_equal(file.array.squeeze(), array.squeeze())
    assert file.channel_axis is None
    assert file.axes.replace("T", "") == kept.replace("T", "")


def test_tiff_fluorescence_channels_are_planes_and_interleaved_ones_colours(tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, STACK[:3], imagej=True, metadata={"axes": "CYX"})
    check(path, STACK[:3], None, "CYX")
    tifffile.imwrite(path, RGB, metadata={"axes": "YXC"}, photometric="minisblack")
    check(path, RGB, 2, "YXS")


def test_tiff_rgb_interleaved_planar_and_stacked(tmp_path):
    path = tmp_path / "rgb.tif"
    tifffile.imwrite(path, RGB, photometric="rgb")
    check(path, RGB, 2, "YXS")
    tifffile.imwrite(path, np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate")
    file = iq.read_image(path)
    np.testing.assert_array_equal(np.moveaxis(file.array, file.channel_axis, -1), RGB)
    movie = np.stack([RGB, RGB[::-1]])
    tifffile.imwrite(path, movie, photometric="rgb")
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, movie)
    assert file.channel_axis == 3


def test_tiff_axes_behind_the_image_are_brought_forward(tmp_path):
    path = tmp_path / "yxz.tif"
    tifffile.imwrite(path, np.moveaxis(STACK, 0, -1), metadata={"axes": "YXZ"}, photometric="minisblack")
    check(path, STACK, None, "ZYX")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "int32", "float16", "float32", "float64", ">u2"])
def test_tiff_dtypes(tmp_path, dtype):
    array = (GREY > 99) if dtype == "bool" else GREY.astype(dtype)
    path = tmp_path / "any.tif"
    tifffile.imwrite(path, array, photometric="minisblack", byteorder=">" if dtype == ">u2" else None)
    np.testing.assert_array_equal(iq.read_image(path).array, array)


def test_tiff_palette_and_white_is_zero(tmp_path):
    path = tmp_path / "palette.tif"
    picture = Image.fromarray(RGB).quantize(16)
    picture.save(path)
    file = iq.read_image(path)
    assert file.channel_axis == 2
    np.testing.assert_array_equal(file.array, np.array(picture.convert("RGB")))
    path = tmp_path / "fax.tif"
    tifffile.imwrite(path, 255 - GREY, photometric="miniswhite")
    assert "inverted" in check(path, GREY, None, "YX").notes[0]


def test_tiff_with_images_of_several_shapes_gives_the_first_and_says_so(tmp_path):
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY, photometric="minisblack")
        writer.write(GREY[:5, :7], photometric="minisblack")
    assert "2 images" in check(path, GREY, None, "YX").notes[0]


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_tiff_compressions(tmp_path, compression):
    for array, channel_axis, axes in ((GREY, None, "YX"), (RGB, 2, "YXS"), (DEEP, None, "YX")):
        path = tmp_path / "compressed.tif"
        Image.fromarray(array).save(path, compression=compression)
        check(path, array, channel_axis, axes)


def test_tiff_jpeg_inside_is_read(tmp_path):
    path = tmp_path / "jpeg.tif"
    smooth = np.linspace(0, 255, 24 * 37 * 3).reshape(24, 37, 3).astype(np.uint8)
    Image.fromarray(smooth).save(path, compression="jpeg", quality=95)
    file = iq.read_image(path)
    assert file.channel_axis == 2
    assert np.abs(file.array.astype(int) - smooth).mean() < 8


def test_names_beyond_ascii_and_with_brackets(tmp_path):
    path = tmp_path / "Größe [1] 図.png"
    Image.fromarray(GREY).save(path)
    check(path, GREY, None, "YX")


# --- refusals


def test_missing_folder_and_empty(tmp_path):
    with pytest.raises(iq.InputError, match=r"There is no file .*nothing\.png.*Check the name"):
        iq.read_image(tmp_path / "nothing.png")
    with pytest.raises(iq.InputError, match="is a folder"):
        iq.read_image(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(iq.InputError, match="0 bytes"):
        iq.read_image(tmp_path / "empty.png")


@pytest.mark.parametrize("name", ["notes.txt", "notes.png", "notes.tif"])
def test_text_is_no_image(tmp_path, capfd, name):
    path = tmp_path / name
    path.write_text("This is a text, whatever its name says. " * 20)
    with pytest.raises(iq.InputError, match="a text, not an image, whatever its name says.*give an image"):
        iq.read_image(path)
    assert capfd.readouterr().err == ""  # no chatter of decoders


def test_formats_of_microscopes_say_what_to_do(tmp_path):
    path = tmp_path / "scan.czi"
    path.write_bytes(b"ZISRAWFILE" + bytes(100))
    with pytest.raises(iq.InputError, match="OME-TIFF"):
        iq.read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_pictures(tmp_path, suffix, kept):
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(RNG.integers(0, 256, (90, 120), dtype=np.uint8)).save(whole)
    data = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(iq.InputError, match="cut short|damaged"):
        iq.read_image(cut)


def test_truncated_deep_png(tmp_path):
    whole, cut = tmp_path / "whole.png", tmp_path / "cut.png"
    cv2.imwrite(str(whole), RNG.integers(0, 65536, (90, 120, 3), dtype=np.uint16))
    cut.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(iq.InputError, match="cut short|damaged"):
        iq.read_image(cut)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_truncated_tiffs(tmp_path, compression, kept):
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    pixels = RNG.integers(0, 65536, (4, 60, 70), dtype=np.uint16)
    tifffile.imwrite(whole, pixels, compression=compression, photometric="minisblack")
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(iq.InputError, match="damaged or was cut short"):
        iq.read_image(cut)


def test_read_image_feeds_threshold_map(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(RGB).save(path)
    file = iq.read_image(path)
    answer = iq.threshold_map(file.array, channel_axis=file.channel_axis, model="contrast")
    assert answer.values.shape == (24, 37)
