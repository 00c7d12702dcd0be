"""The rules for what has enough evidence, alone and as a user meets them."""

import math

import numpy as np
import pytest
import torch
from skimage import data, filters

import napari_iqmaps as iq
from napari_iqmaps.core._network_pass import BlindOperator, BlindSums, run
from napari_iqmaps.core.evidence import (
    ENOUGH_CELLS,
    HOMOGENEOUS,
    PLANES,
    blind_verdict,
    machine_verdict,
    planes_in_doubt,
    reservations,
    uniformity,
)
from napari_iqmaps.core.images import as_planes
from napari_iqmaps.core.networks.blind import KNOTS, POOLED, Evidence

from .conftest import random_network, written

PHOTO = data.camera()[100:260, 180:340]
FINE = {"shape": (200, 300), "cells": 3750.0, "reliability": 0.4}


@pytest.mark.parametrize(
    ("changed", "has_answer", "said"),
    [
        ({}, True, ""),
        ({"cells": 0.0, "reliability": math.nan}, False, "no valid pixel"),
        ({"shape": (31, 400)}, False, "400 x 31 pixels"),
        ({"shape": (32, 400)}, True, ""),
        ({"reliability": HOMOGENEOUS * 0.99}, False, "nearly uniform"),
        ({"reliability": HOMOGENEOUS}, True, ""),
        ({"reliability": 0.1, "homogeneous": 0.2}, False, "below 0.2 "),
        ({"cells": ENOUGH_CELLS - 1.0}, True, "about 12528 valid pixels"),
        ({"cells": float(ENOUGH_CELLS)}, True, ""),
        ({"distance": 7.1, "limit": 7.0}, True, "distance 7.1, at most 7"),
        ({"distance": 7.0, "limit": 7.0}, True, ""),
        ({"distance": math.nan, "limit": 7.0}, True, "unlike the images"),
    ],
)
def test_each_rule_at_its_limit(changed, has_answer, said):
    verdict = blind_verdict(**FINE | changed)
    assert verdict.has_answer == has_answer
    assert said in verdict.reason
    assert bool(verdict.reason) == bool(said)


def test_several_reasons_are_all_said():
    verdict = blind_verdict(**FINE | {"cells": 400.0, "distance": 9, "limit": 3})
    assert "valid pixels" in verdict.reason
    assert "unlike" in verdict.reason


def test_uniformity_is_told_also_without_a_number():
    assert uniformity(math.nan)
    assert not uniformity(1.0)


def test_the_distance_is_mahalanobis_and_neutral_before_training():
    evidence = Evidence(3)
    assert math.isinf(float(evidence.limit))
    assert float(evidence.homogeneous) == pytest.approx(HOMOGENEOUS)
    samples = np.random.default_rng(0).normal(size=(400, 3)) @ [[2, 0, 0], [1, 3, 0], [0, 0, 0.1]]
    covariance = np.cov(samples.T)
    evidence.mean.copy_(torch.from_numpy(samples.mean(0)))
    evidence.whitening.copy_(torch.from_numpy(np.linalg.cholesky(np.linalg.inv(covariance)).T))
    off = samples[:5] - samples.mean(0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off))
    np.testing.assert_allclose(evidence.distance(torch.from_numpy(samples[:5]).float()), expected, rtol=1e-4)


@pytest.fixture(scope="module", params=["deepbqa", "diqa"])
def trained(request, tmp_path_factory):
    """Weights that know the image PHOTO, with a limit, and how far scores are off."""
    network = random_network(request.param)
    _, sums = run(BlindOperator((), network, scores=True), [as_planes(PHOTO)], tile=None, progress=None)
    vector = torch.from_numpy(BlindSums(sums).pooled).float()
    network.evidence.mean.copy_(vector)
    network.evidence.whitening.copy_(torch.diag(1 / (0.1 * vector.abs() + 1e-3)))
    network.evidence.limit.fill_(0.5 * POOLED**0.5)
    network.uncertainty.knots.copy_(torch.linspace(0, 100, KNOTS))
    network.uncertainty.deviations.copy_(torch.linspace(4, 9, KNOTS))
    path = written(network, request.param, tmp_path_factory.mktemp("trained") / "some.safetensors")
    return {"model": request.param, "weights": path}


def test_an_image_like_the_training_has_enough_and_a_strange_one_has_not(trained):
    assert iq.quality(PHOTO, **trained).enough_evidence
    assert "not_enough_evidence" not in iq.error_map(PHOTO, **trained).info
    strange = np.random.default_rng(0).integers(0, 2, PHOTO.shape).astype(np.uint8) * 255
    found = iq.assess(np.stack([PHOTO, strange]), **trained)
    assert not found.score.enough_evidence
    assert found.score.reasons[0] == ""
    assert "unlike the images" in found.score.reasons[1]
    assert np.isfinite(found.score.planes).all()
    assert "plane 1: it is unlike" in found.score.sentence()
    assert "plane 1: it is unlike" in found.maps["error"].sentence()
    assert "unlike" in iq.error_map(strange, **trained).sentence()
    assert "unlike" not in iq.reliability_map(strange).sentence()


def test_the_uncertainty_is_that_of_the_score(trained):
    found = iq.quality(PHOTO, **trained)
    assert float(found.uncertainty) == pytest.approx(4 + found.value / 20, abs=1e-3)
    assert f"give or take {float(found.uncertainty):.0f}" in found.sentence()


def test_too_little_image_too_few_pixels_too_little_detail(trained):
    small = iq.quality(PHOTO[:31, :150], **trained)
    assert np.isnan(small.value)
    assert "150 x 31" in small.reason
    few = np.ma.array(PHOTO, mask=np.ones(PHOTO.shape, bool))
    few.mask[:100, :100] = False
    found = iq.quality(few, **trained)
    assert np.isfinite(found.value)
    assert "about 10000 valid pixels" in found.reason
    faint = filters.gaussian(PHOTO, 30, preserve_range=True)
    assert np.isnan(iq.quality(faint, data_range=255, **trained).value)


def test_a_limit_of_the_weights_replaces_the_general_one(tmp_path):
    network = random_network("diqa")
    network.evidence.homogeneous.fill_(0.99)
    path = written(network, "diqa", tmp_path / "strict.safetensors")
    found = iq.quality(PHOTO, model="diqa", weights=path)
    assert np.isnan(found.value)
    assert "below 0.99" in found.reason


def test_ordinary_photographs_are_far_above_the_limit_and_blurred_ones_above_it():
    """The general limit is about images without content, not about soft ones."""
    for image in (data.camera(), data.moon(), data.coins(), data.page()):
        for sigma in (0, 2, 5):
            soft = filters.gaussian(image, sigma, preserve_range=True)
            result = iq.reliability_map(soft, data_range=255)
            assert "not_enough_evidence" not in result.info, (image.shape, sigma)


PICTURE = {"shape": (32, 32), "pixels": 1024, "cells": 64, "spread": 40.0}


def test_a_picture_of_the_metrifiers_training_is_enough():
    assert machine_verdict(**PICTURE) == (True, "")
    assert machine_verdict(**PICTURE | {"shape": (128, 400), "trained_side": 32}) == (True, "")


@pytest.mark.parametrize(
    ("less", "has_answer", "reason"),
    [
        ({"pixels": 0, "cells": 0, "spread": float("nan")}, False, "no valid pixel"),
        ({"pixels": 9, "cells": 0}, False, "it has 9 valid pixels, none of them where"),
        ({"shape": (15, 200)}, False, "200 x 15 pixels, and a score takes 16"),
        ({"spread": 0.99}, False, "nearly uniform: its luminance has a standard deviation of 0.99"),
        ({"pixels": 1023}, True, "1023 valid pixels"),
        ({"shape": (129, 400), "trained_side": 32}, True, "400 x 129 pixels, and the network has learnt from"),
    ],
)
def test_less_is_not_for_the_metrifier(less, has_answer, reason):
    verdict = machine_verdict(**(PICTURE | less))
    assert verdict.has_answer == has_answer
    assert reason in verdict.reason
    assert verdict.reason.endswith(".")


def test_a_reason_is_of_all_planes_unless_they_are_told_apart():
    told = reservations("plane 1: it is small.", [True, False], (2,))
    assert told == {"not_enough_evidence": "plane 1: it is small.", PLANES: [True, False]}
    assert planes_in_doubt(told, (2,)).tolist() == [False, True]
    assert planes_in_doubt(reservations("it is small.", [False, False], (2,)), (2,)).all()
    assert planes_in_doubt(reservations("it is small.", [False], ()), ()).tolist() is True
    assert not planes_in_doubt(reservations("", [True, True], (2,)), (2,)).any()
    assert planes_in_doubt({**told, PLANES: "yes"}, (2,)).all()  # of a file that someone has changed
