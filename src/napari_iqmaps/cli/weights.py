"""``iqmaps weights``: what the trained weights are, where they come from, and whether they are intact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..core import models as registry
from ..core.errors import WeightsError
from .group import in_one_line
from .options import json_option
from .report import print_json, print_table
from .streams import echo


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def weights(ctx: click.Context, as_json: bool) -> None:
    """List, explain and verify the trained weights.

    Without a command: the list.
    """
    if ctx.invoked_subcommand is None:
        _print_list(as_json)


@weights.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the weights that ship: network, size, sha256, default, figures."""
    _print_list(as_json)


@weights.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check every file against its sha256. Exit status 1 if one is missing or changed."""
    found = {name: _checked(name, record) for name, record in registry.registry().items()}
    if as_json:
        print_json([{"name": name, "ok": not error, "error": error} for name, error in found.items()])
    else:
        for name, error in found.items():
            echo(f"{name}: {error or 'as registered'}", err=bool(error))
    ctx.exit(1 if any(found.values()) else 0)


@weights.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show everything that is recorded of the weights NAME, and their model card."""
    record = registry.registry().get(name)
    if record is None:
        raise click.UsageError(f"There are no weights {name!r}. There are: {', '.join(registry.registry())}.")
    found = registry.find(name, record["network"])
    card = found.path.with_name(f"MODEL_CARD_{name}.md")
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    if as_json:
        print_json({"name": name, "path": str(found.path), **record, "model_card": text})
        return
    rows = [
        ("file", str(found.path)),
        ("bytes", f"{found.path.stat().st_size:,}"),
        ("sha256", f"{found.sha256} (verified)"),
    ]
    rows += [(key, value) for key, value in _flat(record) if key not in ("file", "sha256")]
    print_table(name, ["field", "value"], rows)
    for line in ["", *text.split("\n")] if text else ["There is no model card beside the file."]:
        echo(line)


def _print_list(as_json: bool) -> None:
    records = registry.registry()
    sizes = {name: _size(name, record) for name, record in records.items()}
    if as_json:
        print_json([{"name": name, "bytes": sizes[name], **record} for name, record in records.items()])
        return
    rows = [
        (
            name,
            record["network"],
            f"{sizes[name]:,}" if sizes[name] is not None else "damaged: see verify",
            record["sha256"][:12],
            "yes" if record.get("default") else "",
            _figures(record),
        )
        for name, record in records.items()
    ]
    print_table("Weights", ["name", "network", "bytes", "sha256", "default", "figures"], rows, numbers=("bytes",))


def _size(name: str, record: Mapping[str, Any]) -> int | None:
    try:
        return registry.find(name, record["network"]).path.stat().st_size
    except WeightsError:
        return None


def _checked(name: str, record: Mapping[str, Any]) -> str:
    try:
        registry.find(name, record["network"])
    except WeightsError as error:
        return in_one_line(error)
    return ""


def _figures(record: Mapping[str, Any]) -> str:
    figures = record.get("figures") or record.get("scores") or {}
    return (
        ", ".join(f"{key} {value}" for key, value in _flat(figures)) if isinstance(figures, Mapping) else str(figures)
    )


def _flat(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Write nested tables as dotted keys."""
    flat: list[tuple[str, Any]] = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((prefix + key, value))
    return flat
