"""Networks are read once, and again when their file has changed."""

import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors.torch import save_file

from napari_iqmaps.core import models
from napari_iqmaps.core.models import full_precision, load_network
from napari_iqmaps.core.networks import NETWORKS
from napari_iqmaps.core.networks.blind import DIQA, DeepBQA

CPU = torch.device("cpu")


def test_a_network_is_read_once_and_a_changed_file_is_another(tmp_path):
    path = tmp_path / "diqa.safetensors"
    read = []
    for _ in range(2):
        save_file(DIQA().state_dict(), path, metadata={"network": "diqa"})
        record = models.find(path, "diqa")
        read.append(load_network(record, CPU))
        assert load_network(record, CPU) is read[-1]
    assert not torch.equal(read[0].trunk.error.weight, read[1].trunk.error.weight)
    assert not read[1].training


def test_two_networks_stay_ready_together(blind_weights):
    records = [models.find(blind_weights[model], model) for model in ("diqa", "deepbqa")]
    first = [load_network(record, CPU) for record in records]
    assert [type(network) for network in first] == [DIQA, DeepBQA]
    assert all(load_network(record, CPU) is network for record, network in zip(records, first, strict=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_callers_random_numbers_are_left_alone(network):
    """A module draws its first numbers from torch's global generator, which is not ours to advance."""
    record = models.find(models.default_name(network), network)
    before = torch.random.get_rng_state()
    made = models.read_network(network, record.path)
    models._loaded.cache_clear()
    load_network(record, CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert set(made.state_dict()) == {name for name, _ in (*made.named_parameters(), *made.named_buffers())}
    assert not made.training


def test_the_first_map_of_a_session_draws_nothing_and_loads_no_compiler():
    """What moves the generator would change the caller's numbers; torch's compiler takes seconds to import."""
    code = """
        import sys
        import numpy as np, torch
        import napari_iqmaps as iq
        torch.manual_seed(7)
        before = torch.random.get_rng_state()
        image = np.random.default_rng(0).integers(0, 256, (40, 48, 3)).astype(np.uint8)
        iq.threshold_map(image, channel_axis=-1)
        iq.visibility_map(image[..., 0], image[..., 1], model="contrast")
        iq.quality(image, channel_axis=-1)
        iq.quality(image, channel_axis=-1, model="diqa")
        iq.machine_quality(image, channel_axis=-1)
        print(torch.equal(torch.random.get_rng_state(), before), "torch._dynamo" in sys.modules)
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "True False", found.stderr


def test_only_cuda_has_to_be_told_to_be_precise():
    allowed = torch.backends.cudnn.allow_tf32
    with full_precision(CPU):
        assert torch.backends.cudnn.allow_tf32 == allowed
    with full_precision(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == allowed
