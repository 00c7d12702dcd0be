"""The harness: make an attempt, judge how it ended, count.

Attempts are made in a process of their own, many in each,
so that one that aborts or hangs is a finding and not the end.
Only two outcomes are right: an answer that keeps its promises,
and an `IqmapsError`. Whatever else happens is a finding.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]

RIGHT = ("answer", "refused")
"""The two outcomes that are right."""

SLOW = 10.0
"""Seconds of one core that an attempt may take."""

HANGS = 60.0
"""Seconds without a sign of life after which a process is stopped; more than `SLOW`, for cores that others use."""

ADDRESSES = 2**32
"""Bytes of addresses that an attempt may take, beyond what the libraries have."""

MEMORY = {"files": 3 * 2**28, "records": 3 * 2**28, "calls": 3 * 2**29, "faults": 2**30}
"""Bytes of memory that an attempt may have at most, beyond what the process had before: small files, small arrays."""

_MOST_IN_A_PROCESS = 1500


@dataclass(frozen=True)
class Ended:
    """How an attempt ended."""

    subject: str
    number: int
    what: str
    how: str
    outcome: str
    detail: str = ""


class Figures:
    """How many attempts ended how, by subject and by what was tried; and the findings themselves."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.findings: list[Ended] = []

    def add(self, ended: Ended) -> None:
        """Count an attempt."""
        what = ended.what.partition(" ")[0] if ended.subject == "files" else ended.what
        self.counts[ended.subject, what, ended.outcome] += 1
        if ended.outcome not in RIGHT:
            self.findings.append(ended)

    def kinds(self) -> Iterator[tuple[int, Ended]]:
        """Give the findings that differ in more than numbers and names: how many there are of each, and the first."""
        alike: dict[tuple[str, ...], list[Ended]] = {}
        for ended in self.findings:
            what = ended.what.partition(" ")[0]
            said = _without_numbers(ended.detail)[: 15 if ended.outcome == "printed" else 90]
            alike.setdefault((ended.subject, ended.outcome, what, said), []).append(ended)
        for found in sorted(alike.values(), key=len, reverse=True):
            yield len(found), found[0]

    def lines(self) -> Iterator[str]:
        """Tell the figures: a line for each thing that was tried, and the sums."""
        outcomes = [*RIGHT, *sorted({key[2] for key in self.counts} - set(RIGHT))]
        for subject in dict.fromkeys(key[0] for key in self.counts):
            yield f"{subject:26} {'tried':>7} " + " ".join(f"{name:>9}" for name in outcomes)
            whats = sorted({key[1] for key in self.counts if key[0] == subject})
            for what in [*whats, None]:
                ends = [sum(n for (s, w, o), n in self.counts.items() if s == subject and o == name and what in (w,
                None))
                        for name in outcomes]  # fmt: skip
                yield f"  {what or 'all':24} {sum(ends):7} " + " ".join(f"{end:9}" for end in ends)


def _without_numbers(text: str) -> str:
    return re.sub(r"/\S+|'[^']*'|b\"[^\"]*\"|-?\d[\d.e+]*", "#", text)


# In the process of its own --------------------------------------------------------------------------------------------


def judged(subject: str, seed: int, number: int, folder: Path) -> Ended:
    """Make an attempt, and say how it ended."""
    from .attempts import attempt

    made = attempt(subject, seed, number, folder)
    outcome, detail = "", ""
    begun, before = time.process_time(), _reset_peak()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            outcome, detail = "answer", made.call()
            outcome = "broken" if detail else outcome
        except BaseException as error:
            outcome, detail = _outcome_of(error)
    if outcome in RIGHT:
        outcome, detail = _manners(subject, time.process_time() - begun, before, warned) or (outcome, detail)
    return Ended(subject, number, made.what, made.how, outcome, detail)


def _outcome_of(error: BaseException) -> tuple[str, str]:
    from napari_iqmaps import IqmapsError

    if isinstance(error, IqmapsError):
        return ("refused", "") if str(error).strip() else ("broken", "an error without a message")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "napari_iqmaps" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return "exception", f"{type(error).__name__}: {str(error)[:160]} ({place})"


def _manners(subject: str, seconds: float, before: int, warned: list[Any]) -> tuple[str, str] | None:
    """Name what else went wrong while an attempt was made."""
    if warned:
        one = warned[0]
        return "warning", f"{one.category.__name__}: {str(one.message)[:160]} ({Path(one.filename).name}:{one.lineno})"
    if seconds > SLOW:
        return "slow", f"{seconds:.0f} s of one core"
    taken = _peak() - before
    return ("memory", f"{taken / 2**20:.0f} MiB") if taken > MEMORY[subject] else None


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(name))) * 1024


def _reset_peak() -> int:
    """Forget the largest memory so far, where the system can (Linux); gives the present one."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return 0


def _peak() -> int:
    try:
        return _status("VmHWM")
    except OSError:
        return 0


def work(subject: str, seed: int, first: int, last: int) -> NoReturn:
    """Make attempts, and write a line for each to what was standard output; what else is printed is a finding."""
    results = os.fdopen(os.dup(1), "w")
    printed = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - until the process ends
    os.dup2(printed.fileno(), 1)
    errors = os.dup(2)
    os.dup2(printed.fileno(), 2)
    faulthandler.enable(errors)
    from .attempts import _command  # noqa: F401 - imports what the attempts need, before memory is measured

    with contextlib.suppress(OSError):
        limit = _status("VmSize") + ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name, "here")  # of the same name for all, and empty for each
        for number in range(first, last):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            os.chdir(place)
            faulthandler.dump_traceback_later(HANGS - 5, file=errors)
            ended = judged(subject, seed, number, place)
            faulthandler.cancel_dump_traceback_later()
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            said = os.fstat(printed.fileno()).st_size
            if said:
                text = os.pread(printed.fileno(), 300, 0).decode(errors="replace")
                printed.seek(0)
                printed.truncate()
                ended = (
                    Ended(subject, number, ended.what, ended.how, "printed", text) if ended.outcome in RIGHT else ended
                )
            results.write(json.dumps(asdict(ended)) + "\n")
            results.flush()
    os._exit(0)  # without the libraries' own ends, which are not what is tried


# Over the processes ---------------------------------------------------------------------------------------------------


def attempts(subject: str, seed: int, first: int, last: int) -> Generator[Ended]:
    """Make attempts in processes of their own; goes on behind one that ends its process."""
    while first < last:
        with contextlib.closing(_in_a_process(subject, seed, first, min(last, first + _MOST_IN_A_PROCESS))) as ends:
            for ended in ends:
                yield ended
                first = ended.number + 1


def _in_a_process(subject: str, seed: int, first: int, last: int) -> Generator[Ended]:
    words = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "tests.fuzz",
        "--work",
        subject,
        *map(str, (seed, first, last)),
    ]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": folder}
        child = subprocess.Popen(
            words, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            number = first
            for line in _lines(child):
                ended = Ended(**json.loads(line))
                number = ended.number + 1
                yield ended
            if number < last:
                yield _cut_short(child, subject, number, errors)
        finally:
            child.kill()
            child.communicate()


def _lines(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Give what a process says, line by line, until it ends or is silent for too long."""
    assert child.stdout is not None
    pending = b""
    while select.select([child.stdout], [], [], HANGS)[0]:
        read = os.read(child.stdout.fileno(), 65536)
        if not read:
            child.wait()
            return
        *whole, pending = (pending + read).split(b"\n")
        yield from whole


def _cut_short(child: subprocess.Popen[bytes], subject: str, number: int, errors: Any) -> Ended:
    """Tell what ended a process."""
    status = child.poll()
    errors.seek(0)
    told = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    ours = next((line.strip() for line in told if "napari_iqmaps" in line), "")
    what = "hang" if status is None else "abort"
    ended = "stopped" if status is None else signal.Signals(-status).name if status < 0 else f"status {status}"
    return Ended(subject, number, "?", "?", what, f"{ended}: {ours or ' | '.join(told[-3:])}"[:300])


def run(wanted: dict[str, int], seed: int, figures: Figures, *, workers: int = 1) -> None:
    """Make so many attempts of each subject, and count them as they come; several processes at once if asked."""
    parts = [
        (subject, start, min(total, start + _MOST_IN_A_PROCESS))
        for subject, total in wanted.items()
        for start in range(0, total, _MOST_IN_A_PROCESS)
    ]

    stopped = threading.Event()

    def do(part: tuple[str, int, int]) -> None:
        with contextlib.closing(attempts(part[0], seed, part[1], part[2])) as ends:
            for ended in ends:
                figures.add(ended)
                if stopped.is_set():
                    return

    with ThreadPoolExecutor(workers) as pool:
        try:
            list(pool.map(do, parts))
        except BaseException:  # an interrupt as well: what runs ends with its attempt, and the rest is not begun
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
