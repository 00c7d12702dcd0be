"""The practised observer's maps at the thresholds of Modelfest, of gratings elsewhere and of edges in noise."""

from __future__ import annotations

from pathlib import Path

import click
import edges
import gratings
import modelfest
import numpy as np
import numpy.typing as npt
import pandas as pd
from detection import on_field
from scipy import optimize, stats

import napari_iqmaps as iq
from napari_iqmaps.core.display import code_values
from napari_iqmaps.core.observers import OBSERVERS, local_difference, window_in_pixels
from napari_iqmaps.core.visibility import ThresholdModel

SEEN = float(np.log(2))
"""d / T at a visibility of .5."""

_SAMPLES = 3

Array = npt.NDArray[np.float64]


def largest_difference(test: Array, reference: Array, pixels_per_degree: float) -> float:
    """Give the maximum of the practised observer's local difference of two pictures in cd/m2."""
    planes = (code_values(picture).astype(np.float32) for picture in (test, reference))
    window, gains = window_in_pixels(pixels_per_degree), OBSERVERS["practised"].gains
    return float(local_difference(*planes, window, gains, pixels_per_degree).max())


def visibility(test: Array, reference: Array, pixels_per_degree: float, model: ThresholdModel) -> Array:
    """Map the visibility for the practised observer of two pictures in cd/m2."""
    return iq.visibility_map(
        test,
        reference,
        model=model,
        data_range=(0, 100),
        luminance="absolute",
        pixels_per_degree=pixels_per_degree,
        observer="practised",
    ).values


def threshold_of_map(picture: Array, field: float, model: ThresholdModel) -> float:
    """Find the contrast in dB of a picture at which the maximum of its visibility map is .5."""
    contrast = on_field(picture, modelfest.PIXELS_PER_DEGREE)
    uniform = np.full_like(contrast, field)

    def above(decibels: float) -> float:
        test = uniform * (1 + np.float32(10 ** (decibels / 20)) * contrast)
        return float(visibility(test, uniform, modelfest.PIXELS_PER_DEGREE, model).max()) - 0.5

    return optimize.bisect(above, -70, 0, xtol=0.05)


def gratings_elsewhere(folder: Path) -> None:
    """Print, for each laboratory, the threshold of a uniform field that agrees with it, and the error left."""
    table = gratings.read_gratings(folder)
    needed = []
    for row in table.itertuples():
        picture = on_field(
            gratings.contrast_picture(row.frequency, row.radius, row.stimulus), gratings.PIXELS_PER_DEGREE
        )
        changed = row.luminance * (1 + row.threshold * picture.astype(float))
        pooled = largest_difference(changed, np.full_like(changed, row.luminance), gratings.PIXELS_PER_DEGREE)
        needed.append(20 * np.log10(pooled / SEEN))
    table = table.assign(needed=needed, contrast=20 * np.log10(table.threshold))
    click.echo(
        "\n| gratings of others (not fitted to) | stimuli | T of a uniform field | RMS dB | spread of thresholds dB |"
    )
    click.echo("|---|---|---|---|---|")
    for (dataset, luminance), rows in table.groupby(["dataset", "luminance"]):
        click.echo(
            f"| {dataset}, {luminance:.0f} cd/m2 | {len(rows)} | {10 ** (rows.needed.mean() / 20):.2f} "
            f"| {rows.needed.std(ddof=0):.2f} | {rows.contrast.std(ddof=0):.2f} |"
        )


def edges_in_noise(folder: Path, model: ThresholdModel) -> None:
    """Print the factor on the thresholds that agrees with each noise and edge, and the error left by one for all."""
    table = edges.read_thresholds(folder)
    inner = (slice(edges.SIZE // 2, -(edges.SIZE // 2)),) * 2
    rows = []
    for row in table.itertuples():
        edge = edges.edge_picture(row.edge)
        for seed in range(1 if row.noise == "none" else _SAMPLES):
            noise = edges.noise_picture(row.noise, np.random.default_rng(seed))
            # The screen around the stimulus has its mean luminance.
            without, shown = (
                np.pad(edges.luminances(noise, edge, contrast), edges.SIZE // 2, constant_values=edges.FIELD)
                for contrast in (0.0, row.threshold)
            )
            seen = visibility(shown, without, edges.PIXELS_PER_DEGREE, model)[inner].max()
            pooled = largest_difference(shown, without, edges.PIXELS_PER_DEGREE)
            rows.append((row.noise, row.edge, row.threshold, -np.log1p(-float(seen)), pooled))
    found = pd.DataFrame(rows, columns=["noise", "edge", "threshold", "masked", "unmasked"])
    found = found.groupby(["noise", "edge"], sort=False).mean().reset_index()
    decibels = 20 * np.log10(found[["masked", "unmasked"]] / SEEN)
    factors = (10 ** (decibels.masked / 20)).rename("factor")
    grid = found.assign(factor=factors).pivot(index="noise", columns="edge", values="factor").loc[list(edges.NOISES)]
    click.echo(f"\n| factor on T ({model}) for edges of | {' | '.join(f'{width} deg' for width in grid)} |")
    click.echo("|---|---|---|---|")
    for noise, values in grid.iterrows():
        click.echo(f"| {noise} | {' | '.join(f'{value:.2f}' for value in values)} |")
    noisy = found.noise != "none"
    for name, chosen in (("in noise", noisy), ("without noise", ~noisy)):
        part = decibels[chosen]
        predicted = found.threshold[chosen] / found.masked[chosen]
        rank = stats.spearmanr(predicted, found.threshold[chosen]).statistic
        spread = 20 * np.log10(found.threshold[chosen]).std(ddof=0)
        click.echo(
            f"{name}: one factor {10 ** (part.masked.mean() / 20):.2f}, RMS error {part.masked.std(ddof=0):.2f} dB "
            f"({part.unmasked.std(ddof=0):.2f} dB with the same T everywhere; thresholds spread {spread:.2f} dB), "
            f"rank correlation {rank:.2f}"
        )
