"""Each fold starts from a first stage that fits, and where types are left out, nothing of them is learnt from."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from napari_iqmaps import InputError, WeightsError
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.evaluation.quality import types_seen
from napari_iqmaps.training.evaluation.starts import header_of, is_unseen, start_for, twins_of, without
from napari_iqmaps.training.quality.bank import ScoreBank
from napari_iqmaps.training.quality.pairs import draw


@pytest.fixture(scope="module")
def starts(first_stage, tmp_path_factory):
    """Both networks' first stages, and two more that left types out."""
    folder = tmp_path_factory.mktemp("starts")
    made = {network: header_of(path) for network, path in first_stage.items()}
    for name, network, left_out in (
        ("noise", "diqa", "gaussian_noise, speckle_noise"),
        ("jpeg", "deepbqa", "jpeg"),
    ):
        path = folder / f"{name}.safetensors"
        save_file(load_file(first_stage[network]), path, metadata={"network": network, "left_out": left_out})
        made[name] = header_of(path)
    return made


def test_a_start_knows_what_it_has_not_seen(starts, tmp_path):
    assert starts["diqa"].left_out == frozenset()
    assert starts["noise"].left_out == {"gaussian_noise", "speckle_noise"}
    assert starts["deepbqa"].serves("diqa")
    assert not starts["diqa"].serves("deepbqa")
    with pytest.raises(WeightsError, match="neither a registered name"):
        header_of(tmp_path / "none.safetensors")


def test_the_start_that_has_not_seen_the_types_is_taken(starts):
    everything = list(starts.values())
    assert start_for("diqa", everything) is starts["diqa"]
    assert start_for("deepbqa", everything) is starts["deepbqa"]
    assert start_for("diqa", everything, ("gaussian_noise", "multiplicative_noise")) is starts["noise"]
    assert start_for("diqa", everything, ("jpeg",)) is starts["jpeg"]
    assert start_for("diqa", everything, ("gaussian_blur",)) is starts["diqa"]
    assert start_for("diqa", [starts["deepbqa"]]) is starts["deepbqa"]
    assert not is_unseen(("jpeg", "gaussian_noise"), starts["jpeg"])
    with pytest.raises(InputError, match=r"no first stage for deepbqa.*diqa.safetensors \(diqa\)"):
        start_for("deepbqa", [starts["diqa"]])


def test_twins_are_those_of_the_bank():
    assert twins_of(["multiplicative_noise"]) == {"gaussian_noise", "speckle_noise", "shot_noise", "chroma_noise"}
    assert twins_of(["jpeg"]) == {"jpeg"}
    assert "multiplicative_noise" not in twins_of(["gaussian_noise"])


def test_photographs_of_left_out_kinds_are_taken_out(photographs, scored, first_stage, score_recipe):
    recipe = score_recipe(variants=6, pseudo_variants=6, hold_out=0)
    bank = ScoreBank(recipe, first_stage["diqa"], scored[:1], photographs)
    drawn = [draw(recipe.seed, path.name, variant) for path in photographs for variant in range(6)]
    names = {drawn[1].steps[0][0], drawn[-1].steps[0][0]}
    before = copy.deepcopy(bank.distorted_visibility)
    made = without(bank, photographs, names)
    stays = np.array([names.isdisjoint(name for name, _ in each.steps) for each in drawn])
    assert 0 < stays.sum() < len(stays)
    np.testing.assert_array_equal(made.distorted_visibility, before[stays])
    np.testing.assert_array_equal(made.distorted.vectors(), bank.distorted.vectors()[stays])
    np.testing.assert_array_equal(bank.distorted_visibility, before)
    assert made.scored is bank.scored
    assert made.record["types_left_out"] == sorted(names)


def test_types_that_only_the_second_stage_lacks_are_told(starts, scored, score_recipe):
    manifest = read_manifest(scored[0])
    kinds = manifest.table["type"].replace({"noise": "gaussian_noise", "blur": "jpeg"})
    renamed = replace(manifest, table=manifest.table.assign(type=kinds))
    recipes = [score_recipe("diqa"), score_recipe("deepbqa")]

    def told(*names):
        return types_seen([renamed], recipes, "leave-types-out", [starts[name].path for name in names])

    assert told("deepbqa") == {"diqa": ["gaussian_noise", "jpeg"], "deepbqa": ["gaussian_noise", "jpeg"]}
    assert told("deepbqa", "noise", "jpeg") == {"deepbqa": ["gaussian_noise"]}
    assert types_seen([renamed], recipes, "leave-one-scene-out", [starts["deepbqa"].path]) == {}
