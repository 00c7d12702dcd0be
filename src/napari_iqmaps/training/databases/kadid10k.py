"""KADID-10k (Lin, Hosu, Saupe, QoMEX 2019) as it unpacks.

::

    images/I01.png, I01_01_01.png       scene, type, level
    dmos.csv                            dist_img,ref_img,dmos,var

The column is called dmos, and yet higher is better: 5 is a difference that nobody sees, 1 a very annoying one.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...core.io.records import is_plain_name, number, read_table
from .listing import Folder, Listing, listed, unreadable, without_repeats

TITLE = "KADID-10k"
PARTS = ("images/", "dmos.csv")

BEST, WORST = 5.0, 1.0

TYPES = (
    "gaussian_blur",
    "defocus_blur",
    "motion_blur",
    "colour_diffusion",
    "colour_shift",
    "colour_quantisation",
    "saturation_change",
    "saturation_change_lab",
    "jpeg2000",
    "jpeg",
    "gaussian_noise",
    "chroma_noise",
    "impulse_noise",
    "multiplicative_noise",
    "denoised",
    "brightening",
    "darkening",
    "mean_shift",
    "jitter",
    "misplaced_blocks",
    "pixelation",
    "quantisation",
    "colour_blocks",
    "oversharpening",
    "contrast_change",
)
"""In the order of the database's numbers, from 1; in the words of `napari_iqmaps.distortions` where it has one."""

_COLUMNS = ("dist_img", "ref_img", "dmos")
_NAME = re.compile(r"(I\d\d)_(\d\d)_(\d\d)\.png", re.IGNORECASE)


def read(folder: Path) -> Listing:
    """List the images of KADID-10k; scenes are called kadid10k_I01 and so on."""
    inside = Folder(folder)
    images, path = Folder(inside.where("images")), inside.where("dmos.csv")
    rows, wrong, pristine = [], [], 0
    for row in read_table(path, _COLUMNS, lower=True).rows:
        file, reference, text = (row.cells[column] for column in _COLUMNS)
        score, name = number(text), _NAME.fullmatch(file)
        if score is not None and file.lower() == reference.lower():
            pristine += 1
        elif score is None or name is None or not is_plain_name(reference) or not 1 <= int(name[2]) <= len(TYPES):
            wrong.append((row.line, f"{file},{reference},{text}"))
        else:
            kind, scene = TYPES[int(name[2]) - 1], f"kadid10k_{Path(reference).stem.upper()}"
            rows.append((images.where(file), images.where(reference), score, kind, scene))
    if wrong:
        raise unreadable(path, wrong, "I01_01_01.png,I01.png,4.57")
    found, notes = without_repeats(listed(rows), path)
    return Listing(TITLE, "kadid10k", folder, (path,), "DMOS", BEST, WORST, (WORST, BEST), found, pristine, notes)
