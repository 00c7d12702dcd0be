"""Small recognisers learn, always the same, can be stopped, and their files say what they are."""

import json

import numpy as np
import pytest
import torch

from napari_iqmaps import Cancelled, InputError
from napari_iqmaps.core.errors import WeightsError
from napari_iqmaps.core.networks.metrifier import Metrifier
from napari_iqmaps.training.machine.pictures import LabelledPictures
from napari_iqmaps.training.machine.recipe import ARCHITECTURES, WorkerConfig
from napari_iqmaps.training.machine.recognisers import WorkerNetwork, WorkerSteps, accuracy, fit_worker, load_worker
from napari_iqmaps.training.weights import write_weights


def recipe(**changes):
    small = {"width": 4, "epochs": 8, "batch": 8, "shift": 2, "precision": "32-true", "smoothing": 0.0}
    return WorkerConfig(**(small | changes))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_take_pictures_of_any_size_from_24_pixels_on(architecture):
    torch.manual_seed(0)
    network = WorkerNetwork(architecture, 3, 4).eval()
    with torch.inference_mode():
        for size in ((24, 24), (25, 41), (64, 24)):
            assert network(torch.rand(2, 3, *size)).shape == (2, 3)
        with pytest.raises(InputError, match="have 24x23 pixels; the recogniser needs 24"):
            network(torch.rand(1, 3, 24, 23))


def test_networks_are_of_the_stated_cost():
    from torch.utils.flop_counter import FlopCounterMode

    for architecture in ARCHITECTURES:
        network = WorkerNetwork(architecture, 10).eval()
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network(torch.zeros(1, 3, 32, 32))
        assert 0.02e9 < counter.get_total_flops() < 0.22e9, architecture
        assert sum(value.numel() for value in network.parameters()) < 1.2e6


def test_unknown_networks_are_refused():
    with pytest.raises(InputError, match="no architecture 'vgg'. Choose one of plain, residual"):
        WorkerNetwork("vgg", 3)
    with pytest.raises(InputError, match="1 classes"):
        WorkerNetwork("plain", 1)
    with pytest.raises(InputError, match="architecture is 'vgg'"):
        WorkerConfig(architecture="vgg")


def test_an_epoch_sees_every_picture_once(two_colours):
    steps = WorkerSteps(two_colours, recipe(flip=False, shift=0, batch=6))
    seen = torch.cat([steps.step(number)["colours"] for number in range(8)])
    sums = seen.sum((1, 2, 3)).numpy()
    all_sums = two_colours.pixels.sum((1, 2, 3), dtype=np.int64)
    for epoch in range(3):
        assert sorted(sums[16 * epoch : 16 * (epoch + 1)]) == sorted(all_sums)
    assert list(sums[:16]) != list(sums[16:32])
    labels = torch.cat([steps.step(number)["label"] for number in range(8)]).numpy()
    blue = seen[:, 2].float().mean((1, 2)) > seen[:, 0].float().mean((1, 2))
    np.testing.assert_array_equal(labels == 0, blue.numpy())


def windows_of(picture, reach):
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    side = picture.shape[0]
    places = range(2 * reach + 1)
    return [padded[row : row + side, column : column + side].tobytes() for row in places for column in places]


def test_pictures_are_moved_and_mirrored_and_nothing_else(two_colours):
    steps = WorkerSteps(two_colours, recipe(shift=2, batch=16))
    step = steps.step(4)
    assert torch.equal(step["colours"], steps.step(4)["colours"])
    as_they_are = {window for picture in two_colours.pixels for window in windows_of(picture, 2)}
    mirrored = {window for picture in two_colours.pixels for window in windows_of(picture[:, ::-1], 2)}
    seen = [np.ascontiguousarray(picture).tobytes() for picture in step["colours"].permute(0, 2, 3, 1).numpy()]
    assert set(seen) <= as_they_are | mirrored
    assert 2 < sum(window in mirrored for window in seen) < 14
    assert not set(seen) & {picture.tobytes() for picture in two_colours.pixels}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_recognisers_learn(tmp_path, two_colours, architecture):
    weights = fit_worker(recipe(architecture=architecture, epochs=20), two_colours, tmp_path / "run")
    network, classes = load_worker(weights)
    assert classes == ("blue", "red")
    assert accuracy(network, two_colours) > 0.9


def test_a_run_is_reproducible_and_goes_on_where_it_was_stopped(tmp_path, two_colours):
    def stop(done, total):
        assert total == 16
        if done == 5:
            raise Cancelled

    at_once = fit_worker(recipe(), two_colours, tmp_path / "a", command="x")
    with pytest.raises(Cancelled):
        fit_worker(recipe(), two_colours, tmp_path / "b", command="x", progress=stop)
    assert not (tmp_path / "b" / "worker.safetensors").exists()
    in_parts = fit_worker(recipe(), two_colours, tmp_path / "b", command="x")
    assert in_parts.read_bytes() == at_once.read_bytes()
    other = fit_worker(recipe(seed=1), two_colours, tmp_path / "c", command="x")
    assert other.read_bytes() != at_once.read_bytes()
    with pytest.raises(InputError, match=r"config.epochs was 8, is 9"):
        fit_worker(recipe(epochs=9), two_colours, tmp_path / "a")
    with pytest.raises(InputError, match="holds a run already"):
        fit_worker(recipe(), two_colours, tmp_path / "a", resume=False)


def test_the_file_says_what_it_is(tmp_path, two_colours):
    from safetensors import safe_open

    weights = fit_worker(recipe(epochs=1), two_colours, tmp_path / "run", command="iqmaps train worker")
    with safe_open(weights, framework="pt") as file:
        header = file.metadata()
    assert header["network"] == "worker"
    assert json.loads(header["classes"]) == ["blue", "red"]
    assert json.loads(header["size"]) == [24, 24]
    assert (header["architecture"], header["width"], header["part"]) == ("plain", "4", "0:1")
    assert header["trained_by"] == "iqmaps train worker"


def test_what_cannot_be_used_is_refused(tmp_path, two_colours):
    def of(rows, side=24):
        names = tuple(two_colours.names[row] for row in rows)
        pixels = two_colours.pixels[rows, :side, :side]
        return LabelledPictures(two_colours.path, names, two_colours.classes, two_colours.labels[rows], pixels)

    with pytest.raises(InputError, match="All 8 pictures show red. Give a larger part"):
        fit_worker(recipe(), of(list(range(8, 16))), tmp_path / "run")
    with pytest.raises(InputError, match="have 20x20 pixels; a recogniser needs 24"):
        fit_worker(recipe(), of(list(range(16)), 20), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    write_weights(tmp_path / "m.safetensors", "metrifier", Metrifier(4), {})
    with pytest.raises(WeightsError, match="network 'metrifier'; 'worker' is needed"):
        load_worker(tmp_path / "m.safetensors")
    write_weights(tmp_path / "w.safetensors", "worker", WorkerNetwork("plain", 2, 4), {})
    with pytest.raises(WeightsError, match="header of .* lacks width"):
        load_worker(tmp_path / "w.safetensors")
