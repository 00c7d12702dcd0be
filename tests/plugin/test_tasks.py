"""Work in a thread ends in exactly one way, and the user hears of it."""

import threading
import warnings

import pytest

from napari_iqmaps import InputError
from napari_iqmaps.plugin.tasks import Task, breathe, report


@pytest.fixture
def run_task(qtbot, patience):
    """Run work to its end; give the names of the signals in their order, with what they carried."""

    def run(work, then=None):
        task = Task(work, "test")
        heard = []
        for name in ("returned", "failed"):
            getattr(task, name).connect(lambda value, name=name: heard.append((name, value)))
        task.cancelled.connect(lambda: heard.append(("cancelled", None)))
        task.ended.connect(lambda: heard.append(("ended", None)))
        task.start()
        if then is not None:
            then(task)
        qtbot.waitUntil(lambda: bool(heard) and heard[-1][0] == "ended", timeout=patience)
        qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
        return heard

    return run


def test_the_result_arrives_and_then_the_end(run_task):
    assert run_task(lambda progress: 7) == [("returned", 7), ("ended", None)]


def test_work_runs_outside_the_main_thread(run_task):
    ((_, thread), _) = run_task(lambda progress: threading.current_thread())
    assert thread is not threading.main_thread()


def test_the_end_waits_until_the_result_was_dealt_with(qtbot, patience):
    heard = []
    task = Task(lambda progress: 7, "test")

    def deal(_result):
        for _ in range(20):  # the thread has ended by now, and says so
            breathe()
            threading.Event().wait(0.005)
        heard.append("dealt with")

    task.returned.connect(deal)
    task.ended.connect(lambda: heard.append("ended"))
    task.start()
    qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
    assert heard == ["dealt with", "ended"]


def test_cancel_stops_at_the_next_call_of_progress(run_task):
    steps = []

    def work(progress):
        for step in range(10_000_000):
            progress(step, 10_000_000)
            steps.append(step)
            threading.Event().wait(0.001)

    assert run_task(work, lambda task: task.cancel()) == [("cancelled", None), ("ended", None)]
    assert len(steps) < 10_000


def test_nobody_waits_for_a_long_step_of_a_cancelled_task(qtbot, patience):
    begun, leave = threading.Event(), threading.Event()
    heard = []
    task = Task(lambda progress: begun.set() or leave.wait(60), "long step")
    task.returned.connect(lambda value: heard.append("returned"))
    task.cancelled.connect(lambda: heard.append("cancelled"))
    task.ended.connect(lambda: heard.append("ended"))
    task.start()
    qtbot.waitUntil(begun.is_set, timeout=patience)
    task.cancel()
    qtbot.waitUntil(lambda: "ended" in heard, timeout=patience)
    assert task.is_in_thread
    leave.set()
    qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
    assert heard == ["cancelled", "ended"]


def test_an_error_of_ours_becomes_its_message(run_task, told):
    def work(progress):
        raise InputError("The image is empty. Check how it was read.")

    assert run_task(work) == [("failed", "The image is empty. Check how it was read."), ("ended", None)]
    assert told == ["The image is empty. Check how it was read."]


def test_an_unexpected_error_is_not_swallowed(run_task, told):
    def work(progress):
        raise ZeroDivisionError("a fault")

    (name, text), _ = run_task(work)
    assert (name, text) == ("failed", "Unexpected ZeroDivisionError: a fault")
    assert told == ["a fault"]


def test_warnings_of_the_thread_reach_the_user(run_task, told):
    def work(progress):
        warnings.warn("careful", UserWarning, stacklevel=1)

    run_task(work)
    assert told == ["careful"]


def test_report_speaks_outside_of_threads_too(qapp, told):
    assert report(InputError("no")) == "no"
    assert told == ["no"]
