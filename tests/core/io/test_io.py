"""Maps as files: what is written comes back, whole or not at all."""

import json
import os
import stat
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core import io
from napari_iqmaps.core.io import map_file
from napari_iqmaps.core.io.atomic import written_whole

RNG = np.random.default_rng(3)
INFO = {
    "model": "contrast",
    "weights": "contrast",
    "weights_sha256": "00" * 32,
    "stride": 4,
    "data_range": (0.0, 255.0),
    "version": iq.__version__,
    "nested": {"list": (1, (2, 3)), "text": "Größe"},
}


def a_map(shape=(30, 50), kind="visibility", **info):
    values = RNG.random(shape, dtype=np.float32)
    values[..., 3:6, 4:9] = np.nan
    score = np.nanmean(values, axis=(-2, -1))
    return iq.QualityMap(values, kind, float(score) if score.ndim == 0 else score, INFO | info)


def same(first, second):
    np.testing.assert_array_equal(first.values, second.values)
    assert first.values.dtype == np.float32
    assert first.kind == second.kind
    np.testing.assert_array_equal(first.score, second.score)
    assert type(first.score) is type(second.score)
    assert dict(first.info) == dict(second.info)


@pytest.mark.parametrize("shape", [(30, 50), (4, 30, 50), (2, 3, 30, 50), (1, 30, 50), (1, 1), (1, 40)])
@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF"])
def test_tiff_round_trip(tmp_path, shape, suffix):
    quality_map = a_map(shape)
    path = io.write_map(quality_map, tmp_path / f"map{suffix}")
    same(io.read_map(path), quality_map)


def test_a_real_map_comes_back_equal(tmp_path):
    image = RNG.integers(0, 256, (40, 60), dtype=np.uint8)
    quality_map = iq.threshold_map(image, model="contrast")
    same(iq.read_map(iq.write_map(quality_map, tmp_path / "map.tif")), quality_map)


def test_no_score_comes_back_as_nan(tmp_path):
    quality_map = iq.QualityMap(np.full((2, 5, 6), np.nan, np.float32), "visibility", np.array([np.nan, np.nan]), {})
    back = io.read_map(io.write_map(quality_map, tmp_path / "map.tif"))
    same(back, quality_map)
    assert "no valid pixel" in back.sentence()


def test_other_programs_read_values_shape_and_record(tmp_path):
    quality_map = a_map((4, 30, 50))
    path = io.write_map(quality_map, tmp_path / "map.tif")
    np.testing.assert_array_equal(tifffile.imread(path), quality_map.values)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        assert not file.is_bigtiff
        record = json.loads(page.description)["napari_iqmaps"]
    assert record["kind"] == "visibility"
    assert record["unit"] == "probability"
    assert record["version"] == iq.__version__
    assert record["info"]["nested"]["text"] == "Größe"


def test_bigtiff_when_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(map_file, "CLASSIC_LIMIT", 1000)
    quality_map = a_map()
    path = io.write_map(quality_map, tmp_path / "map.tif")
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
    same(io.read_map(path), quality_map)


def test_a_lazy_map_is_computed(tmp_path):
    da = pytest.importorskip("dask.array")
    image = RNG.integers(0, 256, (2, 40, 60), dtype=np.uint8)
    lazy = iq.threshold_map(da.from_array(image, chunks=(1, 20, 30)), model="contrast")
    back = io.read_map(io.write_map(lazy, tmp_path / "map.tif"))
    np.testing.assert_allclose(back.values, iq.threshold_map(image, model="contrast").values, rtol=1e-5)


def test_suffixes_are_named(tmp_path):
    for name in ("map.jpg", "map", "map.npy"):
        with pytest.raises(iq.InputError, match=r"\.tif.*\.png"):
            io.write_map(a_map(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# --- whole or not at all


def test_missing_folder_and_folder_as_file(tmp_path):
    with pytest.raises(iq.InputError, match="folder .*nowhere.* does not exist"):
        io.write_map(a_map(), tmp_path / "nowhere" / "map.tif")
    (tmp_path / "map.tif").mkdir()
    with pytest.raises(iq.InputError, match="is a folder"):
        io.write_map(a_map(), tmp_path / "map.tif")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("bug")])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error, suffix):
    path = io.write_map(a_map(), tmp_path / f"map{suffix}")
    before = path.read_bytes()

    def fail_halfway(target, *_args, **_kwargs):
        with open(target, "wb") as file:  # noqa: PTH123 - the writers get a path or a name
            file.write(b"half")
        raise error

    monkeypatch.setattr("tifffile.imwrite", fail_halfway)
    monkeypatch.setattr("PIL.Image.Image.save", lambda _self, target, *_args, **_kwargs: fail_halfway(target))
    expected, reason = type(error), None
    if isinstance(error, OSError):
        expected, reason = iq.InputError, "No space left.*nothing there has changed"
    with pytest.raises(expected, match=reason):
        io.write_map(a_map(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="rights and links of Unix")
def test_rights_are_those_of_any_new_file_and_links_are_followed(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    path = io.write_map(a_map(), tmp_path / "map.tif")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    link = tmp_path / "link.tif"
    link.symlink_to(path)
    newer = a_map()
    io.write_map(newer, link)
    assert link.is_symlink()
    same(io.read_map(path), newer)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user without all rights")
def test_a_folder_without_rights_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(iq.InputError, match="Permission denied"):
        io.write_map(a_map(), tmp_path / "map.tif")
    tmp_path.chmod(0o700)


def test_what_is_being_written_has_another_name(tmp_path):
    with written_whole(tmp_path / "map.tif") as part:
        assert part.parent == tmp_path
        assert part.suffix == ".part"
        part.touch()
        assert not (tmp_path / "map.tif").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


# --- what is not a map


def test_read_map_refuses_by_name(tmp_path):
    with pytest.raises(iq.InputError, match="There is no file"):
        io.read_map(tmp_path / "nothing.tif")
    picture = tmp_path / "picture.tif"
    tifffile.imwrite(picture, np.zeros((9, 9), np.uint8))
    with pytest.raises(iq.InputError, match="no record.*read_image"):
        io.read_map(picture)
    text = tmp_path / "text.tif"
    text.write_text("text")
    with pytest.raises(iq.InputError, match="no record"):
        io.read_map(text)
    coloured = io.write_map(a_map(), tmp_path / "map.png")
    with pytest.raises(iq.InputError, match=r"picture of a map.*TIFF"):
        io.read_map(coloured)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_map_is_refused(tmp_path, kept):
    path = io.write_map(a_map((6, 40, 50)), tmp_path / "map.tif")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(iq.InputError, match="damaged or was cut short"):
        io.read_map(path)


def test_a_map_of_a_later_version_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(map_file, "_FORMAT", 2)
    path = io.write_map(a_map(), tmp_path / "map.tif")
    monkeypatch.undo()
    with pytest.raises(iq.InputError, match="format 2.*Install the newer"):
        io.read_map(path)


def test_records_are_read_without_pixels_from_tiff_and_png(tmp_path):
    quality_map = a_map()
    for suffix in (".tif", ".png"):
        record = map_file.read_record(io.write_map(quality_map, tmp_path / f"map{suffix}"))
        assert record["info"]["weights_sha256"] == "00" * 32
        assert record["score"] == pytest.approx(quality_map.score)
    Image.new("L", (4, 4)).save(tmp_path / "plain.png")
    assert map_file.read_record(tmp_path / "plain.png") is None
    assert map_file.read_record(tmp_path / "nothing.png") is None
