#!/usr/bin/env python3
"""Make the images and manifests that the visibility models are trained and judged on.

usage: prepare_visibility_data.py --shared DIR --out DIR [--images DIR]

DIR of --shared holds the folders live and tid2013, each with its scores, its references and a make_distorted.py that
writes the distorted images. Writes OUT/live.csv and OUT/tid2013.csv, in the form that ``iqmaps train`` reads.
--images takes images made before, from its folders live and tid2013, instead of making them in OUT (20 minutes).
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

LIVE_WORST = 112.0
TID_BEST = 7.21429
"""The highest mean opinion score that TID2013 gave; of the few that reach beyond it, nothing is known to be better."""

LIVE_TYPES = {"wn": "gaussian_noise", "gblur": "gaussian_blur", "jpeg": "jpeg", "jp2k": "jpeg2000"}
OTHER_ENCODER_WEIGHT = 0.5
"""Of LIVE's JPEG 2000, against 1 for the rest of LIVE."""

RECREATED_WEIGHT = 0.25
"""Of TID2013, whose images are re-created by matching PSNR over whole photographs: where the two databases disagree on
masking by texture, LIVE has the pixels that were judged."""

COLUMNS = ("file", "reference", "score", "type", "scene", "weight")


def live_scene(row: dict[str, str]) -> str:
    """Name the photograph: LIVE's parrots are Kodak's 23, and its monarch is no Kodak photograph."""
    name = Path(row["reference"]).stem
    if name == "parrots":
        return "kodak23"
    return row["kodak"] if row["kodak"].startswith("kodak") else name


def live_rows(shared: Path, images: Path) -> list[tuple[object, ...]]:
    """Give the rows of LIVE's manifest."""
    rows = []
    for row in read(shared / "live" / "manifest.csv"):
        weight = OTHER_ENCODER_WEIGHT if row["type"] == "jp2k" else 1.0
        reference = shared / "live" / row["reference"]
        rows.append((images / row["file"], reference, row["dmos"], LIVE_TYPES[row["type"]], live_scene(row), weight))
    return rows


def tid_rows(shared: Path, images: Path) -> list[tuple[object, ...]]:
    """Give the rows of TID2013's manifest."""
    rows = []
    for row in read(images / "manifest.csv"):
        scene = f"kodak{int(row['kodak']):02d}"
        score = min(float(row["mos"]), TID_BEST)
        reference = (shared / "tid2013" / row["reference"]).resolve()
        rows.append((images / row["file"], reference, score, row["type"], scene, RECREATED_WEIGHT))
    return rows


def read(path: Path) -> list[dict[str, str]]:
    """Read a CSV table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, best: float, worst: float, rows: list[tuple[object, ...]]) -> None:
    """Write a manifest, its paths relative to it."""
    with path.open("w", newline="") as file:
        file.write(f"# best: {best:g}\n# worst: {worst:g}\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for image, reference, *rest in rows:
            writer.writerow([relative(image, path), relative(reference, path), *rest])
    print(f"{path}: {len(rows)} images")


def relative(target: object, manifest: Path) -> str:
    """Give a path as seen from the manifest's folder."""
    return Path(os.path.relpath(str(target), manifest.parent)).as_posix()


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=Path)
    options = parser.parse_args()
    shared, out = options.shared.resolve(), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    images = options.images.resolve() if options.images else out
    if not options.images:
        for name in ("live", "tid2013"):
            subprocess.run([sys.executable, str(shared / name / "make_distorted.py"), str(out / name)], check=True)
    write(out / "live.csv", 0, LIVE_WORST, live_rows(shared, images / "live"))
    write(out / "tid2013.csv", TID_BEST, 0, tid_rows(shared, images / "tid2013"))


if __name__ == "__main__":
    main()
