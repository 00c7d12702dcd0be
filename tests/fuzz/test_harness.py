"""Damaged files, damaged records and random calls end in an answer that keeps its promises, or in an error of ours.

The same in the long run: ``python -m tests.fuzz``.
"""

from __future__ import annotations

import inspect

import pytest

import napari_iqmaps as iq

from . import attempts, calls, engine
from .promises import held, of_picture
from .seeds import seeds

SHARES = {"files": 1500, "records": 150, "calls": 120}
"""Attempts in the suite: under a minute of one core in all."""


@pytest.mark.parametrize("subject", SHARES)
def test_there_are_two_outcomes(subject):
    figures = engine.Figures()
    engine.run({subject: SHARES[subject]}, 0, figures)
    assert not [f"{ended.number} {ended.what}: {ended.outcome} {ended.detail}" for ended in figures.findings]
    assert sum(figures.counts.values()) == SHARES[subject]
    outcomes = {key[2] for key in figures.counts}
    assert outcomes == set(engine.RIGHT)


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_a_file_that_is_not_damaged(seed, tmp_path):
    """What no loss and no conversion lies between is read as it was written, or its format is refused."""
    try:
        file = iq.read_image(attempts.written(seed, tmp_path))
    except iq.InputError:
        assert seed.format in {"eps", "jpegls", "jpegxr", "spider", "im", "tiff"} or seed.white == 0
        return
    assert of_picture(file) == ""
    if seed.truth is not None:
        assert held(file, seed.truth, seed.white) == ""


def test_every_function_is_called():
    """A new public function has to be drawn: what is given to it is said in one of these tables."""
    known = {*calls.ONE_IMAGE, *calls.TWO_IMAGES, *calls.THREE_IMAGES, *calls.WORDS}
    assert known >= set(calls.FUNCTIONS)
    assert set(calls.FUNCTIONS) == {name for name in iq.__all__ if inspect.isroutine(getattr(iq, name))}


def test_what_goes_wrong_is_found():
    """Attempts that abort, print, warn, raise, take memory or break a promise are findings; the others go on."""
    figures = engine.Figures()
    engine.run({"faults": len(attempts.FAULTS)}, 0, figures)
    found = {ended.number: ended.outcome for ended in figures.findings}
    expected = {number: outcome for number, (outcome, _) in enumerate(attempts.FAULTS) if outcome not in engine.RIGHT}
    assert found == expected
    assert sum(figures.counts.values()) == len(attempts.FAULTS)
    assert len(list(figures.kinds())) == len(expected)
    assert any("abort" in line for line in figures.lines())
