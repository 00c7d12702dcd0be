"""Standard output and error that never stop the work, and signals that end it in order.

What a stream cannot show is escaped. What it refuses, because it is closed, full or no longer read, is dropped, and
told at the end.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from ..core.names import escaped

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

_PAUSE = 0.01  # seconds until a pipe that is full and does not wait is tried again


class Stopped(KeyboardInterrupt):
    """The system asked for an end; handled as Ctrl-C is."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def status_of(error: BaseException) -> int:
    """Give the exit status for what interrupted the work."""
    return int(getattr(error, "status", getattr(error.__cause__, "status", INTERRUPTED)))


def listen() -> None:
    """Turn SIGTERM and SIGHUP into `Stopped`, unless they are ignored (as by nohup) or handled by someone else."""
    if threading.current_thread() is not threading.main_thread():
        return
    here = os.getpid()

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != here:  # of a process that this one started: it ends as it would
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise Stopped(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, stop)


# --- streams


class _Raw(io.RawIOBase):
    """Hands bytes on until that fails, and remembers why; from then on they are dropped."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw is not None and bool(self._raw.isatty())

    def fileno(self) -> int:
        if self._raw is None:
            raise io.UnsupportedOperation("the stream is closed")
        return int(self._raw.fileno())

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                if self._raw is None:
                    raise OSError(errno.EBADF, "it is closed")
                while (written := self._raw.write(data)) is None:
                    time.sleep(_PAUSE)
                return int(written)
            except OSError as error:
                self.failure = error
        return len(data)


class Streams:
    """Standard output and error of this process, made so that nothing that is printed can stop the work."""

    def __init__(self) -> None:
        self._raws: dict[str, _Raw] = {}
        for number in range(3):
            _fill(number)
        for name in ("stdout", "stderr"):
            self._replace(name)

    def _replace(self, name: str) -> None:
        stream = getattr(sys, name)
        if stream is None:
            raw, encoding = None, "utf-8"
        elif isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter | io.RawIOBase):
            raw, encoding = getattr(stream.buffer, "raw", stream.buffer), stream.encoding  # unbuffered, it is raw
        else:
            return  # someone else's, in memory
        self._raws[name] = _Raw(raw)
        is_direct = raw is not None and (name == "stderr" or raw.isatty())
        buffer = io.BufferedWriter(self._raws[name])
        made = io.TextIOWrapper(buffer, encoding=encoding, errors="backslashreplace", line_buffering=is_direct)
        setattr(sys, name, made)

    def failure(self) -> str:
        """Say why standard output lacks something; empty if it does not."""
        sys.stdout.flush()
        raw = self._raws.get("stdout")
        if raw is None or raw.failure is None:
            return ""
        reason = raw.failure.strerror or str(raw.failure)
        return f"Standard output could not be written ({reason}). Files that were asked for are complete."


def _fill(number: int) -> None:
    """Put something in the place of a closed stream: else the next file that is opened would be taken for it."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def echo(text: object, *, err: bool = False) -> None:
    """Print a line, with what names of files may hold escaped."""
    stream = sys.stderr if err else sys.stdout
    stream.write(escaped(str(text)) + "\n")
    stream.flush()


def fitting(text: str, encoding: str) -> str:
    """Escape what is not in an encoding."""
    return text.encode(encoding, "backslashreplace").decode(encoding)
