"""Lists of pairs: in the order of the numbers in names, drawn the same way everywhere, or read from a file."""

import random
from itertools import combinations
from pathlib import Path

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.core.comparison.compare import FilePair, against_first, drawn_pairs, in_order, read_pairs


def files(*numbers):
    return [Path("view") / f"{number}.png" for number in numbers]


def ids(pairs):
    return [(int(pair.moving.stem), int(pair.fixed.stem)) for pair in pairs]


def test_q24_pairs_do_not_depend_on_the_order_of_the_folder():
    # What the notebook draws with its seed when its folder is listed in order, and what it never draws otherwise.
    for listed in ((1, 2, 3, 4), (4, 2, 1, 3)):
        assert ids(drawn_pairs(files(*listed), 3, seed=123)) == [(2, 3), (2, 4), (1, 3)]
    assert ids(drawn_pairs(files(10, 9, 100, 1))) == [(1, 9), (1, 10), (1, 100), (9, 10), (9, 100), (10, 100)]


def test_pairs_are_the_notebooks_for_any_number_of_frames():
    frames = list(range(7, 60))
    expected = list(combinations(frames, 2))
    random.seed(123)
    random.shuffle(expected)
    assert ids(drawn_pairs(files(*frames), 500, seed=123)) == expected[:500]


def test_numbers_and_words_sort_together():
    names = ["b.png", "10.png", "a2_x.png", "a10.png", "2.png", "a.png", "A1.png"]
    ordered = [path.name for path in in_order([Path(name) for name in names])]
    assert ordered == ["2.png", "10.png", "A1.png", "a2_x.png", "a10.png", "a.png", "b.png"]
    assert in_order([Path("b/1.png"), Path("a/1.png")]) == [Path("a/1.png"), Path("b/1.png")]


def test_drawn_pairs_are_distinct_and_no_image_meets_itself():
    pairs = drawn_pairs(files(*range(12)), 40, seed=5)
    assert len(set(pairs)) == 40
    assert all(pair.moving != pair.fixed for pair in pairs)
    assert len({frozenset((pair.moving, pair.fixed)) for pair in pairs}) == 40
    assert pairs == drawn_pairs(files(*range(12)), 40, seed=5)
    assert pairs != drawn_pairs(files(*range(12)), 40, seed=6)


def test_of_very_many_frames_pairs_are_drawn_without_listing_all():
    frames = files(*range(1500))  # 1,124,250 pairs
    pairs = drawn_pairs(frames, 200, seed=1)
    assert len(set(pairs)) == 200
    assert all(first < second for first, second in ids(pairs))
    assert max(first for first, _ in ids(pairs)) > 500


def test_against_the_first_and_too_few():
    assert ids(against_first(files(3, 1, 2))) == [(2, 1), (3, 1)]
    for too_few in ([], files(1)):
        with pytest.raises(InputError, match="A pair needs two images"):
            against_first(too_few)
        with pytest.raises(InputError, match="A pair needs two images"):
            drawn_pairs(too_few, 3)
    with pytest.raises(InputError, match="0 pairs were asked for"):
        drawn_pairs(files(1, 2), 0)


def test_a_list_is_read_relative_to_its_folder(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("\ufeffnote,moving, fixed\nx,a.png,sub/b.png\n,/c.png, a.png\n", encoding="utf-8")
    pairs = read_pairs(path)
    assert pairs == [FilePair(tmp_path / "a.png", tmp_path / "sub/b.png"), FilePair(Path("/c.png"), tmp_path / "a.png")]
    assert str(pairs[0]) == "a.png to b.png"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty. Its first line should name the columns moving, fixed"),
        ("moving,fixed\n", "names no pair"),
        ("a,b\n1,2\n", "lacks the columns moving, fixed; its first line has a, b"),
        ("moving,fixed\na.png\n", "line 2, has 1 cells instead of 2"),
        ("moving,fixed\na.png,b.png\na.png,b.png\n", r"Lines 2 and 3 .* the same pair \(a.png to b.png\)"),
    ],
)
def test_a_list_that_is_none(tmp_path, text, says):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_pairs(path)


def test_a_list_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*none\.csv"):
        read_pairs(tmp_path / "none.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        read_pairs(tmp_path / "image.csv")
