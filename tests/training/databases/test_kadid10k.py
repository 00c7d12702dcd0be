"""KADID-10k: the column called dmos rises with quality."""

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import kadid10k as layout
from napari_iqmaps.training.databases import list_database
from napari_iqmaps.training.databases.manifest import read_manifest


def test_higher_is_better_though_the_column_is_called_dmos(kadid10k):
    manifest = read_manifest(kadid10k)
    assert (manifest.best, manifest.worst) == (5, 1)
    table = manifest.table
    weak, strong = (table[table["file"].str.endswith(f"_{level}.png")] for level in ("01", "02"))
    assert weak["score"].tolist() == [4] * 9
    assert weak["impairment"].tolist() == [0.25] * 9
    assert strong["impairment"].tolist() == [0.5] * 9


def test_names_types_and_scenes(kadid10k):
    table = read_manifest(kadid10k).table
    assert set(table["type"]) == {"gaussian_blur", "jpeg2000", "contrast_change"}
    assert set(table["scene"]) == {"kadid10k_I01", "kadid10k_I02", "kadid10k_I81"}
    assert len(set(layout.TYPES)) == len(layout.TYPES) == 25


def test_pristine_rows_are_dropped(kadid10k):
    path = kadid10k / "dmos.csv"
    path.write_text(path.read_text() + "I01.png,I01.png,5,0\n\n")
    listing = list_database(kadid10k)
    assert (listing.pristine, len(listing.table)) == (1, 18)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("I01_01_03.png,I01.png,high,0", "1 line of .* the first is line 20"),
        ("I01_26_01.png,I01.png,3,0", "the first is line 20"),
        ("I01_01_03.png,,3,0", "the first is line 20"),
        ("I01_01_01.png,I01.png,3,0", "more than one score or reference: I01_01_01.png"),
        ("I01_01_03.png,I01.png,0.5,0", "1 scores .* lie outside 5 .* 1 .*such as 0.5"),
        ("a,b,c,d,e,f", "line 20, has 6 cells instead of 4"),
    ],
)
def test_bad_lines_are_named(line, message, kadid10k):
    path = kadid10k / "dmos.csv"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=message):
        list_database(kadid10k)


def test_a_missing_column(kadid10k):
    path = kadid10k / "dmos.csv"
    path.write_text(path.read_text().replace("ref_img", "reference"))
    with pytest.raises(InputError, match="lacks the column ref_img; its first line has dist_img, reference, dmos, var"):
        list_database(kadid10k)
