"""Files are written whole or not at all, each by one process at a time.

What a reader finds under the final name is always complete. What a killed writer left is removed by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

_PART = re.compile(r"\.iqmaps-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part")
_ABANDONED = 24 * 3600.0
"""Seconds after which the part of a file is taken for abandoned, where it cannot be known whether its writer runs."""

_LOCKED_BYTE = 1 << 30  # beyond what a lock file holds: on Windows a locked byte cannot be read
_HELD_BY_OTHER = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
_swept: set[str] = set()  # folders that were looked through by this process


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block ends without an error.

    A file that is there stays untouched until the new one is complete. Of a symbolic link, what it points to is
    replaced. The temporary path is in the same folder: moving within a folder cannot stop halfway. Whatever the system
    refuses is an InputError.
    """
    target = _target(path)
    sweep(target.parent)
    # Not tempfile: its files are private to the user, and a result should have the rights of any new file. The name is
    # short: that of the target may be as long as the system allows.
    part = target.with_name(f".iqmaps-{_here():08x}-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _target(path: str | Path) -> Path:
    """Find what is to be replaced; refuse what cannot be."""
    try:
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise InputError(f"The folder {target.parent} for {target.name} does not exist. Create it first.")
        mode = target.stat().st_mode if target.exists() else stat.S_IFREG
    except OSError as error:
        raise _refused(path, error) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{str(path)!r} cannot be the name of a file ({error}).") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{target} is a folder. Give the name of a file in it.")
    if not stat.S_ISREG(mode):
        raise InputError(f"{target} is a pipe, a socket or a device, not a regular file. Give the name of a file.")
    return target


def _refused(target: str | Path, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(f"{target} could not be written ({reason}); nothing there has changed.")


# --- what killed writers left


def _here() -> int:
    """Tell this machine, and within it what shares its numbers of processes, from others by a number."""
    space = "/proc/self/ns/pid"
    number = os.stat(space).st_ino if os.path.exists(space) else 0  # noqa: PTH110, PTH116 - no path of a user
    return zlib.crc32(f"{socket.gethostname()} {number}".encode())


def sweep(folder: Path) -> None:
    """Remove the parts of files whose writers no longer run; once for each folder."""
    if str(folder) in _swept:
        return
    _swept.add(str(folder))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (named := _PART.fullmatch(entry.name)) and _is_abandoned(entry, int(named[1], 16), int(named[2])):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108 - scandir gives texts


def _is_abandoned(entry: os.DirEntry[str], machine: int, process: int) -> bool:
    if machine == _here() and sys.platform != "win32":  # there, asking would end the process
        return not _runs(process)
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED
    except OSError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


# --- one writer at a time


class Held:
    """Keeps a file for this process, from now until `release` or until the process ends, however it ends.

    The lock is the system's, on a hidden file beside the one that is held. Where the folder or the file system has no
    locks, there is none: what cannot be written shows when it is written.
    """

    def __init__(self, path: str | Path) -> None:
        target = Path(os.path.realpath(path))
        self._lock = target.with_name(f".iqmaps-{zlib.crc32(os.fsencode(target.name)):08x}.lock")
        self._file: int | None = None
        while self._file is None:
            try:
                self._file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return
            try:
                _lock(self._file)
            except OSError as error:
                self._close()
                if error.errno in _HELD_BY_OTHER:
                    raise InputError(
                        f"{path} is being written by {self._owner()}. Wait for it to end, or give another name."
                    ) from None
                return
            if not self._is_there():  # the one before removed it in the meantime
                self._close()
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def release(self) -> None:
        """Let others have it."""
        if self._file is None:
            return
        if sys.platform != "win32":  # which removes no open file
            with contextlib.suppress(OSError):
                self._lock.unlink()
        self._close()
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                self._lock.unlink()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_there(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file), self._lock.stat())
        except OSError:
            return False

    def _owner(self) -> str:
        try:
            return f"another iqmaps ({self._lock.read_text(encoding='utf-8') or 'just started'})"
        except (OSError, ValueError):
            return "another iqmaps"


def _lock(file: int) -> None:
    """Take the system's lock of an open file; raises OSError if another process has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
