"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = ".vaeimpute-*.tmp"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield another path to write to; what is there gets its name `path` at the end.

    If writing fails, whatever was at `path` stays. A file that is replaced passes its
    permissions on. An error about a folder that is not there names it, not the file
    that nobody has asked for.
    """
    if not path.parent.is_dir():
        reason = "the folder does not exist"
        raise FileNotFoundError(errno.ENOENT, reason, str(path.parent))
    unfinished = path.with_name(_UNFINISHED.replace("*", secrets.token_hex(8)))
    try:
        yield unfinished
        if path.exists():
            shutil.copymode(path, unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed have left in a folder."""
    for path in folder.glob(_UNFINISHED):
        path.unlink()
