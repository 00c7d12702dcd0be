"""Labelled pictures are read alike from folders and archives, part by part, and what is wrong is said."""

import io
import tarfile
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.training.machine.pictures import read_pictures, share_of


def coded(value, size=(24, 28), kind="PNG"):
    colours = np.broadcast_to(np.array(value, np.uint8), (*size, 3))
    with io.BytesIO() as file:
        Image.fromarray(np.ascontiguousarray(colours)).save(file, kind)
        return file.getvalue()


FILES = {
    f"{name}/{number:02}.png": coded((40 * number, value, 7))
    for name, value in (("cat", 10), ("dog", 200))
    for number in range(6)
}


def write_folder(path, files=FILES):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_tar(path, files=FILES, above="./train/"):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(above + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path, files=FILES, above="train/"):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(above + name, content)
        archive.writestr(f"__MACOSX/{above}._x.png", b"no picture")
    return path


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "data")


def test_folders_and_archives_of_them_are_read_alike(tmp_path, folder):
    found = read_pictures(folder)
    assert found.names == tuple(FILES)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0] * 6 + [1] * 6
    assert found.pixels.shape == (12, 24, 28, 3)
    assert found.pixels[found.places["dog/03.png"], 5, 9].tolist() == [120, 200, 7]
    others = [
        write_folder(tmp_path / "above" / "train").parent,
        write_tar(tmp_path / "a.tar.gz"),
        write_tar(tmp_path / "b.tgz", above=""),
        write_zip(tmp_path / "c.zip"),
    ]
    for path in others:
        read = read_pictures(path)
        assert read.names == found.names
        assert read.fingerprint == found.fingerprint
    assert read_pictures(write_folder(folder, {"cat/00.png": coded((1, 10, 7))})).fingerprint != found.fingerprint


def test_parts_are_disjoint_whole_and_stay_when_files_are_added(tmp_path, folder):
    ends = (0, 0.3, 0.65, 1)
    parts = [read_pictures(folder, part=part) for part in pairwise(ends)]
    assert sorted(name for part in parts for name in part.names) == sorted(FILES)
    assert all(0.3 <= share_of(name) < 0.65 for name in parts[1].names)
    # The number as anyone can compute it: the first 8 bytes of `printf cat/00.png | sha256sum`.
    assert share_of("cat/00.png") == int("be77b62b0c902e6b", 16) / 2**64
    write_folder(folder, {f"dog/new{number}.png": coded((9, 9, 9)) for number in range(20)})
    later = read_pictures(folder, part=(0.3, 0.65))
    assert set(parts[1].names) <= set(later.names)
    assert {name for name in later.names if "new" not in name} == set(parts[1].names)
    assert later.classes == parts[1].classes
    with pytest.raises(InputError, match="holds none of its 32 pictures"):
        read_pictures(folder, part=(0, 1e-9))
    for wrong in ((0.5, 0.5), (-1, 1), (0, 2), (0.1,), "half"):
        with pytest.raises(InputError, match="two rising numbers"):
            read_pictures(folder, part=wrong)


def test_pictures_are_brought_to_a_size_without_being_stretched(folder):
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[:, 16:48] = 250  # the middle square
    Image.fromarray(wide).save(folder / "cat" / "wide.png")
    with pytest.raises(InputError, match=r"differ in size: cat/00.png has 24x28 pixels and cat/wide.png 32x64"):
        read_pictures(folder)
    found = read_pictures(folder, size=16)
    assert found.size == (16, 16)
    assert found.record()["asked_size"] == 16
    assert found.pixels[found.places["cat/wide.png"]].min() > 225  # cubic interpolation swings
    with pytest.raises(InputError, match="size is 0"):
        read_pictures(folder, size=0)


def test_grey_and_deep_pictures_become_rgb(folder):
    Image.fromarray(np.full((24, 28), 90, np.uint8)).save(folder / "cat" / "grey.png")
    Image.fromarray(np.full((24, 28), 90 * 257, np.uint16)).save(folder / "cat" / "deep.png")
    Image.fromarray(np.full((24, 28, 4), 90, np.uint8)).save(folder / "cat" / "alpha.png")
    found = read_pictures(folder)
    for name in ("grey", "deep", "alpha"):
        assert (found.pixels[found.places[f"cat/{name}.png"]] == 90).all()


def test_broken_files_are_skipped_and_named(folder):
    (folder / "dog" / "00.png").write_bytes(FILES["dog/00.png"][:60])
    (folder / "dog" / "01.png").write_bytes(b"no picture")
    (folder / "dog" / "notes.txt").write_text("no picture either, and no claim to be one")
    found = read_pictures(folder)
    assert found.skipped == ("dog/00.png", "dog/01.png")
    assert len(found) == len(FILES) - 2
    assert found.record()["skipped"] == 2


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"There is no .*none"):
        read_pictures(tmp_path / "none")
    (tmp_path / "text.txt").write_text("")
    with pytest.raises(InputError, match="neither a folder nor an archive"):
        read_pictures(tmp_path / "text.txt")
    (tmp_path / "cut.tar.gz").write_bytes(write_tar(tmp_path / "a.tar.gz").read_bytes()[:300])
    (tmp_path / "cut.zip").write_bytes(b"PK no zip")
    for name in ("cut.tar.gz", "cut.zip"):
        with pytest.raises(InputError, match="is not a whole archive"):
            read_pictures(tmp_path / name)
    one = {name: content for name, content in FILES.items() if name.startswith("cat")}
    with pytest.raises(InputError, match=r"has 1 class folders with pictures \(cat\)"):
        read_pictures(write_folder(tmp_path / "one", one))
    flat = {name.replace("/", "_"): content for name, content in FILES.items()}
    with pytest.raises(InputError, match="has 0 class folders"):
        read_pictures(write_folder(tmp_path / "flat", flat))
    with pytest.raises(InputError, match="None of the 2 files"):
        read_pictures(write_folder(tmp_path / "bad", {"a/1.png": b"x", "b/1.png": b"x"}))


def test_reading_can_be_stopped(folder):
    def stop(done, total):
        assert total == len(FILES)
        raise Cancelled

    with pytest.raises(Cancelled):
        read_pictures(folder, progress=stop)
