"""The pictures and the figures of docs/hiding.md: one message over sky and grass, uniform and hidden.

python benchmarks/hiding_demonstration.py

Writes docs/images/hiding_*.png, and the figures into the page between its two marks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core import samples
from napari_iqmaps.core.io.legend import map_panel, provenance
from napari_iqmaps.core.io.sheet import Panel, Scale, Sheet

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- figures: benchmarks/hiding_demonstration.py -->", "<!-- end of figures -->"
UNIFORM = (4.0, 1.5)
STRENGTHS = (1.0, 0.69)
WINDOW = 9  # finer than the default, so that the letters can be told apart in the map
PART = np.s_[30:440, 290:512]  # where the message is
COLOURS = 256


def shown(grey: np.ndarray[Any, Any], title: str, caption: str) -> Panel:
    return Panel(np.repeat(grey[PART][..., None], 3, -1), title, caption)


def stretched(mark: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Show a difference eight times as strong around middle grey."""
    return np.uint8(np.clip(128 + 8 * mark.astype(float), 0, 255))


def write(panels: list[Panel], name: str, info: Any = None) -> None:
    path = DOCS / "images" / f"hiding_{name}.png"
    Sheet(panels, 3, footer=provenance(info) if info else "").write(path)
    with Image.open(path) as picture:
        colours = picture.convert("RGB")
    # A palette may move a grey by more than the faint message; grey pictures are kept as they are.
    is_grey = not np.ptp(np.asarray(colours), axis=-1).any()
    (colours.convert("L") if is_grey else colours.quantize(COLOURS)).save(path, optimize=True)
    click.echo(f"{path.name}: {path.stat().st_size // 1024} KB")


def into_page(text: str) -> None:
    page = DOCS / "hiding.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


@click.command(help=__doc__)
@click.option("--model", type=click.Choice(["pnet", "contrast"]), default="pnet", show_default=True)
def main(model: str) -> None:
    options: dict[str, Any] = {"model": model, "window": WINDOW}
    photo, message = samples.photo(), samples.message()
    inside = message > 0.5
    sky, grass = inside.copy(), inside.copy()
    sky[150:], grass[:150] = False, False

    marked = [(f"amplitude {amplitude:g}", samples.message_at(amplitude)) for amplitude in UNIFORM]
    hidden = [iq.hide(message, photo, strength=strength, **options) for strength in STRENGTHS]
    marked += [(f"hidden, strength {result.info['strength']:g}", result.image) for result in hidden]

    rows = ["| mark | added in the sky | added in the grass | mean square | seen in the sky | seen in the grass "
            "| highest | level | score |", "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    maps = []
    for number, (name, image) in enumerate(marked):
        seen = iq.visibility_map(image, photo, **options)
        maps.append(seen)
        added = image.astype(float) - photo
        level = f"{hidden[number - len(UNIFORM)].info['level']:.0%}" if number >= len(UNIFORM) else ""
        rows.append(
            f"| {name} | {added[sky].mean():.2f} | {added[grass].mean():.2f} | {np.mean(added**2):.3f} "
            f"| {seen.values[sky].mean():.0%} | {seen.values[grass].mean():.0%} | {seen.values.max():.0%} | {level} "
            f"| {seen.score:.4f} |"
        )
    table = "\n".join(rows)
    click.echo(table)
    into_page(table)

    three = range(len(UNIFORM) + 1)
    write([shown(marked[i][1], marked[i][0], "") for i in three], "photos")
    differences = [marked[i][1].astype(int) - photo for i in three]
    write([shown(stretched(differences[i]), marked[i][0], "") for i in three], "marks")
    scale = Scale.of(maps[0].values, maps[0].meaning)
    write([map_panel(maps[i].values[PART], scale, title=marked[i][0], has_bar=i == three[-1]) for i in three],
          "visibility", maps[0].info)  # fmt: skip
    thresholds = iq.threshold_map(photo, model=model)  # type: ignore[arg-type]
    write(
        [Panel(np.repeat(photo[..., None], 3, -1), "the photograph"),
         map_panel(thresholds.values, Scale.of(thresholds.values, thresholds.meaning), title=thresholds.meaning.title)],
        "threshold", thresholds.info,
    )  # fmt: skip


if __name__ == "__main__":
    main()
