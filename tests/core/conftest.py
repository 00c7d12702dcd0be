"""Seeded random weights of the networks: what is tested holds for any weights."""

import pytest
import torch
from safetensors.torch import save_file

from napari_iqmaps.core.networks.blind import DIQA, DeepBQA
from napari_iqmaps.core.networks.metrifier import Metrifier

NETWORKS = {"deepbqa": DeepBQA, "diqa": DIQA}


def random_network(model, seed=0):
    """A network whose error, sensitivity and score all vary: random weights, and a head that is nowhere dead."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = NETWORKS[model]()
    with torch.no_grad():
        network.trunk.error.bias += 0.3
        if model == "deepbqa":
            network.hidden.weight.abs_()
            network.output.weight.abs_()
    return network.eval()


def written(network, model, path):
    save_file(network.state_dict(), path, metadata={"network": model})
    return path


@pytest.fixture(scope="session")
def blind_weights(tmp_path_factory):
    """Paths of random weights, by model."""
    folder = tmp_path_factory.mktemp("weights")
    return {model: written(random_network(model), model, folder / f"{model}.safetensors") for model in NETWORKS}


def random_metrifier(seed=0):
    """A metrifier whose answers vary, with an uncertainty that rises from .1 to .2."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Metrifier()
    with torch.no_grad():
        network.head.weight *= 20
        network.uncertainty.deviations.copy_(0.1 + 0.1 * network.uncertainty.knots)
    return network.eval()


@pytest.fixture(scope="session")
def machine_weights(tmp_path_factory):
    """Path of random weights of the metrifier."""
    return written(random_metrifier(), "metrifier", tmp_path_factory.mktemp("machine") / "metrifier.safetensors")
