"""Matrices in files."""

import json

import cv2
import numpy as np
import pytest

import napari_iqmaps as iq

RNG = np.random.default_rng(0)
MOVING = cv2.GaussianBlur(RNG.integers(0, 256, (48, 64)).astype(np.uint8), (0, 0), 2)
MATRIX = np.array([[1.02, 0.01, 3.5], [-0.02, 0.98, -2.25], [1e-5, 2e-5, 1.0]])
SHAPES = {"moving_shape": (48, 64), "fixed_shape": (50, 60)}


def test_a_registration_goes_to_a_file_and_back(tmp_path):
    fixed = np.roll(MOVING, (3, -2), (0, 1))
    found = iq.search_translation(MOVING, fixed, radius=5)
    record = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", found))
    np.testing.assert_array_equal(record.matrix, found.matrix)
    assert (record.moving_shape, record.fixed_shape) == ((48, 64), (48, 64))
    assert (record.method, record.accepted, record.reason) == ("translation", True, "")
    assert record.info["best"] == [3, -2]
    assert "surface" not in record.info
    again = record.apply(MOVING)
    np.testing.assert_array_equal(again.registered, found.registered)
    np.testing.assert_array_equal(again.valid, found.valid)
    np.testing.assert_array_equal(again.as_napari_affine(), found.as_napari_affine())
    assert [file.name for file in tmp_path.iterdir()] == ["m.json"]


def test_a_refusal_keeps_its_reason(tmp_path):
    flat = np.full((32, 32), 9, np.uint8)
    refused = iq.search_translation(flat, flat, radius=5)
    record = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", refused))
    assert not record.accepted
    assert record.reason == refused.reason != ""
    assert not record.apply(flat).accepted


def test_every_digit_is_kept_and_opencv_takes_the_matrix_as_it_is(tmp_path):
    record = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", MATRIX, **SHAPES, method="by hand"))
    np.testing.assert_array_equal(record.matrix, MATRIX)
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["format"] == "iqmaps-matrix"
    assert content["version"] == 1
    applied = record.apply(MOVING)
    assert applied.method == "by hand"
    warped = cv2.warpPerspective(MOVING, np.array(content["matrix"]), (60, 50))
    difference = applied.registered.astype(int) - warped
    assert np.abs(difference[applied.valid]).max() <= 1


def test_a_matrix_of_two_rows_and_colours(tmp_path):
    record = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", [[1, 0, 4], [0, 1, 0]], **SHAPES))
    colours = np.stack([MOVING, MOVING // 2, MOVING], axis=0)
    applied = record.apply(colours, channel_axis=0)
    assert applied.registered.shape == (3, 50, 60)
    np.testing.assert_array_equal(applied.registered[1, :48, 4:], MOVING[:, :56] // 2)


def test_sizes_are_checked(tmp_path):
    record = iq.load_matrix(iq.save_matrix(tmp_path / "m.json", MATRIX, **SHAPES))
    with pytest.raises(iq.InputError, match="moving image of 48x64 pixels; this one has 40x64"):
        record.apply(MOVING[:40])
    bare = iq.load_matrix(iq.save_matrix(tmp_path / "bare.json", MATRIX))
    with pytest.raises(iq.InputError, match="does not say the size of the fixed image"):
        bare.apply(MOVING)
    assert bare.apply(MOVING, fixed_shape=(10, 20)).registered.shape == (10, 20)
    with pytest.raises(iq.InputError, match="one plane at a time"):
        bare.apply(np.stack([MOVING] * 2), fixed_shape=(10, 20))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", 'its "format" is not "iqmaps-matrix"'),
        ('{"format": "iqmaps-matrix", "version": 2}', "of version 2; this version of napari-iqmaps reads 1"),
        ('{"format": "iqmaps-matrix", "version": 1}', r"m.json lacks matrix; it holds format, version"),
        ('{"format": "iqmaps-matrix", "version": 1, "matrix": [[1,0,0],[0,1,0],[0,0,0]]}', "m.json: The matrix sends"),
        (
            '{"format": "iqmaps-matrix", "version": 1, "matrix": [[1,0,0],[0,1,0],[0,0,1]], "moving_shape": [0, 5]}',
            r"moving_shape is \[0, 5\]; it must be \[height, width\]",
        ),
    ],
)
def test_files_that_are_none_are_refused(content, message, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(content)
    with pytest.raises(iq.InputError, match=message):
        iq.load_matrix(path)


def test_a_missing_file_and_a_missing_folder(tmp_path):
    with pytest.raises(iq.InputError, match="There is no file"):
        iq.load_matrix(tmp_path / "none.json")
    with pytest.raises(iq.InputError, match="does not exist. Create it first"):
        iq.save_matrix(tmp_path / "none" / "m.json", MATRIX)
    with pytest.raises(iq.InputError, match="matrix"):
        iq.save_matrix(tmp_path / "m.json", np.zeros((2, 2)))
    assert not any(tmp_path.iterdir())
