"""TID2013: names in any case, MOS that rises with quality, Kodak's scenes."""

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import list_database, tid2013
from napari_iqmaps.training.databases.manifest import read_manifest


def test_all_images_are_found_whatever_their_case(tid2013):
    manifest = read_manifest(tid2013)
    table = manifest.table
    assert (manifest.name, manifest.measure, len(table)) == ("tid2013", "MOS", 18)
    assert set(table["scene"]) == {"kodak01", "kodak16", "tid2013_25"}
    assert set(table["type"]) == {"gaussian_noise", "jpeg", "sparse_sampling"}
    row = table[table["file"].str.endswith("i25_24_2.bmp")].iloc[0]
    assert row["reference"].endswith("i25.bmp")
    assert row["score"] == pytest.approx(1.25)


def test_higher_is_better_and_the_highest_score_is_the_best(tid2013):
    path = tid2013 / "mos_with_names.txt"
    path.write_text(path.read_text().replace("4.01000 I01_01_1", "8.00000 I01_01_1"))
    table = read_manifest(tid2013).table.set_index("score")["impairment"]
    assert table[8.0] == 0
    assert table[1.01].iloc[0] == pytest.approx(1 - 1.01 / 7.21429)
    path.write_text("9.5 i01_01_1.bmp\n")
    with pytest.raises(InputError, match=r"1 scores in .* lie outside .* such as 9\.5"):
        list_database(tid2013)


def test_there_are_24_types_each_once():
    assert len(set(tid2013.TYPES)) == len(tid2013.TYPES) == 24
    assert [tid2013.TYPES[number - 1] for number in (1, 8, 10, 11, 19)] == [
        "gaussian_noise", "gaussian_blur", "jpeg", "jpeg2000", "multiplicative_noise",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("much I01_01_1.bmp", "1 line .* the first is line 19, 'much I01_01_1.bmp'. A line should be like '5.51429"),
        ("nan I01_01_1.bmp", "the first is line 19"),
        ("5.5", "the first is line 19"),
        ("5.5 photo.bmp", "the first is line 19"),
        ("5.5 I01_25_1.bmp", "beyond 24, such as I01_25_1.bmp"),
        ("5.5 i01_01_1.bmp", "gives 1 images more than one score or reference: i01_01_1.bmp"),
    ],
)
def test_bad_lines_are_named(line, message, tid2013):
    path = tid2013 / "mos_with_names.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=message):
        list_database(tid2013)


def test_repeated_lines_count_once(tid2013):
    path = tid2013 / "mos_with_names.txt"
    path.write_text(path.read_text() * 2)
    listing = list_database(tid2013)
    assert len(listing.table) == 18
    assert "18 rows of mos_with_names.txt repeat another row" in listing.notes[0]
