"""What a notebook gets: displays that change, and a first fit without start-up noise.

IPython is looked up among what is imported already; whoever runs a notebook has it.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

#: What TensorFlow's C++ code tells of itself when it starts: notes of the level "info",
#: their continuation, a warning of absl, and that without drivers there is no GPU.
_START_UP_NOISE = re.compile(
    rb"I\d{4} |WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
    rb"|E\d{4} .*cuInit.*UNKNOWN ERROR \(303\)"
    rb"|\d{4}-\d\d-\d\d [\d:.]+: I "
)


def is_notebook() -> bool:
    """Return whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


class Display:
    """A place in a notebook's output, whose content can be replaced."""

    def __init__(self):
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        """Replace the content; `text` is for those who show no HTML."""
        from IPython.display import display

        content = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def progress_bar(done: float, text: str) -> str:
    """Return a bar and its text as HTML; `done` is a share."""
    return (
        f'<progress value="{done:.3f}" max="1" aria-label="Progress"></progress> '
        f"<span>{escape(text)}</span>"
    )


@contextmanager
def without_start_up_noise() -> Iterator[bool]:
    """Drop what TensorFlow says of itself to a notebook while it starts.

    Yields whether it does: only in a notebook, and before Keras is imported.

    Its C++ code writes to file descriptor 2, past `sys.stderr`. For the time of the
    block that is a file; all lines but the known noise are written on afterwards.
    Elsewhere other threads may start programs meanwhile, which would keep the file, and
    a crash would take the lines with it; in a notebook it ends the kernel, whose last
    lines are lost anyway.
    """
    if "keras" in sys.modules or not is_notebook():
        yield False
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield True
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not _START_UP_NOISE.match(line):
                    os.write(2, line)
