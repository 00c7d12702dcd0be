"""What travels with the weights: how far images are from the training's, and how far scores are off."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from scipy.spatial import distance

import napari_iqmaps as iq
from napari_iqmaps import InputError, WeightsError
from napari_iqmaps.core.networks.blind import DeepBQA, Evidence
from napari_iqmaps.training.limits import describe_training, deviations_at, set_uncertainty
from napari_iqmaps.training.weights import write_weights


def described(vectors):
    evidence = Evidence(vectors.shape[1])
    describe_training(evidence, torch.from_numpy(vectors))
    return evidence


def test_the_distance_is_mahalanobis_with_shrunk_correlations():
    rng = np.random.default_rng(0)
    vectors = rng.normal(2, [1.0, 0.5, 0.2], (5000, 3)) @ np.array([[1, 0.4, 0], [0, 1, 0], [0, 0.3, 1]])
    evidence = described(vectors)
    covariance = np.cov(vectors.T, bias=True)
    shrunk = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance))
    inverse = np.linalg.inv(shrunk)
    mean = vectors.mean(0)
    wanted = [distance.mahalanobis(vector, mean, inverse) for vector in vectors]
    np.testing.assert_allclose(evidence.distance(torch.from_numpy(vectors).float()), wanted, rtol=2e-4, atol=1e-4)
    assert evidence.limit.item() == pytest.approx(np.quantile(wanted, 0.99), rel=1e-3)


def test_features_that_never_differ_do_not_decide():
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (300, 5))
    vectors[:, 3] = 0.0
    vectors[:, 4] = vectors[:, 0]  # twins
    evidence = described(vectors)
    near, far = torch.zeros(5), torch.zeros(5)
    near[3], far[1] = 0.02, 9.0
    assert bool(torch.isfinite(evidence.whitening).all())
    assert evidence.distance(near) < evidence.limit < evidence.distance(far)


def test_deviations_follow_the_score():
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 60, 6000)
    targets = scores + rng.normal(0, 3 + 0.2 * scores)
    knots = np.linspace(0, 100, 6)
    found = deviations_at(knots, scores, targets)
    np.testing.assert_allclose(found[1:3], [3 + 4, 3 + 8], rtol=0.12)
    assert 3 < found[0] < 6
    overall = np.sqrt(np.mean((scores - targets) ** 2))
    assert found[5] == pytest.approx(overall, rel=0.15)  # none there


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "deepbqa.safetensors"
    write_weights(path, "deepbqa", DeepBQA(), {"scale": "first"})
    return path


def residuals(path, rows=60, **columns):
    scores = np.linspace(0, 100, rows)
    content = {"score": scores, "target": scores + 5 * (-1) ** np.arange(rows), **columns}
    pd.DataFrame(content).to_csv(path, index=False)
    return path


def test_scores_come_with_their_uncertainty(weights, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    before = iq.quality(image, weights=weights)
    assert np.isnan(before.uncertainty)
    databases, enough = np.repeat(["first", "other"], 30), np.tile([1.0, 1.0, 0.0], 20)
    deviation = np.where((databases == "first") & (enough > 0), 5.0, 50.0)
    path = residuals(tmp_path / "residuals.csv", database=databases, enough_evidence=enough)
    table = pd.read_csv(path)
    table["target"] = table["score"] + deviation
    table.to_csv(path, index=False)
    set_uncertainty(weights, path)
    after = iq.quality(image, weights=weights)
    assert after.uncertainty == pytest.approx(5)
    assert after.value == before.value
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
    assert header["uncertainty_from"].startswith("20 images")
    assert header["scale"] == "first"


def test_what_cannot_be_used_is_named(weights, tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        set_uncertainty(weights, tmp_path / "none.csv")
    pd.DataFrame({"score": [1.0]}).to_csv(tmp_path / "short.csv")
    with pytest.raises(InputError, match="lacks the column target"):
        set_uncertainty(weights, tmp_path / "short.csv")
    with pytest.raises(InputError, match="has 19 images of first that count; at least 20"):
        set_uncertainty(weights, residuals(tmp_path / "few.csv", rows=19))
    other = residuals(tmp_path / "other.csv", database="other")
    with pytest.raises(InputError, match="has 0 images of first that count"):
        set_uncertainty(weights, other)
    set_uncertainty(weights, other, database="other")
    with pytest.raises(WeightsError, match="There is no file"):
        set_uncertainty(tmp_path / "none.safetensors", other)
    write_weights(weights, "pnet", torch.nn.Linear(1, 1), {})
    with pytest.raises(WeightsError, match="a network that gives no scores. Give those of diqa, deepbqa or metrifier"):
        set_uncertainty(weights, other)
