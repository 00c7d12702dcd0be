"""What a training uses of the machine: the fastest precision, memory that is kept from step to step, which versions."""

from __future__ import annotations

import ctypes
import platform
from importlib.metadata import version
from typing import Any

import torch

from .. import __version__

SINGLE = "32-true"
"""Lightning's word for single precision throughout."""

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
_NEVER = 2**31 - 1
_GROWTH = 2**28


def resolved_precision(precision: str, device: torch.device) -> str:
    """Choose the precision of matrix products: ``"32-true"`` or ``"bf16-mixed"``, in Lightning's words."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else SINGLE
    # Older versions of torch cannot tell; without AMX, bfloat16 is slower than single precision.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16-mixed" if device.type == "cpu" and capabilities.get("amx_bf16", False) else SINGLE


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large buffers rather than to give them back to the system.

    Returns bool: whether it was done; False where the C library is another.

    Each step takes and frees buffers of tens of megabytes. By default glibc maps each of them anew, and the system
    has to clear and map its pages again: most of a step's time on the machine where this was measured (1,560 against
    9,500 patches a second). It holds for the process and cannot be taken back, so it is for programs that train, and
    is not called on import.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    return all([set_option(_MMAP_MAX, 0), set_option(_TRIM_THRESHOLD, _NEVER), set_option(_TOP_PAD, _GROWTH)])


def versions(device: torch.device, precision: str) -> dict[str, Any]:
    """Say what a run ran on: versions of python and of the libraries, device, precision and threads."""
    libraries = ("torch", "lightning", "numpy", "pandas", "safetensors", "scikit-image", "scipy")
    return {
        "napari-iqmaps": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": str(device),
        "precision": precision,
        "threads": torch.get_num_threads(),
    }
