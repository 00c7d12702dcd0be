"""What the second stage keeps of images is what the networks say of them elsewhere."""

from dataclasses import fields

import numpy as np
import pytest
import torch

import napari_iqmaps as iq
from napari_iqmaps import InputError, WeightsError
from napari_iqmaps.core._network_pass import BlindOperator, BlindSums, run
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.quality.bank import ScoreBank, SeenImages
from napari_iqmaps.training.quality.pairs import PairBank, learnt_photographs
from napari_iqmaps.training.visibility.samples import read_luminance

ROW = 20  # of the second database


@pytest.mark.parametrize("network", ["diqa", "deepbqa"])
def test_vectors_and_cells_are_those_of_an_assessment(network, banks, first_stage):
    bank = banks[network]
    luminance = read_luminance(bank.table["file"].iloc[ROW])
    operator = BlindOperator((), bank.network().eval(), scores=True)
    sums = BlindSums(run(operator, [as_planes(luminance, data_range=(0, 255))], tile=48, progress=None)[1])
    np.testing.assert_allclose(bank.scored.pooled[ROW], sums.pooled, rtol=1e-4, atol=1e-5)
    if network == "diqa":
        assert not bank.scored.error
        return
    assert bank.scored.perceptual[ROW] == pytest.approx(sums.perceptual_error, rel=1e-4)
    values = iq.error_map(luminance, model=network, weights=first_stage[network], data_range=(0, 255)).values
    np.testing.assert_allclose(bank.scored.error[ROW], values[::4, ::4], atol=1e-3)
    trust = iq.reliability_map(luminance, data_range=(0, 255)).values
    raw = bank.scored.reliability[ROW].astype(float)
    np.testing.assert_allclose(raw / raw.mean(), trust[::4, ::4] / trust[::4, ::4].mean(), atol=5e-3)
    np.testing.assert_allclose(bank.scored.luminance[ROW] / 256, luminance, atol=1 / 256)


def test_photographs_are_those_of_the_first_stage_less_what_is_held_out(
    banks, photographs, score_recipe, first_stage, scored
):
    bank, pairs = banks["deepbqa"], PairBank(score_recipe("deepbqa"), photographs)
    assert len(bank.distorted.pooled) == len(bank.distorted_visibility) == 8
    for index, (source, variant) in enumerate([(0, 0), (0, 1), (1, 0)]):
        pair = pairs.pair(source, variant)
        np.testing.assert_array_equal(bank.distorted.luminance[index], pair.test)
        assert bank.distorted_visibility[index] == pytest.approx(pair.teachers.numbers[0], abs=1e-6)
    recipe = score_recipe(hold_out=3, pseudo_variants=1)
    fewer = ScoreBank(recipe, first_stage["diqa"], scored[:1], photographs)
    assert len(fewer.distorted.pooled) == 2
    assert fewer.record["photographs"]["number"] == 2
    assert learnt_photographs(photographs, 3) == [photographs[1], photographs[2]]
    assert learnt_photographs(photographs[::-1], 3) == [photographs[2], photographs[1]]


def test_visibility_is_asked_of_the_reference_once(banks):
    bank, rows = banks["diqa"], np.array([3, ROW])
    found = bank.visibility(rows)
    for row, value in zip(rows, found, strict=True):
        test, reference = (read_luminance(bank.table[name].iloc[row]) for name in ("file", "reference"))
        seen = iq.visibility_map(test, reference, model="contrast", data_range=(0, 255))
        assert value == pytest.approx(float(seen.score))
    assert bank.visibility(rows[::-1]).tolist() == found[::-1].tolist()


@pytest.mark.parametrize("network", ["diqa", "deepbqa"])
def test_what_was_seen_is_kept(network, banks, first_stage, scored, photographs, score_recipe, tmp_path):
    keep, arguments = tmp_path / "seen.safetensors", (first_stage[network], scored[:1], photographs)
    recipe = score_recipe(network, pseudo_variants=1)
    seen = ScoreBank(recipe, *arguments, keep=keep)
    stamp = keep.stat().st_mtime_ns
    again = ScoreBank(recipe, *arguments, keep=keep)
    assert keep.stat().st_mtime_ns == stamp
    for group in ("scored", "distorted"):
        for entry in fields(SeenImages):
            for one, other in zip(
                getattr(getattr(seen, group), entry.name), getattr(getattr(again, group), entry.name), strict=True
            ):
                np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(seen.distorted_visibility, again.distorted_visibility)
    np.testing.assert_array_equal(seen.visibility(np.arange(18)), again.visibility(np.arange(18)))
    ScoreBank(score_recipe(network, pseudo_variants=0), *arguments, keep=keep)
    assert keep.stat().st_mtime_ns > stamp


def test_without_photographs_there_are_none(first_stage, scored, score_recipe, photographs):
    for recipe, pictures in ((score_recipe(), []), (score_recipe(pseudo_variants=0), photographs)):
        bank = ScoreBank(recipe, first_stage["diqa"], [read_manifest(scored[0])], pictures)
        assert bank.distorted.vectors().shape == (0, 130)
        assert bank.record["photographs"]["number"] == 0


def test_one_networks_errors_can_start_the_other(first_stage, scored, score_recipe, banks, tmp_path):
    bank = ScoreBank(score_recipe(), first_stage["deepbqa"], scored[:1])
    np.testing.assert_allclose(bank.scored.pooled[0], banks["deepbqa"].scored.pooled[0])
    with pytest.raises(WeightsError, match=r"cannot start deepbqa: 12 of its 30 tensors .* first is sensitivity"):
        ScoreBank(score_recipe("deepbqa"), first_stage["diqa"], scored)
    with pytest.raises(WeightsError, match="There is no file"):
        ScoreBank(score_recipe(), tmp_path / "none.safetensors", scored)
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_text("no weights")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        ScoreBank(score_recipe(), wrong, scored)


def test_a_bank_is_for_its_recipe(banks, score_recipe):
    banks["diqa"].check(score_recipe(rate2=0.1, stage2_steps=3))
    with pytest.raises(InputError, match="seen with seed 0, and the recipe has 1"):
        banks["diqa"].check(score_recipe(seed=1))


def test_it_can_be_cancelled(first_stage, scored, score_recipe):
    def stop(done, total):
        assert total == 18
        raise iq.Cancelled("enough")

    with pytest.raises(iq.Cancelled, match="enough"):
        ScoreBank(score_recipe(), first_stage["diqa"], scored[:1], progress=stop)


def test_networks_are_new_each_time(banks):
    first, second = banks["deepbqa"].network(), banks["deepbqa"].network()
    first.trunk.error.weight.data.zero_()
    assert second.trunk.error.weight.abs().max() > 0
    assert torch.isinf(second.evidence.limit)
