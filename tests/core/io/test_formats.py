"""Each format says what its samples mean; what comes back is held against samples that never went through a decoder."""

import itertools
import json
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core.io.image_file import KEY, ImageFile, write_picture
from napari_iqmaps.core.io.reading import SUFFIXES

RNG = np.random.default_rng(23)
ROWS, COLUMNS = np.mgrid[:19, :27]
SMOOTH = ((ROWS * 7 + COLUMNS * 5) % 256).astype(np.uint8)
COLOURS = np.dstack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]])


def samples(depth, count=1, shape=(19, 27)):
    """Random samples of so many bits, with black and white among them."""
    made = RNG.integers(0, 2**depth, (*shape, count), dtype=np.uint32)
    made[0, 0], made[0, 1] = 0, 2**depth - 1
    return made.astype(np.uint8 if depth <= 8 else np.uint16)


def read(tmp_path, content, name="file.bin"):
    path = tmp_path / name
    path.write_bytes(content)
    return iq.read_image(path)


def refused(tmp_path, content, match, name="file.bin"):
    with pytest.raises(iq.InputError, match=match):
        read(tmp_path, content, name)


def shares(file):
    """Samples as shares of white."""
    array = file.array
    white = file.data_range[1] if file.data_range else {"bool": 1, "uint8": 255, "uint16": 65535}[array.dtype.name]
    return np.asarray(array, float) / white


def holds(file, stored, depth, channel_axis=None):
    assert file.channel_axis == channel_axis
    np.testing.assert_allclose(shares(file), stored / (2**depth - 1), atol=0.49 / (2**depth - 1))


def noted(file, word):
    assert any(word in note for note in file.notes), file.notes


# --- PNG

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed_rows(stored, depth):
    """Rows of samples of 1 to 16 bits, the highest bit first, each filled up to a byte."""
    rows = stored.reshape(len(stored), -1).astype(np.int64)
    bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
    return [bytes(np.packbits(row.ravel())) for row in bits]


def png_data(stored, depth):
    return b"".join(b"\0" + row for row in packed_rows(stored, depth)) if stored.size else b""


def interlaced(stored, depth):
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    return b"".join(png_data(stored[y::down, x::right], depth) for y, x, down, right in steps)


def png(stored, depth, colour, *further, data=None, interlace=0, end=True, size=None):
    height, width = size or stored.shape[:2]
    data = data if data is not None else zlib.compress((interlaced if interlace else png_data)(stored, depth))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [chunk(b"IHDR", header), *(chunk(*more) for more in further), chunk(b"IDAT", data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + (chunk(b"IEND", b"") if end else b"")


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_png_of_every_kind_and_depth(tmp_path, colour, depth, interlace):
    stored = samples(depth, SAMPLES[colour])
    file = read(tmp_path, png(stored, depth, colour, interlace=interlace))
    if colour in (0, 4):
        holds(file, stored[..., 0], depth)
    else:
        holds(file, stored, depth, channel_axis=2)
    if colour in (4, 6):
        noted(file, "transparency")


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("is_clear", [False, True])
def test_png_palettes(tmp_path, depth, is_clear):
    numbers = samples(depth)[..., 0]
    palette = RNG.integers(0, 256, (2**depth, 3), dtype=np.uint8)
    further = [(b"PLTE", palette.tobytes()), *([(b"tRNS", b"\0\x80")] if is_clear else [])]
    file = read(tmp_path, png(numbers, depth, 3, *further))
    np.testing.assert_array_equal(file.array[..., :3], palette[numbers])
    if is_clear:
        alpha = np.full(2**depth, 255)
        alpha[:2] = 0, 128
        np.testing.assert_array_equal(file.array[..., 3], alpha[numbers])
        noted(file, f"{100 * (numbers == 0).mean():.3g} % of the pixels are wholly transparent")


def test_png_numbers_beyond_the_palette_are_refused(tmp_path):
    refused(tmp_path, png(samples(8)[..., 0], 8, 3, (b"PLTE", bytes(30))), "palette 10 colours")
    refused(tmp_path, png(samples(8)[..., 0], 8, 3), "no colours")


@pytest.mark.parametrize(("colour", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
def test_png_one_transparent_colour_is_named_and_stays(tmp_path, colour, depth):
    stored = samples(depth, SAMPLES[colour])
    clear = stored[5, 5].astype(">u2").tobytes()
    file = read(tmp_path, png(stored, depth, colour, (b"tRNS", clear)))
    holds(file, stored if colour == 2 else stored[..., 0], depth, 2 if colour == 2 else None)
    share = (stored == stored[5, 5]).all(axis=-1).mean()
    noted(file, f"transparency (the alpha channel) is ignored; {100 * share:.3g} %")


PROFILE = (
    bytes(36)
    + b"acsp"
    + bytes(88)
    + struct.pack(">I4sII", 1, b"desc", 144, 22)
    + struct.pack(">4sII", b"desc", 0, 10)
    + b"Adobe RGB\0"
)


@pytest.mark.parametrize(
    ("further", "word"),
    [
        ([(b"gAMA", struct.pack(">I", 100_000))], "gamma 1"),
        ([(b"gAMA", struct.pack(">I", 55_556))], "gamma 0.55556"),
        ([(b"gAMA", struct.pack(">I", 45_455))], None),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))], None),
        ([(b"cICP", b"\x09\x10\0\1")], "PQ"),
        ([(b"cICP", b"\x09\x12\0\1")], "HLG"),
        ([(b"cICP", b"\x01\x0d\0\1")], None),
        ([(b"cICP", b"\x01\x0d\0\0")], "narrow range"),
        ([(b"iCCP", b"x\0\0" + zlib.compress(PROFILE))], "Adobe RGB"),
        ([(b"iCCP", b"x\0\0" + zlib.compress(bytes(2**23)))], "too long"),
        ([(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**27)))], None),
        ([(b"sBIT", b"\x05\x06\x05")], "5, 6 of 8 bits"),
    ],
)
def test_png_what_is_stated_of_codes_becomes_a_note(tmp_path, further, word, capfd):
    stored = samples(8, 3)
    file = read(tmp_path, png(stored, 8, 2, *further))
    np.testing.assert_array_equal(file.array, stored)
    assert (file.notes == ()) is (word is None)
    if word:
        noted(file, word)
    assert capfd.readouterr() == ("", "")


def exif(orientation, order="<", *, dpi=None):
    entries = [(0x0112, 3, 1, struct.pack(order + "HH", orientation, 0))]
    data = b""
    if dpi:
        place = 8 + 2 + 12 * 4 + 4
        entries += [(0x011A + n, 5, 1, struct.pack(order + "I", place + 8 * n)) for n in (0, 1)]
        entries.append((0x0128, 3, 1, struct.pack(order + "HH", 2, 0)))
        data = struct.pack(order + "IIII", dpi[1], 1, dpi[0], 1)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(entries))
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    return head + body + bytes(4) + data


def seen(stored, orientation):
    """The picture as EXIF defines it: where its first row and its first column are to be seen."""
    plain = {1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    turned = np.swapaxes(stored, 0, 1)
    return {**plain, 5: turned, 6: turned[:, ::-1], 7: turned[::-1, ::-1], 8: turned[::-1]}[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_in_png_and_jpeg(tmp_path, orientation):
    stored = samples(8, 3)
    files = [read(tmp_path, png(stored, 8, 2, (b"eXIf", exif(orientation))))]
    np.testing.assert_array_equal(files[0].array, seen(stored, orientation))
    Image.fromarray(COLOURS).save(tmp_path / "plain.jpg")
    Image.fromarray(COLOURS).save(tmp_path / "turned.jpg", exif=b"Exif\0\0" + exif(orientation, ">"))
    Image.fromarray(COLOURS).save(tmp_path / "turned.webp", lossless=True, exif=b"Exif\0\0" + exif(orientation))
    plain = np.asarray(Image.open(tmp_path / "plain.jpg"))
    files.append(iq.read_image(tmp_path / "turned.jpg"))
    np.testing.assert_array_equal(files[1].array, seen(plain, orientation))
    files.append(iq.read_image(tmp_path / "turned.webp"))
    np.testing.assert_array_equal(files[2].array, seen(COLOURS, orientation))
    for file in files:
        assert any("orientation" in note for note in file.notes) is (orientation != 1)


@pytest.mark.parametrize("form", ["L", "RGB", "RGBA", "P"])
def test_an_animated_png_is_a_stack(tmp_path, form):
    frames = [Image.fromarray(np.roll(COLOURS, shift, axis=0)).convert(form) for shift in range(3)]
    content = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    file = read(tmp_path, content)
    kind = "RGB" if form == "P" else form
    np.testing.assert_array_equal(file.array, np.stack([np.asarray(frame.convert(kind)) for frame in frames]))
    refused(tmp_path, content.replace(b"acTL\0\0\0\3", b"acTL\0\0\0\2"), "check sum")


def test_a_frame_of_an_animated_png_that_is_not_whole(tmp_path):
    control = struct.pack(">IIIIIHHBB", 0, 27, 19, 0, 0, 1, 10, 0, 0)
    second = b"\0\0\0\2" + zlib.compress(png_data(SMOOTH[:9], 8))
    parts = [chunk(b"fcTL", b"\0\0\0\1" + control[4:]), chunk(b"fdAT", second)]
    start = png(SMOOTH, 8, 0, (b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", control))
    refused(tmp_path, start[:-12] + b"".join(parts) + start[-12:], "not whole")
    refused(tmp_path, start, "states 2 frames, and 1")


def test_png_damage(tmp_path, capfd):
    stored = samples(8, 3)
    whole = png(stored, 8, 2)
    refused(tmp_path, png(stored, 8, 2, end=False), "IEND")
    refused(tmp_path, whole[:-1], "IEND")
    refused(tmp_path, whole[:-30], "ends within it")
    refused(tmp_path, png(stored, 8, 2, data=zlib.compress(png_data(stored[:9], 8))), "damaged")
    refused(tmp_path, whole.replace(b"IDAT", b"IDAU"), "check sum")
    refused(tmp_path, png(stored, 8, 2)[:-20] + b"\0" + whole[-19:], "check sum")
    refused(tmp_path, png(stored, 8, 2, data=b""), "damaged")
    refused(tmp_path, png(stored, 3, 2), "3 bits")
    refused(tmp_path, png(stored, 8, 2, (b"XyZw", b"")), "unknown extension")
    refused(tmp_path, whole[:8] + chunk(b"CgBI", bytes(4)) + whole[8:], "Apple")
    assert capfd.readouterr() == ("", "")


def test_png_pixel_size(tmp_path):
    stored = samples(8)
    file = read(tmp_path, png(stored, 8, 0, (b"pHYs", struct.pack(">IIB", 500_000, 250_000, 1))))
    np.testing.assert_allclose(file.pixel_size, (4, 2))
    assert read(tmp_path, png(stored, 8, 0, (b"pHYs", struct.pack(">IIB", 2835, 2835, 1)))).pixel_size is None


# --- JPEG


def jpeg(array, **options):
    return bytes(imagecodecs.jpeg8_encode(array, **options))


def saved(array, form, **options):
    import io

    buffer = io.BytesIO()
    (Image.fromarray(array) if isinstance(array, np.ndarray) else array).save(buffer, form, **options)
    return buffer.getvalue()


def test_jpeg_of_12_bits(tmp_path):
    deep = (SMOOTH.astype(np.uint16) // 2 << 4) + 100
    deep = np.repeat(np.repeat(deep[:3, :4], 16, axis=0), 16, axis=1)
    for array, axis in ((deep, None), (np.dstack([deep, deep[::-1], deep[:, ::-1]]), 2)):
        file = read(tmp_path, jpeg(array, bitspersample=12, level=98))
        assert (file.data_range, file.channel_axis, file.array.dtype) == ((0, 4095), axis, np.uint16)
        assert np.abs(file.array.astype(int) - array).mean() < 20


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_lossless_jpeg(tmp_path, bits):
    stored = samples(bits)[..., 0]
    holds(read(tmp_path, bytes(imagecodecs.ljpeg_encode(stored, bitspersample=bits))), stored, bits)


@pytest.mark.parametrize(("depth", "count"), [(8, 1), (8, 3), (12, 3), (16, 1), (16, 3)])
def test_lossless_jpeg_of_colours_whole_and_cut(tmp_path, depth, count):
    stored = samples(depth, count)
    stored = stored if count == 3 else stored[..., 0]
    content = jpeg(stored, lossless=True, bitspersample=depth)
    holds(read(tmp_path, content), stored, depth, 2 if count == 3 else None)
    refused(tmp_path, content[: len(content) // 2], "damaged")
    refused(tmp_path, content[: len(content) // 2] + b"\xff\xd9", "damaged")


@pytest.mark.parametrize(("depth", "count"), [(8, 1), (8, 3), (16, 1), (16, 3)])
def test_jpeg_ls(tmp_path, depth, count):
    stored = samples(depth, count)
    stored = stored if count == 3 else stored[..., 0]
    content = bytes(imagecodecs.jpegls_encode(stored))
    holds(read(tmp_path, content), stored, depth, 2 if count == 3 else None)
    refused(tmp_path, content[: len(content) // 2], "damaged")


@pytest.mark.parametrize("form", ["grey", "colour", "progressive", "restarts", "inks", "deep", "smooth"])
@pytest.mark.parametrize("kept", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"])
def test_a_jpeg_cut_short_is_refused_not_filled_with_grey(tmp_path, form, kept, ending):
    noise = RNG.integers(0, 256, (96, 80, 3), dtype=np.uint8)
    content = {
        "grey": lambda: saved(noise[..., 0], "JPEG"),
        "colour": lambda: saved(noise, "JPEG", quality=90),
        "progressive": lambda: saved(noise, "JPEG", progressive=True),
        "restarts": lambda: saved(noise, "JPEG", restart_marker_blocks=3),
        "inks": lambda: saved(Image.fromarray(noise).convert("CMYK"), "JPEG"),
        "deep": lambda: jpeg(noise[..., 0].astype(np.uint16) << 4, bitspersample=12),
        "smooth": lambda: saved(np.repeat(np.repeat(COLOURS, 8, axis=0), 8, axis=1), "JPEG"),
    }[form]()
    assert read(tmp_path, content).array.ndim >= 2
    refused(tmp_path, content[: int(len(content) * kept)] + ending, "damaged or was cut short")


def test_a_grey_picture_is_no_damage(tmp_path):
    grey = np.full((64, 80, 3), 128, np.uint8)
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0}):
        np.testing.assert_array_equal(read(tmp_path, saved(grey, "JPEG", **options)).array, grey)
        np.testing.assert_array_equal(read(tmp_path, saved(grey[..., 0], "JPEG", **options)).array, grey[..., 0])


def test_a_restart_marker_where_none_belongs(tmp_path):
    content = saved(RNG.integers(0, 256, (96, 80), dtype=np.uint8), "JPEG")
    half = len(content) // 2
    refused(tmp_path, content[:half] + b"\xff\xd0" + content[half:], "restart marker")


def test_jpeg_of_inks(tmp_path):
    inks = np.repeat(np.repeat(RNG.integers(0, 256, (2, 3, 4), dtype=np.uint8), 16, axis=0), 16, axis=1)
    content = saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100, subsampling=0)
    file = read(tmp_path, content)
    # An ink lets through what it does not cover, and black the rest.
    light = (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255
    assert np.abs(file.array - light).max() < 6
    noted(file, "CMYK")
    place = content.index(b"\xff\xeeAdobe"[:2])
    refused(tmp_path, content[:place] + content[place + 16 :], "Adobe")


def test_jpeg_in_red_green_and_blue(tmp_path):
    flat = np.repeat(np.repeat(COLOURS[:3, :4], 16, axis=0), 16, axis=1)
    content = jpeg(flat, level=100, colorspace="RGB", outcolorspace="RGB")
    assert np.abs(read(tmp_path, content).array.astype(int) - flat).max() <= 3


def test_jpeg_with_a_gain_map_and_a_profile(tmp_path):
    content = saved(COLOURS, "JPEG", icc_profile=PROFILE)
    noted(read(tmp_path, content), "Adobe RGB")
    more = b"\xff\xe1" + struct.pack(">H", 60) + b"http://ns.adobe.com/hdr-gain-map/1.0/".ljust(58, b"\0")
    noted(read(tmp_path, content[:2] + more + content[2:]), "gain map")


def test_jpeg_pixel_size(tmp_path):
    assert read(tmp_path, saved(COLOURS, "JPEG", dpi=(254, 127))).pixel_size == (200, 100)
    assert read(tmp_path, saved(COLOURS, "JPEG", dpi=(72, 72))).pixel_size is None
    turned = saved(COLOURS, "JPEG", exif=b"Exif\0\0" + exif(6, dpi=(127, 254)))
    assert read(tmp_path, turned).pixel_size == (100, 200)  # rows have become columns


# --- JPEG 2000, JPEG XL, AVIF


@pytest.mark.parametrize("boxed", ["jp2", "j2k"])
@pytest.mark.parametrize(("depth", "count"), [(1, 1), (3, 1), (8, 3), (10, 1), (12, 3), (15, 1), (16, 3)])
def test_jpeg_2000_of_any_depth(tmp_path, depth, count, boxed):
    stored = samples(depth, count)
    stored = stored if count == 3 else stored[..., 0]
    options = {"level": 0, "reversible": True, "bitspersample": depth, "codecformat": boxed}
    holds(read(tmp_path, bytes(imagecodecs.jpeg2k_encode(stored, **options))), stored, depth, 2 if count == 3 else None)


def test_signed_jpeg_2000(tmp_path):
    stored = samples(12)[..., 0].astype(np.int16) - 2048
    file = read(tmp_path, bytes(imagecodecs.jpeg2k_encode(stored, level=0, reversible=True, bitspersample=12)))
    np.testing.assert_array_equal(file.array, stored)
    assert file.data_range == (-2048, 2047)


def box(name, data):
    return struct.pack(">I", 8 + len(data)) + name + data


def jp2(stored, *boxes, depth=8):
    stream = imagecodecs.jpeg2k_encode(
        stored, level=0, reversible=True, mct=False, bitspersample=depth, codecformat="j2k"
    )
    height, width = stored.shape[:2]
    count = 1 if stored.ndim == 2 else stored.shape[2]
    head = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, depth - 1, 7, 0, 0))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", head + b"".join(boxes)) + box(b"jp2c", bytes(stream))


SRGB = box(b"colr", b"\1\0\0" + struct.pack(">I", 16))


def test_jpeg_2000_channels_are_put_in_order(tmp_path):
    stored = samples(8, 4)
    swapped = box(b"cdef", struct.pack(">H12H", 4, 0, 1, 0, 1, 0, 3, 2, 0, 2, 3, 0, 1))  # alpha, blue, green, red
    file = read(tmp_path, jp2(stored, SRGB, swapped))
    np.testing.assert_array_equal(file.array, stored[..., [3, 2, 1, 0]])
    noted(file, "transparency")
    file = read(tmp_path, jp2(stored, SRGB))  # nothing says what the fourth is
    np.testing.assert_array_equal(file.array, stored[..., :3])
    noted(file, "left out")
    file = read(tmp_path, jp2(stored))
    np.testing.assert_array_equal(file.array, np.moveaxis(stored, -1, 0))
    assert file.channel_axis is None


def test_jpeg_2000_palettes_and_colour_spaces(tmp_path):
    numbers = samples(4)[..., 0]
    palette = RNG.integers(0, 256, (16, 3), dtype=np.uint8)
    boxes = [
        box(b"pclr", struct.pack(">HB", 16, 3) + b"\7\7\7" + palette.tobytes()),
        box(b"cmap", struct.pack(">HBBHBBHBB", 0, 1, 0, 0, 1, 1, 0, 1, 2)),
    ]
    np.testing.assert_array_equal(read(tmp_path, jp2(numbers, SRGB, *boxes)).array, palette[numbers])
    refused(tmp_path, jp2(samples(8)[..., 0], SRGB, *boxes), "colour number")
    luma = np.dstack([SMOOTH, np.full_like(SMOOTH, 128), np.full_like(SMOOTH, 128)])
    file = read(tmp_path, jp2(luma, box(b"colr", b"\1\0\0" + struct.pack(">I", 18))))
    np.testing.assert_array_equal(file.array, np.dstack([SMOOTH] * 3))
    noted(file, "sYCC")
    refused(tmp_path, jp2(COLOURS, box(b"colr", b"\1\0\0" + struct.pack(">I", 14))), "colour space 14")


def test_jpeg_2000_that_is_refused(tmp_path):
    content = bytearray(imagecodecs.jpeg2k_encode(COLOURS, level=0, codecformat="j2k"))
    for place, value, words in ((43, 2, "differ in size"), (42, 9, "differ in depth"), (8, 255, "more than")):
        changed = bytearray(content)
        changed[place] = value
        refused(tmp_path, bytes(changed), words)
    refused(tmp_path, bytes(content[: len(content) // 2]), "damaged")
    deep = RNG.integers(0, 2**20, (19, 27), dtype=np.uint32)
    content = bytes(imagecodecs.jpeg2k_encode(deep, level=0, reversible=True, bitspersample=20, codecformat="j2k"))
    np.testing.assert_array_equal(read(tmp_path, content).array, deep)
    assert read(tmp_path, content).data_range == (0, 2**20 - 1)
    refused(tmp_path, content[:42] + b"\x1f" + content[43:], "32 bits")


@pytest.mark.parametrize(("depth", "count"), [(8, 1), (8, 3), (8, 4), (10, 3), (12, 1), (16, 3)])
def test_jpeg_xl(tmp_path, depth, count):
    stored = samples(depth, count)
    stored = stored if count > 1 else stored[..., 0]
    for container in (False, True):
        content = bytes(imagecodecs.jpegxl_encode(stored, lossless=True, bitspersample=depth, usecontainer=container))
        holds(read(tmp_path, content), stored, depth, 2 if count > 1 else None)
    refused(tmp_path, content[: len(content) // 2], "damaged")


def test_an_animated_jpeg_xl_gives_its_first_frame(tmp_path):
    frames = np.stack([COLOURS, COLOURS[::-1]])
    file = read(tmp_path, bytes(imagecodecs.jpegxl_encode(frames, lossless=True)))
    np.testing.assert_array_equal(file.array, COLOURS)
    noted(file, "animation")


@pytest.mark.parametrize(("depth", "count"), [(8, 3), (8, 4), (10, 3), (12, 3), (8, 1), (12, 1)])
def test_avif(tmp_path, depth, count):
    stored = samples(depth, count)
    stored = stored if count > 1 else stored[..., 0]
    content = bytes(imagecodecs.avif_encode(stored, level=100, bitspersample=depth))
    holds(read(tmp_path, content), stored, depth, 2 if count > 1 else None)
    refused(tmp_path, content[: len(content) // 2], "damaged")


def test_avif_turns_and_films(tmp_path):
    content = saved(COLOURS, "AVIF", quality=100, subsampling="4:4:4", exif=b"Exif\0\0" + exif(6))
    upright = read(tmp_path, content)
    assert upright.array.shape == (27, 19, 3)
    noted(upright, "orientation")
    assert np.abs(upright.array.astype(int) - seen(COLOURS, 6)).mean() < 6
    frames = np.stack([COLOURS, COLOURS[::-1]])
    np.testing.assert_array_equal(read(tmp_path, bytes(imagecodecs.avif_encode(frames, level=100))).array, frames)
    refused(tmp_path, box(b"ftyp", b"heic\0\0\0\0mif1heic") + bytes(50), "HEIF")
    refused(tmp_path, box(b"ftyp", b"isom\0\0\0\0isomavc1") + bytes(50), "film")


# --- Netpbm


@pytest.mark.parametrize("white", [1, 7, 15, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("is_plain", [False, True])
def test_pgm_and_ppm(tmp_path, white, count, is_plain):
    stored = RNG.integers(0, white + 1, (19, 27, count))
    stored[0, 0] = white
    head = f"P{2 + (count == 3) + 3 * (not is_plain)}\n# {'a comment ' * 700}\n27# more\n 19 #\n{white}\n".encode()
    body = b" ".join(b"%d" % value for value in stored.ravel()) if is_plain else b""
    file = read(tmp_path, head + (body or stored.astype("u1" if white < 256 else ">u2").tobytes()))
    np.testing.assert_array_equal(file.array, stored if count == 3 else stored[..., 0])
    assert file.channel_axis == (2 if count == 3 else None)
    assert file.data_range == (None if white in (255, 65535) else (0, white))
    assert file.array.dtype == (np.uint8 if white < 256 else np.uint16)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 27])
def test_pbm(tmp_path, width):
    ink = RNG.integers(0, 2, (19, width)).astype(bool)
    head = b"\n%d 19\n" % width
    for content in (
        b"P4" + head + b"".join(packed_rows(ink, 1)),
        b"P1" + head + b"\n".join(b"".join(b"%d" % bit for bit in row) for row in ink),
        b"P1" + head + b" ".join(b"%d" % bit for bit in ink.ravel()) + b"\n# the end\n",
    ):
        np.testing.assert_array_equal(read(tmp_path, content).array, ~ink)  # 1 is ink


def pam(stored, white, kind):
    head = "P7\n# a comment\nWIDTH 27\nHEIGHT 19\nDEPTH {}\nMAXVAL {}\n{}ENDHDR\n"
    kind = f"TUPLTYPE {kind}\n" if kind else ""
    return head.format(stored.shape[2], white, kind).encode() + stored.astype("u1" if white < 256 else ">u2").tobytes()


@pytest.mark.parametrize(
    ("kind", "count", "white", "axis"),
    [
        ("BLACKANDWHITE", 1, 1, None),
        ("GRAYSCALE", 1, 4095, None),
        ("GRAYSCALE_ALPHA", 2, 255, None),
        ("RGB", 3, 1023, 2),
        ("RGB_ALPHA", 4, 255, 2),
        ("RGB_ALPHA", 4, 65535, 2),
    ],
)
def test_pam(tmp_path, kind, count, white, axis):
    stored = RNG.integers(0, white + 1, (19, 27, count))
    file = read(tmp_path, pam(stored, white, kind))
    np.testing.assert_allclose(shares(file), (stored if axis else stored[..., 0]) / white)
    assert file.channel_axis == axis
    if count in (2, 4):
        noted(file, "transparency")


@pytest.mark.parametrize(("kind", "count"), [("", 3), ("", 4), ("SPECTRUM", 7), ("CMYK", 4), ("XYZ", 3)])
def test_pam_of_samples_without_a_known_meaning(tmp_path, kind, count):
    stored = RNG.integers(0, 1001, (19, 27, count))
    file = read(tmp_path, pam(stored, 1000, kind))
    np.testing.assert_array_equal(file.array, np.moveaxis(stored, -1, 0))
    assert (file.channel_axis, file.data_range) == (None, (0, 1000))
    noted(file, "planes")


def test_several_pictures_in_a_netpbm_file(tmp_path):
    stored = [samples(8)[..., 0] for _ in range(3)]
    parts = [b"P5 27 19 255\n" + one.tobytes() for one in stored]
    file = read(tmp_path, b"\n".join(parts) + b"\n")
    np.testing.assert_array_equal(file.array, stored)
    file = read(tmp_path, parts[0] + b"P5 3 2 255\nabcdef")
    np.testing.assert_array_equal(file.array, stored[0])
    noted(file, "2 images of different form")
    noted(read(tmp_path, parts[0] + b"what is this"), "12 bytes")
    refused(tmp_path, b"".join(parts)[:-1], "512 are there")


def test_netpbm_damage(tmp_path):
    refused(tmp_path, b"P5 27 19 100\n" + bytes([101]) * 513, "maxval of 100, but holds a sample of 101")
    refused(tmp_path, b"P5 27 19 0\n" + bytes(513), "maxval of 0")
    refused(tmp_path, b"P5 27 19 65536\n" + bytes(1026), "maxval of 65536")
    refused(tmp_path, b"P5 27 19 255\n" + bytes(512), "513 bytes, and 512")
    refused(tmp_path, b"P2 27 19 255\n" + b"1 " * 512, "513 samples, and 512")
    refused(tmp_path, b"P2 2 1 255\n1 x", "whole numbers")
    refused(tmp_path, b"P1 2 1\n1 7", "0 or 1")
    refused(tmp_path, b"P5 27 nineteen 255\n" + bytes(513), "nineteen")
    refused(tmp_path, b"P5 100000 100000 255\n" + bytes(9), "1e\\+10 pixels")
    refused(tmp_path, b"P5 27 # never ending", "within its header")
    refused(tmp_path, b"P7\nWIDTH 2\nHEIGHT 2\nENDHDR\n" + bytes(16), "lacks DEPTH, MAXVAL")
    refused(tmp_path, b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcd", "4 samples of RGB")


@pytest.mark.parametrize(("magic", "count"), [(b"Pf", 1), (b"PF", 3)])
@pytest.mark.parametrize("scale", [1.0, -1.0, 2.5, -0.5])
def test_pfm(tmp_path, magic, count, scale):
    light = RNG.normal(size=(19, 27, count)).astype(np.float32)
    content = magic + b"\n27 19\n%g\n" % scale + light[::-1].astype("<f4" if scale < 0 else ">f4").tobytes()
    file = read(tmp_path, content)
    np.testing.assert_array_equal(file.array, light if count == 3 else light[..., 0])
    assert file.luminance == "absolute"
    assert any("scale" in note for note in file.notes) is (abs(scale) != 1)
    refused(tmp_path, content[:-1], "damaged")


# --- Radiance HDR


def rgbe(light):
    mantissa, exponent = np.frexp(light.max(axis=-1))
    scale = np.where(light.max(axis=-1) > 0, mantissa * 256 / np.maximum(light.max(axis=-1), 1e-30), 0)
    stored = (light * scale[..., None]).astype(np.uint8)
    return np.dstack([stored, np.where(light.max(axis=-1) > 0, exponent + 128, 0).astype(np.uint8)])


def in_runs(row):
    """A row in the newer form: colour by colour, here as runs of up to 4 copied bytes."""
    parts = [b"\2\2" + struct.pack(">H", len(row))]
    for colour in row.T:
        parts += [bytes([len(piece)]) + piece.tobytes() for piece in np.split(colour, range(4, len(colour), 4))]
    return b"".join(parts)


LIGHT = np.abs(RNG.normal(size=(19, 27, 3))) * 100
STORED = rgbe(LIGHT)
DECODED = STORED[..., :3] * np.ldexp(1.0, STORED[..., 3:].astype(int) - 136)


@pytest.mark.parametrize("form", ["flat", "new"])
@pytest.mark.parametrize(
    ("size", "turn"),
    [
        ("-Y 19 +X 27", lambda seen: seen),
        ("+Y 19 +X 27", lambda seen: seen[::-1]),
        ("-Y 19 -X 27", lambda seen: seen[:, ::-1]),
        ("+Y 19 -X 27", lambda seen: seen[::-1, ::-1]),
        ("+X 27 -Y 19", lambda seen: seen.swapaxes(0, 1)),
        ("-X 27 -Y 19", lambda seen: seen.swapaxes(0, 1)[::-1]),
        ("+X 27 +Y 19", lambda seen: seen.swapaxes(0, 1)[:, ::-1]),
        ("-X 27 +Y 19", lambda seen: seen.swapaxes(0, 1)[::-1, ::-1]),
    ],
)
def test_radiance_lines_run_as_the_header_says(tmp_path, form, size, turn):
    rows = turn(STORED)
    body = b"".join(in_runs(row) for row in rows) if form == "new" else rows.tobytes()
    content = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + size.encode() + b"\n" + body
    file = read(tmp_path, content)
    np.testing.assert_allclose(file.array, DECODED, rtol=1e-6)
    assert file.luminance == "absolute"
    refused(tmp_path, content[:-5], "damaged")


def test_radiance_runs_of_the_older_form(tmp_path):
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=2\nCOLORCORR=1 2 1\n\n-Y 2 +X 300\n"
    pixels = bytes([10, 20, 30, 128]) + bytes([1, 1, 1, 43]) + bytes([1, 1, 1, 1])  # 1 + 43 + 256
    file = read(tmp_path, head + pixels + bytes([1, 2, 3, 136]) * 300)
    assert file.array.shape == (2, 300, 3)
    np.testing.assert_allclose(file.array[0], np.broadcast_to([10 / 256, 20 / 256, 30 / 256], (300, 3)))
    np.testing.assert_allclose(file.array[1], np.broadcast_to([1, 2, 3], (300, 3)))
    noted(file, "exposure in the header (2)")
    noted(file, "colour correction")
    refused(tmp_path, head + pixels + bytes([1, 2, 3, 136]) * 299, "damaged")
    refused(tmp_path, head.replace(b"rgbe", b"xyze") + bytes(2400), "xyze, not RGB")


# --- FITS


def fits(stored, bits, *cards):
    lines = [("SIMPLE", "T"), ("BITPIX", bits), ("NAXIS", stored.ndim)]
    lines += [(f"NAXIS{number + 1}", length) for number, length in enumerate(stored.shape[::-1])]
    text = "".join(f"{name:8}= {value:>20} / a comment".ljust(80) for name, value in [*lines, *cards]) + "END".ljust(80)
    head = text.encode().ljust(-(-len(text) // 2880) * 2880)
    body = stored.astype({8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}[bits]).tobytes()
    return head + body.ljust(-(-len(body) // 2880) * 2880, b"\0")


@pytest.mark.parametrize("bits", [8, 16, 32, 64, -32, -64])
def test_fits_types(tmp_path, bits):
    stored = RNG.integers(0, 200, (3, 19, 27))
    file = read(tmp_path, fits(stored, bits))
    np.testing.assert_array_equal(file.array, stored)
    assert file.channel_axis is None
    noted(file, "FITS")
    refused(tmp_path, fits(stored, bits)[:4000], "damaged")


@pytest.mark.parametrize(("bits", "zero", "kind"), [(16, 2**15, "uint16"), (32, 2**31, "uint32"), (8, -128, "int8")])
def test_fits_of_the_other_sign(tmp_path, bits, zero, kind):
    limits = np.iinfo(kind)
    values = RNG.integers(limits.min, limits.max, (19, 27), endpoint=True)
    file = read(tmp_path, fits(values - zero, bits, ("BZERO", float(zero)), ("BSCALE", 1)))
    np.testing.assert_array_equal(file.array, values)
    assert file.array.dtype == kind


def test_fits_that_is_scaled_or_has_holes(tmp_path):
    stored = RNG.integers(0, 200, (19, 27))
    file = read(tmp_path, fits(stored, 16, ("BZERO", 10), ("BSCALE", 0.5), ("BLANK", int(stored[3, 4]))))
    expected = np.where(stored == stored[3, 4], np.nan, stored * 0.5 + 10)
    np.testing.assert_allclose(file.array, expected)
    noted(file, "BSCALE")
    file = read(tmp_path, fits(stored, 16, ("BLANK", int(stored[3, 4]))))
    np.testing.assert_array_equal(np.ma.getmaskarray(file.array), stored == stored[3, 4])
    noted(file, "BLANK")


def test_fits_in_an_extension(tmp_path):
    stored = RNG.integers(0, 200, (19, 27))
    empty = (
        fits(np.zeros(0), 8)
        .replace(b"NAXIS1  =                    0", b"COMMENT ".ljust(30))
        .replace(b"NAXIS   =                    1", b"NAXIS   =                    0")
    )
    extension = fits(stored, 16).replace(b"SIMPLE  =                    T", b"XTENSION= 'IMAGE   '          ")
    np.testing.assert_array_equal(read(tmp_path, empty + extension).array, stored)
    refused(tmp_path, empty, "without an image")


# --- everyday pictures by Pillow, and what is none


@pytest.mark.parametrize("form", ["TGA", "PCX", "SGI", "DDS", "ICO", "QOI", "BMP"])
def test_older_formats(tmp_path, form):
    array = np.dstack([COLOURS, np.full_like(SMOOTH, 255)])[:16, :16] if form in ("ICO", "DDS") else COLOURS
    content = bytes(imagecodecs.qoi_encode(array)) if form == "QOI" else saved(array, form)
    np.testing.assert_array_equal(read(tmp_path, content, f"file.{form.lower()}").array, array)
    refused(tmp_path, content[: len(content) // 2], "damaged", f"file.{form.lower()}")


def test_photoshop_and_sun(tmp_path):
    start = b"8BPS\0\1" + bytes(6)
    planes = np.moveaxis(COLOURS, -1, 0).tobytes()
    content = start + struct.pack(">HIIHH", 3, 19, 27, 8, 3) + bytes(12) + b"\0\0" + planes
    np.testing.assert_array_equal(read(tmp_path, content).array, COLOURS)
    refused(tmp_path, content[:-20], "damaged")
    refused(tmp_path, start + struct.pack(">HIIHH", 3, 19, 27, 16, 3) + bytes(14) + planes * 2, "16 bits")
    rows = b"".join(row.tobytes() + b"\0" for row in COLOURS)  # filled up to an even length
    head = struct.pack(">8I", 0x59A66A95, 27, 19, 24, len(rows), 3, 0, 0)
    np.testing.assert_array_equal(read(tmp_path, head + rows).array, COLOURS)
    refused(tmp_path, b"\x01\xda\0\2\0\3" + struct.pack(">HHH", 27, 19, 3) + bytes(600), "SGI image of 16 bits")


def bmp(stored, bits, *, compression=0, masks=b"", palette=b"", is_top_down=False):
    height, width = stored.shape[:2]
    rows = [
        row.ljust(-(-len(row) // 4) * 4, b"\0")
        for row in (r.tobytes() if isinstance(r, np.ndarray) else r for r in stored_rows(stored, bits))
    ]
    body = b"".join(rows if is_top_down else rows[::-1])
    size = 40 + len(masks) + len(palette)
    info = struct.pack(
        "<IiiHHIIiiII",
        40,
        width,
        -height if is_top_down else height,
        1,
        bits,
        compression,
        len(body),
        0,
        0,
        len(palette) // 4,
        0,
    )
    return struct.pack("<2sIHHI", b"BM", 14 + size + len(body), 0, 0, 14 + size) + info + masks + palette + body


def stored_rows(stored, bits):
    return packed_rows(stored, bits) if bits < 8 else list(np.ascontiguousarray(stored))


@pytest.mark.parametrize("is_top_down", [False, True])
@pytest.mark.parametrize("bits", [1, 4, 8, 24, 32])
def test_bmp(tmp_path, bits, is_top_down):
    if bits <= 8:
        stored = samples(bits)[..., 0]
        palette = RNG.integers(0, 256, (2**bits, 4), dtype=np.uint8)
        expected = palette[stored][..., [2, 1, 0]]
        content = bmp(stored, bits, palette=palette.tobytes(), is_top_down=is_top_down)
    else:
        stored = samples(8, bits // 8)
        expected = stored[..., [2, 1, 0]]
        content = bmp(stored, bits, is_top_down=is_top_down)
    np.testing.assert_array_equal(read(tmp_path, content).array, expected)
    refused(tmp_path, content[:-30], "damaged")


def test_bmp_of_16_bits(tmp_path):
    stored = RNG.integers(0, 2**15, (19, 27), dtype=np.uint16)
    file = read(tmp_path, bmp(stored[..., None].view(np.uint8), 16))
    parts = np.stack([stored >> 10 & 31, stored >> 5 & 31, stored & 31], axis=-1)
    np.testing.assert_allclose(file.array / 255, parts / 31, atol=0.5 / 31)


def test_gif_frames_are_laid_over_each_other(tmp_path):
    frames = [Image.fromarray(SMOOTH), Image.fromarray(np.where(COLUMNS < 9, SMOOTH[::-1], SMOOTH))]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    file = read(tmp_path, content)
    grey = file.array if file.channel_axis is None else file.array[..., 0]
    np.testing.assert_array_equal(grey, np.stack([np.asarray(frame) for frame in frames]))
    refused(tmp_path, content[:-1], "end mark")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n", "git lfs pull"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"PK\3\4" + bytes(40), "ZIP"),
        (b"\x93NUMPY\1\0" + bytes(40), "numpy.load"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing"),
        (b"\n<!DOCTYPE html>\n<html><body>404</body></html>", "web page"),
        (b"RIFF\0\0\0\0AVI LIST", "film"),
        (bytes(128) + b"DICM" + bytes(20), "DICOM"),
        (struct.pack("<I", 348) + bytes(340) + b"n+1\0", "NIfTI"),
        (bytes([4] * 208) + b"MAP \x44\x44\0\0" + bytes([4] * 20), "MRC"),
        (b"II\xbc\1" + bytes(20), "JPEG XR"),
        (b"\x1aE\xdf\xa3" + bytes(30), "film"),
        (b"FUJIFILMCCD-RAW 0201", "camera"),
        (b"ZISRAWFILE" + bytes(50), "OME-TIFF"),
        (b"SQLite format 3\0", "database"),
        (bytes(1000), "zeros"),
        (b"just a text\n", "a text, not an image"),
        (RNG.bytes(500), "not an image in a format that can be read"),
        (b"\x80\x04\x95" + bytes(20), "pickled"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, words):
    refused(tmp_path, content, words, "picture.png")


@pytest.mark.parametrize(
    "content",
    [
        png(samples(8), 8, 0, size=(60000, 60000)),
        b"P5 60000 60000 255\n",
        b"qoif" + struct.pack(">II", 60000, 60000) + b"\3\0" + bytes(20) + b"\1",
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n\2\2",
        fits(np.zeros((2, 2)), 16).replace(b"NAXIS1  =                    2", b"NAXIS1  =           9000000000"),
        struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\1\0\0;",
        b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0\0\xff\xd9",
    ],
)
def test_what_states_too_much_is_refused_before_memory_is_taken(tmp_path, content):
    refused(tmp_path, content, "more than the 1.07e\\+09 that are read|are there")


def test_compressed_bytes_far_from_what_is_stated_are_refused(tmp_path):
    refused(tmp_path, png(SMOOTH, 8, 0, data=zlib.compress(bytes(2**28), 9)), "compressed to 26")
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint8), level=0, codecformat="j2k"))
    stream[8:16] = stream[24:32] = struct.pack(">II", 30000, 30000)
    refused(tmp_path, bytes(stream), "9e\\+08 pixels, and holds 128 bytes")


def test_the_limit_can_be_set(tmp_path):
    path = tmp_path / "grey.png"
    path.write_bytes(png(SMOOTH, 8, 0))
    with pytest.raises(iq.InputError, match="most_pixels=513"):
        iq.read_image(path, most_pixels=512)
    assert iq.read_image(path, most_pixels=513).array.shape == (19, 27)


def test_suffixes_are_of_formats_that_are_read():
    assert {".png", ".jxl", ".fits", ".pam", ".jp2", ".tif", ".hdr"} <= set(SUFFIXES)
    assert len(SUFFIXES) == len(set(SUFFIXES))


# --- written and read again


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_black_and_white_survive_writing(tmp_path, suffix):
    stored = samples(12, 3)
    for count, axis in itertools.product((1, 3), (None,)):
        part = stored if count == 3 else stored[..., 0]
        body = part.astype(">u2").tobytes()
        source = read(tmp_path, b"P%d 27 19 4095\n" % (6 if count == 3 else 5) + body)
        back = iq.read_image(write_picture(source.array, tmp_path / f"out{suffix}", source, {"level": 1}))
        np.testing.assert_array_equal(back.array, part)
        assert (back.data_range, back.luminance) == ((0, 4095), "code"), axis


def test_light_survives_writing(tmp_path):
    source = read(tmp_path, b"Pf\n27 19\n-1\n" + RNG.random((19, 27)).astype("<f4").tobytes())
    back = iq.read_image(write_picture(source.array, tmp_path / "out.tif", source, {}))
    np.testing.assert_array_equal(back.array, source.array)
    assert back.luminance == "absolute"


@pytest.mark.parametrize(
    "stated",
    [
        {"data_range": [300, 4095], "luminance": "code"},
        {"data_range": [5, 5], "luminance": "code"},
        {"data_range": [0, None], "luminance": "code"},
        {"data_range": [0, 1e400], "luminance": "code"},
        {"data_range": "all", "luminance": "code"},
        {"data_range": [0, 4095], "luminance": "no such"},
        {"data_range": [True, 255], "luminance": "code"},
        {"data_range": None, "luminance": "absolute"},
    ],
)
def test_a_record_that_cannot_be_true_is_not_used(tmp_path, stated):
    record = json.dumps({"version": "1", "info": {}, "image": stated}).encode()
    file = read(tmp_path, png(SMOOTH, 8, 0, (b"tEXt", KEY.encode() + b"\0" + record)))
    assert (file.data_range, file.luminance) == (None, "code")
    noted(file, "cannot be true")


@pytest.mark.parametrize("text", [b"[" * 50_000, b"[]", b"{}", b'{"image": []}', b"\xff"])
def test_a_record_that_is_none_is_passed_over(tmp_path, text):
    assert read(tmp_path, png(SMOOTH, 8, 0, (b"tEXt", KEY.encode() + b"\0" + text))).notes == ()


def test_an_applied_orientation_is_not_written_again(tmp_path):
    content = saved(COLOURS, "JPEG", exif=b"Exif\0\0" + exif(6, dpi=(254, 254)), icc_profile=PROFILE)
    source = read(tmp_path, content)
    for suffix in (".png", ".tif"):
        back = iq.read_image(write_picture(source.array, tmp_path / f"out{suffix}", source, {}))
        np.testing.assert_array_equal(back.array, source.array)
    back = iq.read_image(tmp_path / "out.png")
    assert not any("orientation" in note for note in back.notes)
    np.testing.assert_allclose(back.pixel_size, (100, 100))
    noted(back, "Adobe RGB")


def test_what_a_png_says_of_its_codes_is_kept(tmp_path):
    source = read(tmp_path, png(samples(16, 3), 16, 2, (b"gAMA", struct.pack(">I", 100_000))), "in.png")
    noted(iq.read_image(write_picture(source.array, tmp_path / "out.png", source, {})), "gamma 1")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
def test_pixels_without_data_are_written_as_such(tmp_path, dtype):
    import tifffile

    mask = COLUMNS > 20
    array = np.ma.MaskedArray(SMOOTH.astype(dtype), mask)
    source = ImageFile(tmp_path / "in.tif", array, None, "YX")
    write_picture(array, tmp_path / "out.tif", source, {})
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        stated = float(file.pages.first.tags[42113].value)
        stored = file.asarray()
    found = np.isnan(stored) if dtype == "float32" else stored == stated
    np.testing.assert_array_equal(found, mask)
    np.testing.assert_array_equal(stored[~mask], SMOOTH[~mask])
    with pytest.raises(iq.InputError, match="without data"):
        write_picture(array, tmp_path / "out.png", source, {})
