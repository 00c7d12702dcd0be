"""OpenEXR files as the format allows them, written by its own library."""

import numpy as np
import pytest

import napari_iqmaps as iq

OpenEXR = pytest.importorskip("OpenEXR")

RNG = np.random.default_rng(7)
HEIGHT, WIDTH = 24, 37
RGB = RNG.uniform(0, 900, (HEIGHT, WIDTH, 3)).astype(np.float32)
Y = RNG.uniform(0, 900, (HEIGHT, WIDTH)).astype(np.float32)


def header(**more):
    return {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **more}


def write(path, channels, **more):
    with OpenEXR.File(header(**more), channels) as file:
        file.write(str(path))
    return path


def window(left, top, width, height):
    corners = (left, top), (left + width - 1, top + height - 1)
    return tuple(np.array(corner, np.int32) for corner in corners)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint32])
def test_colours_are_read_in_the_type_of_the_file(tmp_path, dtype):
    path = write(tmp_path / "colour.exr", {"RGB": RGB.astype(dtype)})
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, RGB.astype(dtype))
    assert file.array.dtype == dtype
    assert (file.channel_axis, file.axes, file.luminance, file.data_range) == (2, "YXS", "absolute", None)
    assert len(file.notes) == 1
    assert "taken as cd/m2" in file.notes[0]
    quality_map = iq.threshold_map(file.array, channel_axis=2, luminance=file.luminance, model="contrast")
    assert np.isfinite(quality_map.values).all()


def test_a_name_without_a_suffix_and_tiles_are_read(tmp_path):
    tiles = {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
    path = write(tmp_path / "tiled.exr", {"RGB": RGB}, **tiles).rename(tmp_path / "scene")
    np.testing.assert_array_equal(iq.read_image(path).array, RGB)


def test_odd_numbers_are_kept_and_break_no_map(tmp_path):
    odd = RGB.copy()
    odd[3, 4, 1], odd[3, 5], odd[3, 6, 2], odd[3, 7], odd[3, 8] = np.nan, np.inf, -np.inf, 1e38, -5
    file = iq.read_image(write(tmp_path / "odd.exr", {"RGB": odd}))
    np.testing.assert_array_equal(file.array, odd)
    with np.errstate(all="raise", under="ignore"):
        options = {"channel_axis": 2, "luminance": "absolute", "model": "contrast"}
        quality_map = iq.visibility_map(file.array, RGB, **options)
    holes = np.isnan(quality_map.values)
    assert list(zip(*np.nonzero(holes), strict=True)) == [(3, 4), (3, 5), (3, 6)]
    assert 0 < quality_map.score < 1


def test_half_beyond_its_range_is_a_hole(tmp_path):
    with np.errstate(over="ignore"):
        half = np.where(np.arange(WIDTH) == 9, 1e6, Y).astype(np.float16)
    file = iq.read_image(write(tmp_path / "half.exr", {"Y": half}))
    quality_map = iq.threshold_map(file.array, luminance="absolute", model="contrast")
    assert np.array_equal(np.flatnonzero(np.isnan(quality_map.values).any(axis=0)), [9])


def test_luminance_alone_is_a_grey_image(tmp_path):
    file = iq.read_image(write(tmp_path / "grey.exr", {"Y": Y}))
    np.testing.assert_array_equal(file.array, Y)
    assert (file.channel_axis, file.axes) == (None, "YX")


def test_of_luminance_and_chroma_the_luminance_is_read(tmp_path):
    imath = pytest.importorskip("Imath")
    half = imath.PixelType(imath.PixelType.HALF)
    grey, chroma = Y[:, :36].astype(np.float16), np.zeros((HEIGHT // 2, 18), np.float16)
    head = OpenEXR.Header(36, HEIGHT)
    head["channels"] = {"Y": imath.Channel(half), "RY": imath.Channel(half, 2, 2), "BY": imath.Channel(half, 2, 2)}
    path = tmp_path / "chroma.exr"
    out = OpenEXR.OutputFile(str(path), head)
    out.writePixels({"Y": grey.tobytes(), "RY": chroma.tobytes(), "BY": chroma.tobytes()})
    out.close()
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, grey)
    assert file.channel_axis is None
    assert "the colours were left out" in file.notes[0]


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_alpha_is_left_out_and_named_where_it_hides_something(tmp_path, alpha):
    rgba = np.dstack([RGB, np.full_like(Y, alpha)])
    file = iq.read_image(write(tmp_path / "alpha.exr", {"RGBA": rgba}))
    np.testing.assert_array_equal(file.array, RGB)
    assert any("alpha" in note for note in file.notes) == (alpha < 1)


def test_of_several_layers_the_unnamed_one_is_read(tmp_path):
    red, green, blue = np.moveaxis(RGB, 2, 0).copy()
    layer = {f"shadow.{name}": Y for name in "RGB"}
    path = write(tmp_path / "layers.exr", {**layer, "R": red, "G": green, "B": blue, "Z": Y})
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, RGB)
    assert "left out: Z, shadow.B, shadow.G, shadow.R" in file.notes[0]
    only = iq.read_image(write(tmp_path / "layer.exr", {**layer, "Z": Y}))
    np.testing.assert_array_equal(only.array, np.dstack([Y] * 3))
    assert "shadow.R, shadow.G, shadow.B were read; left out: Z" in only.notes[0]


def test_channels_of_any_name_give_one_plane(tmp_path):
    file = iq.read_image(write(tmp_path / "names.exr", {"Z": Y * 0, "temperature": Y}))
    np.testing.assert_array_equal(file.array, Y)
    assert "temperature were read; left out: Z" in file.notes[0]
    np.testing.assert_array_equal(iq.read_image(write(tmp_path / "depth.exr", {"Z": Y})).array, Y)


def test_of_several_parts_the_first_with_a_picture_is_read(tmp_path):
    parts = [OpenEXR.Part(header(), {"Z": Y}, "depth"), OpenEXR.Part(header(), {"RGB": RGB}, "beauty")]
    path = tmp_path / "parts.exr"
    with OpenEXR.File(parts) as file:
        file.write(str(path))
    file = iq.read_image(path)
    np.testing.assert_array_equal(file.array, RGB)
    assert file.notes[0] == "the file holds 2 parts; part 1, 'beauty', was read"


def test_the_image_is_the_display_window(tmp_path):
    path = write(
        tmp_path / "inside.exr",
        {"RGB": RGB},
        dataWindow=window(5, 3, WIDTH, HEIGHT),
        displayWindow=window(0, 0, 50, 30),
    )
    file = iq.read_image(path)
    assert file.array.shape == (30, 50, 3)
    np.testing.assert_array_equal(file.array[3 : 3 + HEIGHT, 5 : 5 + WIDTH], RGB)
    assert np.isnan(file.array).sum() == (30 * 50 - HEIGHT * WIDTH) * 3
    assert "37x24 at (5, 3) of a display window 50x30: pixels without data are holes" in file.notes[0]

    frame = window(10, 20, 30, 20)
    path = write(tmp_path / "beyond.exr", {"Y": Y}, dataWindow=window(7, 18, WIDTH, HEIGHT), displayWindow=frame)
    np.testing.assert_array_equal(iq.read_image(path).array, Y[2:22, 3:33])


def test_a_window_elsewhere_is_read_by_itself(tmp_path):
    away = {"dataWindow": window(500, 0, WIDTH, HEIGHT), "displayWindow": window(0, 0, 50, 30)}
    file = iq.read_image(write(tmp_path / "away.exr", {"Y": Y}, **away))
    np.testing.assert_array_equal(file.array, Y)
    assert "the data window alone was read" in file.notes[0]


def test_a_stated_white_gives_the_unit(tmp_path):
    file = iq.read_image(write(tmp_path / "white.exr", {"Y": Y / 100}, whiteLuminance=200.0))
    assert file.data_range == (0, 0.5)
    assert "its value 1 is 200 cd/m2" in file.notes[0]
    options = {"luminance": "absolute", "model": "contrast"}
    stated = iq.threshold_map(file.array, data_range=file.data_range, **options)
    np.testing.assert_allclose(stated.values, iq.threshold_map(Y * 2, **options).values, rtol=1e-4)


def test_other_primaries_are_named(tmp_path):
    rec2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)
    path = write(tmp_path / "wide.exr", {"RGB": RGB}, chromaticities=rec2020)
    assert any("primaries" in note for note in iq.read_image(path).notes)


def test_deep_data_are_refused(tmp_path):
    samples = np.empty((4, 5), object)
    for index in np.ndindex(4, 5):
        samples[index] = np.ones(2, np.float32)
    path = write(tmp_path / "deep.exr", {"Z": samples}, type=OpenEXR.deepscanline, compression=OpenEXR.ZIPS_COMPRESSION)
    with pytest.raises(iq.InputError, match=r"deep.exr holds deep data only.*Flatten"):
        iq.read_image(path)


@pytest.mark.parametrize("kept", [8, 100, 0.5, 0.95])
def test_damaged_files_are_refused_and_standard_output_stays_clean(tmp_path, capsys, kept):
    whole = write(tmp_path / "whole.exr", {"RGB": RGB}).read_bytes()
    path = tmp_path / "cut.exr"
    path.write_bytes(whole[: kept if kept > 1 else int(len(whole) * kept)])
    with pytest.raises(iq.InputError, match="cut.exr is damaged or was cut short"):
        iq.read_image(path)
    assert capsys.readouterr().out == ""


def place_of(content, name, kind):
    """Where the value of an entry of the header begins."""
    return content.index(name + b"\0" + kind + b"\0") + len(name) + len(kind) + 2 + 4


@pytest.mark.parametrize("compression", ["NO", "ZIP", "PIZ", "PXR24", "B44", "DWAA"])
@pytest.mark.parametrize("chunk", [0, -1])
def test_a_chunk_that_was_never_written_is_no_black(tmp_path, capfd, compression, chunk):
    tall = np.tile(Y, (12, 1)).astype(np.float16)
    path = write(tmp_path / "whole.exr", {"Y": tall}, compression=getattr(OpenEXR, f"{compression}_COMPRESSION"))
    content = bytearray(path.read_bytes())
    assert iq.read_image(path).array.shape == tall.shape
    rows = {"NO": 1, "ZIP": 16, "PXR24": 16}.get(compression, 32)
    chunks = -(-len(tall) // rows)
    # The table of the chunks' places is where the first of them ends.
    first = content.index(b"\0\0", place_of(content, b"screenWindowWidth", b"float") + 4)
    table = next(
        at for at in range(first - 8, first + 40) if content[at : at + 8] == (at + 8 * chunks).to_bytes(8, "little")
    )
    at = table + 8 * (chunk % chunks)
    content[at : at + 8] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(iq.InputError, match="never written"):
        iq.read_image(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ((0, 0, 99_999, 99_999), "100000x100000 = 1e\\+10 pixels, more than"),
        ((0, 0, 9_999, 9_999), "damaged"),
        ((5, 5, 4, 4), "0x0 pixels"),
        ((-(2**31), 0, 2**31 - 1, 3), "more than"),
    ],
)
def test_a_window_that_is_not_there(tmp_path, capfd, corners, words):
    path = write(tmp_path / "window.exr", {"Y": Y})
    content = bytearray(path.read_bytes())
    at = place_of(content, b"dataWindow", b"box2i")
    content[at : at + 16] = np.array(corners, "<i4").tobytes()
    path.write_bytes(content)
    with pytest.raises(iq.InputError, match=words):
        iq.read_image(path)
    assert capfd.readouterr() == ("", "")


def test_a_frame_far_larger_than_its_data_is_not_filled_up(tmp_path):
    path = write(tmp_path / "frame.exr", {"Y": Y}, displayWindow=window(0, 0, 2**14, 2**14))
    assert iq.read_image(path).array.shape == Y.shape


def test_garbled_pixels_are_refused_without_a_word_on_the_terminal(tmp_path, capfd):
    whole = write(tmp_path / "whole.exr", {"RGB": np.round(RGB / 100)}).read_bytes()
    refused = 0
    for _ in range(20):
        content = bytearray(whole)
        at = int(RNG.integers(len(whole) // 2, len(whole) - 8))
        content[at : at + 8] = RNG.bytes(8)
        (tmp_path / "garbled.exr").write_bytes(content)
        try:
            iq.read_image(tmp_path / "garbled.exr")
        except iq.InputError:
            refused += 1
    assert refused
    assert capfd.readouterr() == ("", "")
