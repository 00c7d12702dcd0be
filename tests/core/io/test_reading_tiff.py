"""TIFF files that are built byte by byte: read as arithmetic says, or refused with the reason; never made up."""

import os
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core.io.image_file import write_picture

RNG = np.random.default_rng(3)
MINISWHITE, MINISBLACK, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
CFA, LOGL, LOGLUV, LINEAR_RAW = 32803, 32844, 32845, 34892
SHORT, LONG, RATIONAL, ASCII, DOUBLE = 3, 4, 5, 2, 12
FORMS = {SHORT: "H", LONG: "I", RATIONAL: "I", ASCII: "s", DOUBLE: "d", 16: "Q", 13: "I"}
COMPRESSORS = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32773: imagecodecs.packbits_encode,
    34925: imagecodecs.lzma_encode,
    50000: imagecodecs.zstd_encode,
}


def packed(samples, bits, order):
    """Give the bytes of rows of samples, each row starting with a byte."""
    if bits in (8, 16, 32, 64):
        return samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    ones = (samples.reshape(len(samples), -1, 1).astype(np.int64) >> np.arange(bits)[::-1]) & 1
    return np.packbits(ones.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def tag(code, form, *values):
    return code, form, values


def page(samples, photometric, bits, *, order="<", compression=1, planar=1, rows=None, tile=None, more=(), less=()):
    """Give the tags and the strips of a page. `samples`: (height, width, samples)."""
    samples = samples if samples.ndim == 3 else samples[..., np.newaxis]
    height, width, count = samples.shape
    rows = rows or height
    planes = [samples] if planar == 1 else [samples[..., number : number + 1] for number in range(count)]
    if tile:
        down, across = -(-height // tile) * tile - height, -(-width // tile) * tile - width
        planes = [np.pad(plane, [(0, down), (0, across), (0, 0)]) for plane in planes]
        pieces = [
            plane[top : top + tile, left : left + tile]
            for plane in planes
            for top in range(0, height, tile)
            for left in range(0, width, tile)
        ]
    else:
        pieces = [plane[top : top + rows] for plane in planes for top in range(0, height, rows)]
    strips = [COMPRESSORS[compression](packed(piece, bits, order)) for piece in pieces]
    kind = {"u": 1, "b": 1, "i": 2, "f": 3}[samples.dtype.kind]
    tags = {
        256: (LONG, (width,)),
        257: (LONG, (height,)),
        258: (SHORT, (bits,) * count),
        259: (SHORT, (compression,)),
        262: (SHORT, (photometric,)),
        277: (SHORT, (count,)),
        284: (SHORT, (planar,)),
        339: (SHORT, (kind,) * count),
    }
    tags |= {322: (LONG, (tile,)), 323: (LONG, (tile,))} if tile else {278: (LONG, (rows,))}
    tags |= {code: (form, values) for code, form, values in more}
    return {code: entry for code, entry in tags.items() if code not in less}, strips


def tiff(pages, order="<", *, big=False, places=None, counts=None, chain=None):
    """Put a file together: all strips first, then the pages.

    `places`, `counts`: what is stated of strips in place of the truth. `chain`: the page that follows each.
    """
    head = (b"II" if order == "<" else b"MM") + struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0))
    )
    data = bytearray(head)
    count_form, offset_form = ("Q", "Q") if big else ("H", "I")
    inline = 8 if big else 4
    starts, nexts = [], []
    for tags, strips in pages:
        offsets = []
        for strip in strips:
            offsets.append(len(data))
            data += strip + b"\0" * (len(strip) % 2)
        lengths = [len(strip) for strip in strips]
        tiled = 322 in tags
        tags = dict(tags)
        tags.setdefault(324 if tiled else 273, (LONG, tuple(places(offsets) if places else offsets)))
        tags.setdefault(325 if tiled else 279, (LONG, tuple(counts(lengths) if counts else lengths)))
        entries = b""
        for code, (form, values) in sorted(tags.items()):
            if form == ASCII:
                body, number = values[0].encode("utf-8") + b"\0", len(values[0].encode("utf-8")) + 1
            else:
                body = struct.pack(order + FORMS[form] * len(values), *values)
                number = len(values) // (2 if form == RATIONAL else 1)
            if len(body) > inline:
                place = len(data)
                data += body + b"\0" * (len(body) % 2)
                body = struct.pack(order + offset_form, place)
            entries += struct.pack(order + "HH" + offset_form, code, form, number) + body.ljust(inline, b"\0")
        starts.append(len(data))
        data += struct.pack(order + count_form, len(tags)) + entries
        nexts.append(len(data))
        data += bytes(struct.calcsize(offset_form))
    chain = chain or [*range(1, len(pages)), None]
    struct.pack_into(order + offset_form, data, 8 if big else 4, starts[0])
    for place, following in zip(nexts, chain, strict=True):
        struct.pack_into(order + offset_form, data, place, 0 if following is None else starts[following])
    return bytes(data)


def read(tmp_path, data, name="x.tif"):
    path = tmp_path / name
    path.write_bytes(data)
    return iq.read_image(path)


def refused(tmp_path, data, match, name="x.tif"):
    with pytest.raises(iq.InputError, match=match):
        read(tmp_path, data, name)


def samples_of(bits, count, shape=(21, 34)):
    kind = np.dtype(f"u{max(1, 2 ** int(np.ceil(np.log2(bits))) // 8)}")
    values = RNG.integers(0, 2**bits - 1, (*shape, count), dtype=kind, endpoint=True)
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    return values


def check(file, samples, white):
    """Compare samples as shares of white; planes stand in front, colours last."""
    array = np.ma.getdata(file.array)
    if array.dtype == bool:
        assert white == 1
        np.testing.assert_array_equal(array, samples.astype(bool))
        return
    top = np.iinfo(array.dtype).max if file.data_range is None else file.data_range[1]
    assert (0 if file.data_range is None else file.data_range[0]) == 0
    assert top == white
    np.testing.assert_array_equal(array, samples)


# --- photometric x bits x samples x layout


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("photometric", [MINISWHITE, MINISBLACK])
@pytest.mark.parametrize("layout", [{"rows": 5}, {"compression": 8, "rows": 8}, {"tile": 16}, {"compression": 5}])
def test_grey(tmp_path, photometric, bits, order, layout):
    samples = samples_of(bits, 1)
    file = read(tmp_path, tiff([page(samples, photometric, bits, order=order, **layout)], order))
    white = 2**bits - 1
    truth = samples[..., 0] if photometric == MINISBLACK else white - samples[..., 0]
    check(file, truth, white)
    assert file.channel_axis is None
    assert file.axes == "YX"
    assert any("inverted" in note for note in file.notes) == (photometric == MINISWHITE)


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("bits", [4, 8, 10, 12, 16])
@pytest.mark.parametrize("compression", sorted(COMPRESSORS))
def test_colours(tmp_path, bits, planar, compression):
    samples = samples_of(bits, 3)
    data = tiff([page(samples, RGB, bits, planar=planar, compression=compression, rows=6, order=">")], ">", big=True)
    file = read(tmp_path, data)
    check(file, samples, 2**bits - 1)
    assert (file.channel_axis, file.axes) == (2, "YXS")


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize(
    ("photometric", "count", "extra", "kept", "word"),
    [
        (RGB, 4, (2,), [0, 1, 2, 3], "wholly transparent"),
        (RGB, 4, (1,), [0, 1, 2, 3], "associated"),
        (RGB, 4, (0,), [0, 1, 2], "1 further sample"),
        (RGB, 4, None, [0, 1, 2], "1 further sample"),
        (RGB, 5, (2, 0), [0, 1, 2, 3], "1 further sample"),
        (RGB, 5, (0, 0), [0, 1, 2], "2 further samples"),
        (MINISBLACK, 2, (2,), None, "wholly transparent"),
        (MINISBLACK, 2, (1,), None, "associated"),
        (MINISWHITE, 2, (2,), None, "inverted"),
        (MINISBLACK, 2, (0,), [0, 1], ""),
        (MINISBLACK, 2, None, [0, 1], ""),
        (MINISBLACK, 3, (0, 0), [0, 1, 2], ""),
        (MINISBLACK, 3, (0, 2), [0, 1], "transparen"),
        (MINISBLACK, 4, (0, 0, 0), [0, 1, 2, 3], ""),
        (MINISBLACK, 7, None, list(range(7)), ""),
    ],
)
def test_further_samples(tmp_path, photometric, count, extra, kept, word, planar):
    samples = samples_of(8, count)
    more = [] if extra is None else [tag(338, SHORT, *extra)]
    file = read(tmp_path, tiff([page(samples, photometric, 8, planar=planar, more=more)]))
    if photometric == RGB:
        np.testing.assert_array_equal(file.array, samples[..., kept])
        assert file.channel_axis == 2
    elif kept is None:
        np.testing.assert_array_equal(file.array, samples[..., 0] if photometric else 255 - samples[..., 0])
        assert file.channel_axis is None
    else:
        np.testing.assert_array_equal(file.array, np.moveaxis(samples[..., kept], -1, 0))
        assert (file.channel_axis, file.axes) == (None, "CYX")
    assert word in " ".join(file.notes)
    assert bool(file.notes) == bool(word)


def test_the_share_that_is_transparent_is_said(tmp_path):
    samples = samples_of(8, 4, (10, 10))
    samples[..., 3] = 200
    samples[:3, :, 3] = 0
    file = read(tmp_path, tiff([page(samples, RGB, 8, more=[tag(338, SHORT, 2)])]))
    assert "30 % of the pixels" in file.notes[0]
    deep = np.where(samples[..., 3:] == 0, 0, 4095).astype(np.uint16)
    deep = np.concatenate([samples[..., :3].astype(np.uint16), np.full_like(deep, 4095)], axis=-1)
    assert read(tmp_path, tiff([page(deep, RGB, 12, more=[tag(338, SHORT, 2)])])).notes == ()


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("photometric", [MINISWHITE, MINISBLACK])
def test_signed_and_floating(tmp_path, kind, photometric):
    samples = RNG.integers(0, 100, (12, 13)).astype(kind)
    samples[0, :2] = 0, 100
    file = read(tmp_path, tiff([page(samples, photometric, samples.dtype.itemsize * 8)]))
    truth = 100 - samples if photometric == MINISWHITE else samples
    np.testing.assert_array_equal(file.array, truth)
    assert file.array.dtype == samples.dtype
    assert file.data_range is None
    if photometric == MINISWHITE:
        assert "about the brightest value, 100" in file.notes[0]


def test_all_of_a_signed_type_is_inverted_within_it(tmp_path):
    samples = np.arange(-128, 128).astype(np.int8).reshape(16, 16)
    file = read(tmp_path, tiff([page(samples, MINISWHITE, 8)]))
    np.testing.assert_array_equal(file.array, -1 - samples.astype(int))


def test_a_palette_gives_colours(tmp_path):
    for bits in (1, 2, 4, 8):
        index = samples_of(bits, 1)
        colours = RNG.integers(0, 256, (3, 2**bits))
        colours[0, 0] = 255
        for scale in (257, 256, 1):  # as writers fill the sixteen bits; the last as some wrongly do
            more = [tag(320, SHORT, *(colours * scale).ravel().tolist())]
            file = read(tmp_path, tiff([page(index, PALETTE, bits, more=more)]))
            np.testing.assert_array_equal(file.array, np.moveaxis(colours[:, index[..., 0]], 0, -1))
            assert file.array.dtype == np.uint8
            assert ("8-bit" in " ".join(file.notes)) == (scale == 1)
    refused(tmp_path, tiff([page(samples_of(8, 1), PALETTE, 8)]), "states a palette, and holds none")


def test_display_colours_of_imagej_are_no_palette(tmp_path):
    stack = samples_of(8, 2)
    palette = tag(320, SHORT, *RNG.integers(0, 65536, 768).tolist())
    for count in (1, 2):
        text = f"ImageJ=1.53f\nimages={count}\nchannels={count}\nhyperstack=true\nmode=composite\nmin=0.0\nmax=52.0\n"
        pages = [page(stack[..., n], PALETTE, 8, more=[palette, tag(270, ASCII, text)]) for n in range(count)]
        file = read(tmp_path, tiff(pages))
        np.testing.assert_array_equal(file.array, np.moveaxis(stack, -1, 0) if count == 2 else stack[..., 0])
        assert (file.channel_axis, file.axes) == (None, "CYX" if count == 2 else "YX")
        assert "display colours (LUT)" in " ".join(file.notes)
    file = read(tmp_path, tiff([page(stack[..., 0], PALETTE, 8, more=[palette, tag(270, ASCII, "by hand")])]))
    assert file.array.shape == (21, 34, 3)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_inks_become_colours(tmp_path, dtype):
    samples = samples_of(np.dtype(dtype).itemsize * 8, 4)
    file = read(tmp_path, tiff([page(samples, CMYK, samples.dtype.itemsize * 8)]))
    share = samples / np.iinfo(dtype).max
    truth = (1 - share[..., :3]) * (1 - share[..., 3:])
    assert np.abs(file.array / np.iinfo(dtype).max - truth).max() <= 0.51 / np.iinfo(dtype).max
    assert file.channel_axis == 2
    if dtype == "u1":
        picture = np.asarray(Image.fromarray(samples, "CMYK").convert("RGB"), int)
        assert np.abs(picture - file.array).max() <= 1
    refused(tmp_path, tiff([page(samples, CMYK, samples.dtype.itemsize * 8, more=[tag(332, SHORT, 2)])]), "inks other")


def test_ycbcr_outside_of_jpeg(tmp_path):
    colours = samples_of(8, 3, (16, 24))
    ycc = np.asarray(Image.fromarray(colours).convert("YCbCr"))
    reference = [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1]
    whole = [tag(530, SHORT, 1, 1), tag(532, RATIONAL, *reference)]
    for compression in (1, 5, 8):
        file = read(tmp_path, tiff([page(ycc, YCBCR, 8, compression=compression, more=whole)]))
        assert np.abs(file.array.astype(int) - colours).max() <= 3  # what rounding to YCbCr costs
        assert "YCbCr" in file.notes[0]
    for reduced in ([], [tag(530, SHORT, 2, 2)], [tag(530, SHORT, 2, 1)]):
        refused(tmp_path, tiff([page(ycc, YCBCR, 8, compression=5, more=reduced)]), "YCbCr.*subsampled")


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_inside(tmp_path, sampling, grey):
    ramp = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
    colours = ramp if grey else np.stack([ramp, ramp[::-1], np.full_like(ramp, 99)], -1)
    Image.fromarray(colours).save(tmp_path / "j.tif", compression="jpeg", quality=95)
    file = iq.read_image(tmp_path / "j.tif")
    assert np.abs(file.array.astype(int) - colours).max() < 16
    names = ["444", "422", "420"]
    tifffile.imwrite(
        tmp_path / "t.tif",
        colours,
        compression="jpeg",
        compressionargs={"level": 95},
        photometric="minisblack" if grey else "rgb",
        subsampling=None if grey else [(1, 1), (2, 1), (2, 2)][names.index(names[sampling])],
    )
    file = iq.read_image(tmp_path / "t.tif")
    assert np.abs(file.array.astype(int) - colours).max() < 16
    assert file.channel_axis == (None if grey else 2)


@pytest.mark.parametrize(
    ("photometric", "count", "bits", "word"),
    [
        (MASK, 1, 1, "mask"),
        (CIELAB, 3, 8, r"L\*a\*b"),
        (ICCLAB, 3, 16, r"L\*a\*b"),
        (CFA, 1, 16, "mosaic"),
        (LINEAR_RAW, 3, 16, "raw"),
        (LOGL, 1, 16, "LogL"),
        (LOGLUV, 3, 16, "LogLuv"),
        (77, 3, 8, "77"),
        (RGB, 1, 8, "3 samples"),
        (RGB, 2, 8, "3 samples"),
        (CMYK, 3, 8, "4 samples"),
    ],
)
def test_what_is_no_grey_and_no_rgb_is_named(tmp_path, photometric, count, bits, word):
    refused(tmp_path, tiff([page(samples_of(bits, count), photometric, bits)]), word)


@pytest.mark.parametrize("count", [1, 3])
def test_samples_without_a_photometric_interpretation_are_not_inverted(tmp_path, count):
    samples = samples_of(8, count)
    file = read(tmp_path, tiff([page(samples, MINISBLACK, 8, less=[262])]))
    np.testing.assert_array_equal(file.array, samples if count == 3 else samples[..., 0])
    assert "photometric" in file.notes[0]


@pytest.mark.parametrize("compression", [32766, 32809, 34661, 34676, 32909, 4711, 65000])
def test_an_unknown_compression_is_no_damage(tmp_path, compression):
    tags, strips = page(samples_of(8, 1), MINISBLACK, 8)
    tags[259] = (SHORT, (compression,))
    refused(tmp_path, tiff([(tags, strips)]), f"(?s)compressed by .*{compression}")


def test_odd_samples_are_named(tmp_path):
    tags, strips = page(samples_of(8, 1), MINISBLACK, 8)
    refused(tmp_path, tiff([({**tags, 258: (SHORT, (48,))}, strips)]), "48 bits")
    refused(tmp_path, tiff([({**tags, 317: (SHORT, (99,))}, strips)]), "predictor .*99")
    tags, strips = page(samples_of(8, 3), RGB, 8)
    refused(tmp_path, tiff([({**tags, 258: (SHORT, (8, 8, 2))}, strips)]), "8 and 8 and 2 bits")
    refused(tmp_path, tiff([page(samples_of(24, 1), MINISBLACK, 24)]), "24 bits")


def test_a_way_of_storing_that_is_not_decoded_is_no_damage(tmp_path):
    tags, _ = page(samples_of(8, 3), RGB, 8)
    half = {258: (SHORT, (24,) * 3), 339: (SHORT, (3,) * 3), 317: (SHORT, (3,)), 259: (SHORT, (8,))}
    refused(tmp_path, tiff([(tags | half, [zlib.compress(bytes(21 * 34 * 9))])]), "cannot be read .*float24")


def test_bits_in_the_other_order(tmp_path):
    samples = samples_of(1, 1, (9, 20))
    tags, strips = page(samples, MINISBLACK, 1, more=[tag(266, SHORT, 2)])
    turned = [
        np.packbits(np.unpackbits(np.frombuffer(strip, np.uint8)).reshape(-1, 8)[:, ::-1]).tobytes() for strip in strips
    ]
    check(read(tmp_path, tiff([(tags, turned)])), samples[..., 0], 1)


@pytest.mark.parametrize(
    "compression", ["lzw", "zlib", "zstd", "lzma", "packbits", "jpeg2000", "jpegxl", "jpegxr", "png", "webp", "lerc"]
)
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_compressions_without_loss(tmp_path, compression, tile):
    colours = RNG.integers(0, 256, (37, 50, 3), dtype=np.uint8)
    options = {"compressionargs": {"lossless": True}} if compression in ("webp", "jpegxl") else {}
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", compression=compression, tile=tile, **options)
    file = iq.read_image(tmp_path / "c.tif")
    np.testing.assert_array_equal(file.array, colours)


# --- white


@pytest.mark.parametrize(
    ("brightest", "stated", "white"),
    [
        (4095, 4095, 4095),
        (3000, 4095, 4095),
        (1023, 1023, 1023),
        (900, 1000, 1000),
        (4095, 255, 65535),  # darker than a sample
        (1000, 1000, 65535),  # the brightest sample, as statistics say
        (4095, 65535, 65535),
        (4095, 0, 65535),
    ],
)
def test_max_sample_value(tmp_path, brightest, stated, white):
    samples = RNG.integers(0, brightest, (9, 10), dtype=np.uint16)
    samples[0, 0] = brightest
    for photometric in (MINISBLACK, MINISWHITE):
        file = read(tmp_path, tiff([page(samples, photometric, 16, more=[tag(281, SHORT, stated)])]))
        check(file, samples if photometric else white - samples, white)
        assert (f"white is {white}" in " ".join(file.notes)) == (white < 65535)
    colours = np.stack([samples] * 3, -1)
    check(read(tmp_path, tiff([page(colours, RGB, 16, more=[tag(281, SHORT, *[stated] * 3)])])), colours, white)


@pytest.mark.parametrize(
    ("dtype", "bits", "brightest", "white"),
    [("u2", 10, 1023, 1023), ("u2", 12, 5000, None), ("u1", 6, 63, 63), ("u4", 20, 99999, 2**20 - 1)],
)
def test_significant_bits(tmp_path, dtype, bits, brightest, white):
    samples = RNG.integers(0, brightest, (9, 10)).astype(dtype)
    samples[0, 0] = brightest
    tifffile.imwrite(
        tmp_path / "s.ome.tif", samples, metadata={"axes": "YX", "SignificantBits": bits}, photometric="minisblack"
    )
    file = iq.read_image(tmp_path / "s.ome.tif")
    np.testing.assert_array_equal(file.array, samples)
    assert file.data_range == (None if white is None else (0, white))


@pytest.mark.parametrize(
    ("code", "text", "brightest", "white"),
    [
        (51123, '{"PixelType": "GRAY16", "BitDepth": 12}', 4095, 4095),
        (51123, '{"PixelType": "GRAY16", "BitDepth": 12}', 4096, 65535),  # brighter than that
        (51123, '{"PixelType": "GRAY16", "BitDepth": 16}', 4095, 65535),
        (51123, '{"BitDepth": "twelve"}', 4095, 65535),
        (51123, '{"BitDepth": 12', 4095, 65535),
        (51123, '{"BitDepth": -1}', 4095, 65535),
        (51123, '{"BitDepth": 1e999}', 4095, 65535),
        (51123, "[12]", 4095, 65535),
        (51123, '{"a":' * 100_000, 4095, 65535),
        (42112, '<GDALMetadata><Item name="NBITS" sample="0">12</Item></GDALMetadata>', 4095, 4095),
        (42112, '<GDALMetadata>\n<Item domain="IMAGE_STRUCTURE" name="NBITS"> 12 </Item></GDALMetadata>', 4000, 4095),
        (42112, '<GDALMetadata><Item name="NBITS" sample="0">12</Item></GDALMetadata>', 4096, 65535),
        (42112, '<GDALMetadata><Item name="OTHER">12</Item></GDALMetadata>', 4095, 65535),
        (42112, '<!DOCTYPE x [<!ENTITY n "12">]><x><Item name="NBITS">&n;</Item></x>', 4095, 65535),
        (42112, '<Item name="NBITS">' + 'name="NBITS"' * 100_000, 4095, 65535),
    ],
)
def test_bits_that_are_used_as_micro_manager_and_gdal_state_them(tmp_path, code, text, brightest, white):
    samples = RNG.integers(0, brightest, (9, 10), dtype=np.uint16)
    samples[0, 0] = brightest
    file = read(tmp_path, tiff([page(samples, MINISBLACK, 16, more=[tag(code, ASCII, text)])]))
    check(file, samples, white)
    assert (f"white is {white}" in " ".join(file.notes)) == (white < 65535)


def test_the_display_range_of_imagej_is_white_where_it_is_that_of_a_camera(tmp_path):
    samples = RNG.integers(0, 4000, (9, 10), dtype=np.uint16)
    for high, known in ((4095.0, (0, 4095)), (3999.0, None), (255.0, None)):
        tifffile.imwrite(tmp_path / "i.tif", samples, imagej=True, metadata={"min": 0.0, "max": high})
        assert iq.read_image(tmp_path / "i.tif").data_range == known


def test_a_stated_range_of_signed_and_floating_samples(tmp_path):
    for samples, low, high in ((np.array([[-5, 9]], "i2"), -100, 100), (np.array([[0.25, 0.5]], "f4"), 0, 1)):
        form = DOUBLE
        more = [tag(340, form, low), tag(341, form, high)]
        file = read(tmp_path, tiff([page(samples, MINISBLACK, samples.dtype.itemsize * 8, more=more)]))
        assert file.data_range == (low, high)
        more = [tag(340, form, low), tag(341, form, float(samples.min()))]
        assert (
            read(tmp_path, tiff([page(samples, MINISBLACK, samples.dtype.itemsize * 8, more=more)])).data_range is None
        )


# --- orientation


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("form", ["grey", "colours", "planes", "stack"])
def test_orientation_is_applied(tmp_path, orientation, form):
    samples = samples_of(8, {"grey": 1, "stack": 1, "colours": 3, "planes": 2}[form], (5, 8))
    photometric = RGB if form == "colours" else MINISBLACK
    more = [tag(274, SHORT, orientation), tag(282, RATIONAL, 1000, 1), tag(283, RATIONAL, 500, 1), tag(296, SHORT, 3)]
    pages = [page(samples, photometric, 8, more=more)] * (2 if form == "stack" else 1)
    file = read(tmp_path, tiff(pages))
    turns = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1)}
    turns |= {6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.swapaxes(0, 1), 2), 8: np.rot90}
    truth = turns.get(orientation, lambda a: a)(samples)
    if form == "planes":
        truth = np.moveaxis(truth, -1, 0)
    elif form == "stack":
        truth = np.stack([truth[..., 0]] * 2)
    elif form == "grey":
        truth = truth[..., 0]
    np.testing.assert_array_equal(file.array, truth)
    assert any("orientation" in note for note in file.notes) == (2 <= orientation <= 8)
    assert file.pixel_size == ((10, 20) if orientation >= 5 else (20, 10))


# --- no data


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("f4", "-9999", -9999),
        ("f8", "nan", np.nan),
        ("f4", "-3.40282e+38", np.finfo("f4").min),
        ("f2", "7", 7),
        ("f4", "-9999,0", -9999),
    ],
)
def test_no_data_is_nan_in_floating_images(tmp_path, dtype, text, value):
    samples = RNG.random((10, 12)).astype(dtype)
    samples[:3] = value
    file = read(tmp_path, tiff([page(samples, MINISBLACK, samples.dtype.itemsize * 8, more=[tag(42113, ASCII, text)])]))
    truth = samples.copy()
    truth[:3] = np.nan
    np.testing.assert_array_equal(file.array, truth)
    assert "30 % of the pixels hold no data" in file.notes[0]


@pytest.mark.parametrize("photometric", [MINISBLACK, MINISWHITE, PALETTE, RGB])
def test_no_data_is_a_mask_in_images_of_whole_numbers(tmp_path, photometric):
    samples = RNG.integers(1, 256, (10, 12, 3 if photometric == RGB else 1), dtype=np.uint8)
    samples[:2] = 0
    samples[5, 5, 0] = 0 if photometric == RGB else samples[5, 5, 0]  # black red is a colour
    more = [tag(42113, ASCII, "0")]
    if photometric == PALETTE:
        more.append(tag(320, SHORT, *range(0, 65536, 256), *range(0, 65536, 256), *range(0, 65536, 256)))
    file = read(tmp_path, tiff([page(samples, photometric, 8, more=more)]))
    assert isinstance(file.array, np.ma.MaskedArray)
    truth = np.zeros(file.array.shape, bool)
    truth[:2] = True
    np.testing.assert_array_equal(file.array.mask, truth)
    plain = samples if photometric == RGB else samples[..., 0]
    plain = {MINISWHITE: 255 - plain, PALETTE: np.stack([plain] * 3, -1)}.get(photometric, plain)
    np.testing.assert_array_equal(file.array.data, plain)


@pytest.mark.parametrize(
    ("dtype", "text"), [("u1", "-9999"), ("u1", "0.5"), ("i2", "nan"), ("u2", "1e300"), ("f4", "1e300"), ("u1", "none")]
)
def test_a_value_that_cannot_be_is_said(tmp_path, dtype, text):
    samples = RNG.integers(0, 100, (5, 6)).astype(dtype)
    file = read(tmp_path, tiff([page(samples, MINISBLACK, samples.dtype.itemsize * 8, more=[tag(42113, ASCII, text)])]))
    np.testing.assert_array_equal(file.array, samples)
    assert not np.ma.isMaskedArray(file.array)
    assert "no-data value" in file.notes[0]


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("layout", [{"rows": 4}, {"tile": 16, "compression": 8}])
def test_strips_left_out_are_no_data_where_that_is_stated(tmp_path, dtype, layout):
    samples = RNG.integers(1, 100, (32, 20)).astype(dtype)
    data = page(samples, MINISBLACK, samples.dtype.itemsize * 8, more=[tag(42113, ASCII, "0")], **layout)
    gone = {"places": lambda offsets: [0, *offsets[1:]], "counts": lambda lengths: [0, *lengths[1:]]}
    file = read(tmp_path, tiff([data], **gone))
    holes = np.zeros((32, 20), bool)
    holes[: layout.get("rows", 16), : layout.get("tile", 20)] = True
    found = np.ma.getmaskarray(file.array) if dtype == "u1" else np.isnan(file.array)
    np.testing.assert_array_equal(found, holes)
    np.testing.assert_array_equal(np.ma.getdata(file.array)[~holes], samples[~holes])
    assert "hold no data" in file.notes[0]
    data[0].pop(42113)
    refused(tmp_path, tiff([data], **gone), "strip or tile 1 .*missing")


def test_maps_are_made_and_copies_written_of_masked_images(tmp_path):
    samples = RNG.integers(1, 256, (40, 40), dtype=np.uint8)
    samples[:5] = 0
    file = read(tmp_path, tiff([page(samples, MINISBLACK, 8, more=[tag(42113, ASCII, "0")])]))
    answer = iq.threshold_map(file.array, channel_axis=file.channel_axis, model="contrast")
    assert np.isnan(answer.values[:5]).all()
    back = iq.read_image(write_picture(file.array, tmp_path / "copy.tif", file, {}))
    np.testing.assert_array_equal(np.ma.getdata(back.array), samples)


# --- size of a pixel


@pytest.mark.parametrize(
    ("unit", "x", "y", "size"),
    [
        (2, (300, 1), (300, 1), (25400 / 300, 25400 / 300)),
        (3, (5000, 1), (2500, 1), (4.0, 2.0)),
        (2, (72, 1), (72, 1), None),
        (2, (96, 1), (96, 1), None),
        (3, (2835, 100), (2835, 100), None),
        (3, (378, 10), (378, 10), None),
        (1, (300, 1), (300, 1), None),
        (2, (1, 1), (1, 1), None),
        (2, (0, 1), (300, 1), None),
        (2, (300, 0), (300, 1), None),
    ],
)
def test_pixel_size_from_resolution(tmp_path, unit, x, y, size):
    more = [tag(282, RATIONAL, *x), tag(283, RATIONAL, *y), tag(296, SHORT, unit)]
    file = read(tmp_path, tiff([page(samples_of(8, 1), MINISBLACK, 8, more=more)]))
    assert file.pixel_size == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize(("unit", "length"), [("um", 1), ("micron", 1), ("\\u00B5m", 1), ("mm", 1000), ("pixel", None)])
def test_pixel_size_from_imagej(tmp_path, unit, length):
    tifffile.imwrite(
        tmp_path / "i.tif", samples_of(8, 1)[..., 0], imagej=True, resolution=(4, 2), metadata={"unit": unit}
    )
    size = iq.read_image(tmp_path / "i.tif").pixel_size
    assert size == (None if length is None else pytest.approx((length / 2, length / 4)))


@pytest.mark.parametrize(("unit", "length"), [(None, 1), ("µm", 1), ("nm", 0.001), ("mm", 1000), ("pixel", None)])
def test_pixel_size_from_ome(tmp_path, unit, length):
    units = {} if unit is None else {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, **units}
    tifffile.imwrite(tmp_path / "o.ome.tif", samples_of(8, 1)[..., 0], metadata=metadata)
    size = iq.read_image(tmp_path / "o.ome.tif").pixel_size
    assert size == (None if length is None else pytest.approx((length / 4, length / 2)))


# --- nothing is made up


@pytest.mark.parametrize("compression", [1, 8, 5])
@pytest.mark.parametrize("layout", [{"rows": 7}, {"tile": 16}])
@pytest.mark.parametrize(
    "what",
    [
        {"places": lambda offsets: [*offsets[:-1], 0]},
        {"counts": lambda lengths: [*lengths[:-1], 0]},
        {"counts": lambda lengths: [lengths[0] // 2, *lengths[1:]]},
        {"places": lambda offsets: offsets[:-1]},
        {"counts": lambda lengths: lengths[:-1]},
        {"places": lambda offsets: [*offsets[:-1], 10**6]},
        {"counts": lambda lengths: [*lengths[:-1], 10**6]},
        {"places": lambda offsets: [0] * len(offsets), "counts": lambda lengths: [0] * len(lengths)},
    ],
)
def test_strips_that_are_not_there_are_refused(tmp_path, what, layout, compression):
    data = tiff([page(samples_of(8, 1), MINISBLACK, 8, compression=compression, **layout)], **what)
    refused(tmp_path, data, "damaged or was cut short")


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "jpegxl", "jpegxr", "png", "webp", "lerc", "zstd", "lzma"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_a_strip_that_is_cut_short_is_refused(tmp_path, compression, kept):
    colours = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "whole.tif", colours, photometric="rgb", compression=compression)
    iq.read_image(tmp_path / "whole.tif")
    with tifffile.TiffFile(tmp_path / "whole.tif", mode="r+b") as file:
        tags = file.pages[0].tags
        tags[279].overwrite(int(tags[279].value[0] * kept))
    with pytest.raises(iq.InputError, match="damaged or was cut short"):
        iq.read_image(tmp_path / "whole.tif")


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_that_is_cut_short_is_refused(tmp_path, compression):
    rows, columns = np.indices((50, 72))
    for number, pixels in enumerate(
        ((rows + columns) // 5 % 2, rows // 9 % 2, np.ones((50, 72)), RNG.integers(0, 2, (50, 72)))
    ):
        path = tmp_path / f"{number}.tif"
        Image.fromarray(pixels.astype(bool)).save(path, compression=compression)
        np.testing.assert_array_equal(iq.read_image(path).array, pixels)
        with tifffile.TiffFile(path, mode="r+b") as file:
            tags = file.pages[0].tags
            tags[279].overwrite(tags[279].value[0] // 2)
        with pytest.raises(iq.InputError, match="damaged or was cut short"):
            iq.read_image(path)


@pytest.mark.parametrize("chain", [[0, None], [1, 0], [1, 1]])
def test_pages_in_a_loop_are_refused(tmp_path, chain):
    one = page(samples_of(8, 1), MINISBLACK, 8)
    refused(tmp_path, tiff([one, one], chain=chain), "loop")


def test_a_loop_behind_many_pages_is_refused(tmp_path):
    one = page(samples_of(8, 1, (2, 2)), MINISBLACK, 8)
    refused(tmp_path, tiff([one] * 300, chain=[*range(1, 300), 200]), "loop")


def test_pages_are_read_in_the_order_of_their_chain(tmp_path):
    stack = samples_of(8, 4, (12, 13))
    pages = [page(stack[..., number], MINISBLACK, 8) for number in range(4)]
    data = bytearray(tiff(pages, chain=[None, 0, 1, 2]))
    with tifffile.TiffFile(_written(tmp_path, tiff(pages))) as file:
        struct.pack_into("<I", data, 4, file.pages[3].offset)
    np.testing.assert_array_equal(read(tmp_path, bytes(data)).array, np.moveaxis(stack, -1, 0)[::-1])


def _written(tmp_path, data):
    path = tmp_path / "w.tif"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["imagej", "shaped"])
def test_a_description_does_not_decide_where_pixels_are(tmp_path, form):
    """Planes lie in another order in the file than their pages say; description and first page do not tell."""
    stack = samples_of(8, 4, (12, 13))
    text = "ImageJ=1.54f\nimages=4\nframes=4\n" if form == "imagej" else '{"shape": [4, 12, 13], "axes": "TYX"}'
    pages = [
        page(stack[..., number], MINISBLACK, 8, more=[tag(270, ASCII, text)] if number == 0 else [])
        for number in range(4)
    ]
    pages = [
        ({**tags, 273: (LONG, (8 + 156 * place,))}, strips)
        for (tags, strips), place in zip(pages, (0, 2, 1, 3), strict=True)
    ]
    # all strips first
    first = (pages[0][0], [strip for number in (0, 2, 1, 3) for strip in pages[number][1]])
    data = tiff(
        [(first[0] | {279: (LONG, (156,))}, first[1]), *[(tags | {279: (LONG, (156,))}, []) for tags, _ in pages[1:]]]
    )
    np.testing.assert_array_equal(read(tmp_path, data).array, np.moveaxis(stack, -1, 0))


@pytest.mark.parametrize(("stated", "kept"), [(10, 4), (3, 4), (5, 1)])
def test_an_imagej_file_that_states_other_planes_than_it_holds(tmp_path, stated, kept):
    stack = samples_of(8, kept, (12, 13))
    text = f"ImageJ=1.54f\nimages={stated}\nslices={stated}\nhyperstack=true\n"
    pages = [page(stack[..., number], MINISBLACK, 8, more=[tag(270, ASCII, text)]) for number in range(kept)]
    file = read(tmp_path, tiff(pages))
    np.testing.assert_array_equal(file.array.squeeze(), np.moveaxis(stack, -1, 0).squeeze())
    assert file.notes


def test_imagej_planes_without_pages_of_their_own(tmp_path):
    stack = samples_of(16, 5, (12, 13))
    text = "ImageJ=1.54f\nimages=5\nslices=5\n"
    tags, _ = page(stack[..., 0], MINISBLACK, 16, more=[tag(270, ASCII, text)], order=">")
    pixels = np.moveaxis(stack, -1, 0).astype(">u2").tobytes()
    data = tiff([(tags | {279: (LONG, (12 * 13 * 2,))}, [pixels])], ">")
    file = read(tmp_path, data)
    np.testing.assert_array_equal(file.array, np.moveaxis(stack, -1, 0))
    assert file.axes == "ZYX"
    # what lies behind the pixels of this file, its tags, must not become the last plane
    cut = tiff([(tags | {279: (LONG, (12 * 13 * 2,))}, [pixels[:-400]])], ">")
    refused(tmp_path, cut, "2 of 5 planes are missing")


@pytest.mark.parametrize(("kept", "missing"), [(4.9, 1), (3, 2), (3.1, 2), (2, 3), (1.5, 4)])
def test_a_stack_of_imagej_that_is_cut_short_is_refused(tmp_path, kept, missing):
    """As ImageJ writes it: the only page in front, and the planes behind it up to the end of the file."""
    stack = np.moveaxis(samples_of(16, 5, (12, 13)), -1, 0)
    text = "ImageJ=1.54f\nimages=5\nslices=5\n"
    tags, _ = page(stack[0], MINISBLACK, 16, more=[tag(270, ASCII, text)])
    front = tiff([(tags | {273: (LONG, (400,)), 279: (LONG, (312,))}, [])]).ljust(400, b"\0")
    assert len(front) == 400
    data = front + stack.astype("<u2").tobytes()
    np.testing.assert_array_equal(read(tmp_path, data).array, stack)
    refused(tmp_path, data[: 400 + int(kept * 312)], f"{missing} of 5 planes are missing")
    # one plane that was taken from a stack, and keeps its description
    file = read(tmp_path, data[: 400 + 312])
    np.testing.assert_array_equal(file.array, stack[0])
    assert "does not fit" in " ".join(file.notes)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("colours", [3, 4])
@pytest.mark.parametrize("described", [True, False])
def test_a_stack_of_colour_pictures_whose_rows_were_taken_for_samples(tmp_path, dtype, count, colours, described):
    """So scikit-image writes them: pages of planes apart, as many as the picture has rows."""
    stack = RNG.integers(0, 200, (count, 20, 30, colours)).astype(dtype)
    options = {} if described else {"metadata": None}
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="rgb", planarconfig="separate", **options)
    with tifffile.TiffFile(tmp_path / "s.tif") as written:
        assert written.pages[0].samplesperpixel == 20
    file = iq.read_image(tmp_path / "s.tif")
    np.testing.assert_array_equal(file.array, stack)
    assert (file.channel_axis, file.array.dtype) == (3, np.dtype(dtype))
    assert "read as rows of colours" in " ".join(file.notes)
    # as the same writer leaves them where it is told that colours come last
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="rgb", **options)
    file = iq.read_image(tmp_path / "s.tif")
    np.testing.assert_array_equal(file.array, stack)
    assert file.channel_axis == 3


def test_pages_that_differ_are_not_decoded_alike(tmp_path):
    """tifffile takes the first page for all; here the third of nine is inverted, and the fifth has another palette."""
    grey = samples_of(8, 9, (6, 7))
    pages = [page(grey[..., number], MINISWHITE if number == 2 else MINISBLACK, 8) for number in range(9)]
    file = read(tmp_path, tiff(pages))
    np.testing.assert_array_equal(file.array, np.delete(np.moveaxis(grey, -1, 0), 2, 0))
    assert "2 images" in " ".join(file.notes)
    palettes = [RNG.integers(0, 65536, 768).tolist() for _ in range(2)]
    pages = [page(grey[..., number], PALETTE, 8, more=[tag(320, SHORT, *palettes[number == 4])]) for number in range(9)]
    file = read(tmp_path, tiff(pages))
    assert file.array.shape == (8, 6, 7, 3)
    assert "palette, orientation or no-data value is another were left out: 1" in " ".join(file.notes)
    text = [tag(270, ASCII, "ImageJ=1.54f\nimages=9\nslices=9\n")]
    pages = [page(grey[..., n], MINISBLACK, 8, more=text, compression=8 if n == 5 else 5) for n in range(9)]
    file = read(tmp_path, tiff(pages))
    assert file.array.shape == (8, 6, 7)
    assert file.notes


def test_masks_thumbnails_and_smaller_sizes_are_not_the_image(tmp_path):
    image, small = samples_of(8, 3, (16, 20)), samples_of(8, 3, (8, 10))
    thumbnail = page(small, RGB, 8, more=[tag(254, LONG, 1)])
    mask = page(samples_of(1, 1, (16, 20)), MASK, 1, more=[tag(254, LONG, 4)])
    for pages in ([thumbnail, page(image, RGB, 8)], [page(image, RGB, 8), mask], [page(image, RGB, 8), thumbnail]):
        file = read(tmp_path, tiff(pages))
        np.testing.assert_array_equal(file.array, image)
    assert "sizes" in file.notes[0]
    assert "mask" in read(tmp_path, tiff([page(image, RGB, 8), mask])).notes[0]


# --- sets of files


def ome(planes, files, *, sizes=None, extra=""):
    """Give the header of a set: for each plane, the file that holds it and the page in it."""
    height, width = 12, 13
    size_t = sizes or len(planes)
    data = "".join(
        f'<TiffData FirstT="{number}" IFD="{ifd}" PlaneCount="1">'
        f'<UUID FileName="{files[name]}">urn:uuid:{name}</UUID></TiffData>'
        for number, (name, ifd) in enumerate(planes)
    )
    return (
        '<?xml version="1.0"?>'
        + extra
        + '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:a">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" '
        f'SizeX="{width}" SizeY="{height}" SizeC="1" SizeZ="1" SizeT="{size_t}">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )


def write_set(tmp_path, second, **options):
    stack = samples_of(8, 4, (12, 13))
    text = ome([("a", 0), ("a", 1), ("b", 0), ("b", 1)], {"a": "one.ome.tif", "b": second}, **options)
    pages = [page(stack[..., number], MINISBLACK, 8) for number in range(4)]
    first = [({**tags, 270: (ASCII, (text,))}, strips) for tags, strips in pages[:2]]
    (tmp_path / "one.ome.tif").write_bytes(tiff(first))
    return np.moveaxis(stack, -1, 0), tiff(pages[2:])


def test_a_set_of_files_is_read_inside_its_folder(tmp_path):
    stack, second = write_set(tmp_path, "two.ome.tif")
    (tmp_path / "two.ome.tif").write_bytes(second)
    file = iq.read_image(tmp_path / "one.ome.tif")
    np.testing.assert_array_equal(file.array, stack)
    assert (file.axes, file.notes) == ("TYX", ())
    (tmp_path / "two.ome.tif").unlink()
    file = iq.read_image(tmp_path / "one.ome.tif")
    np.testing.assert_array_equal(file.array, stack[:2])
    assert "two.ome.tif" in file.notes[0]
    one = page(samples_of(8, 1, (12, 13)), MINISBLACK, 8)
    (tmp_path / "two.ome.tif").write_bytes(tiff([one, one], chain=[1, 0]))
    with pytest.raises(iq.InputError, match=r"two\.ome\.tif.*loop"):
        iq.read_image(tmp_path / "one.ome.tif")


@pytest.mark.parametrize("how", ["absolute", "parent", "link", "pipe"])
def test_no_other_folder_is_opened(tmp_path, how):
    inside = tmp_path / "in"
    inside.mkdir()
    outside = tmp_path / "two.ome.tif"
    name = {"absolute": str(outside), "parent": "../two.ome.tif"}.get(how, "two.ome.tif")
    stack, second = write_set(inside, name)
    outside.write_bytes(second)
    if how == "link":
        (inside / "two.ome.tif").symlink_to(outside)
    elif how == "pipe":
        os.mkfifo(inside / "two.ome.tif")
    file = iq.read_image(inside / "one.ome.tif")
    np.testing.assert_array_equal(file.array, stack[:2])
    assert "two.ome.tif" in " ".join(file.notes)


def test_what_an_ome_header_states_takes_no_memory(tmp_path):
    stack, _ = write_set(tmp_path, "two.ome.tif", sizes=10**8)
    with pytest.raises(iq.InputError, match="more than the"):
        iq.read_image(tmp_path / "one.ome.tif")
    laughs = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>'
    stack, _ = write_set(tmp_path, "two.ome.tif", extra=laughs)
    file = iq.read_image(tmp_path / "one.ome.tif")
    np.testing.assert_array_equal(file.array, stack[:2])
    assert "entities" in file.notes[0]


# --- stated sizes and descriptions


@pytest.mark.parametrize("compression", [1, 8, 5, 32773, 50000])
def test_a_stated_size_takes_no_memory(tmp_path, compression):
    tags, strips = page(samples_of(8, 1), MINISBLACK, 8, compression=compression)
    huge = {256: (LONG, (40000,)), 257: (LONG, (40000,)), 278: (LONG, (40000,))}
    refused(tmp_path, tiff([(tags | huge, strips)]), "most_pixels=1600000000")
    large = {256: (LONG, (30000,)), 257: (LONG, (30000,)), 278: (LONG, (30000,))}
    refused(tmp_path, tiff([(tags | large, strips)]), "damaged")
    tiled, strips_of = page(samples_of(8, 1), MINISBLACK, 8, compression=compression, tile=16)
    tiles = {322: (LONG, (60000,)), 323: (LONG, (60000,))}
    refused(tmp_path, tiff([(tiled | tiles, strips_of[:1])]), "tiles of 60000x60000")
    for code in (256, 257):
        refused(tmp_path, tiff([(tags | {code: (LONG, (0,))}, strips)]), "states a size of")


@pytest.mark.parametrize(
    ("compression", "encode"),
    [
        (8, lambda big: zlib.compress(big.tobytes(), 9)),
        (50000, lambda big: imagecodecs.zstd_encode(big.tobytes())),
        (34925, lambda big: imagecodecs.lzma_encode(big.tobytes())),
        (7, imagecodecs.jpeg8_encode),
        (34712, lambda big: imagecodecs.jpeg2k_encode(big, level=0)),
        (50002, lambda big: imagecodecs.jpegxl_encode(big, lossless=True)),
        (34933, imagecodecs.png_encode),
        (34934, imagecodecs.jpegxr_encode),
        (34887, imagecodecs.lerc_encode),
    ],
)
def test_a_strip_that_inflates_is_no_picture(tmp_path, compression, encode):
    tags, _ = page(np.zeros((64, 64), np.uint8), MINISBLACK, 8)
    tags[259] = (SHORT, (compression,))
    data = tiff([(tags, [encode(np.zeros((2000, 1500), np.uint8))])])
    if compression == 34925:  # gives as much as it should hold
        assert not read(tmp_path, data).array.any()
        return
    refused(tmp_path, data, "damaged" if compression in (8, 50000) else "2000x1500")


@pytest.mark.parametrize(
    "text",
    [
        '{"shape": ' + "[" * 20000,
        '{"shape": [99, 98]}',
        '{"shape": "?"}',
        "ImageJ=1\nimages=-4\n",
        "ImageJ=",
        "<OME",
        "<OME><Image/></OME>",
        '{"shape": [21, 34], "axes": "QQ"}',
    ],
)
def test_descriptions_that_cannot_be_read_do_not_hide_the_pixels(tmp_path, text):
    samples = samples_of(8, 1)
    file = read(tmp_path, tiff([page(samples, MINISBLACK, 8, more=[tag(270, ASCII, text)])]))
    np.testing.assert_array_equal(file.array, samples[..., 0])


def test_pages_below_a_page_are_counted_before_they_are_read(tmp_path):
    tags, strips = page(samples_of(8, 1), MINISBLACK, 8, more=[tag(330, LONG, *[8] * 140000)])
    refused(tmp_path, tiff([(tags, strips)]), "more than 131072 pages")
