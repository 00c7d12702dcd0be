"""Open workers by what a person writes: a file, a function with a file of weights, or the name of a published network.

A worker that says little of itself is described by a small TOML file, which is then what is given as the worker::

    worker = "resnet.onnx"              # any of the forms below, files as seen from this one
    name = "ours"
    classes = ["cat", "dog"]            # or the name of a text file with a class a line
    size = 224                          # or [height, width]
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    gives = "logits"                    # or "probabilities"
"""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ...core import models
from ...core.errors import InputError
from ...core.io.records import Fields, fields_of, is_whole, parse_json, read_text, read_toml
from ...core.io.source import check_regular
from .recognisers import NETWORK, load_worker
from .workers import Preprocessing, Recogniser

_DESCRIBED = ("classes", "size", "mean", "std", "gives")
_SCRIPTS = (".pt", ".ts")
_TOML = ".toml"
_EXTRA = "worker.json"
"""Of a TorchScript file: what it says of itself, as the keys of the TOML file."""


def load_state(network: nn.Module, file: Path) -> None:
    """Read weights into a network without running code.

    `file`: safetensors, or what ``torch.save`` has written of a state dict, by itself or under ``"state_dict"``.
    """
    if file.suffix.lower() == ".safetensors":
        state: Any = models.read_state(file)[0]
    else:
        state = _saved(file)
    try:
        network.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError, ValueError) as error:  # of names or shapes, or no tensors
        raise InputError(f"The weights {file} do not fit: {error}") from error


def _saved(file: Path) -> Any:
    """Read a state dict that torch has saved, without running code."""
    check_regular(file)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(f"{file} cannot be read without running code: save the state dict alone. ({error})") from error
    except Exception as error:  # torch's reader raises many kinds on a damaged file
        raise InputError(f"The weights {file} cannot be read: {error}") from error
    if isinstance(state, Mapping):
        state = state.get("state_dict", state)
    if not isinstance(state, Mapping):
        raise InputError(f"{file} holds a {type(state).__name__}, no state dict.")
    for name, tensor in state.items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{file} holds NaN or infinite numbers in the tensor {name}. Take other weights.")
    return state


Network = Callable[[Tensor], Tensor]
Opened = tuple[Network, dict[str, Any], Path]
"""A network, what is known of it, and its file."""


def torchvision(name: str, file: Path | None, classes: Sequence[str] | None) -> Opened:
    """Open a network of torchvision.

    `name`: as ``torchvision.models.get_model`` takes it, such as ``"resnet50"``. `file`: its weights; None takes
    torchvision's default ones from torch's cache. `classes`: of weights of the user's own; None: those of
    torchvision's. Returns network, described, file: in evaluation; classes, size, mean and std of the weights; the file
    of the weights.
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

    `name`: as ``timm.create_model`` takes it, such as ``"mobilenetv3_small_100.lamb_in1k"``. `file`: its weights; None
    takes timm's own from the cache of huggingface_hub. `classes`: of weights of the user's own; None: WordNet's
    numbers, as ImageNet's folders are called. Returns network, described, file: in evaluation; classes, size, mean and
    std of the weights; the file of the weights.
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

    `file`: with one input, ``(batch, 3, height, width)``, and the answers as its first output. Returns network,
    described: on the CPU; the size, where the file fixes it, and what its metadata says as JSON under classes, size,
    mean and std, and as text under gives.
    """
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
            described[key] = parse_json(text, f"{key} in the metadata of {file}")
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


def open_worker(
    spec: str | Path,
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    gives: str | None = None,
) -> Recogniser:
    """Open a worker.

    Parameters
    ----------
    spec : str or pathlib.Path
        One of these, each also as ``NAME=...``:

        - ``FILE.safetensors``, the result of ``iqmaps train worker``;
        - ``FILE.pt`` or ``FILE.ts``, a TorchScript module;
        - ``FILE.onnx``, where onnxruntime is installed;
        - ``FILE.py:function@WEIGHTS`` or ``package.module:function@WEIGHTS``, a function without parameters that makes
          a torch module, and a file of weights for it (safetensors, or a state dict that torch has saved);
        - ``torchvision:NAME`` or ``timm:NAME`` where these are installed, also with ``@WEIGHTS``;
        - ``FILE.toml``, which describes one of the others.
    name : str, optional
        Its name; by default that of the file, or of the run's folder.
    classes : sequence of str, optional
        In the order of its answers, where the file does not say.
    size : int or (int, int), optional
        Pixels a side, or height and width, that pictures are brought to.
    mean, std : sequence of float, optional
        Taken off red, green and blue from 0 to 1, and what that is divided by.

    Notes
    -----
    Nothing is downloaded. Published networks are read from where their own packages keep them after a download; the
    error says from where to where to fetch them. Only ``function`` runs code of the user's.
    """
    given = {"classes": classes, "size": size, "mean": mean, "std": std, "gives": gives}
    return _opened(str(spec), name, {key: value for key, value in given.items() if value is not None}, Path())


def _opened(spec: str, name: str | None, given: dict[str, Any], folder: Path) -> Recogniser:
    own_name, rest = _name_and_rest(spec)
    name = name or own_name
    suffix = Path(rest).suffix.lower()
    if suffix == _TOML:
        return _by_description(_there(folder / rest), name, given)
    kind, colon, what = rest.partition(":")
    file: Path | None
    if colon and kind in ZOOS:
        network_name, file = _with_weights(what, folder)
        network, said, file = ZOOS[kind](network_name, file, given.get("classes"))
        usual = network_name
    elif re.search(r":\w+(@|$)", rest):
        network, file = _made_by(rest, folder)
        said, usual = _header(file), file.stem
    else:
        file = _there(folder / rest)
        network, said = _from_file(file, suffix)
        usual = file.resolve().parent.name if file.stem == NETWORK else file.stem
    said = {**said, **given}
    fields = Fields(said, f"The worker {spec}")
    known = fields.texts("classes", None)
    sha256 = models.sha256_of(file) if file is not None else ""
    return Recogniser(network, name or usual, None if known is None else tuple(known), _preprocessing(fields), sha256)


def _name_and_rest(spec: str) -> tuple[str | None, str]:
    match = re.match(r"([\w.-]+)=(.+)", spec, re.ASCII)
    return (match[1], match[2]) if match else (None, spec)


def _by_description(path: Path, name: str | None, given: dict[str, Any]) -> Recogniser:
    told = read_toml(path)
    unknown = [key for key in told if key not in ("worker", "name", *_DESCRIBED)]
    if unknown or not isinstance(told.get("worker"), str):
        raise InputError(
            f"{path} {f'has the unknown key {unknown[0]}' if unknown else 'does not name a worker'}; it may have "
            f"worker, name, {', '.join(_DESCRIBED)}."
        )
    if isinstance(told.get("classes"), str):
        lines = read_text(_there(path.parent / told["classes"])).splitlines()
        told["classes"] = [line.strip() for line in lines if line.strip()]
    described = {key: told[key] for key in _DESCRIBED if key in told}
    return _opened(
        told["worker"], name or Fields(told, str(path)).text("name", None), {**described, **given}, path.parent
    )


def _preprocessing(said: Fields) -> Preprocessing:
    size = said.values.get("size")
    both: Any = (size, size) if is_whole(size) else said.sides("size", None)
    numbers = {name: tuple(said.numbers(name, count=3)) for name in ("mean", "std") if name in said}
    return Preprocessing(both, **numbers, gives=said.text("gives", "logits"))


def _there(path: Path) -> Path:
    if not os.path.exists(path):  # noqa: PTH110 - which refuses no name
        raise InputError(
            f"There is no worker {path}. Give a .safetensors, .pt, .ts, .onnx or .toml file, FILE.py:function@WEIGHTS, "
            f"or {' or '.join(f'{zoo}:NAME' for zoo in ZOOS)}."
        )
    check_regular(path)
    return path


def _from_file(file: Path, suffix: str) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    if suffix == ".safetensors":
        network, classes = load_worker(file)
        return network, {**_header(file), "classes": classes}
    if suffix in _SCRIPTS:
        return _script(file)
    if suffix == ".onnx":
        return onnx(file)
    raise InputError(f"{file} is no worker: its suffix is none of .safetensors, .pt, .ts, .onnx, .toml.")


def _script(file: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    extra = {_EXTRA: ""}
    try:
        with warnings.catch_warnings():
            # torch advises whoever saves to use torch.export; the file is there.
            warnings.filterwarnings("ignore", message=".*torch.jit.load. is deprecated", category=DeprecationWarning)
            script = torch.jit.load(str(file), map_location="cpu", _extra_files=extra)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise InputError(
            f"{file} is no TorchScript module ({str(error).splitlines()[0]}). Save it with torch.jit.save, or give "
            "FILE.py:function@WEIGHTS for a module that is code."
        ) from None
    return script.eval(), _described(extra[_EXTRA], file)


def _described(text: str | bytes, file: Path) -> dict[str, Any]:
    """Read what a file says of itself as JSON."""
    if not text:
        return {}
    said = fields_of(parse_json(text, f"What {file} says of itself"), f"What {file} says of itself").values
    return {key: said[key] for key in _DESCRIBED if key in said}


def _header(file: Path) -> dict[str, Any]:
    """Read what the header of a safetensors file says."""
    if file.suffix.lower() != ".safetensors":
        return {}
    header = models.header_of(file)
    return {
        key: header[key] if key == "gives" else parse_json(header[key], f"{key} in the header of {file}")
        for key in _DESCRIBED
        if key in header
    }


def _with_weights(text: str, folder: Path) -> tuple[str, Path | None]:
    what, at, file = text.partition("@")
    return what, _there(folder / file) if at else None


def _made_by(spec: str, folder: Path) -> tuple[nn.Module, Path]:
    """Call the user's function and give its module the weights."""
    what, file = _with_weights(spec, folder)
    if file is None:
        raise InputError(f"{spec} names no weights. Give {spec}@FILE, a .safetensors file or a saved state dict.")
    module, _, function = what.rpartition(":")
    try:
        if module.endswith(".py"):
            path = _there(folder / module)
            made_of = importlib.util.spec_from_file_location(path.stem, path)
            assert made_of is not None
            assert made_of.loader is not None
            code = importlib.util.module_from_spec(made_of)
            made_of.loader.exec_module(code)
        else:
            code = import_module(module)
        network = getattr(code, function)()
    except (ImportError, AttributeError, TypeError, SyntaxError) as error:
        raise InputError(f"{what} gives no network ({type(error).__name__}: {error}).") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{what} gives a {type(network).__name__}, no torch.nn.Module.")
    load_state(network, file)
    return network.eval(), file
