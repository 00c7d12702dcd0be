"""Lists of scored images are read right, or refused by the line that is wrong; what they name stays in its folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import io

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import list_database
from napari_iqmaps.training.databases.manifest import read_manifest

HEAD = "# best: 0\n# worst: 100\n"


@pytest.fixture
def images(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"not looked at")
    return tmp_path


def manifest(folder, text, encoding="utf-8"):
    path = folder / "m.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_types_with_a_hash_are_types(images):
    path = manifest(images, f"{HEAD}file,reference,score,type\na.png,c.png,10,noise#1\nb.png,c.png,60,noise#2\n")
    assert read_manifest(path).table["type"].tolist() == ["noise#1", "noise#2"]


def test_names_with_a_hash_are_names(tmp_path):
    (tmp_path / "#1.png").write_bytes(b"")
    (tmp_path / "c#.png").write_bytes(b"")
    found = read_manifest(manifest(tmp_path, f"{HEAD}file,reference,score\n#1.png,c#.png,10\n"))
    assert [Path(name).name for name in found.table.loc[0, ["file", "reference"]]] == ["#1.png", "c#.png"]
    assert found.table.loc[0, "scene"] == "c#"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (f"{HEAD}file,reference,score\na.png,c.png,10.5\n", "utf-8-sig"),
        (f"{HEAD}file,reference,score\na.png,c.png,10.5\n".replace("\n", "\r\n"), "utf-16"),
        ("# best: 0;;\n# worst: 100;;\nfile;reference;score\na.png;c.png;10.5\n", "utf-8"),
        ('"# best: 0",,\n"# worst: 100",,\n"file","reference","score"\n"a.png","c.png","10.5"\n', "utf-8"),
        (f"# made by hand, in parts: 2\n\n{HEAD}\nfile\treference\tscore\n\na.png\tc.png\t10.5\n\n", "utf-8"),
        (f"{HEAD} file , reference , score \n a.png , c.png , 10.5 \n,,\n", "utf-8"),
        (f"{HEAD}score,note,file,reference\n10.5,nan,a.png,c.png\n", "utf-8"),
        (f"{HEAD},file,reference,score\n0,a.png,c.png,1.05e1\n", "utf-8"),
        ("#best:0\n#worst:100\nfile,reference,score\na.png,c.png,10.5", "utf-8"),
    ],
)
def test_the_same_manifest_in_many_forms(text, encoding, images):
    found = read_manifest(manifest(images, text, encoding))
    assert found.table["score"].tolist() == [10.5]
    assert (found.best, found.worst) == (0, 100)
    assert Path(found.table.loc[0, "file"]) == (images / "a.png").resolve()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[" * 20_000, "lacks the columns"),
        ("5", "lacks the columns"),
        ("{}", "lacks the columns"),
        (HEAD, "lacks the columns|is empty"),
        (f"{HEAD}file,reference,score\n", "no rows"),
        (f"{HEAD}file,reference,score\n,,\n", "no rows"),
        (f"{HEAD}file,score,file,reference\na,1,a,b\n", "more than one column file"),
        (f"{HEAD}file,reference,score\na.png,c.png\n", "line 4, has 2 cells instead of 3"),
        (f"{HEAD}file,reference,score\na.png,c.png,1\nb.png,c.png,1,2\n", "line 5, has 4 cells instead of 3"),
        (f"{HEAD}file;reference;score\na.png;c.png;1,5\n", "line 4: score is '1,5'; .* with a point"),
        (f"{HEAD}file,reference,score\na.png,c.png,inf\n", "line 4: score is 'inf'"),
        (f"{HEAD}file,reference,score\na.png,c.png,1e400\n", "line 4: score is '1e400'"),
        (f"{HEAD}file,reference,score\na.png,c.png,1_0\n", "line 4: score is '1_0'"),
        (f"{HEAD}file,reference,score\na.png,c.png,\n", "line 4: score is empty"),
        (f"{HEAD}file,reference,score\n,c.png,1\n", "line 4: file is empty"),
        (f"{HEAD}file,reference,score,weight\na.png,c.png,1,-1\n", "line 4: weight is '-1'"),
        (f"{HEAD}file,reference,score,weight\na.png,c.png,1,heavy\n", "line 4: weight is 'heavy'"),
        (f"{HEAD}file,reference,score,type\na.png,c.png,1,\n", "line 4: type is empty"),
        (f"{HEAD}file,reference,score,scene\na.png,c.png,1,\n", "line 4: scene is empty"),
        (f"{HEAD}file,reference,score\na\0.png,c.png,1\n", "holds a NUL character in line 4"),
        (f'{HEAD}file,reference,score\n"a.png,c.png,1\n', "line 4, cannot be read"),
        (f"{HEAD}file,reference,score\n{'n' * 5000}.png,c.png,1\n", "1 of the 2 images .* missing"),
        ("# best: 0,5\n# worst: 100\nfile,reference,score\na.png,c.png,1\n", "'best: 0,5' gives no number"),
        ("# best: nan\n# worst: 100\nfile,reference,score\na.png,c.png,1\n", "gives no number"),
        ("# best: 1e308\n# worst: -1e308\nfile,reference,score\na.png,c.png,1\n", "give two finite numbers"),
        ("# best: 0\n# best: 1\n# worst: 100\nfile,reference,score\na.png,c.png,1\n", "is there twice"),
    ],
)
def test_a_damaged_manifest_names_the_line(text, message, images):
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(manifest(images, text))
    assert len(str(caught.value)) < 20_000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a named pipe"):
        list_database(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a device"):
        list_database("/dev/zero")
    with pytest.raises(InputError, match="There is no manifest"):
        list_database(tmp_path / ("n" * 300))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="There is no manifest"):
        list_database(tmp_path / "loop")


# --- databases


def kadid(folder, line):
    (folder / "images").mkdir()
    (folder / "dmos.csv").write_text(f"dist_img,ref_img,dmos,var\n{line}\n")
    return folder


@pytest.mark.parametrize("reference", ["../../secret.png", "/etc/passwd", "..", "a/b.png", "a\\b.png"])
def test_a_database_names_no_file_outside_of_its_folders(reference, tmp_path):
    with pytest.raises(InputError, match="line 2"):
        list_database(kadid(tmp_path, f"I01_01_01.png,{reference},3,0"))


@pytest.mark.parametrize("image", ["../../secret", "/etc/passwd", "a/b", ""])
def test_csiq_names_no_file_outside_of_its_folders(image, tmp_path):
    (tmp_path / "src_imgs").mkdir()
    (tmp_path / "dst_imgs").mkdir()
    (tmp_path / "csiq.csv").write_text(f"image,dst_type,dst_lev,dmos\n{image},noise,1,0.5\n")
    with pytest.raises(InputError, match="line 2"):
        list_database(tmp_path)


def live(folder, **variables):
    (folder / "refimgs").mkdir()
    for name in ("jp2k", "jpeg", "wn", "gblur", "fastfading"):
        (folder / name).mkdir()
        (folder / name / "info.txt").write_text("bikes.bmp img1.bmp 0.5\n")
    values = {"dmos": np.arange(5.0), "orgs": np.zeros(5)} | variables
    io.savemat(folder / "dmos.mat", {name: value for name, value in values.items() if value is not None})
    return folder


def test_live_is_read(tmp_path):
    assert len(list_database(live(tmp_path)).table) == 5


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"dmos": np.array(["a"] * 5)}, "not of numbers"),
        ({"dmos": np.arange(5) * 1j}, "not of numbers"),
        ({"dmos": np.array([[1], ["a"]], object)}, "not of numbers"),
        ({"dmos": np.full(5, np.nan)}, "5 of them no numbers"),
        ({"dmos": np.arange(4.0)}, "has 4 scores"),
        ({"orgs": np.array(["x"] * 5)}, "not of numbers"),
        ({"orgs": None}, "no variable orgs"),
        ({"dmos": np.zeros(2_000_000)}, "far more than the scores"),
        ({"dmos": np.array([])}, "scores"),
    ],
)
def test_scores_of_another_type_are_refused(variables, message, tmp_path):
    with pytest.raises(InputError, match=message):
        list_database(live(tmp_path, **variables))


@pytest.mark.parametrize(
    "line",
    ["../x.bmp img1.bmp 0.5", "/etc/passwd img1.bmp 0.5", f"bikes.bmp img{'9' * 5000}.bmp 0.5", "bikes.bmp", "\0"],
)
def test_a_damaged_list_of_live_is_named(line, tmp_path):
    folder = live(tmp_path)
    (folder / "wn" / "info.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"info\.txt"):
        list_database(folder)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\0" * 500, b"[" * 20_000])
def test_a_damaged_matlab_file_is_named(content, tmp_path):
    folder = live(tmp_path)
    (folder / "dmos.mat").write_bytes(content)
    with pytest.raises(InputError, match="is not a MATLAB file that can be read"):
        list_database(folder)
