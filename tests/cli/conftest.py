"""Runs the command line: in this process for most tests, as a program where the process matters."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from napari_iqmaps.cli import main


@pytest.fixture
def images(tmp_path):
    """A folder with three small pictures."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(11)
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 256, (40, 56), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def iqmaps(tmp_path, monkeypatch):
    """Call the command line in an empty folder; gives click's result."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call


@pytest.fixture
def rows(iqmaps):
    """Call with ``--json``; gives the status and what was printed."""

    def call(*words):
        result = iqmaps(*words, "--json")
        return result.exit_code, json.loads(result.stdout)

    return call


@pytest.fixture
def program():
    """Run ``iqmaps`` as a program of its own."""

    def run(*words):
        command = [sys.executable, "-c", "from napari_iqmaps.cli import main; main()", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """Weights of the blind networks before any training, by the network's name; always the same."""
    import torch

    from napari_iqmaps.core.networks.blind import DIQA, DeepBQA
    from napari_iqmaps.training.weights import write_weights

    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    for name, network in (("deepbqa", DeepBQA), ("diqa", DIQA)):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            paths[name] = folder / f"{name}.safetensors"
            write_weights(paths[name], name, network(), {})
    return paths
