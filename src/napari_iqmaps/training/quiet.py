"""Lightning without its asides: no tips, no device lists, and none of its advice that does not apply here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("lightning.pytorch", "lightning.fabric")
_ADVICE = (
    # The device is the user's choice.
    ".*GPU available but not used.*",
    # The folder of a resumed run is not empty; its table is carried over.
    ".*Experiment logs directory .* exists and is not empty.*",
    # Lightning 2.6 uses a class that torch 2.13 has deprecated.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's log at errors, and its inapplicable warnings away, while the block runs."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in _ADVICE:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
