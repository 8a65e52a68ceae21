"""Run the cases of a study, each of them once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pandas as pd

from benchmarks import markdown
from benchmarks.protocol import append_line, read_lines
from benchmarks.run import environment
from benchmarks.worker import versions

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Study:
    """Cases, what to do with each, and how to show what came out.

    Attributes
    ----------
    name : str
        Of the results' file and of the markers in the page.
    fields : tuple of str
        What the parts of a case's key are.
    cases : callable
        Returns the keys of all cases.
    solve : callable
        Takes the parts of a key and returns the scores.
    render : callable
        Takes a frame of all rows and returns Markdown.
    page : str
        Where in docs/ that goes.
    takes_folder : bool
        Whether `solve` takes a folder of tables besides, as some are not here.
    """

    name: str
    fields: tuple[str, ...]
    cases: Callable[[], Iterable[Key]]
    solve: Callable[..., dict[str, Any]]
    render: Callable[[pd.DataFrame], str]
    page: str = "uses.md"
    takes_folder: bool = False

    def run(
        self, path: Path, only: tuple[str, ...] = (), folder: Path | None = None
    ) -> None:
        """Append the rows of all cases, or of some tables, that a file lacks."""
        besides = {"folder": folder} if self.takes_folder else {}
        done = {self._key(row) for row in read_lines(path)}
        for case in self.cases():
            if case in done or (only and case[0] not in only):
                continue
            start = time.process_time()
            row = dict(zip(self.fields, case, strict=True))
            row |= self.solve(*case, **besides)
            row["processor_seconds"] = round(time.process_time() - start, 1)
            row["environment"] = environment() | versions()
            append_line(path, row)
            shown = {name: x for name, x in row.items() if isinstance(x, float)}
            click.echo(f"{' '.join(map(str, case))}: {_shown(shown)}")

    def report(self, path: Path) -> str:
        """Return what a file of results says, as Markdown."""
        rows = read_lines(path)
        lines = [self.render(pd.DataFrame(rows)), "", *markdown.environments(rows)]
        return "\n".join(lines)

    def _key(self, row: dict[str, Any]) -> Key:
        return tuple(row[field] for field in self.fields)


def _shown(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
