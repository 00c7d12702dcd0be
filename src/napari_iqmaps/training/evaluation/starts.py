"""Which first stage a fold starts from, and which distorted photographs its second stage may see."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

from ...core.distortions import distortions
from ...core.errors import InputError
from ...core.models import find
from ..quality.bank import ScoreBank, SeenImages
from ..quality.pairs import draw, learnt_photographs, read_photograph
from ..quality.recipe import BLIND_NETWORKS
from .evaluator import labelled
from .protocols import TYPE_GROUPS

_SAME: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "multiplicative_noise": ("speckle_noise",),
    "contrast_change": ("contrast_loss", "contrast_gain"),
    "mean_shift": ("brightening", "darkening"),
})  # fmt: skip
"""Types of databases to the names that the bank has for them, where those differ."""

_ALIKE: tuple[tuple[str, ...], ...] = (
    ("gaussian_noise", "speckle_noise", "shot_noise"),
    ("quantisation", "banding"),
)
"""More twins than databases have; see `TYPE_GROUPS`."""


@dataclass(frozen=True)
class Start:
    """The result of a first stage."""

    path: Path
    network: str
    sha256: str
    left_out: frozenset[str]

    def serves(self, network: str) -> bool:
        """Tell whether a network can start from it: DIQA can from DeepBQA, whose trunk is the same."""
        return self.network == network or (network == "diqa" and self.network == "deepbqa")


def header_of(path: Path) -> Start:
    """Read what the file of a first stage, of either blind network, says of itself."""
    network, _ = labelled(path, BLIND_NETWORKS)
    found = find(path, network)
    words = str(found.details.get("left_out", "")).split(",")
    return Start(path, network, found.sha256, frozenset(word.strip() for word in words if word.strip()))


def start_for(network: str, starts: Sequence[Start], types: Collection[str] = ()) -> Start:
    """Choose what a training starts from.

    One that has not seen these types, if there is one; of these, one of the network itself, if there is one; and of
    these the one that has left out least.
    """
    fit = [start for start in starts if start.serves(network)]
    if not fit:
        given = ", ".join(f"{start.path.name} ({start.network})" for start in starts) or "none"
        raise InputError(f"There is no first stage for {network} to start from; given: {given}. Pass --start FILE.")
    return min(fit, key=lambda start: (bool(types) and not is_unseen(types, start), start.network != network,
                                       len(start.left_out)))  # fmt: skip


def is_unseen(types: Collection[str], start: Start) -> bool:
    """Tell whether a first stage has left out all that the bank has of some kinds of distortion."""
    return _in_bank(types) <= start.left_out


def twins_of(types: Collection[str]) -> frozenset[str]:
    """Give the bank's distortions that are of some types, or so alike that they would stand in for them."""
    found = set(types) | _in_bank(types)
    for group in (*TYPE_GROUPS, *_ALIKE):
        if found & set(group):
            found |= set(group)
    return frozenset(_in_bank(found))


def without(bank: ScoreBank, photographs: Sequence[Path], names: Collection[str]) -> ScoreBank:
    """Take the photographs out of a bank that were distorted in any of these ways, which are the bank's names."""
    config, kept = bank.config, []
    for path in learnt_photographs(list(photographs), config.hold_out):
        colour = read_photograph(path).shape[-1] > 1
        for variant in range(min(config.pseudo_variants, config.variants)):
            drawn = draw(config.seed, path.name, variant, left_out=config.left_out, colour=colour)
            kept.append(not any(name in names for name, _ in drawn.steps))
    assert len(kept) == len(bank.distorted_visibility)
    made = copy.copy(bank)
    lists = {entry.name: getattr(bank.distorted, entry.name) for entry in fields(SeenImages)}
    made.distorted = SeenImages(**{
        name: [one for one, stays in zip(values, kept, strict=True) if stays] if values else []
        for name, values in lists.items()
    })  # fmt: skip
    made.distorted_visibility = bank.distorted_visibility[kept]
    made.record = {**bank.record, "types_left_out": sorted(names)}
    return made


def _in_bank(types: Collection[str]) -> set[str]:
    return {same for name in types for same in _SAME.get(name, (name,))} & set(distortions())
