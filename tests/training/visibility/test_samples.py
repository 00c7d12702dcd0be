"""Patches are the images' own pixels, and what is computed from them is what the networks compute."""

import numpy as np
import pytest
import torch
from PIL import Image

from napari_iqmaps import InputError
from napari_iqmaps.core.networks.pnet import ContrastModel, PNet, local_statistics
from napari_iqmaps.core.observers import local_difference
from napari_iqmaps.training.databases.manifest import read_manifest
from napari_iqmaps.training.visibility.impairment import thresholds
from napari_iqmaps.training.visibility.recipe import TrainingConfig
from napari_iqmaps.training.visibility.samples import (
    DifferenceMeasure,
    ImageBank,
    PatchSteps,
    ScoredImages,
    measure_of,
    read_luminance,
    statistics_of,
)

MEASURE = measure_of(TrainingConfig())


@pytest.fixture
def data(tiny_data):
    return ScoredImages.read(read_manifest(tiny_data).table, MEASURE)


def test_statistics_are_those_of_the_networks(tiny_data):
    plane = read_luminance(tiny_data.parent / "noise1_1.png")
    ours = statistics_of(plane, "noise").float()
    centre, mean, deviation = (part[0, 0] for part in local_statistics(torch.from_numpy(plane)[None, None]))
    for channel, expected in zip(ours[..., :3].unbind(-1), (centre, centre - mean, deviation), strict=True):
        torch.testing.assert_close(channel, expected, atol=0.002, rtol=0.001)  # half precision
    assert not ours[..., 3].any()


def test_differences_are_those_of_the_map(tiny_data):
    test, reference = (read_luminance(tiny_data.parent / name) for name in ("noise1_1.png", "scene1.png"))
    kept = statistics_of(test, "noise", MEASURE.of(test, reference, "noise")).float().numpy()[..., 3]
    pooled = np.mean(kept[:33, :33] ** 3) ** (1 / 3)
    assert kept.shape == (test.shape[0] - 6, test.shape[1] - 6)
    centre = 3 + 16  # statistics begin three pixels in
    assert pooled == pytest.approx(local_difference(test, reference, 33)[centre, centre], rel=1e-3)


def test_the_published_difference_is_the_bare_one(tiny_data):
    test, reference = (read_luminance(tiny_data.parent / name) for name in ("noise1_1.png", "scene1.png"))
    assert np.array_equal(DifferenceMeasure((), 1.0).of(test, reference, "noise"), np.abs(test - reference))


@pytest.mark.parametrize("network", [PNet, ContrastModel])
def test_training_computes_the_networks_own_thresholds(network, tiny_data):
    torch.manual_seed(0)
    model = network().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        plane = torch.from_numpy(read_luminance(tiny_data.parent / "noise1_1.png"))
        patches = statistics_of(plane.numpy(), "noise").float()
        ours = thresholds(model, torch.stack([patches[4:36, 5:37], patches[20:52, 40:72]]))
        expected = torch.stack([model(plane[None, None, top : top + 38, left : left + 38]).squeeze()
                                for top, left in ((4, 5), (20, 40))])  # fmt: skip
    torch.testing.assert_close(ours, expected, rtol=2e-3, atol=0)


def test_dropout_leaves_the_mean_alone(tiny_data):
    torch.manual_seed(0)
    model = PNet()
    patches = statistics_of(read_luminance(tiny_data.parent / "noise1_1.png"), "n").float()[None, :32, :32]
    with torch.no_grad():
        drawn = torch.stack([thresholds(model, patches, 0.3).log() for _ in range(60)])
        assert drawn.std() > 0.01
        assert abs(drawn.mean() - thresholds(model, patches).log()[0]) < 4 * drawn.std() / 60**0.5 + 0.05


def test_orientations_are_the_eight_of_a_square(tiny_data):
    path = str(tiny_data.parent / "noise0_0.png")
    bank = ImageBank({path: None}, MEASURE)
    corners = (np.full(8, 7), np.full(8, 11))
    patches = bank.take(np.zeros(8, dtype=np.int64), corners, np.arange(8))[..., 0]
    plain = statistics_of(read_luminance(path), path).float()[7:39, 11:43, 0]
    expected = [torch.rot90(base, turns) for base in (plain, plain.T) for turns in range(4)]
    assert torch.equal(patches[0], plain)
    for patch in patches:
        assert sum(torch.equal(patch, other) for other in expected) == 1
    assert len({patch.numpy().tobytes() for patch in patches}) == 8


def test_tiles_cover_an_image_once(tiny_data):
    path = str(tiny_data.parent / "scene2.png")
    bank = ImageBank({str(tiny_data.parent / "scene0.png"): None, path: None}, MEASURE)
    plane = statistics_of(read_luminance(path), path).float()
    tiles = bank.tiles(1)
    assert tiles.shape == (2 * 2, 32, 32, 4)
    assert torch.equal(tiles[1], plane[:32, 32:64])
    assert torch.equal(tiles[2], plane[32:64, :32])


def test_a_step_is_the_same_whenever_it_is_drawn(data, small_recipe):
    rows = np.arange(12)
    recipe = small_recipe("pnet", pull=0.1, invariance=0.1, brightness=5.0)
    first, again = PatchSteps(data, rows, recipe), PatchSteps(data, rows, recipe, first=5)
    for name, value in next(iter(again)).items():
        assert torch.equal(value, first.step(5)[name]), name
    assert not torch.equal(first.step(5)["test"], first.step(4)["test"])


def test_pairs_are_cut_at_the_same_place(data, small_recipe):
    batch = PatchSteps(data, np.arange(len(data.table)), small_recipe("pnet", brightness=20.0)).step(0)
    assert batch["test"].shape == (12, 32, 32, 4)
    difference = (batch["test"] - batch["reference"])[..., 0].abs().mean((1, 2))
    assert (difference > 0).all()
    assert (difference < 20).all()


def test_only_the_given_rows_are_seen(data, small_recipe):
    rows = np.flatnonzero(data.table["scene"] == "photo1")
    batches = PatchSteps(data, rows, small_recipe("pnet", pull=1.0))
    assert set(batches.files) == set(data.bank.numbers(data.table["file"].iloc[rows]))
    assert list(batches.clean) == [data.bank.number[data.table["reference"].iloc[rows[0]]]]


def test_images_that_cannot_be_used(tiny_data, tmp_path):
    table = read_manifest(tiny_data).table.iloc[:1].copy()
    path = tmp_path / "odd.png"
    table["file"] = [str(path)]
    for size, message in (((40, 50), "has 40x50 pixels and its reference"), ((37, 50), "at least 38 a side")):
        Image.fromarray(np.zeros(size, np.uint8)).save(path)
        if size[0] < 38:
            table["reference"] = [str(path)]
        with pytest.raises(InputError, match=message):
            ScoredImages.read(table, MEASURE)
