"""What the benchmarks of the blind networks have in common: which weights, and Markdown."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from napari_iqmaps.core import models as registered
from napari_iqmaps.core.blind import MODELS, BlindModel
from napari_iqmaps.core.errors import WeightsError
from napari_iqmaps.core.tables import markdown_head, markdown_line


def parser(text: str | None) -> argparse.ArgumentParser:
    """Make a parser with ``--weights``."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME|PATH",
        help="of a network, which it names itself; may be given once for each (those that ship)",
    )
    return made


def chosen(weights: Sequence[str]) -> dict[BlindModel, str]:
    """Say which networks to try, with which weights: those given, or else all that ship."""
    if not weights:
        return {model: registered.default_name(model) for model in MODELS}
    found: dict[BlindModel, str] = {}
    for name in weights:
        for model in MODELS:
            try:
                registered.find(name, model)
            except WeightsError as error:
                problem = error
                continue
            found[model] = name
            break
        else:
            raise problem
    return found


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, each row as soon as there is one."""
    print(markdown_head(headings))
    for row in rows:
        print(markdown_line(row), flush=True)
