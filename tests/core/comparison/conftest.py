"""A photograph, shaken under changing light, with the true motions between its frames."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from skimage import data, transform

SHAPE = (144, 176)


class Shaken(NamedTuple):
    """Frames on disk, and where each pixel of a frame lies in the photograph."""

    paths: list
    to_photograph: list
    shape: tuple = SHAPE

    def motion(self, moving, fixed):
        """The true matrix between two frames, by their places."""
        matrix = np.linalg.inv(self.to_photograph[fixed]) @ self.to_photograph[moving]
        return matrix / matrix[2, 2]


def frame(photograph, matrix, light):
    image = transform.warp(photograph, transform.ProjectiveTransform(matrix), output_shape=SHAPE, order=3)
    slope = np.linspace(1, 1 + light / 200, SHAPE[1])
    return np.clip(255 * image * slope + light, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def shaken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    photograph = data.camera() / 255
    middle = transform.SimilarityTransform(translation=(-SHAPE[1] / 2, -SHAPE[0] / 2))
    paths, matrices = [], []
    for number, (turn, scale, right, down, light) in enumerate(
        [(0, 1, 0, 0, 0), (0.02, 1.01, 3, -2, 20), (-0.01, 0.99, -4, 2, -15)], 1
    ):
        moved = transform.SimilarityTransform(scale=scale, rotation=turn, translation=(230 + right, 130 + down))
        matrices.append((middle + moved).params)
        paths.append(folder / f"{number}.png")
        Image.fromarray(frame(photograph, matrices[-1], light)).save(paths[-1])
    return Shaken(paths, matrices)
