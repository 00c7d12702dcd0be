"""What a step sees and what the network learns from it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from napari_iqmaps import InputError
from napari_iqmaps.core.networks.metrifier import score_of, with_border
from napari_iqmaps.training.machine.metrifier import MetrifierBank, MetrifierSteps, MetrifierTraining, learnt_rows
from napari_iqmaps.training.machine.recipe import MetrifierConfig

SMALL = MetrifierConfig(batch=4, steps=9, cells=0, precision="32-true")


@pytest.fixture
def bank():
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (10, 22, 25, 3), dtype=np.uint8)
    return MetrifierBank(pictures, np.linspace(0, 1, 10, dtype=np.float32), rng.dirichlet(np.ones(3), 10).astype("f4"))


def test_a_still_step_shows_pictures_with_the_border_that_inference_gives_them(bank):
    steps = MetrifierSteps(bank, replace(SMALL, shift=0, flip=False, batch=10))
    batch = steps.step(0)
    rows = [int(np.flatnonzero(np.isclose(bank.labels, label))[0]) for label in batch["label"].numpy()]
    assert sorted(rows) == list(range(10))
    expected = with_border(torch.from_numpy(bank.pictures[rows]).permute(0, 3, 1, 2).float())
    torch.testing.assert_close(batch["pictures"].float(), expected)
    assert batch["pictures"].is_contiguous(memory_format=torch.channels_last)
    assert batch["answers"].tolist() == bank.answers[rows].tolist()


def test_shifts_reflect_and_flips_exchange_left_and_right(bank):
    one = MetrifierBank(bank.pictures[:1], bank.labels[:1], bank.answers[:1])
    drawn = MetrifierSteps(one, replace(SMALL, shift=2, batch=64)).step(3)["pictures"][:, :, 18:-18, 18:-18]
    padded = np.pad(one.pictures[0], ((2, 2), (2, 2), (0, 0)), mode="reflect")
    possible = {}
    for down in range(5):
        for across in range(5):
            part = padded[down : down + 22, across : across + 25]
            possible[part.tobytes()] = (down, across, False)
            possible[part[:, ::-1].tobytes()] = (down, across, True)
    found = [possible[np.ascontiguousarray(each).tobytes()] for each in drawn.permute(0, 2, 3, 1).numpy()]
    for kind, count in zip(zip(*found, strict=True), (5, 5, 2), strict=True):
        assert len(set(kind)) == count


def test_a_window_gives_cells_of_the_whole_picture(bank):
    config = replace(SMALL, shift=0, flip=False, cells=2, batch=40)
    one = MetrifierBank(bank.pictures[:1], bank.labels[:1], bank.answers[:1])
    windows = MetrifierSteps(one, config).step(0)["pictures"]
    assert windows.shape == (40, 3, 41, 41)
    network = MetrifierTraining(config, 3, half=False).eval().network
    with torch.no_grad():
        whole = network(MetrifierSteps(one, replace(config, cells=0, batch=2)).step(0)["pictures"] / 255)[0, 0]
        parts = network(windows / 255)[:, 0]
    assert whole.shape == (6, 7)
    found = set()
    for part in parts:
        assert part.shape == (2, 2)
        match = [
            (row, column)
            for row in range(5)
            for column in range(6)
            if torch.allclose(whole[row : row + 2, column : column + 2], part, atol=1e-5)
        ]
        assert match
        found.add(match[0])
    assert {0, 4} <= {row for row, _ in found}
    assert {0, 5} <= {column for _, column in found}


def test_every_epoch_has_each_row_once_in_another_order(bank):
    steps = MetrifierSteps(bank, replace(SMALL, batch=5))
    labels = [steps.step(number)["label"].numpy() for number in range(4)]
    first, second = np.concatenate(labels[:2]), np.concatenate(labels[2:])
    np.testing.assert_array_equal(np.sort(first), bank.labels)
    np.testing.assert_array_equal(np.sort(second), bank.labels)
    assert (first != second).any()
    torch.testing.assert_close(dict(MetrifierSteps(bank, replace(SMALL, batch=5), 2).step(2)), dict(steps.step(2)))
    assert (MetrifierSteps(bank, replace(SMALL, seed=1, batch=5)).step(0)["label"].numpy() != labels[0]).any()


@pytest.mark.parametrize("loss", ["entropy", "squared"])
def test_the_loss_is_that_of_the_score_that_inference_gives(bank, loss):
    config = replace(SMALL, loss=loss, auxiliary=0.25)
    module = MetrifierTraining(config, 3, half=False).eval()
    batch = MetrifierSteps(bank, config).step(0)
    total, parts = module.losses(batch)
    with torch.no_grad():
        score = score_of(module.network(batch["pictures"] / 255)).double().numpy()
    label = batch["label"].double().numpy()
    entropy = -(label * np.log(score) + (1 - label) * np.log(1 - score)).mean()
    squared = ((score - label) ** 2).mean()
    assert parts["score"].item() == pytest.approx({"entropy": entropy, "squared": 4 * squared}[loss])
    assert parts["deviation"].item() == pytest.approx(np.sqrt(squared))
    assert total.item() == pytest.approx(parts["score"].item() + 0.25 * parts["answers"].item())
    assert MetrifierTraining(replace(config, auxiliary=0), 1, half=False).classifier is None
    with pytest.raises(InputError, match="of one class, so there is nothing to tell apart"):
        MetrifierTraining(config, 1, half=False)


def test_rows_that_count():
    columns = {"image": ["a", "b", "b"], "distortion": ["none", "jpeg", "haze"], "mean": [0.9, 0.5, np.nan]}
    table = pd.DataFrame(columns)
    kept = learnt_rows(table, replace(SMALL, left_out=("haze",)))
    assert kept["distortion"].tolist() == ["none", "jpeg"]
    with pytest.raises(InputError, match=r"1 rows whose mean is no number from 0 to 1; the first is of b \(nan\)"):
        learnt_rows(table, SMALL)
    with pytest.raises(InputError, match="no rows to learn from"):
        learnt_rows(table.iloc[2:], replace(SMALL, left_out=("haze",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "p_plain"}, "target is 'p_plain'; choose one of mean, consistency, top1"),
        ({"left_out": ("jpg",)}, "left_out is 'jpg'; choose one of"),
        ({"batch": 1}, "batch is 1; it has to be at least 2"),
        ({"network": "pnet"}, "choose one of metrifier"),
    ],
)
def test_recipes_that_cannot_work(changes, message):
    with pytest.raises(InputError, match=message):
        MetrifierConfig(**changes)


def test_what_the_workers_say_of_each_class_is_learnt_where_the_table_has_it(two_colours):
    names = two_colours.names[:2]
    rows = pd.DataFrame({
        "image": names, "class": ["blue", "red"], "distortion": "none", "severity": 0.0, "seed": 1, "mean": [0.5, 1.0]
    })  # fmt: skip
    known = rows.assign(a_blue=[0.2, 0.0], a_red=[0.6, 0.0])
    without = MetrifierBank.made(two_colours, rows, "mean")
    assert without.answers.tolist() == [[1, 0], [0, 1]]
    # Of workers that know more classes the shares of these count; nothing is known where they have none.
    told = MetrifierBank.made(two_colours, known, "mean")
    np.testing.assert_allclose(told.answers, [[0.25, 0.75], [0.5, 0.5]])
