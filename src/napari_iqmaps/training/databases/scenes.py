"""One name for one photograph, in whatever database it appears: what keeps splits apart across databases.

LIVE and TID2013 both took most of their references from Kodak's lossless photographs (kodim01 .. kodim24), LIVE
renamed and partly reduced, TID2013 cropped and in Kodak's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

EITHER = "|"
"""Between the names in a scene that may be one or the other."""

LIVE_KODAK: Mapping[str, str] = MappingProxyType(
    {
        "caps": "kodak03",
        "womanhat": "kodak04",
        "bikes": "kodak05",
        "sailing1": "kodak06",
        "buildings": "kodak08",
        # Both are upright pictures of boats under spinnakers; no source that could be checked says which is which.
        "sailing2": "kodak09|kodak10",
        "sailing3": "kodak09|kodak10",
        "sailing4": "kodak11",
        "stream": "kodak13",
        "rapids": "kodak14",
        "ocean": "kodak16",
        "statue": "kodak17",
        "woman": "kodak18",
        "lighthouse": "kodak19",
        "plane": "kodak20",
        "lighthouse2": "kodak21",
        "house": "kodak22",
        "parrots": "kodak23",
        "paintedhouse": "kodak24",
    }
)
"""LIVE's reference to Kodak's number; its ten others, monarch among them, are not Kodak's."""

KODAK_COUNT = 24


def live_scene(reference: str) -> str:
    """Name the photograph of a reference of LIVE, such as ``"kodak05"``; by LIVE's own name if it is not Kodak's."""
    name = reference.lower()
    return LIVE_KODAK.get(name, name)


def tid_scene(reference: int) -> str:
    """Name the photograph of a reference of TID2013, such as ``"kodak05"``; the 25th is artificial."""
    return f"kodak{reference:02d}" if reference <= KODAK_COUNT else f"tid2013_{reference:02d}"


def joined(scenes: pd.Series) -> pd.Series:
    """Make one scene of all that may be the same photograph.

    A scene such as ``"kodak09|kodak10"`` may show either. All names that such a scene connects are replaced by all of
    them together.
    """
    groups: list[set[str]] = []
    for scene in dict.fromkeys(scenes):
        group = set(scene.split(EITHER))
        if len(group) == 1:
            continue
        for other in [known for known in groups if known & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    together = {name: EITHER.join(sorted(group)) for group in groups for name in group}
    return scenes.map(lambda scene: together.get(scene.split(EITHER)[0], scene))
