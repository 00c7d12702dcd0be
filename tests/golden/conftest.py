"""Frozen outputs: what every capability gave when its numbers were last meant to change, kept in ``frozen/*.json``.

A test hands its results to the fixture `frozen`, under the name of a file. They are compared with the file, or, with
``pytest tests/golden --freeze``, written to it. A change of these files is a change of what people get: it needs a
reason in CHANGELOG.md.

What is compared. Names, texts, shapes, truth values and counts have to be equal, floating point within a tolerance of
``rtol * |frozen| + atol * scale``, where the scale is the largest magnitude of the list that the number is in, at least
1. An array of more than 64 values is kept as its shape, type, lowest, highest and mean value, its number of values that
are not finite, and the means of 8 blocks along each axis of more than 8 entries.

Why two tolerances. The same code on another processor, or with another number of threads, adds up in another order and
uses other instructions: float32 convolutions then differ by about 1e-6, and optimisers stop a little elsewhere. By
default rtol is 1e-4 and atol 1e-6, which survives that and still sees every change of a formula. A count of pixels
beyond a threshold jumps by whole pixels where a value falls on the other side, and what a search finds moves by its own
precision: such numbers have a slack, stated by the test that has them (``slack={"count": 2}``: names, and how far their
numbers may be off, whatever the tolerance).

``--golden-strict`` is for the machine on which the files were written, while code is moved and nothing may change:
rtol 1e-6, atol 1e-9, no slack.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

FOLDER = Path(__file__).with_name("frozen")
WHOLE = 64
"""Values of an array that is kept as it is; a larger one is reduced."""
BLOCKS = 8
TABLE = 4
"""Records in a row that are kept as a table, a list for each field."""
SHOWN = 20
"""Differences that are listed."""
DIGITS = 9
"""Significant digits in the files: more than the strict tolerance needs, fewer than the noise has."""
UNTOLD = ("version", "device")
"""What the provenance of a result says of the installation, not of the numbers."""


class Tolerance(NamedTuple):
    relative: float
    absolute: float


DEFAULT = Tolerance(1e-4, 1e-6)
STRICT = Tolerance(1e-6, 1e-9)


@pytest.fixture
def frozen(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a result with the file of that name, or write it: ``frozen(name, value, slack={"count": 2})``."""

    def compare(name: str, value: Any, *, slack: Mapping[str, float] | None = None) -> None:
        file = FOLDER / f"{name}.json"
        now = plain(value)
        if request.config.getoption("--freeze"):
            FOLDER.mkdir(exist_ok=True)
            file.write_text(written(now) + "\n", encoding="utf-8")
            return
        if not file.is_file():
            pytest.fail(f"There is no {file.name} in tests/golden/frozen. Write it with: pytest tests/golden --freeze")
        strict = request.config.getoption("--golden-strict")
        before = json.loads(file.read_text(encoding="utf-8"))
        found = differences(before, now, STRICT if strict else DEFAULT, {} if strict else slack or {})
        if found:
            more = [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            head = f"{len(found)} differences from tests/golden/frozen/{file.name}:"
            pytest.fail("\n".join([head, *found[:SHOWN], *more]), pytrace=False)

    return compare


def plain(value: Any) -> Any:
    """Turn a result into what JSON can hold: a record becomes its fields, a large array is reduced."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= WHOLE else reduced(value)
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        if len(value) >= TABLE and all(map(dataclasses.is_dataclass, value)):
            rows = [plain(entry) for entry in value]
            return {name: [row[name] for row in rows] for name in rows[0]}
        return [plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(fields.get("info"), Mapping):
            fields["info"] = {name: entry for name, entry in fields["info"].items() if name not in UNTOLD}
        return plain(fields)
    raise TypeError(f"{type(value).__name__} cannot be frozen; take what matters out of it.")


def reduced(array: np.ndarray, blocks: int = BLOCKS) -> dict[str, Any]:
    """Reduce an array to a few numbers that see a change anywhere in it."""
    values = array.astype(np.float64)
    finite = np.isfinite(values)
    some = values[finite] if finite.any() else np.array([np.nan])
    sums, counts = np.where(finite, values, 0.0), finite.astype(np.float64)
    for axis, length in enumerate(array.shape):
        if length > blocks:
            starts = np.arange(blocks) * length // blocks
            sums, counts = (np.add.reduceat(part, starts, axis=axis) for part in (sums, counts))
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "min": float(some.min()),
        "max": float(some.max()),
        "mean": float(some.mean()),
        "not_finite": int((~finite).sum()),
        "block_means": means.tolist(),
    }


def differences(before: Any, now: Any, tolerance: Tolerance, slack: Mapping[str, float]) -> list[str]:
    """Say where two plain values differ: one line a path, in the order of the file."""
    old, new = dict(leaves(before)), dict(leaves(now))
    scales: dict[str, float] = {}
    for path, value in old.items():
        if isinstance(value, float) and math.isfinite(value):
            scales[listed(path)] = max(scales.get(listed(path), 1.0), abs(value))
    found = [f"{path}: is gone, was {value!r}" for path, value in old.items() if path not in new]
    found += [f"{path}: is new, {value!r}" for path, value in new.items() if path not in old]
    for path, value in old.items():
        off = slack.get(listed(path).rpartition("/")[2], 0.0)
        scale = scales.get(listed(path), 1.0)
        if path in new and not agrees(value, new[path], tolerance, scale, off):
            found.append(f"{path}: was {value!r}, is {new[path]!r}{apart(value, new[path])}")
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten: paths such as ``case/score/planes[3]``, and what is there."""
    if isinstance(value, dict) and value:
        for name, entry in value.items():
            yield from leaves(entry, f"{path}/{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, entry in enumerate(value):
            yield from leaves(entry, f"{path}[{number}]")
    else:
        yield path, value


def listed(path: str) -> str:
    """Give the path of the list that a number is in."""
    return re.sub(r"(\[\d+\])+$", "", path)


def agrees(old: Any, new: Any, tolerance: Tolerance, scale: float, off: float) -> bool:
    if type(old) is not type(new):
        return False
    if isinstance(old, float) and math.isfinite(old) and math.isfinite(new):
        allowed = max(tolerance.relative * abs(old) + tolerance.absolute * scale, off)
        return abs(old - new) <= allowed
    if isinstance(old, float) and math.isnan(old):
        return math.isnan(new)
    if isinstance(old, int) and not isinstance(old, bool):
        return abs(old - new) <= off
    return bool(old == new)


def apart(old: Any, new: Any) -> str:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    return f" ({new - old:+.3g})" if numbers and type(old) is type(new) else ""


def written(value: Any, indent: str = "") -> str:
    """Write JSON with a name a line and a list of numbers on one."""
    if isinstance(value, float):
        return json.dumps(float(f"{value:.{DIGITS}g}"))
    if isinstance(value, dict) and value:
        entries = (f"{indent} {json.dumps(name)}: {written(entry, indent + ' ')}" for name, entry in value.items())
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n" + ",\n".join(f"{indent} {written(entry, indent + ' ')}" for entry in value) + f"\n{indent}]"
    if isinstance(value, list):
        return "[" + ", ".join(written(entry) for entry in value) + "]"
    return json.dumps(value, ensure_ascii=False)
