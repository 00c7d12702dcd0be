"""What each ingredient of the visibility score gives, as a table.

Fits the contrast model (three numbers: seconds a fit) with one choice changed at a time, on four groups of scenes in
turn, and ranks the images of the group left out.

    python benchmarks/visibility_ingredients.py --data live.csv --data tid2013.csv --runs runs/ingredients
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from scipy.stats import spearmanr

from napari_iqmaps.training.databases.manifest import pooled, read_manifest
from napari_iqmaps.training.evaluation.protocols import scenes_in_folds
from napari_iqmaps.training.evaluation.visibility import patch_scores
from napari_iqmaps.training.visibility.recipe import TrainingConfig
from napari_iqmaps.training.visibility.samples import DifferenceMeasure, ScoredImages, measure_of
from napari_iqmaps.training.visibility.training import fit_images

SHIPPED = TrainingConfig.default("contrast")
VARIANTS = {
    "as shipped": SHIPPED,
    "thresholds of the test image (published)": replace(SHIPPED, thresholds="test"),
    "thresholds of the reference": replace(SHIPPED, thresholds="reference"),
    "the smaller of the two thresholds": replace(SHIPPED, thresholds="smaller"),
    "exponent 2": replace(SHIPPED, exponent=2.0),
    "exponent 1": replace(SHIPPED, exponent=1.0),
    "gains of the practised observer": replace(SHIPPED, channels="practised"),
    "no channels": replace(SHIPPED, channels="none"),
    "mean over the image instead of the power mean": replace(SHIPPED, pooling=1.0),
    "difference, thresholds and loss as published": replace(
        SHIPPED,
        thresholds="test",
        exponent=1.0,
        channels="none",
        pooling=1.0,
        loss="patch",
        correlation=0.0,
        calibration="none",
    ),
}


def out_of_fold(config: TrainingConfig, data: ScoredImages, folder: Path) -> np.ndarray:
    """Give each image the score of a model that has not seen its scene."""
    scores = np.full(len(data.table), np.nan)
    for fold in scenes_in_folds(data.table):
        path = fit_images(config, data, fold.train, folder / fold.name, record={"fold": fold.name}, device="cpu")
        scores[fold.test] = patch_scores(data, fold.test, path, config)
    return scores


@click.command(help=__doc__)
@click.option("--data", "manifests", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--runs", required=True, type=click.Path(path_type=Path))
def main(manifests: tuple[Path, ...], runs: Path) -> None:
    table = pooled([read_manifest(path) for path in manifests])
    banks: dict[DifferenceMeasure, ScoredImages] = {}
    databases = list(dict.fromkeys(table["database"]))
    click.echo(f"| ingredient | {' | '.join(databases)} |\n|---|{'---|' * len(databases)}")
    for number, (name, config) in enumerate(VARIANTS.items()):
        measure = measure_of(config)
        if measure not in banks:
            banks.clear()  # one at a time in memory
            banks[measure] = ScoredImages.read(table, measure)
        scores = out_of_fold(config, banks[measure], runs / str(number))
        figures = []
        for database in databases:
            chosen = (table["database"] == database).to_numpy()
            figures.append(f"{spearmanr(scores[chosen], table['impairment'][chosen]).statistic:.3f}")
        click.echo(f"| {name} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
