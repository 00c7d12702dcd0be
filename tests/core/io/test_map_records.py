"""The record of a map is whole and fits its values, or the map is refused by what is wrong with it."""

import json
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core.io import map_file

VALUES = np.linspace(1, 20, 24 * 30, dtype=np.float32).reshape(24, 30)
RECORD = map_file.record_of(iq.QualityMap(VALUES, "threshold", 10.5, {"model": "contrast", "version": "0"}))


def written(path, record, values=VALUES, **options):
    """Write values with a record, as `write_map` does; a text is written as the description itself."""
    if isinstance(record, str):
        tifffile.imwrite(path, values, description=record, metadata=None, **options)
    else:
        axes = "Q" * (values.ndim - 2) + "YX"
        tifffile.imwrite(path, values, **{"metadata": {"axes": axes, "napari_iqmaps": record}, **options})
    return path


def without(*names):
    return {name: value for name, value in RECORD.items() if name not in names}


def test_the_record_of_these_tests_is_one(tmp_path):
    quality_map = iq.read_map(written(tmp_path / "m.tif", RECORD))
    np.testing.assert_array_equal(quality_map.values, VALUES)
    assert quality_map.score == 10.5


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (without("info"), "lacks info"),
        (without("score"), "lacks score"),
        (without("kind"), "lacks kind"),
        (without("unit"), "lacks unit"),
        (without("info", "score", "unit", "kind"), "lacks kind"),
        (without("format"), "in format None"),
        (RECORD | {"format": True}, "in format True"),
        (RECORD | {"format": "1"}, "in format '1'"),
        (RECORD | {"format": 2}, "in format 2, .* Install the newer"),
        (RECORD | {"kind": ["threshold"]}, "kind is .* must be a text"),
        (RECORD | {"kind": "beauty"}, "kind 'beauty'"),
        (RECORD | {"kind": None}, "kind is None"),
        (RECORD | {"info": [1]}, r"info is \[1\]; it must be an object"),
        (RECORD | {"info": "text"}, "info is 'text'"),
        (RECORD | {"info": None}, "info is None"),
        (RECORD | {"unit": 5}, "unit is 5"),
        (RECORD | {"score": "10.5"}, "score is '10.5'; it must be a number"),
        (RECORD | {"score": True}, "score is True"),
        (RECORD | {"score": {"a": 1}}, "score is .* must be a number"),
        (RECORD | {"score": [[1, 2], [3]]}, "as many numbers for each plane"),
        (RECORD | {"score": [1, [2, 3]]}, "as many numbers for each plane"),
        (RECORD | {"score": ["a", None]}, "score is"),
        (RECORD | {"score": 10**400}, "score is a number|score is 10+"),
        (RECORD | {"score": float("nan")}, "holds NaN, which is no number"),
        (RECORD | {"info": {"a": float("inf")}}, "holds Infinity"),
        (RECORD | {"info": {"data_range": ["low", "high"]}}, "data_range is .* 2 finite numbers"),
        (RECORD | {"info": {"data_range": [0, 1, 2]}}, "data_range is .* 2 finite numbers"),
        (RECORD | {"info": {"pixels_per_degree": "many"}}, "pixels_per_degree is 'many'"),
        (RECORD | {"info": {"not_enough_evidence": 5}}, "not_enough_evidence is 5"),
        (RECORD | {"info": {"notes": "one"}}, "notes is 'one'; it must be a list of texts"),
        (RECORD | {"info": {"encoding": "srgb"}}, "lacks luminance"),
        (RECORD | {"info": {"observer": {}}}, "observer is {}"),
        (RECORD | {"info": {"median": 1.5}}, "median is 1.5"),
        ([1, 2], "should be an object with named fields"),
        ("text", "should be an object with named fields"),
        (5, "should be an object with named fields"),
        ('{"napari_iqmaps": ' + '{"a":' * 20_000, "nested more than 50 deep"),
        ('{"napari_iqmaps": ' + "[" * 60 + "]" * 60 + "}", "nested more than 50 deep"),
        ('{"napari_iqmaps": {"format": 1', "is not JSON"),
        ('{"napari_iqmaps": {}, "napari_iqmaps": {}}', "names 'napari_iqmaps' twice"),
        ('{"napari_iqmaps": {}}', "no record of kind and score"),
        ('["napari_iqmaps"]', "no record of kind and score"),
        ("made with napari_iqmaps", "no record of kind and score"),
        (json.dumps({"napari_iqmaps": None}), "no record of kind and score"),
        ({"version": "0", "info": {}}, "no record of kind and score"),
    ],
)
def test_a_damaged_record_is_named_and_counts_for_none(record, message, tmp_path):
    if isinstance(record, str) and not record.startswith(("{", "[")) and "made" not in record:
        record = json.dumps({"napari_iqmaps": record})
    path = written(tmp_path / "m.tif", record)
    with pytest.raises(iq.InputError, match=message):
        iq.read_map(path)
    found = map_file.read_record(path)
    assert found is None or "format" not in found


@pytest.mark.parametrize("change", ["uint16", "float64", "other shape", "more planes", "one plane", "colours"])
def test_values_that_another_program_has_changed_are_refused(change, tmp_path):
    path = tmp_path / "m.tif"
    if change == "other shape":
        written(path, RECORD | {"score": [1.0, 2.0, 3.0]}, np.stack([VALUES] * 2))
    elif change == "one plane":
        written(path, RECORD | {"score": [10.5]})
    elif change == "more planes":
        written(path, RECORD, np.stack([VALUES] * 2))
    elif change == "colours":
        written(path, RECORD, np.stack([VALUES] * 3, axis=-1), photometric="rgb",
                metadata={"axes": "YXS", "napari_iqmaps": RECORD})  # fmt: skip
    else:
        written(path, RECORD, VALUES.astype(change))
    with pytest.raises(iq.InputError, match="It was changed by another program: compute the map anew"):
        iq.read_map(path)


def test_a_description_of_another_program_does_not_hide_the_record(tmp_path):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, VALUES, description="sharpened", metadata={"axes": "YX", "napari_iqmaps": RECORD})
    assert map_file.read_record(path)["kind"] == "threshold"
    assert iq.read_map(path).score == 10.5


# --- pictures of maps


def png_with(path, *chunks):
    """Write a PNG with further chunks behind its header."""
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    data = path.read_bytes()
    more = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    path.write_bytes(data[:33] + more + data[33:])
    return path


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"zTXt", b"napari_iqmaps\0\0" + zlib.compress(b"[" * 70_000_000))],
        [(b"iTXt", b"napari_iqmaps\0\1\0\0\0" + zlib.compress(b"{" * 1_000_000))],
        [(b"zTXt", b"napari_iqmaps\0\0" + b"no deflate")],
        [(b"zTXt", b"napari_iqmaps\0\7")],
        [(b"tEXt", b"napari_iqmaps\0" + b"[" * 20_000)],
        [(b"tEXt", b"napari_iqmaps\0[1]")],
        [(b"tEXt", b'napari_iqmaps\0{"format": 1}')],
        [(b"tEXt", b'napari_iqmaps\0{"info": [1]}')],
        [(b"tEXt", b"napari_iqmaps")],
        [(b"tEXt", b'napari_iqmaps\0{}, "other": {}')],
        [(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 900_000))] * 8,
    ],
    ids=range(11),
)
def test_a_damaged_text_of_a_picture_counts_for_none(chunks, tmp_path):
    found = map_file.read_record(png_with(tmp_path / "m.png", *chunks))
    assert found in (None, {})


def test_a_picture_of_many_pixels_is_looked_at_without_them(tmp_path):
    path = png_with(tmp_path / "m.png", (b"tEXt", b'napari_iqmaps\0{"info": {"a": 1}}'))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    assert map_file.read_record(path) == {"info": {"a": 1}}


@pytest.mark.parametrize("content", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"\x89PNG\r\n\x1a\n", b"\0" * 100])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".TIFF"])
def test_what_is_no_map_has_no_record(content, suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    assert map_file.read_record(path) is None
    assert map_file.read_record(tmp_path) is None
    assert map_file.read_record(tmp_path / ("n" * 300 + suffix)) is None
    with pytest.raises(iq.InputError):
        iq.read_map(path)
