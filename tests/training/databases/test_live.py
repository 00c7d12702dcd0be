"""LIVE release 2: five folders in one row of scores, without the copies of the references."""

import numpy as np
import pytest
from scipy import io

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import list_database
from napari_iqmaps.training.databases.manifest import read_manifest


def test_scores_go_to_the_right_images_and_copies_are_dropped(live):
    manifest = read_manifest(live)
    table = manifest.table
    assert (manifest.name, manifest.pristine, len(table)) == ("live", 5, 10)
    assert not table["file"].str.contains("img3").any()
    of_type = {kind: rows["score"].tolist() for kind, rows in table.groupby("type")}
    assert of_type == {
        "jpeg2000": [-2.5, 60], "jpeg": [31, 61], "gaussian_noise": [32, 62], "gaussian_blur": [33, 63],
        "fast_fading": [34, 64],
    }  # fmt: skip
    noisy = table[table["score"] == 62].iloc[0]
    assert noisy["file"].endswith("wn/img2.bmp")
    assert noisy["reference"].endswith("refimgs/monarch.bmp")
    assert noisy["impairment"] == pytest.approx(62 / 112)
    assert table["impairment"].min() == 0  # better than the reference is as good as it
    assert set(table["scene"]) == {"kodak05", "monarch"}


@pytest.mark.parametrize("left", ["refnames_all.mat", "info.txt"])
def test_either_list_of_references_is_enough(left, live):
    whole = list_database(live).table
    (live / "refnames_all.mat").rename(live / "kept.mat")
    if left == "info.txt":
        assert list_database(live).table.equals(whole)
        for path in live.glob("*/info.txt"):
            path.unlink()
        with pytest.raises(InputError, match=r"has 15 scores, and the lists info.txt name 0 images \(jp2k 0, jpeg 0"):
            list_database(live)
    else:
        (live / "kept.mat").rename(live / "refnames_all.mat")
        (live / "wn" / "info.txt").write_text("bikes.bmp img3.bmp 1\nbikes.bmp img1.bmp 1\n")
        listing = list_database(live)
        assert listing.table.equals(whole)
        assert "1 images have another reference in info.txt" in listing.notes[0]


def test_the_whole_database_needs_no_info(live, monkeypatch):
    from napari_iqmaps.training.databases import live as layout

    monkeypatch.setattr(layout, "COUNTS", (3, 3, 3, 3, 3))
    (live / "wn" / "info.txt").write_text("in another form\n")
    assert len(read_manifest(live).table) == 10
    for path in live.glob("*/info.txt"):
        path.unlink()
    assert len(read_manifest(live).table) == 10
    (live / "refnames_all.mat").unlink()
    with pytest.raises(InputError, match="Nothing says which reference jp2k/img1.bmp and 14 more"):
        list_database(live)


def test_counts_are_those_of_the_publication():
    from napari_iqmaps.training.databases.live import COUNTS, TYPES

    assert dict(zip(TYPES, COUNTS, strict=True)) == {
        "jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174,
    }  # fmt: skip
    assert sum(COUNTS) == 982


def test_older_scores_where_there_are_no_realigned_ones(live):
    (live / "dmos_realigned.mat").unlink()
    listing = list_database(live)
    assert (listing.worst, listing.table["score"].iloc[1]) == (100, 31)
    assert "older ones of dmos.mat" in listing.notes[0]


def test_what_cannot_be_read_is_named(live):
    path = live / "dmos_realigned.mat"
    marks = io.loadmat(path)["orgs"]
    cases = [
        ({"dmos": np.zeros((1, 15)), "orgs": marks}, "has no variable dmos_new; it has dmos, orgs"),
        ({"dmos_new": np.zeros((1, 14)), "orgs": marks}, "has 14 scores, 0 of them no numbers, and 15 marks"),
        ({"dmos_new": np.full((1, 15), np.nan), "orgs": marks}, "15 of them no numbers"),
        ({"dmos_new": np.zeros((1, 15)), "orgs": np.ones((1, 15))}, "its own reference"),
        ({"dmos_new": np.full((1, 15), 200.0), "orgs": marks}, "10 scores in .* lie outside"),
    ]
    for variables, message in cases:
        io.savemat(path, variables)
        with pytest.raises(InputError, match=message):
            list_database(live)
    path.write_bytes(b"no matrix")
    with pytest.raises(InputError, match="is not a MATLAB file that can be read"):
        list_database(live)
    path.unlink()
    (live / "jpeg" / "info.txt").write_text("bikes.bmp picture.bmp\n")
    with pytest.raises(InputError, match=r"1 line of .*jpeg/info.txt .* 'bikes.bmp picture.bmp'"):
        list_database(live)
