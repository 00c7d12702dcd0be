"""PSNR, SSIM and GMSD: what they must do, and against slow programs of their own."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_iqmaps.training.evaluation.measures import BASELINES, gmsd, psnr, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    reference = rng.uniform(0, 255, (31, 42)).astype(np.float32)
    return np.clip(reference + rng.normal(0, 12, reference.shape), 0, 255).astype(np.float32), reference


def slow_gmsd(test, reference):
    def gradients(plane):
        padded = np.pad(plane.astype(float), ((0, 1), (0, 1)))
        rows, columns = (plane.shape[0] + 1) // 2, (plane.shape[1] + 1) // 2
        half = np.array([[padded[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(columns)]
                         for i in range(rows)])  # fmt: skip
        padded = np.pad(half, 1)
        out = np.empty_like(half)
        for i in range(rows):
            for j in range(columns):
                box = padded[i : i + 3, j : j + 3]
                across = (box[:, 0].sum() - box[:, 2].sum()) / 3
                down = (box[0].sum() - box[2].sum()) / 3
                out[i, j] = math.sqrt(across**2 + down**2)
        return out

    first, second = gradients(reference), gradients(test)
    similarity = (2 * first * second + 170) / (first**2 + second**2 + 170)
    return math.sqrt(((similarity - similarity.mean()) ** 2).mean())


def test_gmsd_equals_a_slow_program(pair):
    assert gmsd(*pair) == pytest.approx(slow_gmsd(*pair), rel=1e-9)


def test_psnr_by_its_formula(pair):
    error = np.mean((pair[0].astype(float) - pair[1]) ** 2)
    assert psnr(*pair) == pytest.approx(10 * math.log10(255**2 / error), rel=1e-5)


def test_equal_images_are_perfect(pair):
    assert [measure(pair[1], pair[1]) for measure in (psnr, ssim, gmsd)] == [math.inf, pytest.approx(1), 0]


@settings(max_examples=20, deadline=None)
@given(arrays(np.float32, (2, 16, 18), elements=st.floats(0, 255, width=16)))
def test_symmetric_and_bounded(planes):
    test, reference = planes
    for measure in BASELINES.values():
        assert measure(test, reference) == pytest.approx(measure(reference, test), rel=1e-4, abs=1e-5)
    assert 0 <= gmsd(test, reference) < 1
    assert -1 <= ssim(test, reference) <= 1 + 1e-6


def test_more_noise_is_worse(pair):
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, pair[1].shape)
    steps = [(pair[1] + strength * noise).astype(np.float32) for strength in (2, 8, 32)]
    for measure, sign in ((psnr, -1), (ssim, -1), (gmsd, 1)):
        values = [sign * measure(step, pair[1]) for step in steps]
        assert values == sorted(values)
