"""The recipe refuses what cannot work, and knows what belongs to which stage."""

import json
from dataclasses import fields

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.training.quality.recipe import BLIND_NETWORKS, QualityConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage1_steps": 0}, "stage1_steps is 0; it has to be at least 1"),
        ({"side": 190}, "side is 190; give a multiple of 4"),
        ({"side": 192, "middle": 128}, "middle is 128, less than the windows' side of 192"),
        ({"side": 64, "crop_cells": 8}, "crop_cells is 8: nothing is left of windows of 64 pixels. Give less than 8"),
        ({"variants_per_step": 4, "variants": 2}, "variants_per_step is 4, more than the 2 variants"),
        ({"error": 0, "visible": 0, "pseudo": 0}, "nothing would be learnt"),
        ({"left_out": ("jpg",)}, "left_out is 'jpg'; choose one of"),
        ({"left_out": "jpeg"}, "left_out is 'jpeg'; give a tuple"),
        ({"network": "pnet"}, "choose one of diqa, deepbqa"),
        ({"averaging": 1.5}, "at most 1"),
        ({"rate": float("inf")}, "give a number"),
    ],
)
def test_recipes_that_cannot_work(changes, message):
    with pytest.raises(InputError, match=message):
        QualityConfig(**changes)


@pytest.mark.parametrize("network", BLIND_NETWORKS)
def test_a_stage_lists_what_counts_in_it(network):
    config = QualityConfig.default(network)
    first, second = config.of_stage(1), config.of_stage(2)
    assert first["network"] == second["network"] == network
    assert first["stage1_steps"] == config.stage1_steps
    assert "stage1_steps" not in second
    assert {"seed", "precision", "crop_cells"} <= set(first) & set(second)
    between = config.of_stage("sensitivity")
    assert between["sensitivity_steps"] == config.sensitivity_steps
    assert set(first) | set(between) | set(second) == {entry.name for entry in fields(config)}
    assert json.loads(json.dumps(first))["left_out"] == []


def test_every_field_has_a_sentence():
    for entry in fields(QualityConfig):
        assert entry.metadata["help"].endswith(".")
