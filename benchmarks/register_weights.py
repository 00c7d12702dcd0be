"""Put trained weights into the registry that ships: in half precision if that is asked for, with their record.

    python benchmarks/register_weights.py run/pnet.safetensors --name pnet --half \\
        --figures loso.json --data "LIVE release 2 (239 images), TID2013 (785)" --licence BSD-3-Clause
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_iqmaps.core.weights import sha256_of

FOLDER = Path(__file__).resolve().parents[1] / "weights"
REGISTRY = FOLDER / "registry.toml"
HEAD = "# Every file of weights that ships, and where it comes from. Each is verified by its sha256 before it is read.\n"


def record(path: Path, name: str, data: str, licence: str, figures: dict[str, float]) -> str:
    """Write one entry of the registry."""
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
    lines = {
        "network": header["network"],
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "default": True,
        "licence": licence,
        "version": header["version"],
        "input": "luminance, code values 0..255",
        "data": data,
        "command": header["trained_by"],
        "seed": int(header["seed"]),
    }
    # TOML's basic strings, booleans and integers are JSON's.
    text = f"\n[weights.{name}]\n" + "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items()
    )
    return text + f"\n[weights.{name}.figures]\n" + "".join(f"{key} = {value}\n" for key, value in figures.items())


def held_out_figures(table: Path, network: str) -> dict[str, float]:
    """Take the rank correlations of unseen scenes from the table that 'iqmaps evaluate' wrote."""
    return {
        f"srcc_{row['database']}": round(row["srcc"], 3)
        for row in json.loads(table.read_text())
        if row["method"] == network and row["type"] == "all"
    }


@click.command(help=__doc__)
@click.argument("trained", type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True)
@click.option("--half", is_flag=True, help="Keep two bytes a number.")
@click.option("--figures", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True)
@click.option("--licence", required=True)
def main(trained: Path, name: str, half: bool, figures: Path, data: str, licence: str) -> None:
    with safe_open(trained, framework="numpy") as file:
        header = file.metadata()
    tensors = load_file(trained)
    target = FOLDER / f"{name}.safetensors"
    save_file({key: value.half() if half else value for key, value in tensors.items()}, target, metadata=header)
    entry = record(target, name, data, licence, held_out_figures(figures, header["network"]))
    old = REGISTRY.read_text() if REGISTRY.is_file() else HEAD
    start = old.find(f"\n[weights.{name}]")
    if start >= 0:
        following = [at for at in (old.find("\n[weights.", start + 1),) if at >= 0]
        while following and old[following[0] :].startswith(f"\n[weights.{name}."):
            following = [at for at in (old.find("\n[weights.", following[0] + 1),) if at >= 0]
        old = old[:start] + (old[following[0] :] if following else "")
    REGISTRY.write_text(old + entry)
    click.echo(f"{target.name}: {target.stat().st_size:,} bytes, {sha256_of(target)}")


if __name__ == "__main__":
    main()
