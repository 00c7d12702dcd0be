"""Weights as files: the same bytes for the same weights, a header that says where they come from, and the registry.

The registry is ``registry.toml`` in the folder of the weights that ship; `napari_iqmaps.core.models` reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from .. import __version__
from ..core.errors import InputError, WeightsError
from ..core.io.atomic import written_whole
from ..core.io.records import fields_of, is_plain_name, read_json, read_text, short
from ..core.models import parse_registry, read_state, sha256_of

REGISTRY = "registry.toml"

_HEAD = "# Every file of weights that ships, and where it comes from. Each is verified before it is read.\n"

_LARGE = 1000
"""Numbers from which on a tensor is worth rounding; the few scalars keep all their digits."""

_EXACT = "evidence."
"""Tensors that are never rounded: a matrix of numbers of many sizes, of which the square of a distance is made."""

_METRIFIER = "metrifier"
_COLOURS = "red, green and blue, gamma-coded, 0 (black) to 1 (white)"
_LUMINANCE = "luminance, code values 0..255"


def write_weights(path: Path, name: str, network: nn.Module, header: Mapping[str, str]) -> None:
    """Write a network's weights, whole or not at all."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    write_tensors(path, tensors, {"network": name, **header, "version": __version__})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors, whole or not at all, and the same bytes for the same tensors."""
    content = save(dict(tensors), metadata=dict(header))
    with written_whole(path) as part:
        part.write_bytes(_with_sorted_header(content))


def register(
    trained: Path, folder: Path, name: str, *, half: bool, figures: Mapping[str, float], data: str, licence: str
) -> Path:
    """Put weights into a folder of weights that ship, and their record into its registry.

    Parameters
    ----------
    half : bool
        Keep two bytes a number of what is large.
    figures : mapping of str to float
        How well they do; see `held_out_figures`.
    data, licence : str
        What they were trained on, and under what licence they ship, in words.
    """
    tensors, header = read_state(trained)
    for key in ("network", "version", "trained_by", "seed"):
        if key not in header:
            raise WeightsError(f"The header of {trained} has no {key}. Give weights that 'iqmaps train' made.")
    if not header["seed"].isdecimal():
        raise WeightsError(f"The header of {trained} has the seed {short(header['seed'])}, which is no number.")
    if not is_plain_name(name):
        raise InputError(f"{name!r} cannot be the name of a file in {folder}. Give a name without signs of folders.")
    rounded = {
        key: value.half() if half and value.numel() > _LARGE and not key.startswith(_EXACT) else value
        for key, value in tensors.items()
    }
    target, registry = folder / f"{name}.safetensors", folder / REGISTRY
    records = parse_registry(read_text(registry, WeightsError), str(registry)) if registry.is_file() else {}
    write_tensors(target, rounded, header)
    records[name] = {
        "network": header["network"],
        "file": target.name,
        "bytes": target.stat().st_size,
        "sha256": sha256_of(target),
        "default": True,
        "licence": licence,
        "version": header["version"],
        "input": _COLOURS if header["network"] == _METRIFIER else _LUMINANCE,
        "data": data,
        "command": header["trained_by"],
        "seed": int(header["seed"]),
        "figures": dict(figures),
    }
    with written_whole(registry) as part:
        part.write_text(_as_toml(records), encoding="utf-8")
    return target


def held_out_figures(table: Path, network: str) -> dict[str, float]:
    """Take the rank correlations of unseen pictures from the JSON file that ``iqmaps evaluate`` wrote."""
    # Whom a score is compared with: the people of a database, or the labels of a table.
    judge, method = ("target", f"machine quality ({network})") if network == _METRIFIER else ("database", network)
    try:
        records = read_json(table)
    except InputError as error:
        raise InputError(f"{error} Give what 'iqmaps evaluate --json' wrote.") from error
    if not isinstance(records, list):
        raise InputError(f"{table} holds no list of figures. Give what 'iqmaps evaluate --json' wrote.")
    rows = [fields_of(record, f"Row {number} of {table}") for number, record in enumerate(records, 1)]
    found = {
        f"srcc_{row.text(judge)}": round(row.number("srcc"), 3)
        for row in rows
        if row.text("type") == "all" and row.text("method") == method
    }
    if not found:
        raise InputError(f"{table} has no figures of {method} over all types. Give those of the same network.")
    return found


def _as_toml(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the registry. TOML's basic strings, booleans and numbers are JSON's."""
    text = _HEAD
    for name, entry in records.items():
        for table, values in (
            (f"weights.{_key(name)}", entry),
            (f"weights.{_key(name)}.figures", entry.get("figures", {})),
        ):
            text += f"\n[{table}]\n"
            text += "".join(
                f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}\n"
                for key, value in values.items()
                if not isinstance(value, dict)
            )
    return text


def _key(name: str) -> str:
    """Write a key of TOML, in quotes where it has other signs than a bare one may have."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _with_sorted_header(content: bytes) -> bytes:
    """Order the header of a safetensors file: its writer takes the keys as they come."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
