"""No scene is on both sides, whatever database it comes from."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_iqmaps import InputError
from napari_iqmaps.training.evaluation.protocols import Shares, leave_one_scene_out, leave_types_out, scenes_in_folds


@pytest.fixture
def table():
    kinds = {"live": ("jpeg", "gaussian_noise"), "tid": ("jpeg", "multiplicative_noise", "impulse_noise", "odd")}
    scenes = {"live": ["k1", "k2", "k3", "monarch"], "tid": ["k1", "k2", "k3", "k7", "k8", "k9"]}
    rows = [(db, scene, kind) for db in kinds for scene in scenes[db] for kind in kinds[db] for _ in range(2)]
    return pd.DataFrame(rows, columns=["database", "scene", "type"])


@pytest.mark.parametrize("split", [leave_one_scene_out, scenes_in_folds, leave_types_out])
def test_every_row_is_tested_once_and_no_scene_leaks(table, split):
    folds = split(table)
    for fold in folds:
        assert not set(table["scene"].iloc[fold.train]) & set(table["scene"].iloc[fold.test])
        assert len(fold.train)
    assert sorted(row for fold in folds for row in fold.test) == list(range(len(table)))
    assert len({fold.name for fold in folds}) == len(folds)


def test_left_out_types_are_not_trained_on(table):
    for fold in leave_types_out(table):
        assert not set(table["type"].iloc[fold.train]) & set(table["type"].iloc[fold.test])
    noise = [fold for fold in leave_types_out(table) if "multiplicative" in fold.name]
    assert all("gaussian_noise" not in set(table["type"].iloc[fold.train]) for fold in noise)


def test_shared_scenes_are_dealt_out_evenly(table):
    for fold in scenes_in_folds(table, 3):
        assert set(table["database"].iloc[fold.test]) == {"live", "tid"}


def test_what_cannot_be_split(table):
    with pytest.raises(InputError, match="at least two; there is 1"):
        leave_one_scene_out(table[table["scene"] == "k1"])
    with pytest.raises(InputError, match="2 to 7"):
        scenes_in_folds(table, 8)
    with pytest.raises(InputError, match="two kinds"):
        leave_types_out(table[table["type"] == "jpeg"])


def test_twins_that_are_not_there_leave_no_name(table):
    names = {fold.name for fold in leave_types_out(table[table["type"] != "gaussian_noise"])}
    assert "multiplicative_noise-fold-1" in names


@settings(max_examples=60, deadline=None)
@given(
    held=st.lists(st.sets(st.sampled_from(["live", "tid", "csiq"]), min_size=1), min_size=4, max_size=40),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**31),
)
def test_random_shares_divide_no_scene_and_leave_every_database_on_both_sides(held, share, seed):
    rows = [(database, f"s{n}", "jpeg") for n, databases in enumerate(held) for database in sorted(databases)]
    rows += [(database, f"{database}{n}", "jpeg") for database in ("live", "tid", "csiq") for n in range(2)]
    table = pd.DataFrame(rows, columns=["database", "scene", "type"])
    folds = Shares(3, share, seed).folds(table)
    for fold in folds:
        train, test = table.iloc[fold.train], table.iloc[fold.test]
        assert not set(train["scene"]) & set(test["scene"])
        assert len(train) + len(test) == len(table)
        assert set(train["database"]) == set(test["database"]) == {"live", "tid", "csiq"}
    assert len({fold.name for fold in folds}) == 3
    for fold, again in zip(folds, Shares(4, share, seed).folds(table), strict=False):
        assert fold.test.tolist() == again.test.tolist()


def test_shares_are_as_large_as_asked_for_in_the_mean(table):
    wide = pd.DataFrame([("db", f"s{n}") for n in range(25)], columns=["database", "scene"])
    sizes = [wide["scene"].iloc[fold.test].nunique() for fold in Shares(60, 0.2).folds(wide)]
    assert set(sizes) == {5}
    drawn = {scene for fold in Shares(60, 0.2).folds(wide) for scene in wide["scene"].iloc[fold.test]}
    assert len(drawn) == 25
    assert Shares(1, seed=1).folds(wide)[0].test.tolist() != Shares(1, seed=2).folds(wide)[0].test.tolist()


def test_shares_that_cannot_be(table):
    for wrong, message in (((0,), "0 splits"), ((5, 1.0), "share is 1"), ((5, 0.2, -1), "seed is -1")):
        with pytest.raises(InputError, match=message):
            Shares(*wrong)
    one = table[(table["database"] == "tid") | (table["scene"] == "monarch")]
    with pytest.raises(InputError, match="live has a single scene"):
        Shares().folds(one)
    same = pd.DataFrame([("a", "x"), ("a", "y"), ("b", "y"), ("b", "z"), ("c", "x"), ("c", "z")])
    with pytest.raises(InputError, match="a, b, c could not be divided"):
        Shares(1).folds(same.set_axis(["database", "scene"], axis=1))
