r"""Put trained weights into the registry that ships: in half precision if that is asked for, with their record.

    python benchmarks/register_weights.py run/pnet.safetensors --name pnet --half \
        --figures loso.json --data "LIVE release 2 (239 images), TID2013 (785)" --licence BSD-3-Clause
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click
from safetensors import safe_open
from safetensors.torch import load_file

from napari_iqmaps.core.models import sha256_of
from napari_iqmaps.training.machine.metrifier_fit import set_metrifier_uncertainty
from napari_iqmaps.training.quality.score_evidence import set_uncertainty
from napari_iqmaps.training.weights_file import write_tensors

FEW = 1000
EXACT = "evidence."
"""A matrix of numbers of many sizes, which a square of a distance is made with."""

METRIFIER = "metrifier"
COLOURS = {METRIFIER: "red, green and blue, gamma-coded, 0 (black) to 1 (white)"}
LUMINANCE = "luminance, code values 0..255"

FOLDER = Path(__file__).resolve().parents[1] / "weights"
REGISTRY = FOLDER / "registry.toml"
HEAD = "# Every file of weights that ships, and where it comes from. Each is verified before it is read.\n"


def record(path: Path, data: str, licence: str, figures: dict[str, float]) -> dict[str, Any]:
    """Say what is known of a file of weights."""
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
    return {
        "network": header["network"],
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "default": True,
        "licence": licence,
        "version": header["version"],
        "input": COLOURS.get(header["network"], LUMINANCE),
        "data": data,
        "command": header["trained_by"],
        "seed": int(header["seed"]),
        "figures": figures,
    }


def as_toml(records: dict[str, dict[str, Any]]) -> str:
    """Write the registry. TOML's basic strings, booleans and numbers are JSON's."""
    text = HEAD
    for name, entry in records.items():
        for table, values in ((f"weights.{name}", entry), (f"weights.{name}.figures", entry["figures"])):
            text += f"\n[{table}]\n"
            text += "".join(
                f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
                for key, value in values.items()
                if not isinstance(value, dict)
            )
    return text


def held_out_figures(table: Path, network: str) -> dict[str, float]:
    """Take the rank correlations of unseen pictures from the table that 'iqmaps evaluate' wrote."""
    # Whom a score is compared with: the people of a database, or the labels of a table.
    judge, method = ("target", f"machine quality ({network})") if network == METRIFIER else ("database", network)
    return {
        f"srcc_{row[judge]}": round(row["srcc"], 3)
        for row in json.loads(table.read_text())
        if row["method"] == method and row["type"] == "all"
    }


@click.command(help=__doc__)
@click.argument("trained", type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True)
@click.option("--half", is_flag=True, help="Keep two bytes a number.")
@click.option("--figures", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True)
@click.option("--licence", required=True)
@click.option(
    "--residuals",
    type=click.Path(exists=True, path_type=Path),
    help="From 'iqmaps evaluate quality|machine --runs': what a score's uncertainty is made of.",
)
def main(trained: Path, name: str, half: bool, figures: Path, data: str, licence: str, residuals: Path | None) -> None:
    with safe_open(trained, framework="numpy") as file:
        header = file.metadata()
    if residuals is not None:
        fill = set_metrifier_uncertainty if header["network"] == METRIFIER else set_uncertainty
        fill(trained, residuals)
    tensors = load_file(trained)
    target = FOLDER / f"{name}.safetensors"
    # Only what is large: the few scalars keep all their digits.
    smaller = {
        key: value.half() if half and value.numel() > FEW and not key.startswith(EXACT) else value
        for key, value in tensors.items()
    }
    write_tensors(target, smaller, header)
    records = tomllib.loads(REGISTRY.read_text())["weights"] if REGISTRY.is_file() else {}
    records[name] = record(target, data, licence, held_out_figures(figures, header["network"]))
    REGISTRY.write_text(as_toml(records))
    click.echo(f"{target.name}: {target.stat().st_size:,} bytes, {sha256_of(target)}")


if __name__ == "__main__":
    main()
