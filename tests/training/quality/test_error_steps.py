"""Steps: the same whenever they are drawn, and what is known of a place stays at that place."""

import numpy as np
import pytest
import torch

from napari_iqmaps.core.networks.blind import CELL
from napari_iqmaps.training.quality.first_stage import ErrorSteps, measured_errors
from napari_iqmaps.training.quality.pairs import Pair, PairBank
from napari_iqmaps.training.quality.teachers import teachers_of
from napari_iqmaps.training.quality.windows import draw_window


@pytest.mark.parametrize("shape", [(96, 120), (64, 96), (68, 64), (64, 64)])
def test_cells_lie_on_every_fourth_pixel_in_every_orientation(shape):
    plane = np.arange(shape[0] * shape[1]).reshape(shape)
    rng = np.random.default_rng(0)
    turns, rows, columns = set(), set(), set()
    for _ in range(300):
        window = draw_window(shape, 64, rng)
        pixels, cells = window.of_pixels(plane), window.of_cells(plane[::CELL, ::CELL])
        assert pixels.shape == (64, 64)
        np.testing.assert_array_equal(cells, pixels[::CELL, ::CELL])
        turns.add((pixels[1, 0] - pixels[0, 0], pixels[0, 1] - pixels[0, 0]))
        rows |= {pixels.min() // shape[1], pixels.max() // shape[1]}
        columns |= {pixels.min() % shape[1], pixels.max() % shape[1]}
    assert len(turns) == 2 * 2 ** sum(length > 64 for length in shape)
    # Nothing is out of reach.
    assert {0, shape[0] - 1} <= rows
    assert {0, shape[1] - 1} <= columns


def test_a_step_is_what_its_number_says(photographs, small_recipe):
    config = small_recipe()
    first, second = (ErrorSteps(PairBank(config, photographs), config) for _ in range(2))
    for number in (3, 0):
        one, other = first.step(number), second.step(number)
        assert one["test"].shape == (4, 1, 64, 64)
        assert one["reference"].shape == (2, 1, 64, 64)
        assert one["visible"].shape == (4, 1, 16, 16)
        assert one["numbers"].shape == (4, 7)
        for name, values in one.items():
            assert values.dtype == torch.float32
            torch.testing.assert_close(values, other[name], rtol=0, atol=0)
    assert not torch.equal(first.step(0)["reference"], first.step(2)["reference"])
    resumed = ErrorSteps(first.bank, config, first=5)
    torch.testing.assert_close(next(iter(resumed))["test"], first.step(5)["test"], rtol=0, atol=0)
    assert len(list(resumed)) == 1


def test_an_epoch_takes_each_photograph_once_in_a_new_order(photographs, small_recipe):
    config = small_recipe(photographs_per_step=1)
    steps = ErrorSteps(PairBank(config, photographs), config)
    epochs = [tuple(steps.order.at(4 * epoch + place) for place in range(4)) for epoch in range(8)]
    assert {tuple(sorted(epoch)) for epoch in epochs} == {(0, 1, 2, 3)}
    assert len(set(epochs)) > 2


def test_shares_of_a_step_are_the_step(photographs, small_recipe):
    config = small_recipe(photographs_per_step=4)
    steps = ErrorSteps(PairBank(config, photographs), config)
    whole, parts = steps.step(1), [steps.step(1, share, 2) for share in range(2)]
    for name, per_photograph in (("reference", 1), ("test", 2), ("numbers", 2)):
        joined = torch.stack([part[name].unflatten(0, (2, per_photograph)) for part in parts], 1)
        torch.testing.assert_close(joined.flatten(0, 2), whole[name], rtol=0, atol=0)


class OneSquare:
    """A bank of one photograph with one distorted square."""

    def __init__(self, bank, rows, columns):
        self.sources = bank.sources[:1]
        reference = self.sources[0].reference
        test = reference.copy()
        test[rows, columns] = np.random.default_rng(0).integers(0, 60000, test[rows, columns].shape)
        self.kept = Pair(test, teachers_of(test / np.float32(256), reference / np.float32(256)))

    def count(self, source):
        return 1

    def pair(self, source, variant):
        return self.kept


def test_errors_and_visibility_lie_where_the_distortion_is(photographs, small_recipe):
    config = small_recipe(photographs_per_step=1, variants_per_step=1, stage1_steps=24)
    bank = OneSquare(PairBank(config, photographs[1:2]), slice(52, 72), slice(48, 64))
    steps = ErrorSteps(bank, config)
    met = 0
    for number in range(24):
        batch = steps.step(number)
        changed = (batch["test"] != batch["reference"])[0, 0]
        error = measured_errors(batch)[0, 0]
        inside = changed[::CELL, ::CELL]
        # A cell gathers what lies within a few pixels of it.
        near = torch.nn.functional.max_pool2d(changed[None].float(), 41, 1, 20)[0, ::CELL, ::CELL] > 0
        met += int(inside.sum())
        assert error[inside].min() > 0.25 if inside.any() else error.max() < 0.5
        assert error[~near].max() < 0.02 if (~near).any() else near.all()
        if inside.any():
            seen = batch["visible"][0, 0]
            assert seen[inside].min() > 0.25
            assert seen[inside].mean() > 1.5 * seen[~near].mean()  # the thresholds belong to patches of 32 pixels
    assert met > 200


def test_variants_of_a_step_differ(photographs, small_recipe):
    config = small_recipe(variants=4, variants_per_step=4, photographs_per_step=1)
    steps = ErrorSteps(PairBank(config, photographs), config)
    batch = steps.step(0)
    kinds = {tuple(row) for row in batch["numbers"].numpy().round(5).tolist()}
    expected = {tuple(steps.bank.pair(steps.order.at(0), n).teachers.numbers.round(5).tolist()) for n in range(4)}
    assert kinds == expected
