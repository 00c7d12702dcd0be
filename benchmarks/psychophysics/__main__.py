"""How far visibility is from what observers saw on uniform fields and in noise, and the numbers that bring it nearest.

    python benchmarks/psychophysics --data PSYCHOPHYSICS_FOLDER

The folder holds the thresholds of Modelfest, of the edges in noise and of castleCSF's collection as CSV files. Takes
some minutes. Nothing is fitted to the edges and the gratings: they check what Modelfest set.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import checks
import click
import detection
import modelfest
import numpy as np
import pandas as pd
from detection import Array, Chosen

import napari_iqmaps as iq
from napari_iqmaps.core.bootstrap import interval
from napari_iqmaps.core.display import code_values
from napari_iqmaps.core.observers import OBSERVERS
from napari_iqmaps.core.tables import markdown_head, markdown_line
from napari_iqmaps.core.visibility import MODELS, ThresholdModel

_RESAMPLINGS = 4000
_BY_MAP = (1, 4, 8, 13, 21, 28, 30, 33, 38, 40)  # stimuli of all families


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def code_per_contrast(luminance: float) -> float:
    """Give the code values by which a small contrast changes a uniform field."""
    step = 1e-4
    up, down = code_values(np.array([luminance * (1 + step), luminance * (1 - step)]))
    return float((up - down) / (2 * step))


def flat_threshold(model: ThresholdModel, luminance: float) -> float:
    """Give the network's own threshold of a uniform field in code values."""
    field = np.full((96, 96), luminance, np.float32)
    found = iq.threshold_map(field, model=model, data_range=(0, 100), luminance="absolute")
    return float(found.values[48, 48]) / OBSERVERS["everyday"].threshold_factor


def table_of_models(stimuli: detection.Stimuli, observed: Array, families: Array) -> None:
    """Print the error of each model over stimuli that it was not fitted to."""
    order = np.random.default_rng(0).permutation(len(observed))
    tenths = [np.isin(np.arange(len(observed)), order[start::10]) for start in range(10)]
    by_family = [families == name for name in dict.fromkeys(families)]

    def fixed(predicted: Array) -> Callable[[Chosen], Array]:
        return lambda train: predicted

    def refitted(smooth: bool) -> Callable[[Chosen], Array]:
        return lambda train: detection.our_thresholds(stimuli, detection.fitted_gains(stimuli, observed, train, smooth))

    def plain(sensitivity: Callable[[Array], Array], exponent: float) -> Callable[[Chosen], Array]:
        return fixed(detection.plain_thresholds(stimuli, sensitivity(stimuli.frequencies), exponent))

    models = {
        f"{name} observer (only the scale held out)": fixed(detection.our_thresholds(stimuli, observer.gains))
        for name, observer in OBSERVERS.items()
    } | {
        "six gains fitted anew in each fold": refitted(smooth=False),
        "gains on a curve of four numbers, fitted anew in each fold": refitted(smooth=True),
        "plain sensitivity (Mannos, Sakrison), peak": plain(detection.mannos_sakrison, np.inf),
        "plain sensitivity (Mannos, Sakrison), energy": plain(detection.mannos_sakrison, 2),
        "plain sensitivity of four numbers fitted anew in each fold, energy": lambda train: (
            detection.fitted_energy_thresholds(stimuli, observed, train)
        ),
        "plain sensitivity of the standard observer*, energy": plain(detection.standard_sensitivity, 2),
        "standard observer* (with aperture and exponent 2.4)": fixed(detection.standard_thresholds(stimuli)),
    }
    click.echo(markdown_head(("Modelfest, 41 stimuli: RMS error in dB", "ten folds", "a family left out")))
    for name, predict in models.items():
        tenth, family = (rms(detection.held_out(observed, folds, predict)) for folds in (tenths, by_family))
        click.echo(markdown_line((name, f"{tenth:.2f}", f"{family:.2f}")))
    click.echo("\n\\* its parameters were fitted by their authors to these very thresholds")
    for smooth in (False, True):
        gains = detection.fitted_gains(stimuli, observed, np.ones(len(observed), bool), smooth)
        error = np.std(observed - detection.our_thresholds(stimuli, gains))
        click.echo(f"gains fitted to all{', on a curve' * smooth}: {np.round(gains, 3).tolist()}, {error:.2f} dB")


def table_of_families(error: Array, families: pd.Series) -> None:
    """Print where the practised observer errs."""
    click.echo(f"\n{markdown_head(('family', 'mean error in dB, observers over model', 'RMS'))}")
    for name in dict.fromkeys(families):
        chosen = (error - error.mean())[families == name]
        click.echo(markdown_line((name, f"{chosen.mean():+.1f}", f"{rms(chosen):.1f}")))


def observers_spread(single: Array) -> None:
    """Print how far observers are from one another."""
    others = np.stack([np.delete(single, number, 0).mean(0) for number in range(len(single))])
    apart = single - others
    shape = apart - apart.mean(1, keepdims=True)
    deviation = single - single.mean(1, keepdims=True)
    error = deviation.std(0, ddof=1) / np.sqrt(len(single))
    click.echo(
        f"\nOne observer against the mean of the others: {rms(apart):.2f} dB, {rms(shape):.2f} dB if each has "
        f"a scale of their own;\nstandard error of the mean of all, scales aside: {rms(error):.2f} dB."
    )


def scale(single: Array, predicted: Array) -> tuple[float, float, float]:
    """Find the T of a uniform field, in code values, with which visibility is .5 at the observers' thresholds.

    Returns
    -------
    tuple of float
        The geometric mean, and the ends of the interval that holds 95 % of resampled observers and stimuli.
    """
    observers, stimuli = single.shape
    generator = np.random.default_rng(1)
    error = single - predicted
    draws = [
        error[generator.integers(0, observers, observers)][:, generator.integers(0, stimuli, stimuli)].mean()
        for _ in range(_RESAMPLINGS)
    ]
    levels = np.array([error.mean(), *interval(draws)])
    middle, low, high = 10 ** (levels / 20) / checks.SEEN
    return float(middle), float(low), float(high)


def print_scale(single: Array, predicted: Array) -> None:
    middle, low, high = scale(single, predicted)
    click.echo(
        f"\nWith the practised observer's gains visibility reaches .5 at the observers' thresholds if a uniform field "
        f"has T = {middle:.3f} code values ({low:.3f} to {high:.3f}).\n"
        f"The practised observer's factor on T is {OBSERVERS['practised'].threshold_factor}; it should be"
    )
    for model in MODELS:
        flat = flat_threshold(model, modelfest.FIELD)
        factor, least, most = (level / flat for level in (middle, low, high))
        click.echo(f"{model}, which gives a uniform field {flat:.3f}: {factor:.3f} ({least:.3f} to {most:.3f})")


def table_of_maps(table: pd.DataFrame, pictures: Array, observed: Array, predicted: Array) -> None:
    """Print the contrasts at which the visibility map itself reaches .5, beside those that the tables above rest on."""
    model: ThresholdModel = "pnet"
    needed = OBSERVERS["practised"].threshold_factor * flat_threshold(model, modelfest.FIELD) * checks.SEEN
    calculated = predicted + 20 * np.log10(needed)
    click.echo(f"\n| visibility map ({model}) | observers dB | map reaches .5 at | calculated |\n|---|---|---|---|")
    found = {}
    for place in np.flatnonzero(table.number.isin(_BY_MAP)):
        found[place] = checks.threshold_of_map(pictures[place], modelfest.FIELD, model)
        name = f"{table.number[place]}, {table.kind[place]}"
        click.echo(f"| {name} | {observed[place]:.1f} | {found[place]:.1f} | {calculated[place]:.1f} |")
    places, values = list(found), np.array(list(found.values()))
    click.echo(
        f"observers over map: mean {np.mean(observed[places] - values):+.2f} dB, "
        f"RMS {rms(observed[places] - values):.2f} dB; "
        f"calculation over map: RMS {rms(calculated[places] - values):.2f} dB"
    )


@click.command(help=__doc__)
@click.option("--data", "folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    table = modelfest.read_stimuli(folder)
    single = modelfest.read_thresholds(folder).mean(-1)
    observed = single.mean(0)
    pictures = np.stack([modelfest.contrast_picture(row) for _, row in table.iterrows()])
    stimuli = detection.Stimuli.of(pictures, modelfest.PIXELS_PER_DEGREE)
    table_of_models(stimuli, observed, table.family.to_numpy())
    observers_spread(single)

    per_contrast = 20 * np.log10(code_per_contrast(modelfest.FIELD))
    predicted = detection.our_thresholds(stimuli, OBSERVERS["practised"].gains) - per_contrast
    table_of_families(observed - predicted, table.family)
    print_scale(single, predicted)
    table_of_maps(table, pictures, observed, predicted)
    checks.gratings_elsewhere(folder)
    for model in MODELS:
        checks.edges_in_noise(folder, model)


if __name__ == "__main__":
    main()
