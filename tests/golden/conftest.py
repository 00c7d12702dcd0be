"""Compares a value with the one that was frozen in a file."""

import json
import math
from pathlib import Path

import pytest

FROZEN = Path(__file__).parent / "frozen"


def pytest_addoption(parser):
    parser.addoption("--freeze", action="store_true", help="write the frozen values anew")
    parser.addoption("--golden-strict", action="store_true", help="compare numbers within 1e-6 instead of 1e-4")


def differences(found, expected, rtol, where="value"):
    """Name what differs, each with its place."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*found, *expected}):
            if key not in found or key not in expected:
                yield f"{where}.{key}: {'missing' if key not in found else 'not frozen'}"
            else:
                yield from differences(found[key], expected[key], rtol, f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            yield f"{where}: {len(found)} items instead of {len(expected)}: {found} instead of {expected}"
        for index, pair in enumerate(zip(found, expected, strict=False)):
            yield from differences(*pair, rtol, f"{where}[{index}]")
    elif not _alike(found, expected, rtol):
        yield f"{where}: {found!r} instead of {expected!r}"


def _alike(found, expected, rtol):
    numbers = (int, float)
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, numbers) and isinstance(expected, numbers):
        return math.isclose(found, expected, rel_tol=rtol, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


@pytest.fixture
def frozen(request):
    """Compare a value with ``frozen/NAME.json``; with ``--freeze``, write that file."""
    rtol = 1e-6 if request.config.getoption("--golden-strict") else 1e-4

    def check(name, value):
        path = FROZEN / f"{name}.json"
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if request.config.getoption("--freeze"):
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path.name} is not frozen; give --freeze"
        found = list(differences(json.loads(text), json.loads(path.read_text(encoding="utf-8")), rtol))
        assert not found, "\n".join(found[:40])

    return check
