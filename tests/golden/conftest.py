"""Values that are kept in files: ``pytest --freeze`` writes them, other runs compare."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "frozen"


def pytest_addoption(parser):
    parser.addoption("--freeze", action="store_true", help="Write the frozen values anew.")
    parser.addoption("--golden-strict", action="store_true", help="Compare numbers within 1e-6, not 1e-4.")


@pytest.fixture
def frozen(request):
    """Compare a value with the one that is kept under a name, or keep it."""

    def check(name, value):
        path = FOLDER / f"{name}.json"
        value = json.loads(json.dumps(value, allow_nan=False))
        if request.config.getoption("--freeze", default=False):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value, indent=1) + "\n")
            return
        rtol = 1e-6 if request.config.getoption("--golden-strict", default=False) else 1e-4
        differences = list(_differences(json.loads(path.read_text()), value, rtol, name))
        assert not differences, "\n".join(differences[:20])

    return check


def _differences(kept, found, rtol, where):
    if isinstance(kept, dict) and isinstance(found, dict) and list(kept) == list(found):
        for key in kept:
            yield from _differences(kept[key], found[key], rtol, f"{where}.{key}")
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for number, pair in enumerate(zip(kept, found, strict=True)):
            yield from _differences(*pair, rtol, f"{where}[{number}]")
    elif not _alike(kept, found, rtol):
        yield f"{where}: {kept!r} was kept, {found!r} is found"


def _alike(kept, found, rtol):
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (kept, found))
    return math.isclose(kept, found, rel_tol=rtol, abs_tol=1e-12) if numbers else kept == found
