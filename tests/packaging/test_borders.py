"""Who may import whom, what an import costs, and what is in the package."""

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUI = ("napari", "qtpy", "magicgui", "superqt", "PyQt6", "PySide6")


def run(code):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


def test_importing_the_package_loads_nothing_heavy():
    heavy = (*GUI, "torch", "numpy", "scipy", "skimage", "cv2", "matplotlib", "click", "rich")
    found = run(f"""
        import sys, napari_iqmaps
        print([name for name in {heavy!r} if name in sys.modules])
    """)
    assert found.stdout.strip() == "[]", found.stderr


def test_the_core_and_the_command_line_work_where_there_is_no_gui():
    """With every GUI package blocked, every module of core and cli imports, and a map is made."""
    found = run(f"""
        import importlib, pkgutil, sys
        for name in {GUI!r}:
            sys.modules[name] = None
        import numpy as np
        import napari_iqmaps as iq
        for part in ("core", "cli"):
            package = importlib.import_module(f"napari_iqmaps.{{part}}")
            for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
                importlib.import_module(module.name)
        print(iq.threshold_map(np.zeros((40, 40), np.uint8), model="contrast").values.shape)
    """)
    assert found.stdout.strip() == "(40, 40)", found.stderr


def test_the_wheel_holds_the_manifest_and_the_weights(tmp_path):
    """Built as a user's pip would; an editable install alone would not notice a missing file."""
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", tmp_path]
    command = [sys.executable, "-m", "pip", "wheel", *options, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert names.count("napari_iqmaps/napari.yaml") == 1
    assert "napari_iqmaps/_weights/registry.toml" in names
    assert "napari_iqmaps/py.typed" in names
    weights = {path.name for path in (ROOT / "weights").glob("*.safetensors")}
    assert {Path(name).name for name in names if name.endswith(".safetensors")} == weights
    assert not [name for name in names if name.startswith(("weights/", "tests/"))]
