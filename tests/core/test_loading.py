"""Networks are read once, and again when their file has changed."""

import torch
from safetensors.torch import save_file

from napari_iqmaps.core import models
from napari_iqmaps.core.models import full_precision, load_network
from napari_iqmaps.core.networks.blind import DIQA, DeepBQA

CPU = torch.device("cpu")


def test_a_network_is_read_once_and_a_changed_file_is_another(tmp_path):
    path = tmp_path / "diqa.safetensors"
    read = []
    for _ in range(2):
        save_file(DIQA().state_dict(), path, metadata={"network": "diqa"})
        record = models.find(path, "diqa")
        read.append(load_network(DIQA, record, CPU))
        assert load_network(DIQA, record, CPU) is read[-1]
    assert not torch.equal(read[0].trunk.error.weight, read[1].trunk.error.weight)
    assert not read[1].training


def test_two_networks_stay_ready_together(blind_weights):
    records = {make: models.find(blind_weights[model], model) for model, make in (("diqa", DIQA), ("deepbqa", DeepBQA))}
    first = {make: load_network(make, record, CPU) for make, record in records.items()}
    assert all(load_network(make, record, CPU) is first[make] for make, record in records.items())


def test_only_cuda_has_to_be_told_to_be_precise():
    allowed = torch.backends.cudnn.allow_tf32
    with full_precision(CPU):
        assert torch.backends.cudnn.allow_tf32 == allowed
    with full_precision(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == allowed
