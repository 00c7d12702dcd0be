"""Networks that other packages publish or run, where these are installed: torchvision, timm, onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ...core.errors import InputError
from .states import load_state

Network = Callable[[Tensor], Tensor]
Opened = tuple[Network, dict[str, Any], Path]
"""A network, what is known of it, and its file."""


def torchvision(name: str, file: Path | None, classes: Sequence[str] | None) -> Opened:
    """Open a network of torchvision.

    Parameters
    ----------
    name : str
        As ``torchvision.models.get_model`` takes it, such as ``"resnet50"``.
    file : pathlib.Path or None
        Its weights; None takes torchvision's default ones from torch's cache.
    classes : sequence of str or None
        Of weights of the user's own; None: those of torchvision's.

    Returns
    -------
    network, described, file
        In evaluation; classes, size, mean and std of the weights; the file of the weights.
    """
    models = _installed("torchvision", "torchvision.models")
    try:
        published = models.get_model_weights(name).DEFAULT
    except ValueError as error:
        raise InputError(f"torchvision has no network {name!r} ({error}).") from None
    if file is None:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
        _need(file, f"torchvision:{name}", published.url)
    as_published = classes is None or len(classes) == len(published.meta["categories"])
    network = models.get_model(name, weights=None, **({} if as_published else {"num_classes": len(classes or ())}))
    load_state(network, file)
    wanted = published.transforms()
    described: dict[str, Any] = {"size": wanted.crop_size[0], "mean": wanted.mean, "std": wanted.std}
    return network.eval(), described | {"classes": published.meta["categories"]}, file


def timm(name: str, file: Path | None, classes: Sequence[str] | None) -> Opened:
    """Open a network of timm.

    Parameters
    ----------
    name : str
        As ``timm.create_model`` takes it, such as ``"mobilenetv3_small_100.lamb_in1k"``.
    file : pathlib.Path or None
        Its weights; None takes timm's own from the cache of huggingface_hub.
    classes : sequence of str or None
        Of weights of the user's own; None: WordNet's numbers, as ImageNet's folders are called.

    Returns
    -------
    network, described, file
        In evaluation; classes, size, mean and std of the weights; the file of the weights.
    """
    package = _installed("timm", "timm")
    try:
        heads = {} if classes is None else {"num_classes": len(classes)}
        network = package.create_model(name, pretrained=False, **heads)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"timm has no network {name!r} ({error}).") from None
    told: Mapping[str, Any] = network.pretrained_cfg
    if file is None:
        hub = import_module("huggingface_hub")
        repository = str(told.get("hf_hub_id") or "")
        found = hub.try_to_load_from_cache(repository, "model.safetensors") if repository else None
        if not isinstance(found, str):
            raise InputError(
                f"The weights of timm:{name} are not in the cache, and nothing is downloaded here. Fetch them with: "
                f"hf download {repository or '(timm names no place)'} model.safetensors; or give timm:{name}@FILE."
            )
        file = Path(found)
    load_state(network, file)
    described: dict[str, Any] = {"size": told["input_size"][1:], "mean": told["mean"], "std": told["std"]}
    subset = package.data.infer_imagenet_subset(network) if classes is None else None
    if subset:
        names = package.data.ImageNetInfo(subset)
        described["classes"] = [names.index_to_label_name(number) for number in range(names.num_classes())]
    return network.eval(), described, file


def onnx(file: Path) -> tuple[Network, dict[str, Any]]:
    """Open an ONNX file.

    Parameters
    ----------
    file : pathlib.Path
        With one input, ``(batch, 3, height, width)``, and the answers as its first output.

    Returns
    -------
    network, described
        On the CPU; the size, where the file fixes it, and what its metadata says as JSON under classes, size, mean
        and std, and as text under gives.
    """
    import json

    runtime = _installed("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise InputError(f"{file} is no network that onnxruntime can run ({error}).") from None
    first = session.get_inputs()[0]
    if len(session.get_inputs()) != 1 or len(first.shape) != 4:
        raise InputError(f"{file} does not take pictures of the shape (batch, 3, height, width), but {first.shape}.")
    one_by_one = first.shape[0] == 1
    described: dict[str, Any] = {}
    if all(isinstance(side, int) for side in first.shape[2:]):
        described["size"] = list(first.shape[2:])
    for key, text in session.get_modelmeta().custom_metadata_map.items():
        if key in ("classes", "size", "mean", "std"):
            described[key] = json.loads(text)
        elif key == "gives":
            described[key] = text

    def network(colours: Tensor) -> Tensor:
        parts = torch.split(colours, 1) if one_by_one else (colours,)
        return torch.cat([torch.from_numpy(session.run(None, {first.name: part.numpy()})[0]) for part in parts])

    return network, described


def _installed(package: str, module: str) -> Any:
    if find_spec(package) is None:
        raise InputError(f"This worker needs {package}, which is not installed: pip install {package}")
    try:
        return import_module(module)
    except (ImportError, RuntimeError) as error:  # wheels of torchvision that were built for another torch
        raise InputError(f"This worker needs {package}, which does not import here ({error}). Reinstall it.") from error


def _need(file: Path, worker: str, url: str) -> None:
    if not file.is_file():
        raise InputError(
            f"The weights of {worker} are not in {file}, and nothing is downloaded here. Fetch them from {url} to "
            f"there, or give {worker}@FILE."
        )


ZOOS = MappingProxyType({"torchvision": torchvision, "timm": timm})
