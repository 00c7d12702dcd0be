"""Networks and where they run: the registry of weights, what is checked before they are used, and devices.

Importing this module imports no torch: what needs it imports it when it is called.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import InputError, WeightsError
from .io.records import fields_of, parse_toml, read_text
from .io.source import check_regular
from .libraries import load
from .progress import tell_stage

if TYPE_CHECKING:
    import torch
    from torch import nn


DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve(device: str) -> torch.device:
    """Turn a device's name into one that this machine has.

    ``"auto"`` takes CUDA, then Apple's MPS, then the CPU; ``"cpu"``, ``"cuda"`` (or ``"cuda:1"``) and ``"mps"`` take
    just that.
    """
    load("PyTorch")
    import torch

    if not isinstance(device, str) or device.partition(":")[0] not in DEVICES:
        raise InputError(f"There is no device {device!r}. Choose one of {', '.join(DEVICES)}.")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, present in available.items() if present))
    if not available[device.partition(":")[0]]:
        raise InputError(f'This machine has no usable {device!r} device. Use device="auto" or "cpu".')
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise InputError(f"There is no device {device!r}. Choose one of {', '.join(DEVICES)}, or cuda:0.") from None
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(f"There is no {device!r}: this machine has {torch.cuda.device_count()} CUDA devices.")
    return chosen


_FOLDER = "_weights"

_DIGITS = 64  # of a sha256

_UNKNOWN: Mapping[str, float] = MappingProxyType({"evidence.limit": math.inf, "uncertainty.deviations": math.nan})
"""Tensors that may say that nothing is known yet, and by what; no other may hold anything but finite numbers."""


@dataclass(frozen=True)
class WeightsRecord:
    """What is known of a file of weights.

    `network` is what they belong to, such as ``"pnet"``; `details` are the registry's further fields, or the header's
    for a file given by path.
    """

    name: str
    network: str
    path: Path
    sha256: str
    details: Mapping[str, Any]


@cache
def registry() -> dict[str, dict[str, Any]]:
    """Read the registry that ships with the package: name to record, in the order of the file."""
    path = _folder() / "registry.toml"
    return parse_registry(read_text(path, WeightsError), str(path))


def parse_registry(text: str, where: str) -> dict[str, dict[str, Any]]:
    """Read a registry from its text: name to record, with what is needed of each; `where` is what messages call it."""
    entries = fields_of(parse_toml(text, where, WeightsError), where, WeightsError).record("weights")
    for name in entries.values:
        entry = entries.record(name)
        entry.text("network")
        entry.file_name("file")  # beside the registry, and nowhere else
        if len(entry.text("sha256")) != _DIGITS:
            entry.refuse("sha256", f"a text of {_DIGITS} hexadecimal digits")
        entry.truth("default", False)
        entry.record("figures", {})
    return {name: dict(entry) for name, entry in entries.values.items()}


def default_name(network: str) -> str:
    """Give the name of the default weights of a network."""
    for name, record in registry().items():
        if record["network"] == network and record.get("default", False):
            return name
    raise WeightsError(f"No weights ship for the network {network!r}. Pass weights=PATH to a safetensors file.")


def find(name_or_path: str | Path, network: str) -> WeightsRecord:
    """Find weights, by a name in the registry or the path of a ``.safetensors`` file, and verify them."""
    name = str(name_or_path)
    registered = registry().get(name)
    record = _registered(name, registered) if registered else _from_path(Path(name_or_path))
    if record.network != network:
        raise WeightsError(
            f"{record.name} holds weights of the network {record.network!r}; {network!r} is needed here."
        )
    return record


def load_into(network: nn.Module, path: str | Path) -> None:
    """Read the tensors of a verified file into a network, as float32 whatever precision they are stored in."""
    tensors = {name: tensor.float() for name, tensor in read_state(path)[0].items()}
    if misfits := misfits_of(network.state_dict(), tensors):
        raise WeightsError(f"The tensors in {path} do not fit {type(network).__name__}: {misfits}.")
    network.load_state_dict(tensors)


def misfits_of(wanted: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> str:
    """Say how tensors differ from those that a network has, in names and shapes; empty if they do not."""
    missing = [name for name in wanted if name not in tensors]
    unknown = [name for name in tensors if name not in wanted]
    other = [name for name in wanted if name in tensors and tensors[name].shape != wanted[name].shape]
    said = [
        *([f"{len(missing)} of {len(wanted)} are missing, such as {missing[0]}"] if missing else []),
        *([f"{len(unknown)} are unknown, such as {unknown[0]}"] if unknown else []),
        *(f"{name} is {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}" for name in other[:1]),
    ]
    return "; ".join(said)


def read_state(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read all tensors of a safetensors file as they are stored, and its header.

    A tensor that is not of finite real numbers is refused, but for those that say so that nothing is known yet.
    """
    header, tensors = _opened(path, framework="pt", with_tensors=True)
    for name, tensor in tensors.items():
        if tensor.is_complex():
            raise WeightsError(f"{path} holds complex numbers in the tensor {name}; networks are of real ones.")
        numbers = tensor.float()
        wrong = int((~numbers.isfinite()).sum())
        if wrong and not _is_unknown(name, numbers):
            raise WeightsError(
                f"{path} holds NaN or infinity in {wrong} of the {numbers.numel()} numbers of the tensor {name}. Its "
                "training went astray, or the file is damaged: take other weights."
            )
    return tensors, header


def _is_unknown(name: str, numbers: torch.Tensor) -> bool:
    """Tell whether a tensor says that nothing is known yet."""
    if name not in _UNKNOWN:
        return False
    unknown = _UNKNOWN[name]
    return bool((numbers.isnan() if math.isnan(unknown) else numbers == unknown).all())


def verify() -> list[WeightsRecord]:
    """Check every registered file against its sha256."""
    return [_registered(name, record) for name, record in registry().items()]


def sha256_of(path: Path) -> str:
    """Give the sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder() -> Path:
    # The package is always on disk (safetensors maps files into memory), so the traversable is a path.
    return Path(str(resources.files("napari_iqmaps"))) / _FOLDER


def _registered(name: str, record: Mapping[str, Any]) -> WeightsRecord:
    path = _folder() / record["file"]
    if not path.is_file():
        raise WeightsError(
            f"The weights {name!r} should be in {path}, but the file is missing. Reinstall napari-iqmaps."
        )
    found = sha256_of(path)
    if found != record["sha256"]:
        raise WeightsError(
            f"The weights {name!r} have changed: sha256 {found[:12]}... instead of {record['sha256'][:12]}... "
            f"in {path}. Reinstall napari-iqmaps, or pass weights=PATH if you mean to use your own."
        )
    return WeightsRecord(name, record["network"], path, found, dict(record))


def _from_path(path: Path) -> WeightsRecord:
    if not os.path.exists(path):  # noqa: PTH110 - which refuses no name
        names = ", ".join(registry())
        raise WeightsError(f"There are no weights {str(path)!r}: neither a registered name ({names}) nor a file.")
    details = header_of(path)
    if "network" not in details:
        raise WeightsError(
            f"{path} does not say which network it belongs to (no 'network' in its header). "
            "Weights written by 'iqmaps train' do."
        )
    return WeightsRecord(str(path), details["network"], path, sha256_of(path), details)


def header_of(path: Path) -> dict[str, str]:
    """Read what a safetensors file says of itself."""
    return _opened(path, framework="numpy")[0]


def _opened(path: str | Path, *, framework: str, with_tensors: bool = False) -> tuple[dict[str, str], dict[str, Any]]:
    """Read the header of a safetensors file, and its tensors if they are wanted."""
    from safetensors import safe_open

    try:
        check_regular(Path(path))
        with safe_open(path, framework=framework) as file:
            header = dict(file.metadata() or {})
            names = file.keys() if with_tensors else ()
            return header, {name: file.get_tensor(name) for name in names}
    except InputError as error:
        raise WeightsError(str(error)) from error
    except Exception as error:  # on a damaged file the library raises many kinds
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}). Weights in other formats are not read, for they can "
            "run code."
        ) from error


def read_network(network: str, path: str | Path) -> Any:
    """Build a network, a key of `NETWORKS`, and read its numbers from a verified file: float32, for evaluation.

    A module draws its first numbers from torch's global generator, which belongs to the caller: it is put back to
    where it was. (On the meta device nothing would be drawn, but that imports torch's compiler, which takes seconds.)
    """
    load("PyTorch")
    tell_stage(f"reading {network}")
    import torch

    from .networks import NETWORKS

    # Networks are built on the CPU, so no other device's generator moves.
    with torch.random.fork_rng(devices=[]):
        made = NETWORKS[network]()
    load_into(made, path)
    return made.eval()


def load_network(record: WeightsRecord, device: torch.device) -> Any:
    """Read the network of verified weights, laid out for convolutions on a device; the last ones stay ready."""
    return _loaded(record.network, record.path.as_posix(), record.sha256, str(device))


# The key holds the sha256: a file that changed under the same path is another network.
@lru_cache(maxsize=3)
def _loaded(network: str, path: str, sha256: str, device: str) -> Any:
    import torch

    return read_network(network, path).to(device, memory_format=torch.channels_last)


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Keep CUDA from rounding convolutions to ten bits, which tiles of another size would show."""
    import torch

    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
