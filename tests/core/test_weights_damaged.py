"""Weights that cannot be right are refused when they are loaded, by the tensor or the field that is wrong."""

import json
import math
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

import napari_iqmaps as iq
from napari_iqmaps import WeightsError
from napari_iqmaps.core import models
from napari_iqmaps.core.networks.pnet import ContrastModel

IMAGE = [[float(row * column % 255) for column in range(40)] for row in range(40)]


def state(**changes):
    return ContrastModel().state_dict() | changes


def saved(path, tensors):
    save_file(tensors, path, metadata={"network": "contrast"})
    return path


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("name", ["slope", "offset", "log_scale", "mixing"])
def test_numbers_that_are_none_are_refused_by_tensor(name, number, tmp_path):
    path = saved(tmp_path / "w.safetensors", state(**{name: torch.tensor(number, dtype=torch.float64)}))
    with pytest.raises(WeightsError, match=f"NaN or infinity in 1 of the 1 numbers of the tensor {name}"):
        models.load_into(ContrastModel(), path)
    with pytest.raises(WeightsError, match=f"the tensor {name}"):
        iq.threshold_map(IMAGE, model="contrast", weights=path, data_range=(0, 255))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({name: tensor for name, tensor in state().items() if name != "slope"}, "1 of 4 are missing, such as slope"),
        (state(other=torch.zeros(2)), "1 are unknown, such as other"),
        (state(slope=torch.zeros(3)), r"slope is \(3,\) instead of \(\)"),
        (state(slope=torch.zeros(0)), r"slope is \(0,\) instead of \(\)"),
        ({}, "4 of 4 are missing"),
        (state(slope=torch.tensor(1 + 1j)), "complex numbers in the tensor slope"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tensors, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        models.load_into(ContrastModel(), saved(tmp_path / "w.safetensors", tensors))


@pytest.mark.parametrize("network", ["diqa", "deepbqa", "metrifier", "pnet", "contrast"])
def test_shipped_weights_are_of_numbers(network):
    record = models.find(models.default_name(network), network)
    tensors, _ = models.read_state(record.path)
    assert tensors


def test_what_is_not_known_yet_may_say_so(tmp_path):
    unknown = {"evidence.limit": torch.tensor(math.inf), "uncertainty.deviations": torch.full((3,), math.nan)}
    assert models.read_state(saved(tmp_path / "w.safetensors", unknown))[0].keys() == unknown.keys()
    for wrong in (
        {"evidence.limit": torch.tensor(math.nan)},
        {"evidence.limit": torch.tensor(-math.inf)},
        {"uncertainty.deviations": torch.tensor([1.0, math.nan])},
        {"uncertainty.deviations": torch.tensor([math.inf, math.inf])},
    ):
        with pytest.raises(WeightsError, match="NaN or infinity"):
            models.read_state(saved(tmp_path / "w.safetensors", wrong))


def header(content, length=None):
    return struct.pack("<Q", len(content) if length is None else length) + content


DAMAGED = {
    "empty": b"",
    "seven bytes": b"1234567",
    "huge length": header(b"{}", 2**62),
    "longer than the file": header(b"{}", 1000),
    "length 0": header(b""),
    "no JSON": header(b"no JSON!"),
    "brackets": header(b"[" * 20_000),
    "objects": header(b'{"a":' * 20_000),
    "list": header(b"[1, 2]  "),
    "NUL": b"\0" * 64,
    "offsets": header(json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 4]}}).encode()) + b"\0" * 4,
    "shape": header(json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()) + b"\0" * 4,
    "type": header(json.dumps({"a": {"dtype": "Q99", "shape": [1], "data_offsets": [0, 4]}}).encode()) + b"\0" * 4,
    "negative": header(json.dumps({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}).encode()) + b"\0" * 4,
    "metadata": header(json.dumps({"__metadata__": {"network": 5}}).encode()),
    "no network": header(json.dumps({"__metadata__": {"name": "contrast"}}).encode()),
    "UTF-16": header('{"__metadata__": {"network": "contrast"}}'.encode("utf-16")),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(content, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        models.find(path, "contrast")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is a folder"):
        models.find(tmp_path, "contrast")
    for name in ("n" * 300, "a\0b", "none.safetensors"):
        with pytest.raises(WeightsError, match="There are no weights"):
            models.find(name, "contrast")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(WeightsError, match="is a named pipe"):
            models.find(tmp_path / "pipe", "contrast")
        with pytest.raises(WeightsError, match="is a named pipe"):
            models.read_state(tmp_path / "pipe")


ENTRY = {"network": "contrast", "file": "contrast.safetensors", "sha256": "0" * 64}


def toml(**changes):
    values = {**ENTRY, **changes}
    return "[weights.mine]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks weights"),
        ("weights = 5", "weights is 5; it must be an object"),
        ("weights = [1]", r"weights is \[1\]"),
        ("[weights]\nmine = 5\n", "mine is 5; it must be an object"),
        ("[weights.mine]\n", "lacks network"),
        ("[weights.mine\n", "cannot be read as TOML"),
        ("a = " + "[" * 20_000, "cannot be read as TOML"),
        ("a = " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        (toml(network=5), "network is 5; it must be a text"),
        (toml(file="../other.safetensors"), "file is .* a file of the same folder"),
        (toml(file="/etc/passwd"), "file is .* a file of the same folder"),
        (toml(file=["a"]), "file is .* must be a text"),
        (toml(sha256="short"), "sha256 is 'short'; it must be a text of 64"),
        (toml(sha256=True), "sha256 is True"),
        (toml(default="yes"), "default is 'yes'; it must be true or false"),
        (toml(figures=5), "figures is 5"),
    ],
)
def test_a_damaged_registry_names_the_field(text, message):
    with pytest.raises(WeightsError, match=message):
        models.parse_registry(text, "registry.toml")


def test_a_damaged_registry_is_one_line_of_the_command(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from napari_iqmaps.cli import main

    monkeypatch.setattr(models, "_folder", lambda: tmp_path)
    models.registry.cache_clear()
    try:
        for content in (None, b"", b"[[[[", b"\xff\xfe\0", b"[weights.a]\nfile = 5\n"):
            if content is not None:
                (tmp_path / "registry.toml").write_bytes(content)
            for words in (["list"], ["verify"], ["show", "a"]):
                result = CliRunner().invoke(main, ["weights", *words])
                assert result.exit_code == 2, result.output
                assert result.stderr.count("\n") == 1
                assert "registry.toml" in result.stderr
    finally:
        models.registry.cache_clear()
