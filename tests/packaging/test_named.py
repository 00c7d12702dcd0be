"""What public documentation names is there: exported, or a parameter, an attribute or a module that it states."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

import napari_iqmaps as iq

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
"""Single backquotes name something; double ones show code."""


def members(kind: type) -> Iterator[tuple[str, object]]:
    """Public attributes of a class that this package defines, also those of its bases."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] == iq.__name__:
            yield from ((name, value) for name, value in vars(base).items() if not name.startswith("_"))
            yield from ((name, None) for name in vars(base).get("__annotations__", {}))


def documented() -> dict[str, str]:
    """Docstrings of all exported functions and classes, and of the methods of the classes."""
    found = {}
    for name in iq.__all__:
        value = getattr(iq, name)
        if not callable(value):
            continue
        found[name] = inspect.getdoc(value) or ""
        for member, inner in members(value) if inspect.isclass(value) else ():
            if isinstance(inner, property | cached_property | classmethod | staticmethod) or inspect.isfunction(inner):
                found[f"{name}.{member}"] = inspect.getdoc(inner) or ""
    return found


def known() -> set[str]:
    """Exported names, their parameters, and the attributes of exported classes, also as ``Class.attribute``."""
    names = set(iq.__all__)
    for name in iq.__all__:
        value = getattr(iq, name)
        if inspect.isclass(value):
            attributes = {member for member, _ in members(value)}
            names |= attributes | {f"{name}.{attribute}" for attribute in attributes}
        if inspect.isfunction(value) or dataclasses.is_dataclass(value):
            names |= set(inspect.signature(value).parameters)
    return names


def is_stated(path: str) -> bool:
    """Whether a dotted path from the package on leads to something."""
    module, _, attribute = path.rpartition(".")
    for imported in filter(None, (path, module)):
        try:
            found = importlib.import_module(imported)
        except ImportError:
            continue
        return imported == path or hasattr(found, attribute)
    return False


DOCUMENTED = documented()
KNOWN = known()


@pytest.mark.parametrize("where", sorted(DOCUMENTED))
def test_names_in_docstrings_are_there(where):
    named = {name.partition("(")[0] for name in QUOTED.findall(DOCUMENTED[where])}
    missing = {name for name in named if name not in KNOWN and not is_stated(name)}
    assert not missing, f"{where} names {missing}: export it, name the module it is in, or show it as code."


@pytest.mark.parametrize("page", ["README.md", *sorted(path.name for path in (ROOT / "docs").glob("*.md"))])
def test_names_in_the_pages_are_exported(page):
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"\biq\.([A-Za-z_]\w*)", text))
    assert named <= set(iq.__all__), named - set(iq.__all__)


def test_a_name_that_is_nowhere_is_found():
    assert not is_stated("napari_iqmaps.core.nowhere")
    assert not is_stated("napari_iqmaps.core.maps.Nowhere")
    assert is_stated("napari_iqmaps.core.maps.QualityMap")
    assert "nowhere" not in KNOWN


DOTTED = re.compile(r"`(napari_iqmaps(?:\.[A-Za-z_]\w*)+)")
FILE = re.compile(r"\b(?:core|cli|training|plugin)/[a-z_/]+\.py|\bbenchmarks/[a-z_/]+\.py")


def is_importable(name: str) -> bool:
    """Whether a dotted name is a module, or what attributes of one lead to."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for attribute in parts[count:]:
            found = getattr(found, attribute, None)
        return found is not None
    return False


def test_dotted_names_in_any_docstring_or_page_are_there():
    places = [path for folder in ("src", "docs", "weights") for path in (ROOT / folder).rglob("*.*")]
    texts = {path: path.read_text() for path in (*places, *ROOT.glob("*.md")) if path.suffix in (".py", ".md")}
    assert {
        (str(path.relative_to(ROOT)), name)
        for path, text in texts.items()
        for name in DOTTED.findall(text)
        if not is_importable(name)
    } == set()


def test_files_that_pages_name_are_there():
    pages = (
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "weights").glob("*.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    )
    homes = (ROOT, ROOT / "src" / "napari_iqmaps")
    assert {
        (path.name, name)
        for path in pages
        for name in FILE.findall(path.read_text())
        if not any((home / name).exists() for home in homes)
    } == set()
