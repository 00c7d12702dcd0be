"""Work in a thread: the only place of the plugin that knows threads, progress, cancelling and what errors become."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from napari.qt.threading import FunctionWorker, create_worker
from napari.utils import progress as progress_bar
from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QEventLoop, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QApplication

from ..core import libraries
from ..core.errors import Cancelled, IqmapsError
from ..core.progress import Progress, stages_told
from .parts import plainly

PATIENCE_MILLISECONDS = 200
"""How long after a cancel the thread is waited for."""

_TURN = 0.01  # seconds between two turns of the event loop while work is waited for

# A task has to live until its thread has ended, also when the widget that started it is gone.
_running: set[Task] = set()


class Task(QObject):
    """One piece of work in a thread, with a bar in napari's activity dock and a way to stop it.

    The work gets a progress callable, which it calls with ``(done, total)`` and lets raise. What it tells as a stage
    arrives as `staged`, in words.

    All signals arrive in the main thread; `ended` comes last, once and always, when `returned` has been dealt with. A
    result that is ready when the task has been cancelled is dropped. A thread that is inside one long step when it is
    cancelled (reading a network) ends at its next call of progress, but nobody waits for it: the task has ended for
    everybody else after `PATIENCE_MILLISECONDS`. napari itself cancels the task when its window closes.
    """

    returned = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    ended = Signal()
    progressed = Signal(int, int)
    staged = Signal(str)

    def __init__(self, work: Callable[[Progress], Any], description: str) -> None:
        super().__init__()
        self._work = work
        self._description = description
        self._bar: progress_bar | None = None
        self._told: tuple[int, int] | str = (0, 0)
        self._settled = False
        self._dropped = False
        self._ended = False
        self._delivers = False
        self._is_over = False
        self.progressed.connect(self._show_progress)
        self.staged.connect(self._show_stage)
        self._worker: FunctionWorker = create_worker(
            _Call(self._run, description),
            _start_thread=False,
            _connect={
                "returned": self._on_returned,
                "errored": self._on_errored,
                "warned": _on_warned,
                "finished": self._on_finished,
            },
        )

    def start(self) -> None:
        """Start the thread."""
        _running.add(self)
        self._bar = progress_bar(total=0, desc=plainly(self._description))
        self._worker.start()

    def cancel(self) -> None:
        """Ask the work to stop at its next call of progress; returns at once."""
        # The thread may have emitted its result a moment ago; on its way here it is late all the same.
        self._dropped = True
        self._worker.quit()
        QTimer.singleShot(PATIENCE_MILLISECONDS, self._end)

    @property
    def is_in_thread(self) -> bool:
        """Whether the thread is still at it, perhaps after the task was cancelled and has ended."""
        return self in _running

    def _run(self) -> Any:
        with stages_told(self._tell_stage):
            self._check(0, 0)
            libraries.load("image processing")
            return self._work(self._check)

    def _check(self, done: int, total: int) -> None:
        """Be the progress callable; runs in the thread."""
        if self._worker.abort_requested:
            raise Cancelled("Stopped by the user.")
        # Told only when it has moved on: each telling is work for the window.
        if total and (done, total) != self._told:
            self._told = (done, total)
            self.progressed.emit(done, total)

    def _tell_stage(self, name: str) -> None:
        """Be the listener to the stages; runs in the thread."""
        self._check(0, 0)
        if name != self._told:
            self._told = name
            self.staged.emit(name)

    def _show_stage(self, name: str) -> None:
        if self._bar is not None:
            self._bar.set_description(plainly(f"{self._description}: {name}"))

    def _show_progress(self, done: int, total: int) -> None:
        bar, description = self._bar, plainly(self._description)
        if bar is None:
            return
        if bar.desc != description:
            bar.set_description(description)  # napari draws meanwhile, and the task may end
        if bar.total != total:
            bar.total = total
        bar.update(done - bar.n)

    def _on_returned(self, result: Any) -> None:
        if not self._dropped:
            self._settled = self._delivers = True
            try:
                self.returned.emit(result)
            finally:
                self._delivers = False
            if self._is_over:  # whoever deals with the result let the loop turn meanwhile
                self._on_finished()

    def _on_errored(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            return
        # An error is told even if nobody waits for the result any more.
        message = report(error)
        if not self._ended:
            self._settled = True
            self.failed.emit(message)

    def _on_finished(self) -> None:
        self._is_over = True
        if not self._delivers:
            self._end()
            _running.discard(self)

    def _end(self) -> None:
        if self._ended or self._delivers:
            return
        self._ended = True
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if not self._settled:
            self.cancelled.emit()
        self.ended.emit()


class Errand(QObject):
    """A short piece of work in a thread that shows nothing; what it gives arrives in the main thread.

    Errands are done one after the other. A failed one gives None, and the error is told.
    """

    _returned = Signal(object)
    _failed = Signal(object)

    _thread: ThreadPoolExecutor | None = None

    def __init__(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        super().__init__()
        self._work = work
        self._then = then
        self._returned.connect(self._on_returned)
        self._failed.connect(self._on_failed)

    def start(self) -> None:
        """Have it done when those that were started before are done."""
        if Errand._thread is None:
            Errand._thread = ThreadPoolExecutor(1, "iqmaps: errands")
        Errand._thread.submit(self._work).add_done_callback(self._on_done)

    def _on_done(self, future: Future[Any]) -> None:
        """Send the result to the main thread; runs in the other."""
        error = future.exception()
        # Qt itself may be gone.
        with contextlib.suppress(RuntimeError):
            if error is None:
                self._returned.emit(future.result())
            else:
                self._failed.emit(error)

    def _on_returned(self, result: Any) -> None:
        # Whoever waited may be gone with its window.
        with contextlib.suppress(RuntimeError):
            self._then(result)

    def _on_failed(self, error: Exception) -> None:
        report(error)
        self._on_returned(None)


def meanwhile(work: Callable[[], Any]) -> Any:
    """Do work in a thread and wait for what it gives, while the window draws itself; keys and clicks wait."""
    if QApplication.instance() is None:
        return work()
    with ThreadPoolExecutor(1, "iqmaps: work that is waited for") as threads:
        future = threads.submit(work)
        while not future.done():
            breathe()
            wait([future], timeout=_TURN)
        return future.result()


def breathe() -> None:
    """Let the window draw itself amid work that has to be done in the main thread; keys and clicks wait."""
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


def running() -> list[Task]:
    """Give the tasks whose threads are at work; cancelled ones are among them until their thread has noticed."""
    return list(_running)


def report(error: Exception) -> str:
    """Show an error to the user, and give it in words; nothing is swallowed.

    An `IqmapsError` becomes its message, which says how to mend it. Anything else is a fault of the program and goes
    to napari's own handler, with its traceback.
    """
    if isinstance(error, IqmapsError):
        show_error(plainly(str(error)))
        return str(error)
    notification_manager.receive_error(type(error), error, error.__traceback__)
    return f"Unexpected {type(error).__name__}: {error}"


def with_dask_progress(work: Callable[[], Any], progress: Progress) -> Any:
    """Do work that may compute dask arrays in this thread, and tell progress in chunks; what that raises stops it."""
    from dask.callbacks import Callback

    thread = threading.get_ident()

    def after_chunk(_key: Any, _value: Any, _graph: Any, state: Mapping[str, Any], _worker: Any) -> None:
        # dask calls back for every computation of the process; the viewer's own slicing is none of ours.
        if threading.get_ident() == thread:
            done = len(state["finished"])
            progress(done, done + sum(len(state[group]) for group in ("ready", "waiting", "running")))

    with Callback(posttask=after_chunk):
        return work()


class _Call:
    """A function whose text is fit for napari's list of running tasks."""

    def __init__(self, function: Callable[[], Any], description: str) -> None:
        self._function = function
        self._description = description
        self.__name__ = description

    def __call__(self) -> Any:
        return self._function()

    def __repr__(self) -> str:
        return self._description


def _on_warned(arguments: tuple[Any, ...]) -> None:
    notification_manager.receive_warning(*arguments)
