"""Registration: bring a moving image onto the pixel grid of a fixed one, or refuse with a reason."""

from __future__ import annotations

from .record import Registration
from .search import register

__all__ = ["Registration", "register"]
