"""Compare a mark that follows our threshold with others of the same energy, and check that its level is never exceeded.

python benchmarks/hiding.py FOLDER_WITH_PHOTOGRAPHS
python benchmarks/hiding.py photographs --count 10 --strength 2 --csv hiding.csv --page docs/hiding.md

Three ways to spread a mark over a photograph, each with the same mean square after rounding to 8 bits and clipping:
ours (`napari_iqmaps.hide`), the same amplitude everywhere, and an amplitude proportional to the local standard
deviation (7 x 7 pixels). Judges: our visibility map, which is partial to ours, and two that are not ours, FLIP (67
pixels per degree) and SSIM (Gaussian window); each by the mean over the photograph and by its worst places, for a mark
that is plain to see in one place is not hidden. And the other way round: how much energy each way can hide below the
same highest visibility. Needs the extra "benchmarks".
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy import ndimage, stats
from skimage.metrics import structural_similarity

import napari_iqmaps as iq
from napari_iqmaps.core import bootstrap
from napari_iqmaps.core._embedding import Carrier
from napari_iqmaps.core.images import luminance
from napari_iqmaps.core.marks import as_pattern, place, text_mark
from napari_iqmaps.core.tables import markdown_head, markdown_line

STRENGTHS = (0.25, 0.69, 1.0, 2.0)
METHODS = ("ours", "uniform", "local deviation")
JUDGES = ("our score", "FLIP", "1 - SSIM", "our highest", "FLIP, worst 1 %", "1 - SSIM, worst 1 %")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
RANGE = (0.0, 255.0)
BEGIN, END = "<!-- figures: benchmarks/hiding.py -->", "<!-- end of the benchmark -->"

Plane = np.ndarray[Any, np.dtype[np.float32]]


def patterns(shape: tuple[int, int], seed: int) -> dict[str, Plane]:
    """Give the marks: a text all over, and a value of +1 or -1 a pixel."""
    text = place(as_pattern(text_mark("iqmaps", height=24)), shape, "tile")
    noise = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), shape)
    return {"tiled text": text, "random +-1": noise}


def with_energy(carrier: Carrier, mark: Plane, energy: float) -> tuple[np.ndarray[Any, Any], float]:
    """Scale a mark until its mean square, rounded and clipped, is the given one; give the photograph and the scale."""

    def found(scale: float) -> float:
        return float(np.mean(np.square(carrier.stored(np.float32(scale) * mark), dtype=np.float64)))

    low, high = 0.0, 1.0
    while found(high) < energy and high < 2**20:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < energy else (low, middle)
    reached = found(high)
    if abs(reached / energy - 1) > 0.01:
        raise click.ClickException(
            f"A mark with the mean square {energy:.3g} cannot be made; {reached:.3g} is nearest."
        )
    return carrier.put(np.float32(high) * mark)[0], high


def judged(marked: np.ndarray[Any, Any], photograph: np.ndarray[Any, Any], model: str) -> dict[str, float]:
    """Give what the judges say; more is worse."""
    import flip_evaluator

    axis = -1 if photograph.ndim == 3 else None
    seen = iq.visibility_map(marked, photograph, channel_axis=axis, model=model)  # type: ignore[arg-type]
    pair = [np.repeat(image[..., None], 3, -1) if axis is None else image for image in (photograph, marked)]
    flip, flip_mean, _ = flip_evaluator.evaluate(
        *(np.float32(image) / np.float32(255) for image in pair), "LDR", applyMagma=False
    )
    window: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    similarity, similar = structural_similarity(photograph, marked, channel_axis=axis, data_range=255, **window)
    unlike = 1 - (similar if axis is None else similar.mean(axis=-1))
    means = (float(seen.score), flip_mean, 1 - similarity)
    worst = (float(seen.values.max()), float(np.percentile(flip, 99)), float(np.percentile(unlike, 99)))
    return dict(zip(JUDGES, (*means, *worst), strict=True))


def energy_below(photograph: np.ndarray[Any, Any], mark: Plane, highest: float, first: float, model: str) -> float:
    """Give the mean square of the strongest multiple of a mark that is seen nowhere more than a probability."""
    axis = -1 if photograph.ndim == 3 else None
    carrier = Carrier(photograph, axis is not None, RANGE, "dither")
    low, high, energy = 0.0, 2 * first, 0.0
    for _ in range(10):
        middle = (low + high) / 2
        marked, step = carrier.put(np.float32(middle) * mark)
        seen = iq.visibility_map(marked, photograph, channel_axis=axis, model=model)  # type: ignore[arg-type]
        if seen.values.max() <= highest:
            low, energy = middle, float(np.mean(np.square(step, dtype=np.float64)))
        else:
            high = middle
    return energy


def deviation(photograph: np.ndarray[Any, Any]) -> Plane:
    """Give the standard deviation of the luminance over 7 x 7 pixels."""
    grey = luminance(photograph, RANGE, has_channels=photograph.ndim == 3).astype(np.float64)
    mean = ndimage.uniform_filter(grey, 7)
    return np.float32(np.sqrt(np.maximum(ndimage.uniform_filter(grey**2, 7) - mean**2, 0)))


def photographs(folder: Path, count: int) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(found) < count:
        raise click.BadParameter(f"{folder} holds {len(found)} pictures; {count} are asked for.")
    return [found[round(number)] for number in np.linspace(0, len(found) - 1, count)]


def compared(path: Path, strength: float, model: str, seed: int) -> tuple[list[dict[str, Any]], float]:
    """Compare the methods on one photograph; give the rows, and by how much a level was exceeded at most."""
    file = iq.read_image(path)
    axis = None if file.channel_axis is None else -1
    photograph = file.array if axis is None else np.moveaxis(file.array, file.channel_axis, -1)[..., :3]
    carrier = Carrier(photograph, axis is not None, RANGE, "dither")
    thresholds = iq.ThresholdOptions(model=model)  # type: ignore[arg-type] # checked there
    rows, excess = [], -np.inf
    for name, mark in patterns(photograph.shape[:2], seed).items():
        hide: Callable[[float], Any] = lambda amount, mark=mark: iq.hide(  # noqa: E731
            mark, photograph, strength=amount, channel_axis=axis, thresholds=thresholds
        )
        for level in STRENGTHS:
            hidden = hide(level)
            again = iq.visibility_map(hidden.image, photograph, channel_axis=axis, model=model)  # type: ignore[arg-type]
            excess = max(excess, float(again.values.max()) + np.expm1(-level))
        ours = hide(strength)
        shapes = {"uniform": mark, "local deviation": mark * deviation(photograph)}
        for method in METHODS:
            image, hides = ours.image, ours.energy
            if method in shapes:
                image, scale = with_energy(carrier, shapes[method], ours.energy)
                hides = energy_below(photograph, shapes[method], ours.info["highest"], scale, model)
            rows.append({"photograph": path.name, "mark": name, "method": method, "energy": ours.energy,
                         "hides": hides, **judged(image, photograph, model)})  # fmt: skip
    return rows, excess


def interval(differences: np.ndarray[Any, Any]) -> tuple[float, float]:
    count = differences.size
    return bootstrap.interval(np.concatenate([some @ differences / count for some in bootstrap.draws(count, 10_000)]))


def report(rows: list[dict[str, Any]], count: int) -> list[str]:
    lines: list[str] = []
    for mark in dict.fromkeys(row["mark"] for row in rows):
        of_mark = [row for row in rows if row["mark"] == mark]
        energy = np.mean([row["energy"] for row in of_mark])
        lines.append(
            f"\n{mark}: mean square {energy:.2f} in all three, mean over {count} photographs (less is better)\n"
        )
        lines.append(markdown_head(["method", *JUDGES, "energy at the same highest"]))
        values = {
            method: {judge: np.array([row[judge] for row in of_mark if row["method"] == method]) for judge in JUDGES}
            for method in METHODS
        }
        for method in METHODS:
            hides = np.mean([row["hides"] for row in of_mark if row["method"] == method])
            figures = [f"{values[method][judge].mean():.4f}" for judge in JUDGES]
            lines.append(markdown_line([method, *figures, f"{hides:.2f}"]))
        heads = ("ours against", "judge", "won", "mean difference", "95 % interval", "sign test p")
        lines.append(f"\n{markdown_head(heads)}")
        for method in METHODS[1:]:
            for judge in JUDGES:
                differences = values["ours"][judge] - values[method][judge]
                won = int((differences < 0).sum())
                low, high = interval(differences)
                p = stats.binomtest(won, count).pvalue
                figures = [f"{differences.mean():+.4f}", f"{low:+.4f} to {high:+.4f}", f"{p:.3f}"]
                lines.append(markdown_line([method, judge, f"{won} of {count}", *figures]))
    return lines


def into_page(page: Path, lines: list[str]) -> None:
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text:
        raise click.ClickException(f"{page} has no place for the figures ({BEGIN}).")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join(lines).strip()
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--count", default=10, show_default=True, help="How many photographs, evenly spaced in the list.")
@click.option("--strength", default=1.0, show_default=True, help="Of our mark; the others get its energy.")
@click.option("--model", type=click.Choice(["pnet", "contrast"]), default="pnet", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the random mark.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Write every figure.")
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Put the tables into it.")
def main(
    folder: Path, count: int, strength: float, model: str, seed: int, table: Path | None, page: Path | None
) -> None:
    paths = photographs(folder, count)
    click.echo(f"{count} photographs: {', '.join(path.stem for path in paths)}; model {model}, strength {strength:g}")
    rows: list[dict[str, Any]] = []
    largest = -np.inf
    for path in paths:
        found, excess = compared(path, strength, model, seed)
        rows += found
        largest = max(largest, excess)
    lines = report(rows, count)
    lines.append(
        f"\nLargest visibility above the stated level, over {count} photographs, two marks and the strengths "
        f"{', '.join(map(str, STRENGTHS))}: {largest:+.5f} ({'never exceeded' if largest <= 0 else 'EXCEEDED'})."
    )
    click.echo("\n".join(lines))
    if page is not None:
        into_page(page, lines)
    if table is not None:
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
