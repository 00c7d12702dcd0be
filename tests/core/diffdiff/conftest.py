"""Trios of images with a known answer, and the original's arithmetic."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from skimage import data


@pytest.fixture(scope="session")
def notebook():
    """The module of the original's arithmetic."""
    path = Path(__file__).with_name("notebook.py")
    spec = importlib.util.spec_from_file_location("notebook_arithmetic", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def scene():
    """Part of a photograph with detail everywhere, uint8, 160 x 200, with 20 more pixels at each side."""
    picture = data.camera()[130:330, 100:340]
    assert picture.shape == (200, 240)
    return picture


@pytest.fixture(scope="session")
def trio(scene):
    """(moving, registered, fixed): 5 rows and 3 columns off, and in place, each with noise of its own."""
    rng = np.random.default_rng(0)

    def taken(down, right):
        part = scene[20 + down : 180 + down, 20 + right : 220 + right]
        return (part + rng.normal(0, 2, part.shape)).clip(0, 255).round().astype(np.uint8)

    return taken(5, 3), taken(0, 0), taken(0, 0)
