"""Where networks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve(device: str) -> torch.device:
    """Turn a device's name into one that this machine has.

    Parameters
    ----------
    device : str
        ``"auto"`` takes CUDA, then Apple's MPS, then the CPU. ``"cpu"``, ``"cuda"`` (or ``"cuda:1"``) and ``"mps"``
        take just that.

    Returns
    -------
    torch.device
        A device that is there.

    Raises
    ------
    InputError
        If the name is unknown or this machine has no such device.
    """
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
