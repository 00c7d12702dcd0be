"""TID2013 (Ponomarenko et al., Signal Processing: Image Communication 30, 2015) as it unpacks.

::

    reference_images/I01.BMP .. I25.BMP
    distorted_images/i01_01_1.bmp       scene, type, level
    mos_with_names.txt                  "5.51429 I01_01_1.bmp"; higher is better
"""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import InputError
from ...core.io.records import number, read_text
from .listing import Folder, Listing, few, listed, tid_scene, unreadable, without_repeats

TITLE = "TID2013"
PARTS = ("reference_images/", "distorted_images/", "mos_with_names.txt")

BEST, WORST = 7.21429, 0.0
LIMITS = (0.0, 9.0)
"""The scale ends at 9, but no image got more than 7.21429; as in Kottayil et al. (ICIP 2018), that one is the best."""

TYPES = (
    "gaussian_noise",
    "chroma_noise",
    "correlated_noise",
    "masked_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantisation",
    "gaussian_blur",
    "denoised",
    "jpeg",
    "jpeg2000",
    "jpeg_transmission",
    "jpeg2000_transmission",
    "misplaced_blocks",
    "local_blocks",
    "mean_shift",
    "contrast_change",
    "saturation_change",
    "multiplicative_noise",
    "comfort_noise",
    "noisy_compression",
    "dithering",
    "chromatic_aberration",
    "sparse_sampling",
)
"""In the order of the database's numbers, from 1; in the words of `napari_iqmaps.distortions` where it has one."""

_NAME = re.compile(r"i(\d\d)_(\d\d)_(\d)\.bmp", re.IGNORECASE)


def read(folder: Path) -> Listing:
    """List the images of TID2013; scenes are Kodak's but for the artificial 25th."""
    inside = Folder(folder)
    references = Folder(inside.where("reference_images"))
    distorted = Folder(inside.where("distorted_images"))
    path = inside.where("mos_with_names.txt")
    rows, wrong, unknown = [], [], []
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        score, name = _parts(text)
        if score is None or name is None:
            wrong.append((line, text))
            continue
        scene, kind = int(name[1]), int(name[2])
        if not 1 <= kind <= len(TYPES):
            unknown.append(name[0])
            continue
        reference = references.where(f"I{name[1]}.BMP")
        rows.append((distorted.where(name[0]), reference, score, TYPES[kind - 1], tid_scene(scene)))
    if wrong:
        raise unreadable(path, wrong, "5.51429 I01_01_1.bmp")
    if unknown:
        raise InputError(
            f"{len(unknown)} images in {path} are of a type beyond {len(TYPES)}, such as {few(unknown)}. TID2013 has "
            f"{len(TYPES)} types."
        )
    table, notes = without_repeats(listed(rows), path)
    return Listing(TITLE, "tid2013", folder, (path,), "MOS", BEST, WORST, LIMITS, table, notes=notes)


def _parts(text: str) -> tuple[float | None, re.Match[str] | None]:
    words = text.split()
    if len(words) != 2:
        return None, None
    return number(words[0]), _NAME.fullmatch(words[1])
