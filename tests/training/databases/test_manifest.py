"""A manifest says what it lacks."""

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases.manifest import pooled, read_manifest


@pytest.fixture
def images(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"not looked at")
    return tmp_path


def test_scores_become_impairment_in_either_direction(images, write_manifest):
    up = read_manifest(write_manifest(images / "up.csv", ["a.png,c.png,28,x,s"], best=0, worst=112))
    down = read_manifest(write_manifest(images / "down.csv", ["a.png,c.png,6,x,s"], best=8, worst=0))
    assert up.table["impairment"].tolist() == down.table["impairment"].tolist() == [0.25]
    assert pooled([up, down])["database"].tolist() == ["up", "down"]


def test_pristine_copies_are_dropped_and_counted(images, write_manifest):
    manifest = read_manifest(write_manifest(images / "m.csv", ["a.png,c.png,1,x,s", "c.png,c.png,0,x,s"]))
    assert (len(manifest.table), manifest.pristine) == (1, 1)


def test_what_is_optional_has_defaults(images, write_manifest):
    path = write_manifest(images / "m.csv", ["a.png,c.png,1"], columns="file,reference,score")
    row = read_manifest(path).table.iloc[0]
    assert (row["type"], row["scene"], row["weight"]) == ("all", "c", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,reference,score\na.png,c.png,1\n", "does not say which score is best and which worst"),
        ("# best: 0\nfile,reference,score\na.png,c.png,1\n", "which score is worst"),
        ("# best: high\n# worst: 1\nfile,reference,score\n", "gives no number"),
        ("# best: 1\n# worst: 1\nfile,reference,score\na.png,c.png,1\n", "best is 1 and worst 1"),
        ("# best: 0\n# worst: 9\nfile,score\na.png,1\n", "lacks the column reference; its first line has file, score"),
        ("# best: 0\n# worst: 9\nfile,reference,score\n", "no rows"),
        ("# best: 0\n# worst: 9\nfile,reference,score\na.png,c.png,10\n", "1 scores .* lie outside 0 .* such as 10"),
        (
            "# best: 0\n# worst: 9\nfile,reference,score\na.png,c.png,high\n",
            "line 4: score is 'high'; it must be a finite number",
        ),
        ("# best: 0\n# worst: 9\nfile,reference,score\na.png,,1\n", "line 4: reference is empty"),
        (
            "# best: 0\n# worst: 9\nfile,reference,score\na.png,c.png,1\nx.png,y.png,2\n",
            "2 of the 4 .* missing: .*x.png",
        ),
        ("# best: 0\n# worst: 9\nfile,reference,score\nc.png,c.png,1\n", "its own reference"),
        ("", "is empty. Its first line should name"),
    ],
)
def test_errors_say_what_is_wrong(images, text, message):
    path = images / "m.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_no_manifest_and_two_of_one_name(images, write_manifest):
    with pytest.raises(InputError, match="no manifest"):
        read_manifest(images / "none.csv")
    with pytest.raises(InputError, match="--data"):
        pooled([])
    one = read_manifest(write_manifest(images / "m.csv", ["a.png,c.png,1,x,s"]))
    with pytest.raises(InputError, match="called m"):
        pooled([one, one])
