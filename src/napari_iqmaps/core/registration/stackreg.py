"""The registration that ImageJ users know as StackReg, where the package pystackreg is installed."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .candidates import Candidate, Options
from .geometry import as_matrix
from .images import Pair
from .optional import check_installed

_KINDS = {"homography": "AFFINE", "affine": "AFFINE", "euclidean": "RIGID_BODY", "translation": "TRANSLATION"}


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what pystackreg finds; see `candidates.Propose`.

    Parameters
    ----------
    pair : Pair
        The images; they are cut to the size that both have, as StackReg takes one size only.
    options : Options
        Transform (a homography is beyond StackReg: it gives the affine motion) and progress.

    Returns
    -------
    list of Candidate
        One, to be refined.

    Raises
    ------
    InputError
        If pystackreg is not installed.

    Notes
    -----
    Thevenaz, Ruttimann and Unser (1998): least squares of the grey levels themselves, so a change of lighting counts as
    an error.
    """
    check_installed("stackreg")
    import pystackreg as library

    height, width = (min(sides) for sides in zip(pair.moving.shape, pair.fixed.shape, strict=True))
    moving, fixed = (side.plane[:height, :width].astype(np.float64) for side in (pair.moving, pair.fixed))
    register = library.StackReg(getattr(library.StackReg, _KINDS[options.transform]))
    # It gives the matrix from the fixed image to the moving one, as a warp needs it.
    backward = options.steps.wait(lambda: register.register(fixed, moving))
    options.steps.reach(1.0)
    try:
        matrix = as_matrix(np.linalg.inv(np.asarray(backward, np.float64)))
    except (InputError, np.linalg.LinAlgError):
        return [Candidate("stackreg", None, reason="pystackreg gave a matrix that cannot be inverted")]
    return [Candidate("stackreg", matrix)]
