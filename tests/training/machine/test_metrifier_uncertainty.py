"""How far scores are off is measured on other pictures and travels with the weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from napari_iqmaps import InputError, WeightsError
from napari_iqmaps.core.networks.metrifier import Metrifier
from napari_iqmaps.training.limits import set_uncertainty
from napari_iqmaps.training.weights import write_weights


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "metrifier.safetensors"
    write_weights(path, "metrifier", Metrifier(2), {"target": "mean"})
    return path


def residuals(path, scores, labels):
    pd.DataFrame({"image": "a", "score": scores, "label": labels}).to_csv(path, index=False)
    return path


def test_deviations_by_score(weights, tmp_path):
    before = load_file(weights)
    assert torch.isnan(before["uncertainty.deviations"]).all()
    scores = np.linspace(0, 1, 4001)
    size = np.where(scores < 0.5, 0.05, 0.2)
    labels = np.where(scores < 0.5, scores + size, scores - size)
    set_uncertainty(weights, residuals(tmp_path / "residuals.csv", [*scores, np.nan], [*labels, 0.5]))
    after = load_file(weights)
    np.testing.assert_allclose(after["uncertainty.knots"], np.linspace(0, 1, 6), rtol=1e-6)
    found = after["uncertainty.deviations"].numpy()
    np.testing.assert_allclose(found[[0, 1, 4, 5]], [0.05, 0.05, 0.2, 0.2], rtol=0.05)
    for name in set(before) - {"uncertainty.deviations"}:
        assert torch.equal(before[name], after[name])
    with safe_open(weights, framework="numpy") as file:
        header = file.metadata()
    assert header["uncertainty_from"].startswith("4001 images")
    assert header["target"] == "mean"


def test_what_cannot_be_used_is_named(weights, tmp_path):
    content = weights.read_bytes()
    with pytest.raises(InputError, match="There is no file"):
        set_uncertainty(weights, tmp_path / "none.csv")
    pd.DataFrame({"score": [1.0]}).to_csv(tmp_path / "short.csv")
    with pytest.raises(InputError, match="lacks the column label"):
        set_uncertainty(weights, tmp_path / "short.csv")
    with pytest.raises(InputError, match="has 19 images that count; at least 20"):
        set_uncertainty(weights, residuals(tmp_path / "few.csv", np.zeros(19), np.zeros(19)))
    with pytest.raises(InputError, match="outside 0 to 1"):
        set_uncertainty(weights, residuals(tmp_path / "hundred.csv", np.arange(30), np.arange(30)))
    assert weights.read_bytes() == content
    good = residuals(tmp_path / "good.csv", np.linspace(0, 1, 30), np.linspace(0, 1, 30))
    with pytest.raises(WeightsError, match="There is no file"):
        set_uncertainty(tmp_path / "none.safetensors", good)
    write_weights(weights, "pnet", torch.nn.Linear(1, 1), {})
    with pytest.raises(WeightsError, match="a network that gives no scores. Give those of diqa, deepbqa or metrifier"):
        set_uncertainty(weights, good)
