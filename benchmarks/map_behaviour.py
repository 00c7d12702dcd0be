"""Does the threshold map make sense? The checks of `napari_iqmaps.training.visibility.behaviour`, as tables.

python benchmarks/map_behaviour.py
python benchmarks/map_behaviour.py --weights run/pnet.safetensors
"""

from __future__ import annotations

import click

from napari_iqmaps.core.tables import markdown_head, markdown_line
from napari_iqmaps.core.visibility import MODELS, ThresholdModel
from napari_iqmaps.training.visibility.behaviour import (
    PHOTOGRAPHS,
    PUBLISHED_RATIO,
    flat_thresholds,
    photograph_behaviour,
)


@click.command(help=__doc__)
@click.option("--model", "models", multiple=True, type=click.Choice(MODELS), default=MODELS)
@click.option("--weights", help="Of the one model given.")
def main(models: tuple[ThresholdModel, ...], weights: str | None) -> None:
    for model in models:
        click.echo(f"\n{model}: threshold against local contrast (published ratio {PUBLISHED_RATIO})\n")
        heads = ("photograph", "at equal luminance", "overall", "flat tenth", "textured tenth", "ratio")
        click.echo(markdown_head(heads))
        for name in PHOTOGRAPHS:
            one = photograph_behaviour(name, model, weights)
            figures = (one.band_correlation, one.correlation, one.flat, one.textured, one.ratio)
            click.echo(markdown_line([name, *(f"{figure:.2f}" for figure in figures)]))
        flat = flat_thresholds(model, weights)
        click.echo(f"\n{markdown_head(['uniform field', *map(str, flat)])}")
        click.echo(markdown_line(["threshold", *(f"{value:.2f}" for value in flat.values())]))


if __name__ == "__main__":
    main()
