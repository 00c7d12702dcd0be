"""Registration: bring a moving image onto the pixel grid of a fixed one, or refuse with a reason."""

from __future__ import annotations

from .api import register
from .record import Registration

__all__ = ["Registration", "register"]
