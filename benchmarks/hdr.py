"""High dynamic range: whether the score grows with the distortion, and cd/m2 agree with display codes.

Per scene, noise, blur and banding are added in five strengths to the light itself; the reference is the scene. The
values of a scene are taken as relative, with the diffuse white (--white) shown at 100 cd/m2.

    python benchmarks/hdr.py path/to/scene.hdr ...
    python benchmarks/hdr.py --shared path/to/shared          # its data/hdr/*.hdr
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy import ndimage
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.display import SDR_WHITE, Display, Encoding, pq, pu21
from napari_iqmaps.core.tables import markdown_head, markdown_line
from napari_iqmaps.core.visibility import MODELS, ThresholdModel

Light = np.ndarray[Any, np.dtype[np.float64]]

DARKEST = 1e-3  # cd/m2: where the logarithm of the banding starts


def noise(light: Light, strength: float) -> Light:
    """Multiply by log-normal noise, the same grain at every strength."""
    grain = np.random.default_rng(5).normal(size=light.shape[:2])[..., None]
    return light * np.exp(strength * grain)


def blur(light: Light, strength: float) -> Light:
    return ndimage.gaussian_filter(light, (strength, strength, 0))


def banding(light: Light, strength: float) -> Light:
    """Round the logarithm of the luminance to steps, of which `strength` make a factor of e."""
    log = np.log(np.maximum(light, DARKEST))
    return np.exp(np.round(log / strength) * strength)


DISTORTIONS: dict[str, tuple[Callable[[Light, float], Light], tuple[float, ...]]] = {
    "noise": (noise, (0.02, 0.05, 0.1, 0.2, 0.4)),
    "blur": (blur, (0.6, 1.0, 1.6, 2.6, 4.2)),
    "banding": (banding, (0.05, 0.1, 0.2, 0.4, 0.8)),
}


@click.command(help=__doc__)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--shared", type=click.Path(exists=True, path_type=Path), help="A folder with data/hdr in it.")
@click.option("--white", default=0.5, show_default=True, help="Value of diffuse white in the files.")
@click.option("--model", "models", multiple=True, type=click.Choice(MODELS), default=MODELS)
@click.option("--encoding", "encodings", multiple=True, type=click.Choice(["pu21", "pq"]), default=("pu21", "pq"))
def main(
    files: tuple[Path, ...],
    shared: Path | None,
    white: float,
    models: tuple[ThresholdModel, ...],
    encodings: tuple[Encoding, ...],
) -> None:
    found = [*files, *(sorted((shared / "data" / "hdr").glob("*.hdr")) if shared else ())]
    if found:
        heads = ("scene", "model", "encoding", "distortion", "score at strengths 0 to 5", "monotone")
        click.echo(markdown_head(heads))
    for path in found:
        scene = iq.read_image(path)
        light = np.asarray(scene.array, float) * (100 / white)
        for model in models:
            for encoding in encodings:
                for name in DISTORTIONS:
                    scores = growing(light, name, model, encoding)
                    rising = all(later > earlier for earlier, later in pairwise(scores))
                    numbers = " ".join(f"{score:.4f}" for score in scores)
                    click.echo(markdown_line((path.stem, model, encoding, name, numbers, rising)))
    click.echo(f"\nPictures stated in cd/m2 against the same in display codes, largest difference: {agreement():.1e}")
    click.echo(f"Plain encodings against display codes below white: {distance()}")
    click.echo("PU21 and PQ against other implementations: 1e-6 of the scale, in tests/core/test_display.py")


def growing(light: Light, name: str, model: ThresholdModel, encoding: Encoding) -> list[float]:
    """Score a distortion at strength 0 (the scene itself) and at its five strengths."""
    distort, strengths = DISTORTIONS[name]
    tests = [light, *(distort(light, strength) for strength in strengths)]
    options: dict[str, Any] = {"luminance": "absolute", "encoding": encoding, "model": model, "channel_axis": -1}
    return [float(iq.visibility_map(test, light, **options).score) for test in tests]


def agreement() -> float:
    """Give the largest relative difference in threshold, visibility and score of two photographs, grey and colour."""
    apart: list[float] = []
    for image, axis in ((data.camera()[:256, :256], None), (data.coffee()[:256, :256], -1)):
        test = np.clip(image + np.random.default_rng(3).normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        for model in MODELS:
            codes: dict[str, Any] = {"model": model, "channel_axis": axis}
            light = codes | {"luminance": "absolute"}
            pairs = (
                (iq.threshold_map(image, **codes), iq.threshold_map(as_light(image), **light)),
                (iq.visibility_map(test, image, **codes), iq.visibility_map(as_light(test), as_light(image), **light)),
            )
            for expected, result in pairs:
                apart.append(float(np.max(np.abs(result.values / expected.values - 1))))
                apart.append(abs(float(result.score) / float(expected.score) - 1))
    return float(np.max(apart))  # NaN if one is


def as_light(codes: np.ndarray[Any, Any]) -> Light:
    """Turn 8-bit sRGB codes into cd/m2 on a display of 100 cd/m2; written apart from the package."""
    coded = codes / 255.0
    light: Light = 100 * np.where(coded > 0.04045, np.power((coded + 0.055) / 1.055, 2.4), coded / 12.92)
    return light


def distance() -> str:
    """Say how far the plain encodings lie from display codes, and what thresholds of a photograph they would give."""
    luminance = np.linspace(0.005, SDR_WHITE, 20_001)
    codes = Display("absolute").codes(luminance, (0, SDR_WHITE))
    photograph = data.camera()[:256, :256]
    expected = iq.threshold_map(photograph).values
    words = []
    for name, encode in (("PU21", pu21), ("PQ", pq)):
        apart = 255 * encode(luminance) / encode(SDR_WHITE) - codes
        at = int(np.argmax(np.abs(apart)))
        plain = 255 * encode(as_light(photograph)) / encode(SDR_WHITE)
        change = np.abs(iq.threshold_map(plain, data_range=255).values / expected - 1)
        words.append(
            f"{name} {apart[at]:+.1f} code values at {luminance[at]:.1f} cd/m2, which would change the thresholds of a "
            f"photograph by {change.mean():.0%} on average and {change.max():.0%} at most"
        )
    return "; ".join(words)


if __name__ == "__main__":
    main()
