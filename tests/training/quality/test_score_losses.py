"""The second stage learns from the right images, towards the right scores, by the stated loss."""

import copy

import numpy as np
import pytest
import torch
from scipy import ndimage, special, stats

from napari_iqmaps import InputError
from napari_iqmaps.core.networks.blind import DIQA, DeepBQA
from napari_iqmaps.training.quality.second_stage import DeepBQAScores, DIQAScores, start_rising, total_variation
from napari_iqmaps.training.quality.targets import ScoreSteps, Targets, training_vectors

ALL = np.arange(36)
SECOND = np.arange(18, 36)


def test_pseudo_scores_are_on_the_scale_of_the_first_database_that_is_learnt_from(banks):
    bank = banks["diqa"]
    for rows, name, scale in ((ALL, "first", np.arange(18)), (SECOND, "second", SECOND)):
        targets = Targets.of(bank, rows)
        assert targets.databases[0] == name
        impairment = bank.table["impairment"].to_numpy()[scale]
        line = stats.linregress(bank.visibility(scale), impairment)
        wanted = np.clip(line.intercept + line.slope * bank.distorted_visibility, 0, 1)
        np.testing.assert_allclose(targets.pseudo, wanted, atol=1e-5)
    assert len(set(targets.pseudo)) > 2


def test_too_few_images_are_refused(banks):
    with pytest.raises(InputError, match="no images to learn from"):
        Targets.of(banks["diqa"], ALL[:0])
    with pytest.raises(InputError, match="first has too few images to learn from"):
        Targets.of(banks["diqa"], ALL[:1])


def test_steps_are_of_the_rows_and_photographs_alone(banks, score_recipe):
    bank, recipe, rows = banks["diqa"], score_recipe(pseudo_images=5), ALL[::2]
    steps = ScoreSteps(bank, Targets.of(bank, rows), recipe)
    vectors = training_vectors(bank, rows)
    assert vectors.shape == (18 + 8, 130)
    step = steps.step(3)
    np.testing.assert_allclose(step["impairment"], bank.table["impairment"].iloc[rows], rtol=1e-6)
    standard = (vectors - vectors.mean(0)) / vectors.std(0, correction=0).clamp_min(1e-3)
    torch.testing.assert_close(step["vectors"][:18], standard[:18].float())
    nearest = torch.cdist(step["vectors"][18:].double(), standard).argmin(1)
    assert len(set(nearest.tolist())) == 5
    assert nearest.min() >= 18
    np.testing.assert_array_equal(step["target"], steps.targets.pseudo[nearest.numpy() - 18])
    for name, values in steps.step(3).items():
        assert torch.equal(values, step[name])
    assert not torch.equal(steps.step(4)["vectors"][18:], step["vectors"][18:])


def test_windows_keep_pixels_cells_and_scores_together(banks, score_recipe):
    bank = copy.deepcopy(banks["deepbqa"])
    mirrored = 0
    for images in (bank.scored, bank.distorted):
        for index, plane in enumerate(images.luminance):
            columns = np.arange(plane.shape[1]) + 400 * index
            images.luminance[index] = np.broadcast_to(columns * 4, plane.shape).astype(np.uint16)
            images.error[index] = images.luminance[index][::4, ::4].astype(np.float16)
            images.reliability[index] = images.error[index]
    steps = ScoreSteps(bank, Targets.of(bank, ALL), score_recipe("deepbqa"))
    for number in range(6):
        step = steps.step(number)
        assert step["luminance"].shape == (6, 1, 64, 64)
        pixels = step["luminance"][..., ::4, ::4] * 256
        torch.testing.assert_close(step["error"], pixels.half().float())
        assert step["database"].tolist() in ([0, 0, 1], [0, 1, 1])
        mirrored += int((step["luminance"][:, 0, 0, 0] > step["luminance"][:, 0, 0, -1]).sum())
        numbers = (step["luminance"].amax((1, 2, 3)) * 64 // 400).int().numpy()
        np.testing.assert_allclose(step["impairment"], bank.table["impairment"].to_numpy()[numbers[:3]], rtol=1e-6)
        np.testing.assert_array_equal(step["target"], steps.targets.pseudo[numbers[3:]])
    assert 0 < mirrored < 36


def test_images_smaller_than_the_windows_are_refused(banks, score_recipe):
    with pytest.raises(InputError, match=r"side of 96 pixels, less than the windows of 100. Lower crop_side to 96"):
        ScoreSteps(banks["deepbqa"], Targets.of(banks["deepbqa"], ALL), score_recipe("deepbqa", crop_side=100))


def diqa_training(bank, recipe):
    targets = Targets.of(bank, ALL)
    steps = ScoreSteps(bank, targets, recipe)
    return DIQAScores(recipe, False, bank.network(), len(targets.databases), steps), steps


def test_the_loss_is_its_formula(banks, score_recipe):
    recipe = score_recipe(correlation2=0.7, pseudo2=0.3)
    training, steps = diqa_training(banks["diqa"], recipe)
    training.calibration.data[:] = torch.tensor([[0.2, 0.1]])
    step = steps.step(0)
    step["weight"] = torch.linspace(0.5, 2, 36)
    training.eval()
    with torch.no_grad():
        scores, parts = training.scores(step)
        loss = training.losses(step)[0].item()
    assert not parts
    said, photographs = scores[:36].double().numpy(), scores[36:].double().numpy()
    judged, weight = step["impairment"].double().numpy(), step["weight"].double().numpy()
    first = ALL < 18
    on_their_scale = np.where(first, said, np.exp(0.2) * said + 0.1)
    wanted = np.average(np.abs(on_their_scale - judged), weights=weight)
    terms, trust = [], []
    for chosen in (first, ~first):
        covariance = np.cov(said[chosen], judged[chosen], aweights=weight[chosen])
        terms.append(1 - covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
        trust.append(weight[chosen].mean())
    wanted += 0.7 * np.average(terms, weights=trust)
    wanted += 0.3 * np.abs(photographs - step["target"].numpy()).mean()
    assert loss == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("hand_crafted", [True, False])
def test_the_finished_network_takes_vectors_as_they_are(banks, score_recipe, hand_crafted):
    bank = banks["diqa"]
    training, steps = diqa_training(bank, score_recipe(hand_crafted=hand_crafted))
    step = steps.step(0)
    training.eval()
    vectors = torch.from_numpy(bank.scored.vectors())
    with torch.no_grad():
        before = training.scores(step)[0][:36]
        training.finish()
        after = training.network.score(vectors) / 100
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
        vectors[:, 128:] += 0.3
        changed = (training.network.score(vectors) / 100 - after).abs().max()
    assert (changed > 1e-3) == hand_crafted


def test_the_hidden_layer_can_be_kept(banks, score_recipe):
    bank = banks["diqa"]
    kept, _ = diqa_training(bank, score_recipe(keep_hidden=True))
    fresh, _ = diqa_training(bank, score_recipe())
    kept.finish()
    torch.testing.assert_close(kept.network.hidden.weight, bank.network().hidden.weight, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(kept.network.hidden.bias, bank.network().hidden.bias, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(fresh.network.hidden.weight, DIQA().hidden.weight)


def test_only_the_score_is_trained(banks, score_recipe):
    bank, targets = banks["deepbqa"], Targets.of(banks["deepbqa"], ALL)
    recipe = score_recipe("deepbqa", sensitivity_rate=0.1)
    deep = DeepBQAScores(recipe, False, bank.network(), 2, bank, targets)
    plain, _ = diqa_training(banks["diqa"], score_recipe())
    for training, parts in ((deep, {"hidden", "output", "sensitivity"}), (plain, {"hidden", "output"})):
        trained = {name.split(".")[0] for name, value in training.network.named_parameters() if value.requires_grad}
        assert trained == parts
        groups = training.configure_optimizers()["optimizer"].param_groups
        assert sum(len(group["params"]) for group in groups) == sum(
            value.requires_grad for value in training.parameters()
        )
    rates = [group["initial_lr"] for group in deep.configure_optimizers()["optimizer"].param_groups]
    assert rates[2] == pytest.approx(0.1 * rates[0])


@pytest.mark.parametrize("weighs", [True, False])
def test_deepbqa_scores_windows_as_the_network_does(banks, score_recipe, weighs):
    bank, recipe = banks["deepbqa"], score_recipe("deepbqa", reliability_weighting=weighs, total_variation=0.5)
    targets = Targets.of(bank, ALL)
    training = DeepBQAScores(recipe, False, bank.network(), 2, bank, targets)
    step = ScoreSteps(bank, targets, recipe).step(0)
    with torch.no_grad():
        scores, parts = training.scores(step)
        cells = training.network(step["luminance"])
    inside = (..., slice(4, -4), slice(4, -4))
    sensitivity, raw = cells.sensitivity[inside], step["reliability"][inside]
    share = raw / raw.mean((2, 3), keepdim=True) if weighs else torch.ones_like(raw)
    mean = (sensitivity * step["error"][inside] * share).mean((1, 2, 3))
    torch.testing.assert_close(scores, training.network.score(mean).detach() / 100, rtol=0.01, atol=1e-4)
    assert parts["variation"].item() == pytest.approx(0.5 * total_variation(sensitivity).item(), rel=1e-4)


def test_total_variation_is_that_of_sobels_filters():
    planes = np.random.default_rng(0).normal(0, 1, (2, 9, 12))
    wanted = []
    for plane in planes:
        square = ndimage.sobel(plane, 0) ** 2 + ndimage.sobel(plane, 1) ** 2
        wanted.append((square[1:-1, 1:-1] ** 1.5).mean())
    found = total_variation(torch.from_numpy(planes)[:, None])
    assert found.item() == pytest.approx(np.mean(wanted))
    flat = torch.ones(1, 1, 6, 6, requires_grad=True)
    total_variation(flat).backward()
    assert bool((flat.grad == 0).all())


def test_deepbqa_starts_with_a_rising_score():
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.1, 0.5, 400)
    aims = special.expit(14 * (errors - 0.3)) + rng.normal(0, 0.05, 400)
    network = DeepBQA()
    start_rising(network, errors, aims)
    at = torch.linspace(0, 1, 101)
    with torch.no_grad():
        scores = network.score(at)
        middle = network.score(torch.tensor([0.2, 0.3, 0.4]))
    assert bool((scores.diff() >= 0).all())
    np.testing.assert_allclose(middle, 100 * special.expit([-1.4, 0, 1.4]), atol=4)
    start_rising(network, errors, 1 - aims)  # nothing that rises fits: the mean
    with torch.no_grad():
        assert network.score(at).std() < 1e-3
