"""A way of registering: what is done to the images first, and which registration follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..registration.optional import check_installed
from ..registration.registering import METHODS
from .preprocessing import NONE, Preprocessing, preprocessing

_MATCHES = "matches"

REGISTRATIONS = tuple(name for name in METHODS if name != _MATCHES)
"""Names of the registrations that need nothing but the images."""


@dataclass(frozen=True)
class Method:
    """A way of registering.

    Attributes
    ----------
    name : str
        The preprocessing's, and the registration's behind an ``@`` unless it is that of the comparison.
    preprocessing : Preprocessing
        What is done to both images first.
    registration : str
        A ``method`` of `napari_iqmaps.register`.
    matches : pathlib.Path or None
        Folder of the matched points, if they were found elsewhere; see `matched`.

    Raises
    ------
    InputError
        If the registration needs a package that is not installed.
    """

    name: str
    preprocessing: Preprocessing
    registration: str
    matches: Path | None = None

    def __post_init__(self) -> None:
        check_installed(self.registration)  # once, and not for each pair

    def matches_of(self, moving: Path, fixed: Path) -> Path:
        """Name the file with the matched points of a pair; of a method with a folder of them.

        Parameters
        ----------
        moving, fixed : pathlib.Path
            The images.

        Returns
        -------
        pathlib.Path
            ``MOVING_to_FIXED.csv`` in the folder.

        Raises
        ------
        InputError
            If there is no such file.
        """
        assert self.matches is not None
        path = self.matches / f"{moving.stem}_to_{fixed.stem}.csv"
        if not path.is_file():
            raise InputError(f"{self.matches} holds no {path.name}, the matches of {moving.name} and {fixed.name}.")
        return path


def matched(name: str, folder: Path) -> Method:
    """Make a method of points that were matched elsewhere, such as by DeepMatching on images preprocessed elsewhere.

    Parameters
    ----------
    name : str
        What to call it.
    folder : pathlib.Path
        With a table ``MOVING_to_FIXED.csv`` a pair, as `napari_iqmaps.MatchTable` reads it: in pixels of the images as
        they came, or with the sizes that they had.

    Returns
    -------
    Method
        Of any pair of files.

    Raises
    ------
    InputError
        If the name is empty, or there is no such folder.
    """
    if not name or not folder.is_dir():
        raise InputError(f"{name!r} should be a name, and {folder} a folder of matches. Say NAME=FOLDER.")
    return Method(name, preprocessing(NONE), _MATCHES, folder)


def method(name: str, registration: str = "auto") -> Method:
    """Find a method by its name.

    Parameters
    ----------
    name : str
        A preprocessing, such as ``"clahe-light"``; with another registration, ``"clahe-light@fast"``.
    registration : str
        The registration of names without an ``@``.

    Returns
    -------
    Method
        The method.

    Raises
    ------
    InputError
        If either is unknown.
    """
    first, at, own = name.partition("@")
    steps = preprocessing(first.strip() or NONE)
    chosen = own.strip() if at else registration
    if chosen not in REGISTRATIONS:
        raise InputError(f"There is no registration {chosen!r} to compare. There are {', '.join(REGISTRATIONS)}.")
    return Method(steps.name if chosen == registration else f"{steps.name}@{chosen}", steps, chosen)
