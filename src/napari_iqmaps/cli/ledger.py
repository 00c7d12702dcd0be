"""The table of a batch: written as it grows, and read back so that a batch without maps goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..core.columns import Column
from ..core.errors import InputError
from ..core.io.table import read_scores, write_scores

MADE_FROM = "made_from"
"""Column that tells by which options and from which files a row was made."""

_SECONDS = 2.0
_SHARE = 20  # the table may cost one part in this many of the time


def digest(value: Any) -> str:
    """Give 16 hexadecimal digits that stand for a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """The rows of a batch, and the file that they go to.

    Parameters
    ----------
    path : pathlib.Path or None
        ``.csv`` or ``.json``; None writes nothing.
    columns : sequence of Column
        What the subject of the rows has declared.
    grows : bool
        Write the file as it grows, with a cell in every row that vouches for it: nothing else keeps what is done.
    named : callable
        From a row to what it stands for; by itself the file. Told to be something else where a file has several rows.
    """

    def __init__(
        self, path: Path | None, columns: Sequence[Column], request: Mapping[str, Any], files: Iterable[Any], *,
        grows: bool, resume: bool,
        named: Callable[[Mapping[str, Any]], Any] = itemgetter("file"),
    ) -> None:  # fmt: skip
        self.rows: list[dict[str, Any]] = []
        self._path = path
        self._columns = columns
        self._request = digest(request)
        self._grows = path is not None and grows
        self._resume = resume
        self._named = named
        self._waiting = dict.fromkeys(files)
        self._before = self._read() if self._grows else {}
        self._due = time.monotonic() + _SECONDS

    def made_from(self, sources: Mapping[str, Any]) -> dict[str, str]:
        """Give the cell that vouches for a row: options and contents of files, each as a digest.

        Returns
        -------
        dict
            Empty when the table does not grow.
        """
        return {MADE_FROM: f"{self._request}-{digest(sources)}"} if self._grows else {}

    def known(self, cells: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the row that was made before by the same options from the same files."""
        rows = self.known_rows(cells)
        return rows[-1] if rows else None

    def known_rows(self, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Find all rows that were made before by the same options from the same files; see `known`."""
        rows = self._before.get(cells.get(MADE_FROM), []) if self._resume else []
        return [{**row, **cells} for row in rows]

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; now and then, write the table."""
        self.rows.append(row)
        self._waiting.pop(self._named(row), None)
        begun = time.monotonic()
        if self._grows and begun >= self._due:
            self.write()
            done = time.monotonic()
            self._due = done + max(_SECONDS, _SHARE * (done - begun))

    def write(self) -> None:
        """Write the table as it is; rows from before stand for the files whose turn has not come."""
        if self._path is not None:
            rest = (row for rows in self._before.values() for row in rows if self._named(row) in self._waiting)
            write_scores([*self.rows, *rest], self._path, self._columns)

    def _read(self) -> dict[str | None, list[dict[str, Any]]]:
        assert self._path is not None
        try:
            rows: Sequence[dict[str, Any]] = read_scores(self._path, self._columns)
        except InputError:
            return {}  # none, or no table of ours: it will be replaced, as ever
        found: dict[str | None, list[dict[str, Any]]] = {}
        for row in rows:
            if not row.get("error") and str(row.get(MADE_FROM, "")).startswith(f"{self._request}-"):
                found.setdefault(row[MADE_FROM], []).append(row)
        return found
