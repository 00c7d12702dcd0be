"""Weights as a file: safetensors with a header that says where they come from, the same bytes for the same weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from .. import __version__
from ..core.io.atomic import written_whole


def write_weights(path: Path, name: str, network: nn.Module, header: Mapping[str, str]) -> None:
    """Write a network's weights, whole or not at all."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    write_tensors(path, tensors, {"network": name, **header, "version": __version__})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors, whole or not at all, and the same bytes for the same tensors."""
    content = save(dict(tensors), metadata=dict(header))
    with written_whole(path) as part:
        part.write_bytes(_with_sorted_header(content))


def _with_sorted_header(content: bytes) -> bytes:
    """Order the header of a safetensors file: its writer takes the keys as they come."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
