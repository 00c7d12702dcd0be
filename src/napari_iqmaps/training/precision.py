"""Which precision a machine multiplies matrices fastest in."""

from __future__ import annotations

import torch


def resolved_precision(precision: str, device: torch.device) -> str:
    """Choose the precision of matrix products.

    Returns
    -------
    str
        ``"32-true"`` or ``"bf16-mixed"``, in Lightning's words.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    # Older versions of torch cannot tell; without AMX, bfloat16 is slower than single precision.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16-mixed" if device.type == "cpu" and capabilities.get("amx_bf16", False) else "32-true"
