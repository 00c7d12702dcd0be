"""Tables of matched points: reading, writing, sizes, and a matrix from them."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.images import as_pair
from napari_iqmaps.core.registration.matches import propose_matches

SIZES = {"moving_shape": (400, 500), "fixed_shape": (400, 500)}
PRINTED = "10 20.5 11 22 3.25 0\n100 40 101.5 42 2.5 7\n"
EXPECTED = [[10, 20.5, 11, 22], [100, 40, 101.5, 42]]


def columns(table):
    return np.hstack([table.moving_points, table.fixed_points])


@pytest.mark.parametrize(
    "text",
    [
        PRINTED,
        PRINTED.replace(" ", "\t") + "\n\n",
        "x_1 y_1 x_2 y_2 score index\n" + PRINTED,
        ",x_1,y_1,x_2,y_2,score,index\n0,10,20.5,11,22,3.25,0\n1,100,40,101.5,42,2.5,7\n",
        "0,10,20.5,11,22,3.25,0\n1,100,40,101.5,42,2.5,7\n",
        "index;x_2;y_2;x_1;y_1;score\n0;11;22;10;20.5;3.25\n7;101.5;42;100;40;2.5\n",
        "\ufeff" + PRINTED,
    ],
    ids=["printed", "tabs", "header", "pandas", "numbered", "other order", "byte order mark"],
)
def test_every_form_of_the_table_is_read(text, tmp_path):
    path = tmp_path / "matches.csv"
    path.write_text(text, encoding="utf-8")
    table = iq.MatchTable.read(path, **SIZES)
    np.testing.assert_array_equal(columns(table), EXPECTED)
    np.testing.assert_array_equal(table.score, [3.25, 2.5])
    np.testing.assert_array_equal(table.index, [0, 7])
    assert table.moving_shape == (400, 500)


def test_points_alone_have_no_score(tmp_path):
    path = tmp_path / "points.txt"
    path.write_text("1 2 3 4\n5 6 7 8\n")
    table = iq.read_deepmatching(path, **SIZES)
    assert np.isnan(table.score).all()
    assert table.index.tolist() == [0, 1]


def test_what_is_written_is_read_back_with_its_sizes(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 400, (2, 30, 2))
    table = iq.MatchTable.of(*points, moving_shape=(480, 640), fixed_shape=(500, 400), score=[*range(29), np.nan])
    path = table.to_csv(tmp_path / "matches.csv")
    again = iq.MatchTable.read(path)
    np.testing.assert_array_equal(columns(again), columns(table))
    np.testing.assert_array_equal(again.score, table.score)
    assert (again.moving_shape, again.fixed_shape) == ((480, 640), (500, 400))
    assert [file.name for file in tmp_path.iterdir()] == ["matches.csv"]


def test_pandas_reads_it_as_the_notebook_did(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = iq.MatchTable.of([[1, 2]], [[3, 4]], moving_shape=(9, 9), fixed_shape=(9, 9), score=[0.5])
    frame = pandas.read_csv(table.to_csv(tmp_path / "m.csv"), index_col=0)
    assert frame[["x_1", "y_1", "x_2", "y_2", "score", "index"]].to_numpy().tolist() == [[1, 2, 3, 4, 0.5, 0]]
    frame.to_csv(tmp_path / "again.csv")
    assert len(iq.MatchTable.read(tmp_path / "again.csv")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3 4 5 6\n1 2 3\n", "line 2, has 3 values instead of 6. Is the file complete"),
        ("1 2 3 4 5 6\n1 2 3 4 x 6\n", "line 2, holds what is no number"),
        ("1 2 3 4 5 6\n1 nan 3 4 5 6\n", "line 2, has a point without a number"),
        ("a b c\n1 2 3\n", "line 1, is neither numbers nor a header with x_1"),
        ("1 2 3\n", "has 3 columns; matches have 4 to 7"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text, message, tmp_path):
    path = tmp_path / "matches.txt"
    path.write_text(text)
    with pytest.raises(iq.InputError, match=message):
        iq.read_deepmatching(path, **SIZES)


def test_files_that_are_none(tmp_path):
    with pytest.raises(iq.InputError, match="There is no file"):
        iq.read_deepmatching(tmp_path / "missing.csv", **SIZES)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(iq.InputError, match="is no text"):
        iq.read_deepmatching(tmp_path / "picture.png", **SIZES)


def test_sizes_are_never_guessed(tmp_path):
    path = tmp_path / "matches.txt"
    path.write_text(PRINTED)
    with pytest.raises(iq.InputError, match="Give moving_shape and"):
        iq.read_deepmatching(path)
    table = iq.read_deepmatching(path, **SIZES)
    table.to_csv(path)
    with pytest.raises(iq.InputError, match="moving image has 400x500 pixels, not 200x250"):
        iq.read_deepmatching(path, moving_shape=(200, 250), fixed_shape=(400, 500))


def shifted_matches(shift, count=40, outliers=0, shape=(400, 500)):
    rng = np.random.default_rng(1)
    points = rng.uniform(20, 380, (count, 2))
    ends = points + shift
    ends[:outliers] = rng.uniform(0, 400, (outliers, 2))
    return iq.MatchTable.of(points, ends, moving_shape=shape, fixed_shape=shape)


def pair_of(*shape):
    rng = np.random.default_rng(2)
    return as_pair(*rng.integers(0, 256, (2, *shape)).astype(np.uint8))


@pytest.mark.parametrize("transform", ["homography", "affine", "euclidean", "translation"])
def test_a_matrix_comes_from_the_matches_that_agree(transform):
    table = shifted_matches((10, -4), outliers=12)
    (candidate,) = propose_matches(pair_of(400, 500), Options(matches=table, transform=transform))
    corner = candidate.matrix @ [499, 399, 1]
    np.testing.assert_allclose(corner[:2] / corner[2], [509, 395], atol=0.1)
    assert candidate.n_matches == 40
    assert 28 <= candidate.inliers == len(candidate.moving_points) <= 30


def test_q25_matches_of_the_full_size_serve_an_image_of_half_the_size():
    table = shifted_matches((10, 0))
    (candidate,) = propose_matches(pair_of(200, 250), Options(matches=table, transform="translation"))
    np.testing.assert_allclose(candidate.matrix[:2, 2], [5, 0], atol=1e-6)
    # S H inv(S), with S = diag(s, s, 1), for a shift; the half pixel of resizing by areas cancels.
    scale = np.diag([0.5, 0.5, 1])
    shift = np.array([[1, 0, 10], [0, 1, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(candidate.matrix, scale @ shift @ np.linalg.inv(scale), atol=1e-6)


def test_rescaling_keeps_corners_on_corners():
    table = iq.MatchTable.of([[-0.5, -0.5]], [[499.5, 399.5]], **SIZES)
    half = table.rescaled(moving_shape=(200, 250), fixed_shape=(133, 167))
    np.testing.assert_allclose(half.moving_points, [[-0.5, -0.5]])
    np.testing.assert_allclose(half.fixed_points, [[166.5, 132.5]])


def test_matches_of_a_cropped_image_are_refused():
    with pytest.raises(iq.InputError, match="moving image of 400x500 pixels, and this one has 400x400"):
        propose_matches(pair_of(400, 400), Options(matches=shifted_matches((1, 1))))


def test_q20_too_few_or_degenerate_points_are_a_reason_not_a_crash():
    few = shifted_matches((1, 1), count=3)
    (candidate,) = propose_matches(pair_of(400, 500), Options(matches=few))
    assert candidate.matrix is None
    assert "3 matched points" in candidate.reason
    line = np.stack([np.arange(10.0, 60, 5)] * 2, axis=1)
    (candidate,) = propose_matches(pair_of(400, 500), Options(matches=iq.MatchTable.of(line, line + 3, **SIZES)))
    assert candidate.matrix is None
    assert "line" in candidate.reason


def test_matches_must_be_given_as_a_table():
    with pytest.raises(iq.InputError, match="needs matches=, a MatchTable.*It is NoneType"):
        propose_matches(pair_of(400, 500), Options())


def test_a_table_is_checked():
    with pytest.raises(iq.InputError, match=r"differ in length \(moving, fixed, score, index: 1, 2, 1, 1\)"):
        iq.MatchTable.of([[1, 2]], [[1, 2], [3, 4]], **SIZES)
    with pytest.raises(iq.InputError, match="NaN or infinite"):
        iq.MatchTable.of([[1, np.nan]], [[1, 2]], **SIZES)
    with pytest.raises(iq.InputError, match="moving_shape is .5,.; give 2 values"):
        iq.MatchTable.of([[1, 2]], [[1, 2]], moving_shape=(5,), fixed_shape=(5, 5))


def test_an_empty_table_is_a_table(tmp_path):
    empty = iq.MatchTable.of(np.zeros((0, 2)), np.zeros((0, 2)), **SIZES)
    assert len(iq.MatchTable.read(empty.to_csv(tmp_path / "none.csv"), **SIZES)) == 0
    assert (tmp_path / "none.csv").read_text().startswith(",x_1,y_1")
