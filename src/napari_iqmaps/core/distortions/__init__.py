"""The bank of distortions: kinds and severities with stated parameters, the same for training, samples and tests."""

from __future__ import annotations

from .apply import distort
from .bank import distortion, distortions
from .record import Distortion

__all__ = ["Distortion", "distort", "distortion", "distortions"]
