"""The arithmetic of the blind networks' benchmarks against known answers."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark, whose folder is no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_the_rivals_have_the_published_size(load):
    speed = load("blind_speed")
    counts = {"vgg16": (14_714_688, 15.35e9), "alexnet": (2_469_696, 0.656e9)}  # convolutions, at 224 x 224
    for name, (parameters, products) in counts.items():
        network = getattr(speed, name)().to("meta")
        assert sum(each.numel() for each in network.parameters()) == parameters
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 224, 224, device="meta"))
        assert counter.get_total_flops() / 2 == pytest.approx(products, rel=0.01)


def test_operations_are_those_of_the_layers(load):
    speed = load("blind_speed")
    network = torch.nn.Conv2d(1, 5, 3, padding=1)
    assert speed.operations(network, 16) == 2 * 9 * 5 * 16 * 16


def test_cells_are_means_and_correlate_within_an_image(load):
    inside = load("blind_inside")
    plane = np.random.default_rng(0).uniform(0, 1, (50, 70))
    cells = inside.cells(plane)
    assert cells.shape == (3 * 4,)
    assert cells[5] == pytest.approx(plane[16:32, 16:32].mean())
    assert inside.correlation(plane, 3 - 2 * plane) == pytest.approx(-1)
    assert np.isnan(inside.correlation(plane, np.ones_like(plane)))


def test_photographs_are_those_that_training_holds_out(load, tmp_path):
    from napari_iqmaps.training.quality.pairs import learnt_photographs

    paths = [tmp_path / f"{number:02d}.png" for number in range(23)]
    for path in paths:
        path.touch()
    (tmp_path / "readme.txt").touch()
    found = load("blind_inside").held_out(tmp_path)
    assert [path.stem for path in found] == ["07", "17"]
    assert set(found) == set(paths) - set(learnt_photographs(paths, 10))


def test_the_largest_improvement_is_over_all_pairs(load):
    largest_improvement = load("blind_behaviour").largest_improvement
    assert largest_improvement(np.array([1.0, 2, 2, 5])) == 0
    assert largest_improvement(np.array([10.0, 30, 28, 29, 25, 50])) == 5


def test_severities_are_of_whole_code_values(load):
    behaviour = load("blind_behaviour")
    image = behaviour.luminance("coffee")
    assert image.ndim == 2
    clean = behaviour.distorted(image, "jpeg", 0)
    assert clean.dtype == np.uint8
    assert np.abs(clean - image).max() <= 0.5
    assert np.abs(behaviour.distorted(image, "jpeg", 5).astype(float) - image).mean() > 1
