"""No scene is on both sides, whatever database it comes from."""

import pandas as pd
import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.splits import leave_one_scene_out, leave_types_out, scenes_in_folds


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
