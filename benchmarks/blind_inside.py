"""Do the predicted errors show where in an image the errors are? Within-image correlations, as a table.

Undistorted photographs are distorted by the bank, so that the error of every place is known; the predicted and the
measured error are averaged over cells of 16x16 pixels and correlated (Pearson) over the cells of each image. Given are
medians over the photographs. Of the folder, only photographs that were held out of the training count: in the order of
their names the 8th, 18th, 28th ...

    python benchmarks/blind_inside.py PHOTOGRAPHS
    python benchmarks/blind_inside.py PHOTOGRAPHS --weights deepbqa.safetensors --severity 2 --severity 4

"error" compares the two as they are; "x reliability" multiplies both by the reliability first, as the training does.
The last two columns need no network: how both go with the reliability alone, that is with detail. The factor that both
sides have in common makes up much of what the columns "x reliability" show; what a network adds is the difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from blind_common import chosen, parser, print_table

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion
from napari_iqmaps.core.io.reading import read_image

Plane = npt.NDArray[np.floating]
Found = dict[str, dict[str, list[float]]]

CELL = 16
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
HELD_OUT, OF = 7, 10
ALONE = ("reliability alone, error", "reliability alone, x reliability")
LEFT_OUT = ("colour",)
"""Families that luminance, which is all that the networks see, hardly shows."""


def held_out(folder: Path) -> list[Path]:
    """Name the photographs that no training has seen."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    chosen_ones = [path for index, path in enumerate(paths) if index % OF == HELD_OUT]
    if not chosen_ones:
        raise SystemExit(f"{folder} holds {len(paths)} pictures; at least {HELD_OUT + 1} are needed.")
    return chosen_ones


def cells(plane: Plane) -> npt.NDArray[np.float64]:
    """Average over whole cells."""
    rows, columns = (length // CELL for length in plane.shape)
    whole = plane[: rows * CELL, : columns * CELL].astype(np.float64)
    return whole.reshape(rows, CELL, columns, CELL).mean((1, 3)).ravel()


def correlation(one: Plane, other: Plane) -> float:
    """Correlate the cells of two maps; NaN where one of them is the same everywhere."""
    first, second = cells(one), cells(other)
    if min(first.std(), second.std()) < 1e-9:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def inside(path: Path, names: list[str], severities: list[float], networks: dict) -> Iterator[tuple[str, str, float]]:
    """Give distortion, column and correlation of all distorted copies of a photograph."""
    file = read_image(path)
    options = {"channel_axis": file.channel_axis, "data_range": file.data_range}
    for name in names:
        if distortion(name).needs_colour and file.channel_axis is None:
            continue
        for severity in severities:
            test = iq.distort(file.array, name, severity, **options)
            measured = iq.objective_error_map(test, file.array, **options).values
            reliability = iq.reliability_map(test, **options).values
            if not np.isfinite(reliability).all():
                continue
            for model, weights in networks.items():
                predicted = iq.error_map(test, model=model, weights=weights, **options).values
                yield name, f"{model}, error", correlation(predicted, measured)
                yield name, f"{model}, x reliability", correlation(predicted * reliability, measured * reliability)
            yield name, ALONE[0], correlation(reliability, measured)
            yield name, ALONE[1], correlation(reliability, measured * reliability)


def medians(found: Found, columns: list[str], names: list[str]) -> list[str]:
    """Give the median of each column over some distortions."""
    some = [[value for name in names for value in found[name][column]] for column in columns]
    return [f"{np.nanmedian(values):.2f}" if np.isfinite(values).any() else "-" for values in some]


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("photographs", type=Path, help="folder of undistorted photographs")
    arguments.add_argument("--severity", type=float, action="append", help="1 to 5; may be given several times (3)")
    arguments.add_argument("--distortion", action="append", metavar="NAME", help="may be given several times (all)")
    given = arguments.parse_args()
    networks = chosen(given.weights)
    names = given.distortion or [name for name in iq.distortions() if distortion(name).family not in LEFT_OUT]
    severities = given.severity or [3.0]
    columns = [f"{model}, {which}" for model in networks for which in ("error", "x reliability")]
    columns += ALONE
    found: Found = defaultdict(lambda: defaultdict(list))
    paths = held_out(given.photographs)
    for path in paths:
        for name, column, value in inside(path, names, severities, networks):
            found[name][column].append(value)
    told = ", ".join(f"{severity:g}" for severity in severities)
    print(f"\n{len(paths)} photographs, severity {told}: medians of correlations inside images, {CELL}-pixel cells\n")
    seen = [name for name in names if name in found]
    rows = [["**all**", *medians(found, columns, seen)]]
    print_table(["distortion", *columns], rows + [[name, *medians(found, columns, [name])] for name in seen])


if __name__ == "__main__":
    main()
