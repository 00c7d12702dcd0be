"""Training and judging the networks: a side wing over the core, with the extra ``[train]``.

Every training goes through `engine.run_training`, with a `runs.Run` (the folder, and how the run is carried out), a
`recipe` (what decides the result), an `engine.Training` (what is trained) and a `draws.Draws` (what each step sees).
`visibility`, `quality` and `machine` have these for their networks. `weights` writes the results as files, and
`evidence` what travels with them.

Importing this package loads none of the extra's libraries; the modules in it do.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..core.errors import InputError

EXTRA = ("lightning", "pandas", "pywt")
"""What training needs beyond the package's own dependencies."""


def require_extra() -> None:
    """Say what to install if the training extra is missing."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Training and evaluating need {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            'installed. Install the extra: pip install "napari-iqmaps[train]"'
        )
