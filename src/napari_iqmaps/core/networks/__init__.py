"""The networks: torch modules only, no images, no files, no user interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from .blind import DIQA, DeepBQA
from .metrifier import Metrifier
from .pnet import ContrastModel, PNet

NETWORKS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {"pnet": PNet, "contrast": ContrastModel, "diqa": DIQA, "deepbqa": DeepBQA, "metrifier": Metrifier}
)
"""What the header of a file of weights calls a network, to the network."""
