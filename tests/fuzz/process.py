"""A program run by itself: what it said, how it ended, how long it took and how much memory it had at most."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

IQMAPS = [sys.executable, "-c", "from napari_iqmaps.cli import main; main()"]
"""The command line of this package, as a program."""

READ = [sys.executable, "-c", "import sys, napari_iqmaps as iq; iq.read_image(sys.argv[1])"]
"""One picture read, by a program that does nothing else."""


class Ended(NamedTuple):
    """How a program ended: `status` is None where it was stopped because it took too long."""

    status: int | None
    out: str
    err: str
    seconds: float
    peak: int

    @property
    def tail(self) -> str:
        """Give the last line that it said on standard error."""
        return (self.err.strip().splitlines() or [""])[-1][:200]


def run(*words: str | Path, folder: Path | None = None, limit: float = 120, **more: Any) -> Ended:
    """Run a program to its end; `peak` is its largest resident memory in bytes.

    `more`: ``env``, variables to set; and what `subprocess.Popen` takes, such as ``stdout``.
    """
    env = os.environ | {"OMP_NUM_THREADS": "1"} | more.pop("env", {})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err} | more
        child = subprocess.Popen([os.fspath(word) for word in words], cwd=folder, env=env, **streams)
        status, peak = _waited(child.pid, start + limit)
        child.returncode = 0 if status is None else status  # it has been waited for
        seconds = time.monotonic() - start
        said = [_text(stream) for stream in (out, err)]
    return Ended(status, *said, seconds, peak)


def _text(stream: Any) -> str:
    stream.seek(0)
    return stream.read().decode(errors="backslashreplace")


def _waited(pid: int, until: float) -> tuple[int | None, int]:
    """Wait for a program; wait4 gives the memory of this one, which no other call does."""
    stopped = False
    while True:
        found, status, used = os.wait4(pid, 0 if stopped else os.WNOHANG)
        if found:
            return (None if stopped else os.waitstatus_to_exitcode(status)), _peak(used)
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            stopped = True
        time.sleep(0.01)


def _peak(used: resource.struct_rusage) -> int:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
