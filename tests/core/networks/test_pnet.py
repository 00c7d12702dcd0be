"""The P-net: what it computes, and that every way of computing it gives the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from skimage import data, transform
from torch import Tensor

from napari_iqmaps.core.networks.pnet import DensePNet, PNet

STRIDES = [1, 2, 4, 8]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are small; threads would wait for each other wherever the cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def plain_net() -> PNet:
    torch.manual_seed(1)
    return PNet().eval()


@pytest.fixture(scope="module")
def varied_net(plain_net: PNet) -> PNet:
    """Weights for which T varies more than tenfold over a photograph, as no fresh ones do."""
    net = copy.deepcopy(plain_net)
    with torch.no_grad():
        net.output.weight.mul_(8)
        net.channel_weight.mul_(torch.tensor([1.0, 0.7, 3.0, 1.5]))
    return net


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    return as_tensor(data.camera())


def as_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float32))[None, None]


def patch_by_patch(net: PNet, x: Tensor, stride: int) -> Tensor:
    """Thresholds from a loop over the patches, each one cut out and evaluated alone."""
    windows = x[0, 0].unfold(0, 38, stride).unfold(1, 38, stride)
    rows, columns = windows.shape[:2]
    with torch.inference_mode():
        some = windows.reshape(-1, 1, 38, 38).split(256)
        return torch.cat([net(patches) for patches in some]).view(1, 1, rows, columns)


def literal_threshold(net: PNet, patch: np.ndarray) -> float:
    """The published formulas on one 38x38 neighbourhood, in float64 and without torch."""
    state = {name: value.double().numpy() for name, value in net.state_dict().items()}
    axis = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    gaussian = np.outer(axis, axis) / np.outer(axis, axis).sum()
    x = patch.astype(np.float64)
    mean = correlate(x, gaussian, mode="valid", method="direct")
    square = correlate(x * x, gaussian, mode="valid", method="direct")
    deviation = np.sqrt(np.abs(square - mean**2))
    luminance = x[3:-3, 3:-3]
    channels = [luminance, mean, deviation, np.abs(luminance - mean) / (deviation + 0.01)]
    scaled = np.stack(channels) * state["channel_weight"][:, None, None]
    scaled += state["channel_bias"][:, None, None]
    maps = [
        correlate(scaled, kernel, mode="valid", method="direct")[0] + bias
        for kernel, bias in zip(state["convolution.weight"], state["convolution.bias"], strict=True)
    ]
    features = np.maximum(maps, 0).ravel()
    hidden = state["dense.weight"].reshape(100, -1) @ features + state["dense.bias"]
    z = state["output.weight"].ravel() @ np.maximum(hidden, 0) + state["output.bias"][0]
    return float(np.clip(np.exp(z), 0.01, 100))


def relative_difference(values: Tensor, expected: Tensor) -> float:
    assert values.shape == expected.shape
    return float(((values - expected) / expected).abs().max())


def test_it_has_the_published_number_of_parameters(plain_net: PNet) -> None:
    counts = {name: value.numel() for name, value in plain_net.named_parameters()}
    assert sum(counts.values()) == 2_512_242
    assert counts["dense.weight"] == 25_088 * 100


def test_a_patch_gives_what_the_published_formulas_give(varied_net: PNet, photograph: Tensor) -> None:
    corners = [(60, 230), (300, 200), (400, 400), (20, 20)]
    thresholds = []
    for row, column in corners:
        patch = photograph[..., row : row + 38, column : column + 38]
        expected = literal_threshold(varied_net, patch[0, 0].numpy())
        with torch.inference_mode():
            assert varied_net(patch).item() == pytest.approx(expected, rel=2e-5)
        thresholds.append(expected)
    assert max(thresholds) > 1.3 * min(thresholds)


@pytest.mark.parametrize("stride", STRIDES)
def test_the_whole_image_equals_patch_by_patch(varied_net: PNet, photograph: Tensor, stride: int) -> None:
    x = photograph[..., 95 : 95 + 61 + 4 * stride, 200 : 200 + 53 + 4 * stride]
    expected = patch_by_patch(varied_net, x, stride)
    with torch.inference_mode():
        assert relative_difference(varied_net(x, stride), expected) < 1e-5


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("size", [(143, 131), (187, 59)], ids=["blocks", "narrow"])
def test_the_fast_evaluation_equals_patch_by_patch(
    varied_net: PNet,
    photograph: Tensor,
    stride: int,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DensePNet, "_FEWEST_CELLS", 0)
    x = photograph[..., 60 : 60 + size[0], 150 : 150 + size[1]]
    dense = DensePNet(varied_net, stride)
    values = dense(x)
    assert dense._table is not None, "took the plain pass"
    # Patch by patch is too slow for all patches of stride 1: a coarser grid of the same image.
    step = max(1, 4 // stride)
    expected = patch_by_patch(varied_net, x, stride * step)
    assert relative_difference(values[..., ::step, ::step], expected) < 1e-5
    with torch.inference_mode():
        if stride > 1:
            assert relative_difference(values, varied_net(x, stride)) < 1e-5
    assert values.max() > 1.3 * values.min()


@pytest.mark.parametrize("name", ["camera", "brick", "astronaut"])
def test_the_fast_evaluation_equals_the_plain_one_on_photographs(plain_net: PNet, varied_net: PNet, name: str) -> None:
    image = getattr(data, name)()
    luminance = image @ [0.2126, 0.7152, 0.0722] if image.ndim == 3 else image
    x = as_tensor(transform.resize(luminance, (211, 203), anti_aliasing=True, preserve_range=True))
    for net in (plain_net, varied_net):
        with torch.inference_mode():
            expected = net(x)
        assert relative_difference(DensePNet(net)(x), expected) < 1e-5
    assert expected.max() > 2 * expected.min()


def test_more_blocks_than_are_handled_together(
    varied_net: PNet, photograph: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = photograph[..., 50:290, 100:333]
    together = DensePNet(varied_net)(x)
    monkeypatch.setattr(DensePNet, "_BLOCKS_AT_ONCE", 4)
    assert relative_difference(DensePNet(varied_net)(x), together) < 1e-5


@pytest.mark.parametrize("stride", [3, 5, 7, 9])
def test_strides_that_do_not_divide_the_kernel(varied_net: PNet, photograph: Tensor, stride: int) -> None:
    x = photograph[..., 100:259, 100:243]
    with torch.inference_mode():
        expected = varied_net(x, stride)
    assert relative_difference(DensePNet(varied_net, stride)(x), expected) < 1e-5


def test_the_table_is_made_once_and_only_where_it_pays(plain_net: PNet, photograph: Tensor) -> None:
    dense = DensePNet(plain_net)
    dense(photograph[..., :60, :60])
    assert dense._table is None
    dense(photograph[..., :160, :160])
    table = dense._table
    assert table is not None
    dense(photograph[..., 100:260, :160])
    assert dense._table is table


def test_the_evaluator_keeps_the_weights_it_was_given(plain_net: PNet, photograph: Tensor) -> None:
    net = copy.deepcopy(plain_net).train()
    x = photograph[..., :120, :120]
    dense = DensePNet(net)
    before = dense(x)
    with torch.no_grad():
        net.output.bias.add_(1)
    assert torch.equal(dense(x), before)
    assert net.training, "the caller's network was switched to evaluation"


@pytest.mark.parametrize("evaluate", [PNet.__call__, lambda net, x: DensePNet(net)(x)])
def test_it_is_deterministic(plain_net: PNet, photograph: Tensor, evaluate: Callable[[PNet, Tensor], Tensor]) -> None:
    x = photograph[..., :140, :140]
    with torch.inference_mode():
        assert torch.equal(evaluate(plain_net, x), evaluate(copy.deepcopy(plain_net), x.clone()))


@pytest.mark.parametrize("stride", [2, 4])
def test_shifting_the_image_by_the_stride_shifts_the_map(varied_net: PNet, photograph: Tensor, stride: int) -> None:
    dense = DensePNet(varied_net, stride)
    whole = dense(photograph[..., 100:300, 100:300])
    shifted = dense(photograph[..., 100 + stride : 300, 100 + 2 * stride : 300])
    assert relative_difference(shifted, whole[..., 1:, 2:]) < 1e-5
    assert relative_difference(shifted, whole[..., :-1, :-2]) > 1e-3


@pytest.mark.parametrize("level", [0.0, 0.1, 127.5, 254.9, 255.0])
def test_a_flat_image_has_no_deviation_and_one_threshold(plain_net: PNet, level: float) -> None:
    x = torch.full((1, 1, 130, 130), level)
    net = copy.deepcopy(plain_net)
    with torch.no_grad():
        net.channel_weight.fill_(1)
        net.channel_bias.fill_(0)
    deviation, distance = net.augment(x)[0, 2:]
    assert deviation.max() <= 1e-3
    assert distance.max() == 0
    values = DensePNet(plain_net)(x)
    assert torch.isfinite(values).all()
    assert relative_difference(values, values[0, 0, 0, 0].expand_as(values)) < 1e-5


def test_the_deviation_of_faint_texture_on_white_is_right(plain_net: PNet) -> None:
    """Where G*x^2 - mu^2 in float32 is off by more than its own value."""
    texture = 255 - np.random.default_rng(3).uniform(0, 0.05, (45, 45)).astype(np.float32)
    exact = texture.astype(np.float64) - 255
    axis = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    gaussian = np.outer(axis, axis) / axis.sum() ** 2
    mean = correlate(exact, gaussian, mode="valid", method="direct")
    square = correlate(exact**2, gaussian, mode="valid", method="direct")
    net = copy.deepcopy(plain_net)
    with torch.no_grad():
        net.channel_weight.fill_(1)
        net.channel_bias.fill_(0)
        deviation = net.augment(as_tensor(texture))[0, 2].numpy()
    np.testing.assert_allclose(deviation, np.sqrt(square - mean**2), rtol=1e-3)


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_gradients_are_finite_on_a_flat_patch_and_reach_all_weights(autocast: bool) -> None:
    torch.manual_seed(0)
    net = PNet().train()
    x = torch.full((4, 1, 38, 38), 255.0)
    x[1] += torch.linspace(-200, 0, 38)
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        thresholds = net(x)
        assert thresholds.dtype == torch.float32
        (1 - torch.exp(-net.mixing * 4 / thresholds)).mean().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_bfloat16_is_close_enough_to_train_with(plain_net: PNet, photograph: Tensor) -> None:
    x = photograph[..., 100:140, 200:280]
    with torch.inference_mode():
        expected = plain_net(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert relative_difference(plain_net(x), expected) < 0.02


def test_the_evaluator_loses_no_bits_to_a_callers_autocast(plain_net: PNet, photograph: Tensor) -> None:
    x = photograph[..., :120, :120]
    expected = DensePNet(plain_net)(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(DensePNet(plain_net)(x), expected)


def test_thresholds_stay_within_the_limits(plain_net: PNet, photograph: Tensor) -> None:
    net = copy.deepcopy(plain_net)
    x = photograph[..., :38, :38]
    for bias, limit in ((-50.0, 0.01), (50.0, 100.0)):
        with torch.no_grad():
            net.output.bias.fill_(bias)
            assert net(x).item() == pytest.approx(limit, rel=1e-5)
