"""The absolute scale of thresholds, which scores of whole images leave open."""

from __future__ import annotations

import math

import torch

from ..core.networks.contrast import ContrastModel
from ..core.networks.pnet import PNet
from .forward import thresholds
from .samples import ImageBank, Integers

FLAT_SHARE = 0.05
"""The patches of lowest local contrast that count as flat."""


def anchor(network: PNet | ContrastModel, bank: ImageBank, images: Integers, level: float) -> float:
    """Scale a network's thresholds so that flat areas have a given one; its scores stay as they are.

    Parameters
    ----------
    network : PNet or ContrastModel
        Changed in place: its thresholds, and its mixing scalar by the same factor.
    level : float
        The threshold of flat areas, in code values.

    Notes
    -----
    In ``1 - exp(-a d / T)`` only a / T meets the scores. So T and a are known up to a common factor, and something
    else has to set it: here the geometric mean of T over the twentieth of the patches that is flattest.
    """
    patches = [bank.tiles(image) for image in images]
    contrast = torch.cat([part[..., 2].mean((1, 2)) for part in patches])
    with torch.no_grad():
        logarithms = torch.cat([thresholds(network, part) for part in patches]).log()
        flat = contrast.argsort(stable=True)[: max(round(FLAT_SHARE * len(contrast)), 1)]
        factor = level / math.exp(float(logarithms[flat].double().mean()))
        offset = network.log_scale if isinstance(network, ContrastModel) else network.output.get_parameter("bias")
        offset.add_(math.log(factor))
        network.mixing.mul_(factor)
    return factor
