"""Networks ready to run: read from verified weights once, and run at the full precision of float32.

Imports torch; what is loaded at import must not import this module.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import nn

from . import weights

Network = TypeVar("Network", bound=nn.Module)


def load_network(make: Callable[[], Network], record: weights.WeightsRecord, device: torch.device) -> Network:
    """Read a network from verified weights; the last ones stay ready.

    Parameters
    ----------
    make : callable
        The network's class, or what else makes it without arguments.
    record : WeightsRecord
        Of the weights.
    device : torch.device
        Where to run.

    Returns
    -------
    torch.nn.Module
        float32, in evaluation mode, laid out for convolutions.

    Raises
    ------
    WeightsError
        If the tensors do not fit the network.
    """
    network: Network = _loaded(make, record.path.as_posix(), record.sha256, str(device))
    return network


# The key holds the sha256: a file that changed under the same path is another network.
@lru_cache(maxsize=3)
def _loaded(make: Callable[[], Any], path: str, sha256: str, device: str) -> Any:
    network = make()
    weights.load_into(network, path)
    return network.eval().to(device, memory_format=torch.channels_last)


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Keep CUDA from rounding convolutions to ten bits, which tiles of another size would show.

    Parameters
    ----------
    device : torch.device
        Where the convolutions run.

    Returns
    -------
    context manager
        Nothing is changed for a device that does not round.
    """
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
