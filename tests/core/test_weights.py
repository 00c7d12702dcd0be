"""Weights are found by name or path, verified, and never run."""

import pickle
import shutil

import pytest
import torch
from safetensors.torch import save_file

import napari_iqmaps
from napari_iqmaps import WeightsError
from napari_iqmaps.core import models
from napari_iqmaps.core.networks.pnet import ContrastModel


@pytest.fixture
def own_weights(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(ContrastModel().state_dict(), path, metadata={"network": "contrast"})
    return path


def test_every_registered_file_is_what_it_was_and_has_its_record():
    records = models.verify()
    assert {record.network for record in records} == {"pnet", "contrast", "diqa", "deepbqa", "metrifier"}
    for record in records:
        assert record.path.stat().st_size < 20e6, record.name
        assert record.path.with_name(f"MODEL_CARD_{record.name}.md").is_file(), record.name
        expected = {"licence", "command", "data", "seed", "figures"}
        missing = {key for key in expected if record.details.get(key) in (None, "", {})}
        assert not missing, record.name


@pytest.mark.parametrize("network", ["pnet", "contrast"])
def test_a_network_has_one_default(network):
    defaults = [
        name for name, record in models.registry().items() if record["network"] == network and record["default"]
    ]
    assert defaults == [models.default_name(network)]


def test_weights_of_ones_own_are_taken_by_path(own_weights):
    record = models.find(own_weights, "contrast")
    assert record.sha256 == models.sha256_of(own_weights)
    network = ContrastModel()
    with torch.no_grad():
        network.slope.fill_(9)
    models.load_into(network, record.path)
    assert network.slope.item() == ContrastModel().slope.item()


def test_half_precision_files_are_read_as_single(tmp_path):
    path = tmp_path / "half.safetensors"
    save_file({name: tensor.half() for name, tensor in ContrastModel().state_dict().items()}, path)
    network = ContrastModel()
    models.load_into(network, path)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_unknown_and_missing_weights_name_what_there_is():
    with pytest.raises(WeightsError, match=r"'nonsense'.*registered name \(.*pnet.*contrast"):
        models.find("nonsense", "pnet")
    with pytest.raises(WeightsError, match="No weights ship for the network 'other'"):
        models.default_name("other")


def test_weights_of_another_network_are_refused(own_weights):
    with pytest.raises(WeightsError, match="'contrast'.*'pnet' is needed"):
        models.find(own_weights, "pnet")


def test_tensors_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_file({"something": torch.zeros(3)}, path, metadata={"network": "contrast"})
    record = models.find(path, "contrast")
    with pytest.raises(WeightsError, match="do not fit ContrastModel"):
        models.load_into(ContrastModel(), record.path)


def test_a_file_that_could_run_code_is_not_opened(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps({"slope": 1}))
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        models.find(path, "contrast")


def test_a_truncated_file_is_refused(own_weights):
    own_weights.write_bytes(own_weights.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        models.find(own_weights, "contrast")


def test_a_file_without_its_network_is_refused(tmp_path):
    path = tmp_path / "anonymous.safetensors"
    save_file(ContrastModel().state_dict(), path)
    with pytest.raises(WeightsError, match="does not say which network"):
        models.find(path, "contrast")


@pytest.fixture
def copied_registry(tmp_path, monkeypatch):
    """The package's weights folder, copied to where a test may spoil it."""
    folder = tmp_path / "_weights"
    shutil.copytree(models._folder(), folder)
    monkeypatch.setattr(models, "_folder", lambda: folder)
    return folder


def test_tampered_registered_weights_are_refused(copied_registry):
    path = copied_registry / models.registry()["contrast"]["file"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="'contrast' have changed: sha256"):
        models.find("contrast", "contrast")
    with pytest.raises(WeightsError, match="have changed"):
        models.verify()


def test_missing_registered_weights_are_refused(copied_registry):
    (copied_registry / models.registry()["contrast"]["file"]).unlink()
    with pytest.raises(WeightsError, match="file is missing"):
        napari_iqmaps.threshold_map([[True] * 40] * 40, model="contrast")
