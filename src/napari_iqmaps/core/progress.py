"""How far long work is, in numbers or as a stage in words, told to whoever asked, who may cancel it by raising."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Progress = Callable[[int, int], object]
Result = TypeVar("Result")

UNHEARD = "iqmaps: a call that may be left to finish unheard"
"""Name of the threads of `Steps.wait`: a program that ends while there is one must not wait for it."""

_POLL = 0.1  # seconds between two looks at whether the work was cancelled

_listener: ContextVar[Callable[[str], object] | None] = ContextVar("listener to the stages", default=None)


@contextmanager
def stages_told(listener: Callable[[str], object]) -> Iterator[None]:
    """Call a function with every stage of the work that this thread does meanwhile; what it raises stops the work."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell_stage(name: str) -> None:
    """Say in words what begins or goes on now and cannot be counted, such as "loading PyTorch"."""
    listener = _listener.get()
    if listener is not None:
        listener(name)


def equal_part(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Give what counts the work on one of several equal parts, the first being 0, as a share of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, parts * total)


@dataclass(eq=False)
class Steps:
    """Tell a callback, ``progress(done, total)``, how far the work is; what it raises stops the work."""

    progress: Progress | None = None
    total: int = 100
    done: int = 0

    def tick(self) -> None:
        """Call the callback without having got further: for long loops, several times a second."""
        if self.progress is not None:
            self.progress(self.done, self.total)

    def count(self, done: int, total: int) -> None:
        """Report how far the work is in units of its own, which `tick` then repeats."""
        self.done, self.total = done, total
        self.tick()

    def reach(self, share: float) -> None:
        """Report that a share of the work (0..1) is done; it never goes back."""
        self.done = max(self.done, min(self.total, round(share * self.total)))
        self.tick()

    def part(self, begin: float, end: float) -> Steps:
        """Give the steps of a part of the work: what runs from 0 to 1 there runs from `begin` to `end` here."""

        def told(done: int, total: int) -> None:
            self.reach(begin + (end - begin) * done / total)

        return Steps(None if self.progress is None else told)

    def wait(self, function: Callable[[], Result]) -> Result:
        """Run a library's long call in a thread of its own, so that it can be cancelled; it then ends unheard."""
        if self.progress is None:
            return function()
        results: list[Result] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(function())
            except BaseException as error:  # raised again below, in the caller's thread
                errors.append(error)

        thread = threading.Thread(target=run, name=UNHEARD, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL)
            self.tick()
        if errors:
            raise errors[0]
        return results[0]
