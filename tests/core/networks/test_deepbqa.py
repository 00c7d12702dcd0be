"""DeepBQA: the sensitivity beside the trunk, and the regression of the mean perceptual error."""

import numpy as np
import pytest
import torch

from napari_iqmaps.core.networks.blind import DeepBQA, SensitivityNet


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DeepBQA().eval()


def detail(side):
    return torch.from_numpy(np.random.default_rng(0).normal(0, 1, (1, 1, side, side)).astype(np.float32))


@torch.inference_mode()
def test_the_sensitivity_is_never_negative_and_starts_around_one(network):
    sensitivity = network.sensitivity(detail(64))
    assert sensitivity.shape == (1, 1, 16, 16)
    assert sensitivity.min() >= 0
    flat = network.sensitivity(torch.zeros(1, 1, 64, 64))
    torch.testing.assert_close(flat, torch.ones_like(flat))


@torch.inference_mode()
def test_the_sensitivity_depends_on_its_reach_and_no_more(network):
    scaled = detail(96)
    before = network.sensitivity(scaled)[..., 12, 12]

    def reaches(pixel):
        changed = scaled.clone()
        changed[..., 48, pixel] += 100
        return not torch.equal(network.sensitivity(changed)[..., 12, 12], before)

    assert reaches(48 - SensitivityNet.REACH)
    assert reaches(48 + SensitivityNet.REACH)
    assert not reaches(48 - SensitivityNet.REACH - 1)
    assert not reaches(48 + SensitivityNet.REACH + 1)


@torch.inference_mode()
def test_one_pass_gives_all_maps_at_the_same_cells(network):
    cells = network(detail(64) * 40 + 128)
    shapes = {cells.error.shape, cells.reliability.shape, cells.sensitivity.shape, cells.low.shape}
    assert shapes == {(1, 1, 16, 16)}


def test_the_score_is_the_papers_regression_on_a_stated_scale(network):
    mean = torch.tensor([0.0, 0.3, 2.0])
    with torch.inference_mode():
        found = network.score(mean).numpy()
    hidden, output = ({name: p.detach().double().numpy() for name, p in layer.named_parameters()}
                      for layer in (network.hidden, network.output))  # fmt: skip
    inner = np.maximum(mean.double().numpy()[:, None] @ hidden["weight"].T + hidden["bias"], 0)
    expected = 100 / (1 + np.exp(-(inner @ output["weight"].T + output["bias"])[:, 0]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert ((found > 0) & (found < 100)).all()
