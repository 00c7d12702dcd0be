"""Steps are drawn from the seed and their number alone, and use all of a pool before anything comes twice."""

import numpy as np
import torch

from napari_iqmaps.training.draws import Draws, Epochs, equal_shares, without_repeats


class Numbers(Draws):
    def step(self, number):
        return {"number": torch.tensor(number)}


def test_a_run_goes_on_where_it_was_stopped():
    steps = Numbers(5)
    assert [int(step["number"]) for step in steps] == [0, 1, 2, 3, 4]
    steps.first = 3
    steps.load_state_dict(Numbers(5).state_dict())
    assert [int(step["number"]) for step in steps] == [3, 4]
    assert len(steps) == 5


def test_every_epoch_takes_all_in_a_new_order():
    order = Epochs(7, 12, 1)
    epochs = [tuple(order.at(12 * epoch + place) for place in range(12)) for epoch in range(9)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len(set(epochs)) == 9
    assert Epochs(7, 12, 1).at(40) == order.at(40)  # whatever was asked before
    assert [Epochs(8, 12, 1).at(place) for place in range(12)] != list(epochs[0])
    assert [Epochs(7, 12, 2).at(place) for place in range(12)] != list(epochs[0])


def test_a_pool_is_used_up_before_anything_comes_twice():
    rng = np.random.default_rng(0)
    drawn = without_repeats(rng, 4, 10)
    assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]
    assert len(set(drawn[8:])) == 2
    assert without_repeats(rng, 4, 0).tolist() == []


def test_groups_get_equal_shares_whatever_their_size():
    groups = np.array([0] * 9 + [1] * 2)
    drawn = equal_shares(np.random.default_rng(0), groups, 2, 6)
    assert (groups[drawn] == 0).sum() == (groups[drawn] == 1).sum() == 3
    assert len(set(drawn[groups[drawn] == 0])) == 3
