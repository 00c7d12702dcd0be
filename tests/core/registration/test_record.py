"""The record of a registration: what it says, and what napari is given."""

from __future__ import annotations

import numpy as np
import pytest

from napari_iqmaps.core.errors import InputError
from napari_iqmaps.core.registration import Registration
from napari_iqmaps.core.registration.geometry import map_points


def record(matrix: np.ndarray, **changes: object) -> Registration:
    values: dict[str, object] = {
        "matrix": matrix,
        "registered": np.zeros((30, 50), np.uint8),
        "valid": np.arange(50) >= np.zeros((30, 1)) + 5,
        "method": "sift",
        "inliers": 40,
        "accepted": True,
        "reason": "",
        "info": {"local_ncc_before": 0.2, "local_ncc_after": 0.9},
        "moving_shape": (40, 60),
    }
    return Registration(**(values | changes))  # type: ignore[arg-type]


def test_napari_gets_rows_before_columns():
    matrix = np.array([(0.9, -0.1, 12.0), (0.2, 1.1, -3.0), (0, 0, 1)])
    affine = record(matrix).as_napari_affine()
    point = np.array([7.0, 4.0])  # x, y
    x, y = map_points(matrix, [point])[0]
    np.testing.assert_allclose(affine @ [4.0, 7.0, 1.0], [y, x, 1.0])


def test_a_perspective_that_shows_is_refused_and_one_that_does_not_is_kept():
    matrix = np.eye(3)
    matrix[2, 0] = 1e-3
    with pytest.raises(InputError, match="transform='affine'"):
        record(matrix).as_napari_affine()
    matrix[2, 0] = 1e-5
    np.testing.assert_array_equal(record(matrix).as_napari_affine()[2], [0, 1e-5, 1])


def test_the_sentence_has_the_numbers():
    matrix = np.array([(1, 0, 3.0), (0, 1, 4.0), (0, 0, 1)])
    text = record(matrix).sentence()
    assert "up to 5.0 pixels" in text
    assert "40 matched points" in text
    assert "0.20 -> 0.90" in text
    assert "90% of the fixed image" in text
    assert str(record(matrix)) == text
    refused = record(np.eye(3), accepted=False, reason="only 3 places look alike.")
    assert refused.sentence() == "Not registered: only 3 places look alike."


def test_the_row_is_flat_and_complete():
    matrix = np.array([(1, 0, 3.0), (0, 1, 4.0), (0, 0, 1)])
    row = record(matrix, inliers=None, info={}).row()
    assert row["largest_shift"] == pytest.approx(5)
    assert row["h13"] == 3
    assert row["h33"] == 1
    assert row["valid_fraction"] == pytest.approx(0.9)
    assert row["inliers"] is None
    assert row["local_ncc_before"] is None
    assert all(isinstance(value, str | float | int | bool | None) for value in row.values())
