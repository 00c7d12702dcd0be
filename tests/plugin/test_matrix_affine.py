"""A matrix from a file, as napari's layers take it."""

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine

import napari_iqmaps as iq

MATRIX = np.array([[1.02, 0.01, 3.5], [-0.02, 0.98, -2.25], [0.0, 0.0, 1.0]])


def test_a_layers_affine_puts_a_pixel_where_the_matrix_says(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    path = iq.save_matrix(tmp_path / "m.json", MATRIX, moving_shape=(40, 60), fixed_shape=(40, 60))
    affine = iq.load_matrix(path).apply(image).as_napari_affine()
    x, y = 17.0, 9.0
    expected = (MATRIX @ [x, y, 1])[1::-1]
    np.testing.assert_allclose(Affine(affine_matrix=affine)([y, x]), expected)
    np.testing.assert_allclose(Image(image, affine=affine).data_to_world([y, x]), expected)
