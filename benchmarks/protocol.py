"""One case: a method fills the hidden cells of a table, and is scored.

The method sees nothing but the incomplete table. It works in a process of its own, into
which the truth is never sent: each fit starts cold, with everything that is compiled
counted in its seconds, and a crash takes nothing else with it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import worker
from benchmarks.isolation import run_module
from benchmarks.methods import method_named
from benchmarks.problems import Problem
from benchmarks.scores import Answers, scores

# Scores by their key in a result, and what they are called in reports.
METRICS = {"rmse": "RMSE", "accuracy": "accuracy"}


class Case(NamedTuple):
    """The key of a result: `rate` is the share of hidden cells, `mask` their seed."""

    dataset: str
    mechanism: str
    rate: float
    mask: int
    method: str

    def __str__(self) -> str:
        hidden = f"{self.mechanism} {self.rate:.0%} mask {self.mask}"
        return f"{self.dataset} {hidden} {self.method}"


@dataclass(frozen=True)
class Limits:
    """What a case may take before it counts as failed, and draws to score."""

    seconds: float = 30 * 60
    gib: float = 12.0
    n_draws: int = 40


class MethodError(RuntimeError):
    """What a method raised in its process."""


def run_case(
    case: Case, problem: Problem, limits: Limits, execute: Callable = run_module
) -> dict[str, Any]:
    """Return the result of a case as a flat row; `error` is None if it succeeded."""
    row = case._asdict() | problem.size() | {"cells": problem.fingerprint()}
    try:
        answers, measured = solve(case.method, problem, limits, execute)
        return row | {"error": None} | scores(problem, answers) | measured
    except MethodError as error:
        return row | {"error": str(error)}
    except Exception as error:  # its answers cannot be read, or are none
        return row | {"error": f"{type(error).__name__}: {error}"}


def solve(
    method: str, problem: Problem, limits: Limits, execute: Callable
) -> tuple[dict[str, Answers], dict[str, Any]]:
    """Return what a method answers for each part of a problem, and what that took."""
    names = {"": "incomplete", "new_": "new"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for prefix, part in problem.parts.items():
            part.incomplete.to_parquet(folder / f"{names[prefix]}.parquet")
        execute(
            "benchmarks.worker",
            [method, str(limits.gib), str(limits.n_draws)],
            environment=method_named(method).environment,
            folder=folder,
            max_seconds=limits.seconds,
        )
        _raise_failure(folder / worker.FAILURE)
        measured = json.loads((folder / worker.MEASURED).read_text())
        answers = {prefix: Answers.read(folder, prefix) for prefix in problem.parts}
    return {x: given for x, given in answers.items() if given is not None}, measured


def _raise_failure(path: Path) -> None:
    if path.exists():
        failure = json.loads(path.read_text())
        raise MethodError(f"{failure['type']}: {failure['message']}")


Rows = dict[Case, dict[str, Any]]


def check_same_cells(rows: Rows) -> None:
    """Raise unless all methods were given the same table with the same hidden cells."""
    cells = {}
    for case, row in rows.items():
        if cells.setdefault(case[:-1], row["cells"]) != row["cells"]:
            raise ValueError(f"{case}: got other cells than another method was given")


def read_rows(path: Path) -> Rows:
    """Return the rows of a file of JSON lines by their case; no file, no rows."""
    rows = read_lines(path)
    return {Case(*(row[field] for field in Case._fields)): row for row in rows}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines; no file, no rows."""
    rows = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:  # cut short by a power failure, say
            raise ValueError(f"{path}, line {number}: {error}; delete it") from error
    return rows


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Write a row at the end of a file of JSON lines, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
