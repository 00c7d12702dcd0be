"""The bank of distortions: kinds and severities with stated parameters, the same for training, samples and tests."""

from __future__ import annotations

from .bank import distort, distortion, distortions
from .record import Distortion

__all__ = ["Distortion", "distort", "distortion", "distortions"]
