"""DIQA: the trunk both networks share, what it reaches, and the score head."""

import numpy as np
import pytest
import torch

from napari_iqmaps.core.networks.blind import CELL, DIQA, FEATURES, INPUT_SCALE, NORMALISED_REACH, ErrorTrunk, pooled


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DIQA().eval()


def images(count=2, side=96):
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (count, 1, side, side)).astype(np.float32))


def test_the_layers_are_the_papers():
    sizes = [(one.in_channels, one.out_channels, one.stride[0]) for one in ErrorTrunk().convolutions]
    assert sizes == [(1, 48, 1), (48, 48, 2), (48, 64, 1), (64, 64, 2), (64, 64, 1), (64, 64, 1), (64, 128, 1),
                     (128, 128, 1)]  # fmt: skip
    counted = sum(parameter.numel() for parameter in ErrorTrunk().parameters())
    assert counted == sum(9 * given * made + made for given, made, _ in [*sizes, (128, 1, 1)])


@torch.inference_mode()
def test_a_cell_depends_on_its_reach_and_no_more(network):
    """Also that the reach is centred: a cell sits on its pixel."""
    luminance = images(1, 128)
    before = network(luminance)

    def reaches(pixel):
        changed = luminance.clone()
        changed[..., pixel, 64] += 100
        return not torch.equal(network(changed).error[..., 16, 16], before.error[..., 16, 16])

    assert reaches(64 - ErrorTrunk.REACH)
    assert reaches(64 + ErrorTrunk.REACH)
    assert not reaches(64 - ErrorTrunk.REACH - 1)
    assert not reaches(64 + ErrorTrunk.REACH + 1)


@torch.inference_mode()
def test_an_image_moved_by_a_cell_moves_its_cells(network):
    luminance = images(1, 128)
    moved = network(luminance.roll((CELL, -2 * CELL), (2, 3)))
    kept = slice(12, -12)  # cells beyond the reach of the border
    for one, other in zip(network(luminance), moved, strict=True):
        if one is not None:
            back = other.roll((-1, 2), (2, 3))
            torch.testing.assert_close(one[..., kept, kept], back[..., kept, kept], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_batch_is_its_images(network):
    luminance = images(3)
    together = network(luminance)
    for index in range(3):
        alone = network(luminance[index : index + 1])
        torch.testing.assert_close(alone.error[0], together.error[index], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(pooled(alone)[0], pooled(together)[index], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_what_is_pooled_is_features_reliability_and_spread(network):
    cells = network(images())
    vector = pooled(cells)
    assert vector.shape == (2, FEATURES + 2)
    np.testing.assert_allclose(vector[1, :FEATURES], cells.features[1].numpy().mean((1, 2)), rtol=1e-4)
    assert vector[1, FEATURES] == pytest.approx(float(cells.reliability[1].mean()), rel=1e-5)
    assert vector[1, FEATURES + 1] == pytest.approx(float(np.std(cells.low[1].numpy())) / 64, rel=1e-5)
    assert cells.sensitivity is None


def test_the_score_stays_on_its_scale_and_every_layer_learns(network):
    vectors = torch.randn(50, FEATURES + 2) * 100
    assert ((network.score(vectors) >= 0) & (network.score(vectors) <= 100)).all()
    network.zero_grad()
    network.score(pooled(network(images()))).sum().backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("trunk.error"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_ordinary_detail_has_a_spread_of_about_one_at_the_input():
    from skimage import data

    from napari_iqmaps.core.networks.blind import normalised

    photo = torch.from_numpy(data.camera().astype(np.float32))[None, None]
    scaled = (
        normalised(photo)[..., NORMALISED_REACH:-NORMALISED_REACH, NORMALISED_REACH:-NORMALISED_REACH] / INPUT_SCALE
    )
    assert 0.2 < float(scaled.std()) < 2
