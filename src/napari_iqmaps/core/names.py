"""Names of files as texts: they may hold bytes that are no characters, and characters that command a terminal."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path

LONGEST = 255
"""Bytes that the name of a file can have on the usual file systems."""

# Bytes that are no UTF-8 (Python holds them as surrogates), control characters, and what turns the direction of text or
# ends a line of it.
_UNFIT = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_TO_ESCAPE = re.compile(rf"(\\*)([{_UNFIT}]|x[0-9a-f]{{2}}|u[0-9a-f]{{4}})")
_ESCAPED = re.compile(r"(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4})")


def escaped(text: str) -> str:
    r"""Write a text so that it can be shown and stored anywhere; `unescaped` gives it back.

    A byte that is no UTF-8, and a control character below 128, becomes ``\xNN``; any other character that would not be
    seen as itself, ``\uNNNN``. A backslash before what looks like one of these is doubled. Other texts stay the same.
    """
    return _TO_ESCAPE.sub(_escape, text)


def unescaped(text: str) -> str:
    """Undo `escaped`."""
    return _ESCAPED.sub(_unescape, text)


def _escape(match: re.Match[str]) -> str:
    backslashes, what = match.groups()
    if len(what) > 1:
        return str(backslashes * 2 + what)
    code = ord(what)
    if 0xDC80 <= code <= 0xDCFF:  # a byte from 128 on, as Python holds it
        code -= 0xDC00
        return f"{backslashes * 2}\\x{code:02x}"
    return f"{backslashes * 2}\\x{code:02x}" if code < 0x80 else f"{backslashes * 2}\\u{code:04x}"


def _unescape(match: re.Match[str]) -> str:
    backslashes, what = match.groups()
    kept = "\\" * (len(backslashes) // 2)
    if len(backslashes) % 2 == 0:
        return str(kept + what)
    code = int(what[1:], 16)
    return kept + chr(code + 0xDC00 if what[0] == "x" and code >= 0x80 else code)


def folded(text: str) -> str:
    """Give what names have in common that some file system takes for one: without case, and with composed accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def composed(text: str) -> str:
    """Give a name with composed accents: what a person takes for the same name."""
    return unicodedata.normalize("NFC", text)


def mark_of(text: str) -> str:
    """Give eight hexadecimal digits that tell a text from others."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]


def file_name(name: str, ending: str) -> str:
    """Join a name and an ending to the name of a file; a name that would be too long is cut, and gets its mark."""
    room = LONGEST - len(os.fsencode(ending))
    code = os.fsencode(name)
    if len(code) <= room:
        return name + ending
    mark = f"-{mark_of(name)}"
    return code[: max(0, room - len(mark))].decode("utf-8", "ignore") + mark + ending


def entry_of(path: Path) -> str:
    """Tell a file by where it lies: the same for all ways to its folder, another for each link to one file."""
    try:
        return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - a text
    except (OSError, ValueError):
        return str(path)
