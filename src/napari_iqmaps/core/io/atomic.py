"""Files are written whole or not at all: what a reader finds under the final name is always complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block ends without an error.

    A file that is there stays untouched until the new one is complete. Of a symbolic link, what it points to is
    replaced. The temporary path is in the same folder: moving within a folder cannot stop halfway.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise InputError(f"The folder {target.parent} for {target.name} does not exist. Create it first.")
    if target.is_dir():
        raise InputError(f"{target} is a folder. Give the name of a file in it.")
    # Not tempfile: its files are private to the user, and a result should have the rights of any new file.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{target} could not be written ({reason}); nothing there has changed.") from error
    finally:
        part.unlink(missing_ok=True)
