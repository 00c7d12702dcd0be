"""A tiny data set of two classes, red and blue, and workers that tell them apart."""

import numpy as np
import pytest

from napari_iqmaps.training.machine.pictures import LabelledPictures


@pytest.fixture(scope="session")
def two_colours(tmp_path_factory):
    """Pictures of noise, reddish or bluish, as `read_pictures` gives them."""
    names = tuple(f"{name}/{number:02}.png" for name in ("blue", "red") for number in range(8))
    labels = np.repeat([0, 1], 8)
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 190, (16, 24, 24, 3), dtype=np.uint8)
    pixels[labels == 0, ..., 2] += 60
    pixels[labels == 1, ..., 0] += 60
    return LabelledPictures(tmp_path_factory.mktemp("colours"), names, ("blue", "red"), labels, pixels)
