"""CSIQ: scores as the published workbook or as text, images in folders or flat."""

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import csiq as layout
from napari_iqmaps.training.databases import list_database
from napari_iqmaps.training.databases.manifest import read_manifest


def test_text_tables(csiq):
    manifest = read_manifest(csiq)
    table = manifest.table
    assert (manifest.name, manifest.best, manifest.worst, len(table)) == ("csiq", 0, 1, 24)
    assert set(table["scene"]) == {"csiq_1600", "csiq_boston"}
    assert set(table["type"]) == {
        "gaussian_noise", "gaussian_blur", "contrast_change", "pink_noise", "jpeg", "jpeg2000",
    }  # fmt: skip
    row = table[table["file"].str.endswith("boston.AWGN.2.png")].iloc[0]
    assert (row["type"], row["impairment"]) == ("gaussian_noise", pytest.approx(0.5))
    path = csiq / "csiq.DMOS.csv"
    tabs = path.read_text().replace(",", "\t")
    path.unlink()
    (csiq / "CSIQ_dmos.txt").write_text(tabs)
    (csiq / "csiq_readme.txt").write_text("about")
    assert read_manifest(csiq).table.equals(table)


def test_a_flat_folder_and_names_in_any_case(csiq):
    for path in list((csiq / "dst_imgs").glob("*/*.png")):
        path.rename(csiq / "dst_imgs" / path.name.lower())
    assert len(read_manifest(csiq).table) == 24


def test_the_workbook_as_published(csiq):
    """Titles over the header, the table off the corner, a sheet for one type first, and a number for a name."""
    openpyxl = pytest.importorskip("openpyxl")
    text = list_database(csiq).table
    lines = [line.split(",") for line in (csiq / "csiq.DMOS.csv").read_text().splitlines()]
    book = openpyxl.Workbook()
    part, sheet = book.active, book.create_sheet("all_by_image")
    for page, rows in ((part, lines[:3]), (sheet, lines)):
        page.cell(2, 2, "CSIQ scores")
        for number, row in enumerate(rows, start=4):
            for column, cell in enumerate(row, start=4):
                page.cell(number, column, float(cell) if cell.replace(".", "").isdecimal() else cell)
        page.cell(len(rows) + 6, 9, 0.5)
    book.save(csiq / "csiq.DMOS.xlsx")
    (csiq / "csiq.DMOS.csv").unlink()
    listing = list_database(csiq)
    assert listing.sources[0].name == "csiq.DMOS.xlsx"
    assert listing.table.equals(text)
    (csiq / "csiq.DMOS.xlsx").write_bytes(b"no workbook")
    with pytest.raises(InputError, match="is not a workbook that can be read"):
        list_database(csiq)


def test_without_openpyxl_a_workbook_asks_for_it_and_text_still_works(csiq, monkeypatch):
    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    (csiq / "csiq.DMOS.xlsx").write_bytes(b"")
    assert len(list_database(csiq).table) == 24
    (csiq / "csiq.DMOS.csv").unlink()
    with pytest.raises(InputError, match=r"needs openpyxl, .* or save the sheet with all images as csiq.DMOS.csv"):
        list_database(csiq)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1600,1,noise,1,0.1,much", "1 line of .* the first is line 26, '1600,noise,1,much'"),
        ("1600,1,sepia,1,0.1,0.2", "the first is line 26"),
        ("1600,1,noise,1.5,0.1,0.2", "the first is line 26"),
        ("1600,1,noise,1,0.1,0.9", "1 images more than one score or reference: 1600.AWGN.1.png"),
        ("1600,1,noise,3,0.1,1.5", r"1 scores in .* lie outside 0 \(best\) .. 1 \(worst\), such as 1.5"),
    ],
)
def test_bad_lines_are_named(line, message, csiq):
    path = csiq / "csiq.DMOS.csv"
    path.write_text(path.read_text() + line + "\n,,,,,\n")
    with pytest.raises(InputError, match=message):
        list_database(csiq)


def test_a_table_without_its_header(csiq):
    path = csiq / "csiq.DMOS.csv"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(InputError, match="no line with the words image, dst_type, dst_lev, dmos"):
        list_database(csiq)
