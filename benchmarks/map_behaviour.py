"""Does the threshold map make sense? The checks of `napari_iqmaps.training.visibility.behaviour`, as tables.

python benchmarks/map_behaviour.py
python benchmarks/map_behaviour.py --weights run/pnet.safetensors
"""

from __future__ import annotations

import click

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
        click.echo("| photograph | at equal luminance | overall | flat tenth | textured tenth | ratio |")
        click.echo("|---|---|---|---|---|---|")
        for name in PHOTOGRAPHS:
            found = photograph_behaviour(name, model, weights)
            click.echo(
                f"| {name} | {found.band_correlation:.2f} | {found.correlation:.2f} | {found.flat:.2f} "
                f"| {found.textured:.2f} | {found.ratio:.2f} |"
            )
        flat = flat_thresholds(model, weights)
        click.echo(f"\n| uniform field | {' | '.join(map(str, flat))} |\n|---|{'---|' * len(flat)}")
        click.echo(f"| threshold | {' | '.join(f'{value:.2f}' for value in flat.values())} |")


if __name__ == "__main__":
    main()
