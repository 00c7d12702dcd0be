"""Work on parts of an image side by side: OpenCV and numpy let other threads run while they calculate."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")

MOST_THREADS = 8

_WORTH_IT = 1 << 18  # pixels; below, threads take longer to start than the work does


def answers(work: Callable[[Part], Answer], parts: Sequence[Part], pixels: int) -> Iterator[Answer]:
    """Do the same work on several parts.

    Parameters
    ----------
    work : callable
        From a part to its answer; may run in another thread.
    parts : sequence
        What to work on.
    pixels : int
        How many there are in all parts; of few, one thread takes care.

    Yields
    ------
    object
        The answers in the order of the parts. When the caller stops asking, what has not begun is not done.
    """
    threads = min(MOST_THREADS, _processors(), len(parts))
    if threads < 2 or pixels < _WORTH_IT:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, part) for part in parts]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _processors() -> int:
    """Count the processors that this process may use, as far as the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
