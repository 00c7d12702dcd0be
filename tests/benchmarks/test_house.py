"""The state of the house is counted as its docstring says, on a small made-up package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

FILES = {
    "__init__.py": "",
    "one.py": "from .inner import two\n\n\ndef call():\n    return two.answer()\n",
    "lonely.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from . import one\nelse:\n    import os\n",
    "inner/__init__.py": "from .two import answer\n",
    "inner/two.py": "import made_up.inner.three\n\n\ndef answer():\n    return made_up.inner.three.number()\n",
    "inner/three.py": "def number():\n    from ..one import call\n    from .. import lonely, absent\n    return call\n",
    "inner/four.py": "from . import two, nothing\nfrom .five import x\n\n\nclass Body:\n    pass\n",
    "inner/five.py": "def late():\n    from .four import Body\n",
}


@pytest.fixture
def house(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "benchmarks")
    return importlib.import_module("house")


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "made_up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "made_up"


def test_files_and_lines(house, package):
    assert sorted(house.sources(package)) == [
        "made_up", "made_up.inner", "made_up.inner.five", "made_up.inner.four", "made_up.inner.three",
        "made_up.inner.two", "made_up.lonely", "made_up.one",
    ]  # fmt: skip
    assert house.lines(package) == sum(text.count("\n") for text in FILES.values())


def test_imports_within_functions_count_and_those_for_types_do_not(house, package):
    graph = house.imports(package)
    assert graph["made_up.inner.three"] == {"made_up", "made_up.one", "made_up.lonely"}
    assert graph["made_up.inner.four"] == {"made_up.inner", "made_up.inner.two", "made_up.inner.five"}
    assert graph["made_up.inner"] == {"made_up.inner.two"}
    assert graph["made_up.lonely"] == set()


def test_circles(house, package):
    found = house.circles(house.imports(package))
    assert found == [
        ["made_up.inner.three", "made_up.inner.two", "made_up.one"],
        ["made_up.inner.five", "made_up.inner.four"],
    ]
    assert house.circles({"a": {"b"}, "b": {"c"}, "c": set(), "d": {"a", "c"}}) == []
    assert house.circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": {"a"}}) == [["a", "b", "c", "d"]]


def test_files_that_a_call_passes_through(house, tmp_path, monkeypatch):
    package = tmp_path / "passed_through"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "outer.py").write_text("def call():\n    from . import made, idle\n    return made.made()\n")
    (package / "made.py").write_text("def made():\n    return [each for each in range(3)]\n")
    (package / "idle.py").write_text("class Idle:\n    def call(self):\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    outer = importlib.import_module("passed_through.outer")
    try:
        assert house.passed_through(outer.call, package) == {"outer.py", "made.py", "idle.py"}
        assert house.passed_through(outer.call, package) == {"outer.py", "made.py"}
        with pytest.raises(ZeroDivisionError):
            house.passed_through(lambda: 1 / 0, package)
        assert sys.getprofile() is None
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "passed_through"]:
            del sys.modules[name]


def test_the_calls_that_are_counted_are_there(house, tmp_path):
    assert tuple(house._calls(tmp_path)) == house.CALLS


def test_there_is_no_circle_in_this_house(house):
    package = Path(__file__).resolve().parents[2] / "src" / "napari_iqmaps"
    assert house.circles(house.imports(package)) == []
