"""The arithmetic of the benchmarks of machine-perceived quality against known answers."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from skimage import data

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark, whose folder is no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_operations_are_those_of_the_layers(load):
    # Outputs, inputs and sides of the valid convolutions of the bordered 32 x 32 pixels; then the head's.
    steps = ((32, 3, 66), (64, 32, 32), (64, 64, 30), (128, 64, 14), (128, 128, 12), (128, 128, 10), (128, 128, 8))
    count = sum(2 * 9 * outputs * inputs * side**2 for outputs, inputs, side in steps) + 2 * 128 * 8**2
    assert load("machine_speed").operations(32) == count


def test_small_pictures_are_parts_of_the_photograph(load):
    speed = load("machine_speed")
    image = speed.photograph(512)
    found = speed.small_pictures(image)
    assert found.shape == (64, 32, 32, 3)
    np.testing.assert_array_equal(found[17], image[32:64, 32:64])
    assert speed.photograph(600).shape == (600, 600, 3)


def test_photographs_are_colours_of_the_size_asked_for(load):
    behaviour = load("machine_behaviour")
    camera = behaviour.photograph("camera", 128)
    assert (camera.shape, camera.dtype) == ((128, 128, 3), np.uint8)
    assert (camera == camera[..., :1]).all()
    assert behaviour.photograph("coffee", 100).shape == (100, 150, 3)
    np.testing.assert_array_equal(behaviour.photograph("coffee", 1000), data.coffee())


def test_falls_are_rank_correlations(load):
    behaviour = load("machine_behaviour")
    assert behaviour.fall(np.array([0.9, 0.8, np.nan, 0.4, 0.3, 0.1])) == pytest.approx(-1)
    assert behaviour.fall(np.array([0.9, 0.8, 0.7, 0.8, 0.3, 0.1])) == pytest.approx(-15.5 / (17 * 17.5) ** 0.5)
    assert behaviour.fall(np.full(6, 0.5)) == 0
