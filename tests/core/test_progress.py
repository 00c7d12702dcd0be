"""Long work is told of in parts of bounded size, and stops where the callback raises, leaving nothing behind."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.cli.report import Report
from napari_iqmaps.core import observers
from napari_iqmaps.core.progress import UNHEARD, Steps, stages_told, tell_stage


def pair(side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    image = data.camera()
    return image[100 : 100 + side, 150 : 150 + side], image[98 : 98 + side, 147 : 147 + side]


def from_far(test, reference, progress=None):
    """See the difference at so many pixels per degree that one tile is filtered with hundreds of taps."""
    return iq.visibility_map(test, reference, model="contrast", pixels_per_degree=250, progress=progress)


RUNS = {
    "visibility_map": from_far,
    "register ecc": lambda one, other, progress: iq.register(one, other, method="ecc", progress=progress),
    "register phase": lambda one, other, progress: iq.register(one, other, method="phase", progress=progress),
    "register features": lambda one, other, progress: iq.register(one, other, method="features", progress=progress),
    "search_translation": lambda one, other, progress: iq.search_translation(one, other, progress=progress),
    "local_optimum": lambda one, other, progress: iq.local_optimum(one, other, progress=progress),
    "quasi_dense_matches": lambda one, other, progress: iq.quasi_dense_matches(one, other, progress=progress),
    "compare_registrations": lambda one, other, progress: iq.compare_registrations(
        [(one, other)], ["none"], registration="phase", progress=progress
    ),
}


@pytest.mark.parametrize("shape", [(70, 90), (210, 130), (64, 500)])
@pytest.mark.parametrize("taps", [3, 41, 301])
def test_a_filter_in_strips_gives_the_same_numbers_and_no_strip_is_too_large(shape, taps, monkeypatch):
    monkeypatch.setattr(observers, "_AT_ONCE", 60_000)
    plane = np.random.default_rng(1).normal(0, 30, shape).astype(np.float32)
    weights = np.hanning(taps + 2)[1:-1].astype(np.float32)
    weights /= weights.sum()
    told: list[None] = []
    found = observers._filtered(plane, weights, lambda: told.append(None))
    np.testing.assert_array_equal(found, observers._filtered(plane, weights, None))
    work = 2 * plane.size * taps
    assert len(told) >= (work / 60_000 / 64 if plane.size * taps > 60_000 else 0)


def test_a_tile_that_is_seen_from_far_is_told_of_while_it_is_computed():
    test, reference = pair(48)
    calls: list[tuple[int, int]] = []
    found = from_far(test, reference, lambda done, total: calls.append((done, total)))
    assert set(calls) == {(0, 1), (1, 1)}
    assert len(calls) > 6
    np.testing.assert_array_equal(found.values, from_far(test, reference).values)


def test_the_end_of_a_registration_is_told_of_in_parts():
    calls: list[int] = []
    iq.register(*pair(), method="phase", progress=lambda done, total: calls.append(done))
    assert calls == sorted(calls)
    assert calls[-1] == 100
    assert len({done for done in calls if done >= 90}) > 3


def test_a_stage_is_told_to_who_listens_and_nobody_else():
    heard: list[str] = []
    tell_stage("before")
    with stages_told(heard.append):
        tell_stage("reading")
        thread = threading.Thread(target=tell_stage, args=("elsewhere",))
        thread.start()
        thread.join()
    tell_stage("after")
    assert heard == ["reading"]


def test_a_first_map_says_its_stages_and_a_listener_can_stop_it():
    from napari_iqmaps.core._thresholds import _cell_grid

    def heard_of(model: str) -> list[str]:
        heard: list[str] = []
        with stages_told(heard.append):
            iq.threshold_map(pair(96)[0], model=model, device="cpu")
        return [stage for stage in heard if not stage.startswith("loading")]

    _cell_grid.cache_clear()
    assert heard_of("pnet") == ["reading pnet", "making tables"]
    assert heard_of("pnet") == []
    assert heard_of("contrast") == ["reading contrast"]

    def stop(stage: str) -> None:
        raise iq.Cancelled

    _cell_grid.cache_clear()
    with stages_told(stop), pytest.raises(iq.Cancelled):
        iq.threshold_map(pair(48)[0], model="contrast", device="cpu")


def test_the_bar_of_the_command_line_says_the_stage_beside_the_name():
    report = Report("test", as_json=False)
    with report.bars(1):
        report.start(Path("a.png"))
        tell_stage("reading pnet")
        (_, bar) = report._progress.tasks
        assert bar.description == "a.png: reading pnet"
        report.tiles(1, 2)
        assert (bar.description, bar.completed) == ("a.png", 1)


def test_counting_in_units_of_its_own_is_repeated_by_ticks():
    calls: list[tuple[int, int]] = []
    steps = Steps(lambda done, total: calls.append((done, total)))
    steps.count(3, 7)
    steps.tick()
    assert calls == [(3, 7), (3, 7)]


@pytest.mark.parametrize("name", RUNS)
def test_what_is_raised_stops_the_work_and_leaves_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate())
    images = pair(64 if name == "visibility_map" else 128)
    for last in (1, 2, 4, 9):
        calls: list[int] = []

        def cancel(done: int, total: int, last: int = last, calls: list[int] = calls) -> None:
            calls.append(done)
            if len(calls) == last:
                raise iq.Cancelled

        # How often a library's long call is told of depends on the machine; the first calls are always there.
        with pytest.raises(iq.Cancelled) if last <= 2 else contextlib.suppress(iq.Cancelled):
            RUNS[name](*images, progress=cancel)
        assert len(calls) <= last
        for thread in set(threading.enumerate()) - before:
            assert thread.name == UNHEARD  # a library's call that cannot be stopped, which ends by itself
            thread.join()
    assert not list(tmp_path.iterdir())
