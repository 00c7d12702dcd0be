"""Registrations that other packages make: which package, and what to say where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import InputError

PACKAGES = {"stackreg": ("pystackreg", "pystackreg"), "elastix": ("itk", "itk-elastix")}
"""Method to the name to import and the name to install."""

INSTALL = "pip install 'napari-iqmaps[registration]'"


def check_installed(method: str) -> None:
    """Refuse a method whose package is missing, before any work is done.

    Parameters
    ----------
    method : str
        A ``method`` of `napari_iqmaps.register`.

    Raises
    ------
    InputError
        With the line that installs it.
    """
    module, package = PACKAGES.get(method, ("", ""))
    if module and find_spec(module) is None:
        raise InputError(f"method={method!r} needs the package {package}. Install it: {INSTALL}")
