"""The state of the house: files and lines, import circles, and the files that a call passes through.

    python benchmarks/house.py               # all of it
    python benchmarks/house.py --no-calls    # from the text alone, in a second

Files and lines: every .py file under src/napari_iqmaps, and the newlines in them.

Circles: an edge leads from a module to each module of the package that it imports, wherever in the file, also within a
function, but not under ``if TYPE_CHECKING``. ``from .folder import name`` is an edge to folder/name.py where there is
one, and to folder/__init__.py otherwise; the packages that Python imports on the way to a module are no edges. A circle
is a strongly connected component of more than one module.

Calls: each is made twice in a process of its own, in which `napari_iqmaps` and its command line, but not what they load
when it is needed, are imported. "cold" is the first time, with imports to do and caches to fill, "warm" the second. A
file counts if at least one of its frames was entered (a call event of `sys.setprofile`, in the calling thread or in one
that was started meanwhile). The frame of a module's body does not count; that of a class does, which makes a part of
the difference of cold from warm. What is usually cited are the warm figures of the functions and the cold one of the
command, whose start is a part of each use.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "napari_iqmaps"

Graph = dict[str, set[str]]


def sources(package: Path) -> dict[str, Path]:
    """Give the files of a package by the names of their modules."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(package: Path) -> int:
    """Count the lines of a package's files."""
    return sum(path.read_text(encoding="utf-8").count("\n") for path in sources(package).values())


def imports(package: Path) -> Graph:
    """Give for each module of a package which of its modules it imports, at the top or within a function."""
    files = sources(package)
    graph: Graph = {}
    for module, path in files.items():
        home = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {name for node in _import_nodes(tree) for name in _targets(node, home, files)}
        graph[module] = (named & set(files)) - {module}
    return graph


def _import_nodes(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _import_nodes(ast.Module(child.orelse, []))
        else:
            yield from _import_nodes(child)


def _targets(node: ast.Import | ast.ImportFrom, home: str, files: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = home.split(".")[: len(home.split(".")) + 1 - node.level] if node.level else []
    origin = ".".join([*base, *([node.module] if node.module else [])])
    for alias in node.names:
        inner = f"{origin}.{alias.name}"
        yield inner if inner in files else origin


def circles(graph: Graph) -> list[list[str]]:
    """Give the strongly connected components of more than one module, by Tarjan's algorithm; largest first."""
    found: list[list[str]] = []
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            at = stack.index(module)
            component = stack[at:]
            del stack[at:]
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return sorted(found, key=lambda component: (-len(component), component))


def passed_through(call: Callable[[], Any], package: Path) -> set[str]:
    """Make a call, and give the package's files of which a frame was entered meanwhile."""
    prefix = f"{package}/"
    entered: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(prefix):
            entered.add(code.co_filename.removeprefix(prefix))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type] # None is what it begins with
    return entered


def _calls(folder: Path) -> dict[str, Callable[[], Any]]:
    """Give the calls that are counted, on small parts of a photograph."""
    import numpy as np
    from PIL import Image
    from skimage import data

    import napari_iqmaps as iq
    from napari_iqmaps.cli import main

    scene = data.camera()
    image, moved = scene[100:292, 150:342], scene[104:296, 153:345]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    path = folder / "image.png"
    Image.fromarray(image).save(path)

    def command() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main(["quality", str(path)], standalone_mode=False)

    return {
        "iq.quality": lambda: iq.quality(image),
        "iq.threshold_map": lambda: iq.threshold_map(image),
        "iq.diff_diff_score": lambda: iq.diff_diff_score(moved, noisy, image),
        "iq.register": lambda: iq.register(moved, image),
        "iqmaps quality": command,
    }


CALLS = ("iq.quality", "iq.threshold_map", "iq.diff_diff_score", "iq.register", "iqmaps quality")


def twice(name: str) -> list[list[str]]:
    """Give the files that a call passes through, cold and warm, in this process."""
    import napari_iqmaps

    package = Path(napari_iqmaps.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        call = _calls(Path(folder))[name]
        return [sorted(passed_through(call, package)) for _ in range(2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-calls", action="store_true", help="Leave out the calls.")
    parser.add_argument("--files", action="store_true", help="Also list the files of the warm calls.")
    parser.add_argument("--call", choices=CALLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.call:
        print(json.dumps(twice(options.call)))
        return
    graph = imports(PACKAGE)
    print(f"{len(graph)} files, {lines(PACKAGE)} lines")
    found = circles(graph)
    print(f"{len(found)} import circles")
    for circle in found:
        print(f"  {len(circle)}: {', '.join(name.removeprefix('napari_iqmaps.') for name in circle)}")
    if options.no_calls:
        return
    print("files passed through        cold  warm")
    for name in CALLS:
        command = [sys.executable, __file__, "--call", name]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        cold, warm = json.loads(made.splitlines()[-1])
        print(f"  {name:24}  {len(cold):4}  {len(warm):4}")
        if options.files:
            print("".join(f"    {file}\n" for file in warm), end="")


if __name__ == "__main__":
    main()
