"""Methods that other packages bring, elastix and pystackreg, and what to say where a package is missing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .candidates import Candidate, Options
from .geometry import Matrix, as_matrix
from .images import Pair

PACKAGES = {"stackreg": ("pystackreg", "pystackreg"), "elastix": ("itk", "itk-elastix")}
"""Method to the name to import and the name to install."""

INSTALL = "pip install 'napari-iqmaps[registration]'"


def check_installed(method: str) -> None:
    """Refuse a method whose package is missing, before any work is done."""
    module, package = PACKAGES.get(method, ("", ""))
    if module and find_spec(module) is None:
        raise InputError(f"method={method!r} needs the package {package}. Install it: {INSTALL}")


_KINDS = {"homography": "affine", "affine": "affine", "euclidean": "rigid", "translation": "translation"}


def propose_elastix(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what elastix finds; for a homography, which is beyond it, the affine motion.

    Klein et al. (2010), its default parameters: mutual information, adaptive stochastic gradient descent, four
    resolutions.
    """
    itk = _library()
    kind = _KINDS[options.transform]
    try:
        with _unheard():
            numbers = options.steps.wait(lambda: _run(itk, pair, kind, options.seed))
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1] if str(error).strip() else "it says nothing"
        return [Candidate("elastix", None, reason=f"elastix failed: {line}")]
    options.steps.reach(1.0)
    try:
        matrix = as_matrix(np.linalg.inv(_backward(kind, *numbers)))
    except (InputError, np.linalg.LinAlgError):
        return [Candidate("elastix", None, reason="elastix gave a matrix that cannot be inverted")]
    return [Candidate("elastix", matrix)]


def _run(itk: Any, pair: Pair, kind: str, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give elastix's parameters and its centre of rotation."""
    images = [itk.image_view_from_array(np.ascontiguousarray(side.plane)) for side in (pair.fixed, pair.moving)]
    parameters = itk.ParameterObject.New()
    settings = parameters.GetDefaultParameterMap(kind)
    settings["RandomSeed"] = [str(seed + 1)]
    settings["AutomaticTransformInitialization"] = ["false"]
    parameters.AddParameterMap(settings)
    _, found = itk.elastix_registration_method(*images, parameter_object=parameters, log_to_console=False)
    result = found.GetParameterMap(0)
    is_turned = "CenterOfRotationPoint" in result.keys()  # noqa: SIM118 - a map of ITK, which has no get and no in
    centre = result["CenterOfRotationPoint"] if is_turned else ("0", "0")
    return np.array(result["TransformParameters"], np.float64), np.array(centre, np.float64)


def _backward(kind: str, numbers: npt.NDArray[np.float64], centre: npt.NDArray[np.float64]) -> Matrix:
    """Give the matrix from the fixed to the moving image."""
    matrix = np.eye(3)
    if kind == "affine":
        matrix[:2, :2] = numbers[:4].reshape(2, 2)
    elif kind == "rigid":
        cosine, sine = np.cos(numbers[0]), np.sin(numbers[0])
        matrix[:2, :2] = (cosine, -sine), (sine, cosine)
    matrix[:2, 2] = numbers[-2:] + centre - matrix[:2, :2] @ centre
    return matrix


def _library() -> Any:
    check_installed("elastix")
    with _unheard():
        import itk
    with _unheard():
        is_complete = hasattr(itk, "elastix_registration_method")
    if not is_complete:
        raise InputError(f"method='elastix' needs itk-elastix, and only itk is installed. Install it: {INSTALL}")
    return itk


@contextmanager
def _unheard() -> Iterator[None]:
    """Ignore warnings: ITK loads its parts when they are used, and where a warning is an error, its bindings crash."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_STACKREG_KINDS = {
    "homography": "AFFINE",
    "affine": "AFFINE",
    "euclidean": "RIGID_BODY",
    "translation": "TRANSLATION",
}


def propose_stackreg(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what pystackreg finds in the size that both images have; for a homography the affine motion.

    Thevenaz, Ruttimann and Unser (1998): least squares of the grey levels themselves, so a change of lighting counts as
    an error.
    """
    check_installed("stackreg")
    import pystackreg as library

    height, width = (min(sides) for sides in zip(pair.moving.shape, pair.fixed.shape, strict=True))
    moving, fixed = (side.plane[:height, :width].astype(np.float64) for side in (pair.moving, pair.fixed))
    register = library.StackReg(getattr(library.StackReg, _STACKREG_KINDS[options.transform]))
    # It gives the matrix from the fixed image to the moving one, as a warp needs it.
    backward = options.steps.wait(lambda: register.register(fixed, moving))
    options.steps.reach(1.0)
    try:
        matrix = as_matrix(np.linalg.inv(np.asarray(backward, np.float64)))
    except (InputError, np.linalg.LinAlgError):
        return [Candidate("stackreg", None, reason="pystackreg gave a matrix that cannot be inverted")]
    return [Candidate("stackreg", matrix)]
