"""Weights of other people's networks, read without running code."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ...core.errors import InputError


def load_state(network: nn.Module, file: Path) -> None:
    """Read weights into a network without running code.

    Parameters
    ----------
    file : pathlib.Path
        safetensors, or what ``torch.save`` has written of a state dict, by itself or under ``"state_dict"``.
    """
    try:
        if file.suffix.lower() == ".safetensors":
            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
        network.load_state_dict(state)
    except UnpicklingError as error:
        raise InputError(f"{file} cannot be read without running code: save the state dict alone. ({error})") from None
    except (SafetensorError, OSError, RuntimeError, AttributeError, TypeError, EOFError) as error:
        raise InputError(f"The weights {file} cannot be read or do not fit: {error}") from None
