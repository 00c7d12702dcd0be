"""The dry run says what is there and what is not, and reads no image."""

import json

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.databases import list_database
from napari_iqmaps.training.databases.survey import in_words, is_complete, survey


@pytest.fixture
def manifests(tmp_path, write_manifest):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(b"not looked at")
    first = ["a.png,c.png,28,jpeg,kodak05", "b.png,c.png,120,blur,kodak05", "c.png,c.png,0,,kodak05"]
    second = ["a.png,c.png,3,jpeg,kodak05", "x.png,y.png,4,jpeg,s2", "b.png,y.png,4,jpeg,s2", "b.png,c.png,5,jpeg,s3"]
    return [
        list_database(write_manifest(tmp_path / "one.csv", [row.replace(",,", ",x,") for row in first], worst=120)),
        list_database(write_manifest(tmp_path / "two.csv", second, best=9, worst=1)),
    ]


def test_all_is_counted(manifests):
    found = survey(manifests)
    one, two = found["databases"]
    assert (one["images"], one["references"], one["scenes"], one["pristine"]) == (2, 1, 1, 1)
    assert one["types"] == {"jpeg": 1, "blur": 1}
    assert one["score"] == {
        "measure": "score", "best": 0, "worst": 120, "higher_is_better": False, "lowest": 28, "highest": 120,
    }  # fmt: skip
    assert two["missing"]["files"] == 2
    assert two["missing"]["images_without"] == 2
    assert [name.rpartition("/")[2] for name in two["missing"]["first"]] == ["x.png", "y.png"]
    assert two["notes"] == ["1 rows name an image that another row names too; all of them count"]
    assert found["shared_scenes"] == {"kodak05": ["one", "two"]}
    assert (is_complete(survey(manifests[:1])), is_complete(found)) == (True, False)
    assert json.loads(json.dumps(found)) == found


def test_words(manifests):
    text = "\n".join(in_words(survey(manifests)))
    assert "one: CSV in " in text
    assert "types     2: jpeg 1, blur 1" in text
    assert "score, higher is better: 9 best, 1 worst; found 3 to 5" in text
    assert "missing   2 files, needed by 2 images: " in text
    assert text.endswith("shared scenes: 1 (kodak05)")
    with pytest.raises(InputError, match="called one"):
        survey([manifests[0]] * 2)
